"""A volume as a stack of slices in a fixed orientation.

A slice-wise model should get the same pictures however the voxels are stored. The array axes are
therefore brought into a fixed order and direction first. The result is a view: no voxel is copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from .geometry import Geometry

# An axis is taken for the scan's slice axis if its spacing exceeds the others by this factor.
THICK_SLICE_FACTOR = 1.3
# If exactly one axis has no more voxels than this, it is the slice axis, whatever the spacing.
FEW_SLICES = 3
# For each anatomical slice axis: the anatomical axes of slice, row and column, with the sign of
# their direction. 0, 1, 2 are R, A, S. Rows run down and columns to the right in the radiological
# convention: patient's left on the right, front or head at the top.
SLICE_VIEWS = {
    2: ((2, +1), (1, -1), (0, -1)),  # axial
    1: ((1, +1), (2, -1), (0, -1)),  # coronal
    0: ((0, +1), (2, -1), (1, -1)),  # sagittal
}


@dataclass(frozen=True)
class Reorientation:
    """A permutation of the array axes, some of them reversed.

    Attributes:
        axes: new array axis n is old array axis `axes[n]`.
        flips: whether new array axis n has the opposite direction of the old one.
    """

    axes: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def apply(self, voxels: np.ndarray) -> np.ndarray:
        """The reoriented view of an array."""
        return voxels.transpose(self.axes)[self._slices()]

    def undo(self, voxels: np.ndarray) -> np.ndarray:
        """The view of a reoriented array in its original order."""
        return voxels[self._slices()].transpose(np.argsort(self.axes))

    def apply_to_geometry(self, geometry: Geometry) -> Geometry:
        """The grid of the reoriented view; every voxel keeps its position."""
        new_to_old = np.zeros((4, 4))
        new_to_old[3, 3] = 1
        for new_axis, (old_axis, flip) in enumerate(zip(self.axes, self.flips, strict=True)):
            # Array axes count k, j, i; matrices count i, j, k.
            old, new = 2 - old_axis, 2 - new_axis
            new_to_old[old, new] = -1 if flip else 1
            new_to_old[old, 3] = geometry.shape[old_axis] - 1 if flip else 0
        shape = tuple(geometry.shape[axis] for axis in self.axes)
        return Geometry(geometry.ijk_to_ras @ new_to_old, shape)

    def undo_start(
        self, start: tuple[int, ...], shape: tuple[int, ...], whole: tuple[int, ...]
    ) -> tuple[int, int, int]:
        """First voxel of a box in the original order.

        Args:
            start: first voxel of the box in the reoriented array.
            shape: shape of the box in the reoriented array.
            whole: shape of the whole reoriented array.
        """
        old = [0, 0, 0]
        for axis in range(3):
            first = whole[axis] - start[axis] - shape[axis] if self.flips[axis] else start[axis]
            old[self.axes[axis]] = int(first)
        return tuple(old)

    def _slices(self) -> tuple[slice, ...]:
        return tuple(slice(None, None, -1 if flip else 1) for flip in self.flips)


def slices_first(geometry: Geometry) -> Reorientation:
    """The (slice, row, column) view of a grid for slice-wise models.

    The slices are those of the scan: perpendicular to the one axis with few voxels, or to the axis
    with clearly the largest spacing; otherwise they are axial. The choice depends on the grid's own
    RAS, so storing the voxels flipped or permuted changes nothing; neither does a parent transform,
    because it is not part of the grid.
    """
    anatomical = _closest_anatomical_axes(geometry)
    return _view(geometry, anatomical, _slice_axis(geometry, anatomical))


def all_planes(geometry: Geometry) -> tuple[Reorientation, Reorientation, Reorientation]:
    """The views of a grid along each of its axes; the one of `slices_first` comes first."""
    anatomical = _closest_anatomical_axes(geometry)
    first = _slice_axis(geometry, anatomical)
    axes = sorted(range(3), key=lambda axis: (axis != first, -anatomical[axis]))
    return tuple(_view(geometry, anatomical, axis) for axis in axes)


def towards_ras(geometry: Geometry) -> Reorientation:
    """The view of a grid whose axes are closest to R, A and S, in these directions.

    NIfTI tools call this canonical or RAS+. It does not depend on how the voxels are stored.
    """
    anatomical = _closest_anatomical_axes(geometry)
    axes = tuple(anatomical.index(world) for world in range(3))
    flips = tuple(bool(geometry.directions[world, 2 - axis] < 0) for world, axis in enumerate(axes))
    return Reorientation(axes, flips)


def _view(geometry: Geometry, anatomical: tuple[int, ...], slice_axis: int) -> Reorientation:
    """The view with slices along an array axis."""
    view = SLICE_VIEWS[anatomical[slice_axis]]
    axes = tuple(anatomical.index(world) for world, _ in view)
    flips = tuple(
        bool(geometry.directions[world, 2 - axis] * sign < 0)
        for axis, (world, sign) in zip(axes, view, strict=True)
    )
    return Reorientation(axes, flips)


def _closest_anatomical_axes(geometry: Geometry) -> tuple[int, ...]:
    """For each array axis (k, j, i), the closest of R, A, S; each is assigned once."""
    alignment = np.abs(geometry.directions.T[::-1])
    return max(permutations(range(3)), key=lambda world: alignment[range(3), world].sum())


def _slice_axis(geometry: Geometry, anatomical: tuple[int, ...]) -> int:
    thin = [axis for axis, count in enumerate(geometry.shape) if count <= FEW_SLICES]
    if len(thin) == 1:
        return thin[0]
    spacing = geometry.spacing[::-1]
    thickest = int(np.argmax(spacing))
    others = np.delete(spacing, thickest)
    if spacing[thickest] >= THICK_SLICE_FACTOR * others.max():
        return thickest
    return anatomical.index(2)
