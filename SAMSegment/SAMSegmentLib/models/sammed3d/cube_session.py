"""From prompts to masks on cubes: one click at a time, each with the mask before.

Source: SAM-Med3D's train.py: at each step the network gets the newest click alone, or none, and its
own last logits; its maintainer says that all clicks at once are worse (issue 40 there).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.geometry import Geometry
from ...core.patch import Patch
from ...core.prompts import Point, Roi
from ...core.resample import sample_linear
from .cube_growth import MOST_CUBES, grown
from .cube_masks import CubeMask, on_cube
from .cubes import CUBE_MM, ROUNDING_MM, Cube, CubeFrame
from .network import IMAGE_SIZE, MASK_SIZE

# How sure the network is told to be of what a segment holds, where that fills a voxel of its mask.
CONTENT_LOGIT = 4.0
NOTHING = np.zeros((MASK_SIZE,) * 3, dtype=np.float32)
NOTHING.flags.writeable = False

Box = tuple[float, ...]


@dataclass(frozen=True)
class CubePrompt:
    """What the network is told at once.

    Attributes:
        voxel: (x, y, z) of the click; None: no click.
        positive: whether that lies on the object.
        box: two opposite corners, (x, y, z) each, for weights that take boxes.
    """

    voxel: tuple[int, int, int] | None = None
    positive: bool = True
    box: Box | None = None


#: The network's logits, float32 (32, 32, 32), for a cube, a prompt and the mask before.
Ask = Callable[[Cube, CubePrompt, np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class CubeAnswer:
    """What the network said of an object.

    Attributes:
        own: cubes with a prompt of the user's in them.
        added: cubes into which the object goes on; made anew after each click.
        goes_on: whether it goes on beyond these.
    """

    own: tuple[CubeMask, ...]
    added: tuple[CubeMask, ...] = ()
    goes_on: bool = False

    @property
    def masks(self) -> tuple[CubeMask, ...]:
        return (*self.own, *self.added)

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return sum(mask.logits.nbytes for mask in self.masks)

    def holds(self, ras: np.ndarray) -> bool:
        """Whether a position in RAS mm lies in one of its cubes."""
        return any(mask.cube.holds(ras) for mask in self.masks)


class CubeSession:
    """The rules by which prompts become masks on cubes of one volume.

    Args:
        content: what the segment holds, on the volume's grid: the mask before any was made.
        ask: asks the network.
        show: is shown what there is so far, while there is more to be asked.
    """

    def __init__(
        self,
        geometry: Geometry,
        ask: Ask,
        show: Callable[[Sequence[CubeMask]], None],
        content: Patch | None = None,
    ) -> None:
        self._geometry = geometry
        self._frame = CubeFrame(geometry)
        self._ask = ask
        self._show = show
        self._content = content

    def at_point(self, point: Point, limit: Roi | None) -> CubeAnswer:
        """The first mask, of the object at a positive point."""
        return self._grow([self._clicked(CubeMask(self.around(point.ras), NOTHING), point)], limit)

    def in_roi(self, roi: Roi, center: np.ndarray, with_box: bool, limit: Roi | None) -> CubeAnswer:
        """The first mask, of the object in the middle of an ROI.

        Args:
            center: RAS mm.
            with_box: whether the network takes the ROI as a box, too.
        """
        cube = self.around(center)
        box = _box_in(roi, cube) if with_box else None
        logits = self._ask(cube, CubePrompt(cube.voxel(center), True, box), NOTHING)
        return self._grow([CubeMask(cube, logits)], limit)

    def of_content(self, limit: Roi | None) -> CubeAnswer:
        """The first mask, of the object that the segment's content means, without a click."""
        own = [
            CubeMask(cube, self._ask(cube, CubePrompt(), self._before([], cube)))
            for cube in _cubes_on(self._content, self._geometry, self._frame)
        ]
        return self._grow(own, limit)

    def corrected(self, answer: CubeAnswer, point: Point, limit: Roi | None) -> CubeAnswer:
        """An answer after one more click; see module."""
        ras = np.array(point.ras)
        own = list(answer.own)
        if not any(mask.cube.holds(ras) for mask in own):
            new = self._cube_for(answer, point)
            if new is None:
                return answer
            own.append(new)
        own = [self._clicked(mask, point) if mask.cube.holds(ras) else mask for mask in own]
        return self._grow(own, limit)

    def opinion(self, point: Point) -> CubeMask:
        """What the network makes of the segment's content after a click."""
        cube = self.around(point.ras)
        return self._clicked(CubeMask(cube, self._before([], cube)), point)

    def around(self, ras) -> Cube:
        """The cube in which the network looks at a position, RAS mm."""
        return self._frame.cube_around(np.asarray(ras, dtype=float))

    def _cube_for(self, answer: CubeAnswer, point: Point) -> CubeMask | None:
        """The cube for a click outside those of the user; None if it changes nothing."""
        holding = [mask for mask in answer.added if mask.cube.holds(point.ras)]
        if holding:
            return max(holding, key=lambda mask: mask.cube.depth(point.ras))
        if not point.positive:
            return None  # there is no mask
        cube = self.around(point.ras)
        return CubeMask(cube, self._before(answer.masks, cube))

    def _clicked(self, mask: CubeMask, point: Point) -> CubeMask:
        prompt = CubePrompt(mask.cube.voxel(point.ras), point.positive)
        return CubeMask(mask.cube, self._ask(mask.cube, prompt, mask.logits))

    def _before(self, masks: Sequence[CubeMask], cube: Cube) -> np.ndarray:
        """The previous mask for a cube that was not asked yet."""
        if masks or self._content is None:
            return on_cube(masks, cube)
        return _content_on(self._content, self._geometry, cube)

    def _grow(self, own: list[CubeMask], limit: Roi | None) -> CubeAnswer:
        added, goes_on = grown(
            own,
            lambda cube, voxel, previous: self._ask(cube, CubePrompt(voxel), previous),
            limit,
            self._show,
        )
        return CubeAnswer(tuple(own), tuple(added), goes_on)


