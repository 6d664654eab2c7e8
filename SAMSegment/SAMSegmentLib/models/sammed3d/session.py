"""From prompts to masks in cubes: one click at a time, each with the mask before.

Objects larger than a cube are followed into further ones, where the mask reaches a face.

Sources: SAM-Med3D's train.py: at each step the network gets the newest click alone, or none, and
its own last logits; its maintainer found that all clicks at once are worse (issue 40 there). Its
paper lets neighbouring windows overlap by half; its code gave each of them clicks of its own from
the truth. Here, what is known of the mask is handed on as the previous mask, with a click where it
is deepest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...core.geometry import Geometry
from ...core.patch import Patch
from ...core.prompts import Point, Roi
from ..windowed.masks import WindowMask, on_grid
from ..windowed.windows import Window, filled_share
from .model import CUBE_MM, VOXEL_MM, CubeFrame, CubePrompt
from .network import IMAGE_SIZE, MASK_SIZE

# Logit of what a segment holds, where that fills a voxel of the network's mask.
CONTENT_LOGIT = 4.0
#: Cubes at most: 12 hold a body's trunk, and take a laptop some 12 s.
MOST_CUBES = 12
# Voxels that the network gets along one of its mask.
_FACTOR = IMAGE_SIZE // MASK_SIZE
_NOTHING = np.zeros((MASK_SIZE,) * 3, dtype=np.float32)
_FACES = tuple((axis, side) for axis in range(3) for side in (-1, 1))

#: The network's mask for a cube and a prompt.
Ask = Callable[[Window, CubePrompt], WindowMask]
#: Is shown all masks that there are, while there is more to be asked.
Show = Callable[[Sequence[WindowMask]], None]


@dataclass(frozen=True, eq=False)
class CubeAnswer:
    """An object's masks in cubes.

    Attributes:
        own: cubes with a prompt of the user's in them.
        added: cubes into which the object continues; made anew after each click.
        is_cut_off: whether it continues beyond these.
    """

    own: tuple[WindowMask, ...]
    added: tuple[WindowMask, ...] = ()
    is_cut_off: bool = False

    @property
    def masks(self) -> tuple[WindowMask, ...]:
        return (*self.own, *self.added)

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return sum(mask.logits.nbytes for mask in self.masks)


class CubeSession:
    """The rules by which prompts become masks on cubes of one volume.

    Args:
        ask: asks the network.
        show: is shown what there is so far.
        content: what the segment holds, on the volume's grid: the mask before any was made.
        limit: no cube is added for what lies outside of it.
    """

    def __init__(
        self,
        geometry: Geometry,
        ask: Ask,
        show: Show,
        content: Patch | None = None,
        limit: Roi | None = None,
    ) -> None:
        self._geometry = geometry
        self._frame = CubeFrame(geometry)
        self._ask = ask
        self._show = show
        self._content = content
        self._limit = limit

    def at_point(self, point: Point) -> CubeAnswer:
        """The first mask, of the object at a positive point."""
        nothing = WindowMask(self._frame.around(point.ras), _NOTHING)
        return self._followed([self._clicked(nothing, point)])

    def in_roi(self, roi: Roi, center: np.ndarray, with_box: bool) -> CubeAnswer:
        """The first mask, of the object in the middle of an ROI.

        Args:
            center: RAS mm.
            with_box: whether the network takes the ROI as a box, too.
        """
        cube = self._frame.around(center)
        box = _box_in(roi, cube) if with_box else None
        return self._followed([self._ask(cube, CubePrompt(_voxel(cube, center), True, box))])

    def of_content(self) -> CubeAnswer:
        """The first mask, of the object that the segment's content means, without a click."""
        before = [self._before([], cube) for cube in self._cubes_on_content()]
        return self._followed(
            [self._ask(mask.window, CubePrompt(before=mask.logits)) for mask in before]
        )

    def at_content(self, point: Point) -> WindowMask:
        """What the network makes of the segment's content after a click."""
        return self._clicked(self._before([], self._frame.around(point.ras)), point)

    def corrected(self, answer: CubeAnswer, point: Point) -> CubeAnswer:
        """An answer after one more click; see module."""
        own = list(answer.own)
        if not any(mask.window.holds(point.ras) for mask in own):
            new = self._cube_for(answer, point)
            if new is None:
                return answer
            own.append(new)
        return self._followed(
            [self._clicked(mask, point) if mask.window.holds(point.ras) else mask for mask in own]
        )

    def _cube_for(self, answer: CubeAnswer, point: Point) -> WindowMask | None:
        """The cube for a click outside those of the user; None if it changes nothing."""
        holding = [mask for mask in answer.added if mask.window.holds(point.ras)]
        if holding:
            return max(holding, key=lambda mask: mask.window.depth(point.ras))
        if not point.positive:
            return None  # there is no mask
        return self._before(answer.masks, self._frame.around(point.ras))

    def _clicked(self, mask: WindowMask, point: Point) -> WindowMask:
        """The mask of a cube after a click in it."""
        voxel = _voxel(mask.window, point.ras)
        return self._ask(mask.window, CubePrompt(voxel, point.positive, before=mask.logits))

    def _before(self, masks: Sequence[WindowMask], cube: Window) -> WindowMask:
        """The previous mask for a cube that was not asked yet."""
        if masks or self._content is None:
            return _known_in(cube, masks)
        filled = filled_share(self._content, self._geometry, cube)
        share = filled.reshape((MASK_SIZE, _FACTOR) * 3).mean((1, 3, 5))
        return WindowMask(cube, (CONTENT_LOGIT * (2 * share - 1)).astype(np.float32))

    def _cubes_on_content(self) -> list[Window]:
        """The cubes that hold the content: the one around its middle, and more if need be."""
        content = self._content
        grid = self._geometry.crop(content.start, content.values.shape)
        cubes = [self._frame.around(grid.corners().mean(0))]
        if cubes[0].holds(grid.corners()).all():
            return cubes
        rest = content.values & ~cubes[0].contained_voxels(grid)
        if rest.sum() == content.values.sum():
            cubes.clear()  # pieces far apart, and nothing between them
        while rest.any() and len(cubes) < MOST_CUBES:
            voxel = np.unravel_index(rest.argmax(), rest.shape)
            cubes.append(self._frame.around(grid.to_ras(np.array(voxel[::-1]))))
            rest &= ~cubes[-1].contained_voxels(grid)
        return cubes

    def _followed(self, own: list[WindowMask]) -> CubeAnswer:
        added, is_cut_off = followed(own, self._ask, self._limit, self._show)
        return CubeAnswer(tuple(own), tuple(added), is_cut_off)


