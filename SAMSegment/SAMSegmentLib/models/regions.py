"""Positions and ROIs on a volume's grid, for all models."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ..core.checks import ROI_OUTSIDE
from ..core.errors import InputError
from ..core.geometry import Geometry
from ..core.prompts import FACE_TOLERANCE, Roi

#: An object reaches a face of a region if this share of its outline lies on it; less may be a leak.
REACHED = 0.1


def voxel_of(geometry: Geometry, ras: np.ndarray) -> np.ndarray:
    """(..., 3), by k, j, i: the voxels that hold positions (..., 3) in RAS mm."""
    index = np.rint(geometry.to_ijk(ras)[..., ::-1]).astype(int)
    return np.clip(index, 0, np.array(geometry.shape) - 1)


def roi_of_voxels(low: np.ndarray, high: np.ndarray, geometry: Geometry) -> Roi:
    """The ROI that holds the voxels from `low` to `high`, (k, j, i)."""
    box = np.eye(4)
    box[:3, :3] = np.diag((high - low + 1)[::-1])
    box[:3, 3] = (low + high)[::-1] / 2
    return Roi(geometry.ijk_to_ras @ box)


class RoiOnGrid:
    """The voxels of a grid that lie in an ROI. It is a hard limit: no mask leaves it.

    Args:
        geometry: a volume's grid, or that of a stack of slices; (k, j, i) is then (slice, row,
            column).

    Raises:
        InputError: if the ROI does not touch the volume.
    """

    def __init__(self, roi: Roi, geometry: Geometry) -> None:
        self._roi = at_least_a_voxel(roi, geometry)
        self._geometry = geometry
        self._corners = geometry.to_ijk(self._roi.corners())[:, ::-1]
        low, high = self._corners.min(0), self._corners.max(0)
        #: First voxel (k, j, i) of the box of voxels around the ROI.
        self.start = np.maximum(np.ceil(low - FACE_TOLERANCE), 0).astype(int)
        #: Last voxel, included.
        self.stop = np.minimum(
            np.floor(high + FACE_TOLERANCE), np.array(geometry.shape) - 1
        ).astype(int)
        if (self.stop < self.start).any() or not self.inside.any():
            raise InputError(ROI_OUTSIDE)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """The box of voxels around the ROI."""
        return tuple(slice(a, b + 1) for a, b in zip(self.start, self.stop, strict=True))

    @cached_property
    def inside(self) -> np.ndarray:
        """Which voxels of the box lie in the ROI, boolean."""
        shape = tuple(self.stop - self.start + 1)
        return self._roi.contains_voxels(self._geometry.crop(tuple(self.start), shape))

    @cached_property
    def is_full(self) -> bool:
        """Whether all voxels of the box lie in the ROI, as for one along the volume's axes."""
        return bool(self.inside.all())

    @property
    def open_faces(self) -> tuple[tuple[bool, bool], ...]:
        """For each axis, whether the volume goes on before the box's first and after its last."""
        shape = self._geometry.shape
        return tuple(
            (bool(first > 0), bool(last < n - 1))
            for first, last, n in zip(self.start, self.stop, shape, strict=True)
        )

    @property
    def slices(self) -> range:
        """Indices of the slices that the ROI cuts."""
        return range(self.start[0], self.stop[0] + 1)

    @property
    def middle(self) -> int:
        """The slice with which to start; int() and not round(): the published rule."""
        return int((self.stop[0] - self.start[0]) / 2 + self.start[0])

    def voxel_box(self, index: int) -> tuple[int, int, int, int]:
        """Voxels of a slice around the ROI's cut: first row and column, last row and column."""
        cut = _plane_cut(self._corners, index)
        low = np.ceil(cut.min(0) - FACE_TOLERANCE).astype(int)
        high = np.floor(cut.max(0) + FACE_TOLERANCE).astype(int)
        last = np.array(self._geometry.shape[1:]) - 1
        low, high = np.clip(low, 0, last), np.clip(high, 0, last)
        return (*low, *np.maximum(low, high))


def at_least_a_voxel(roi: Roi, geometry: Geometry) -> Roi:
    """An ROI thinner than a voxel (as drawn flat in a slice view) is taken as one voxel thick."""
    edges = geometry.ras_to_ijk[:3, :3] @ roi.box_to_ras[:3, :3]
    growth = np.maximum(1, 1 / np.abs(edges).max(axis=0))
    matrix = roi.box_to_ras.copy()
    matrix[:3, :3] *= growth
    return Roi(matrix)


# Corners of a box in binary order: an edge joins two that differ in one bit.
_EDGES = [(a, a | bit) for bit in (1, 2, 4) for a in range(8) if not a & bit]


def _plane_cut(corners: np.ndarray, index: int) -> np.ndarray:
    """Points (row, column) where a box's edges meet the plane of a slice.

    Args:
        corners: (8, 3) as slice, row, column.
    """
    position = np.clip(index, corners[:, 0].min(), corners[:, 0].max())
    points = []
    for a, b in _EDGES:
        start, end = corners[a], corners[b]
        if min(start[0], end[0]) <= position <= max(start[0], end[0]):
            length = end[0] - start[0]
            shares = [0.0, 1.0] if length == 0 else [(position - start[0]) / length]
            points += [start[1:] + share * (end[1:] - start[1:]) for share in shares]
    return np.array(points)