def _cubes_on(content: Patch, geometry: Geometry, frame: CubeFrame) -> list[Cube]:
    """The cubes that hold a segment's content: the one around its middle, and more if need be."""
    grid = geometry.crop(content.start, content.values.shape)
    cubes = [frame.cube_around(grid.corners().mean(0))]
    if all(cubes[0].holds(corner) for corner in grid.corners()):
        return cubes
    rest = content.values & ~_voxels_in(cubes[0], grid)
    if rest.sum() == content.values.sum():
        cubes.clear()  # pieces far apart, and nothing between them
    while rest.any() and len(cubes) < MOST_CUBES:
        voxel = np.unravel_index(rest.argmax(), rest.shape)
        cubes.append(frame.cube_around(grid.to_ras(np.array(voxel[::-1]))))
        rest &= ~_voxels_in(cubes[-1], grid)
    return cubes


def _voxels_in(cube: Cube, grid: Geometry) -> np.ndarray:
    """Which voxels of a grid lie in a cube, boolean, (k, j, i)."""
    size = CUBE_MM + 2 * ROUNDING_MM
    return Roi.from_box(cube.center, (size,) * 3, cube.frame.axes).contains_voxels(grid)


def _content_on(content: Patch, geometry: Geometry, cube: Cube) -> np.ndarray:
    """A segment's content as the network's own logits, by how much of each voxel it fills."""
    source = geometry.crop(content.start, content.values.shape)
    there = sample_linear(content.values, source, cube.geometry, 0.0)
    share = there.reshape((MASK_SIZE, IMAGE_SIZE // MASK_SIZE) * 3).mean((1, 3, 5))
    return (CONTENT_LOGIT * (2 * share - 1)).astype(np.float32)


def _box_in(roi: Roi, cube: Cube) -> Box:
    """The box around an ROI in a cube's voxels, cut to the cube."""
    corners = cube.geometry.to_ijk(roi.corners())[:, ::-1]
    ends = np.clip([corners.min(0), corners.max(0)], 0, IMAGE_SIZE - 1)
    return tuple(float(value) for value in ends.ravel())