def followed(
    masks: Sequence[WindowMask],
    ask: Ask,
    limit: Roi | None = None,
    show: Show = lambda masks: None,
) -> tuple[list[WindowMask], bool]:
    """The cubes to add to those given, and whether the mask continues beyond them all.

    Overlapping cubes are added where the mask reaches a face.

    Args:
        limit: no cube is added for what lies outside of it.
        show: shown all masks that there are, each time before another cube is asked.
    """
    new: list[WindowMask] = []
    asked = {mask.window for mask in masks}
    waiting = [(mask, face) for mask in masks for face in _FACES]
    while waiting:
        mask, face = waiting.pop(0)
        known = [*masks, *new]
        if not _leaves(mask, face, known, limit):
            continue
        cube = mask.window.frame.beside(mask.window, *face)
        if cube in asked:
            continue
        if len(known) >= MOST_CUBES:
            return new, True
        asked.add(cube)
        before = _known_in(cube, known)
        voxel = _deepest(before.logits > 0)
        if voxel is None:
            continue
        show(known)
        new.append(ask(cube, CubePrompt(voxel, before=before.logits)))
        waiting += [(new[-1], face) for face in _FACES]
    return new, False


def _leaves(
    mask: WindowMask, face: tuple[int, int], known: Sequence[WindowMask], limit: Roi | None
) -> bool:
    """Whether a mask reaches a face beyond which the volume continues and no other cube lies."""
    if face not in mask.faces or (limit is not None and not _reaches(limit, mask.window, face)):
        return False
    axis, side = face
    on_face = np.take(mask.logits > 0, 0 if side < 0 else -1, axis)
    beyond = np.insert(np.argwhere(on_face).mean(0), axis, -1.0 if side < 0 else MASK_SIZE)
    ras = mask.grid.to_ras(beyond[::-1])
    return not any(other.window.holds(ras) for other in known)


def _reaches(roi: Roi, cube: Window, face: tuple[int, int]) -> bool:
    """Whether an ROI reaches beyond a face by more than a voxel that the network gets."""
    axis, side = face
    low, high = cube.start[axis] - VOXEL_MM, cube.start[axis] + CUBE_MM + VOXEL_MM
    ends = roi.corners() @ cube.frame.axes[:, axis]
    return bool(ends.min() < low if side < 0 else ends.max() > high)


def _known_in(cube: Window, masks: Sequence[WindowMask]) -> WindowMask:
    """A cube's mask as others know it; 0 where nothing is known."""
    return WindowMask(cube, on_grid(masks, cube.coarser(_FACTOR)))


def _deepest(mask: np.ndarray) -> tuple[int, int, int] | None:
    """The network's voxel (x, y, z) in the middle of the deepest voxel of a mask; None without."""
    if not mask.any():
        return None
    if mask.all():
        return (IMAGE_SIZE // 2,) * 3
    # The cube's faces do not count as borders: the object may go on there.
    depth = ndimage.distance_transform_edt(mask)
    deepest = np.unravel_index(depth.argmax(), mask.shape)
    return tuple(int(n) * _FACTOR + _FACTOR // 2 for n in deepest)


def _voxel(cube: Window, ras: np.ndarray) -> tuple[int, int, int]:
    """(x, y, z) of the voxel that the network gets for a position in RAS mm."""
    return tuple(int(n) for n in cube.voxels(ras))


def _box_in(roi: Roi, cube: Window) -> tuple[float, ...]:
    """The box around an ROI in a cube's voxels, cut to the cube."""
    corners = cube.place(roi.corners())
    ends = np.clip([corners.min(0), corners.max(0)], 0, IMAGE_SIZE - 1)
    return tuple(float(value) for value in ends.ravel())
