"""Where SAM-Med3D's cubes lie in a volume."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.geometry import Geometry
from ..windowed.volume_frame import VolumeFrame, on_lattice
from .network import IMAGE_SIZE, MASK_SIZE

#: Side of a cube: 128 voxels of 1.5 mm, as the network was trained.
CUBE_MM = 192.0
#: Side of a voxel of the network's mask.
MASK_MM = CUBE_MM / MASK_SIZE
#: Side of a voxel that the network gets.
VOXEL_MM = CUBE_MM / IMAGE_SIZE
# Cubes start at even steps between a volume's ends, at most two voxels of the network's mask, so
# that clicks near each other share what was encoded. The point meant stays within 6 mm of the
# middle, and the last cube ends where the volume does.
LATTICE_MM = 12.0
#: Starts of cubes are rounded to 0.001 mm: a volume's face may lie that far outside.
ROUNDING_MM = 1e-3


class CubeFrame(VolumeFrame):
    """The cubes of a volume."""

    def cube_around(self, ras: np.ndarray) -> Cube:
        """The cube around a position, RAS mm; moved into the volume where that is large enough."""
        start = np.asarray(ras, dtype=float) @ self.axes - CUBE_MM / 2
        return self._cube(on_lattice(start, *self._ends(), LATTICE_MM))

    def beside(self, cube: Cube, axis: int, side: int) -> Cube:
        """The cube half a side further along an axis (0, 1, 2: x, y, z); `side` is -1 or +1.

        A little further, if the volume ends there: no cube is spent on one step of the lattice.
        """
        start = np.array(cube.start)
        start[axis] += side * CUBE_MM / 2
        end = self._ends()[0 if side < 0 else 1][axis]
        # A whole step is what many volumes leave, and starts are rounded.
        if abs(start[axis] - end) <= LATTICE_MM + 2 * ROUNDING_MM:
            start[axis] = end
        return self._cube(start)

    def _ends(self) -> tuple[np.ndarray, np.ndarray]:
        """The first and the last place where a cube may start, mm.

        A volume smaller than the cube lies within it, a larger one around it.
        """
        ends = self.low, self.high - CUBE_MM
        return np.minimum(*ends), np.maximum(*ends)

    def _cube(self, start: np.ndarray) -> Cube:
        # Rounded, so that equal cubes have equal names.
        start = np.round(np.clip(start, *self._ends()), 3)
        return Cube(self, tuple(float(value) for value in start))


@dataclass(frozen=True)
class Cube:
    """A part of space that the network sees at once.

    Attributes:
        start: its lowest corner along the frame's axes, mm.
    """

    frame: CubeFrame
    start: tuple[float, float, float]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cube) and self.start == other.start

    def __hash__(self) -> int:
        return hash(self.start)

    @cached_property
    def geometry(self) -> Geometry:
        """The voxels that the network gets; array axes are x, y, z."""
        return self._grid(IMAGE_SIZE)

    @cached_property
    def mask_geometry(self) -> Geometry:
        """The voxels of the mask that the network gives; array axes are x, y, z."""
        return self._grid(MASK_SIZE)

    @property
    def center(self) -> np.ndarray:
        """RAS mm."""
        return self.frame.axes @ (np.array(self.start) + CUBE_MM / 2)

    def holds(self, ras: np.ndarray) -> bool:
        """Whether a position in RAS mm lies in it."""
        return self.depth(ras) > -ROUNDING_MM

    def depth(self, ras: np.ndarray) -> float:
        """mm from a position in RAS mm to the nearest face; negative outside."""
        inside = np.asarray(ras, dtype=float) @ self.frame.axes - self.start
        return float(np.minimum(inside, CUBE_MM - inside).min())

    def voxel(self, ras: np.ndarray) -> tuple[int, int, int]:
        """(x, y, z) of the nearest voxel that the network gets, for a position in RAS mm."""
        index = np.rint(self.geometry.to_ijk(np.asarray(ras, dtype=float))[::-1])
        return tuple(int(n) for n in np.clip(index, 0, IMAGE_SIZE - 1))

    def goes_on(self, axis: int, side: int) -> bool:
        """Whether the volume goes on beyond a face by more than a voxel that the network gets."""
        if side < 0:
            return bool(self.start[axis] - VOXEL_MM > self.frame.low[axis])
        return bool(self.start[axis] + CUBE_MM + VOXEL_MM < self.frame.high[axis])

    def _grid(self, size: int) -> Geometry:
        return self.frame.grid(self.start, CUBE_MM / size, (size,) * 3)
