"""A volume and an ROI as a stack of slices, as a 2D network sees them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.checks import ROI_OUTSIDE
from ...core.errors import InputError
from ...core.geometry import Geometry, apply_matrix
from ...core.image import Image
from ...core.orientation import Reorientation, slices_first
from ...core.prompts import FACE_TOLERANCE, Roi
from ...core.resample import area_weights, linear_weights
from .intensity import GreyLevels
from .limits import Limits


class PixelGrid:
    """A slice fitted into the network's square picture, at the top left, with square pixels.

    Args:
        shape: rows and columns of the slice.
        spacing: mm between rows and between columns.
        size: side of the picture in pixels.
    """

    def __init__(self, shape: tuple[int, int], spacing: tuple[float, float], size: int) -> None:
        self.shape = shape
        self.size = size
        # Relative pixel sides; rounded, so that equal ones stay equal in oblique volumes.
        sides = np.round(np.array(spacing) / min(spacing), 3)
        extent = sides * shape
        #: Network pixels per voxel along rows and columns.
        self.scale = sides * size / extent.max()
        #: Rows and columns of the picture that hold the slice; the rest is black padding.
        self.fitted = tuple(int(n) for n in np.maximum(shape * self.scale + 0.5, 1).astype(int))
        self._weights = [
            area_weights(n, m).astype(np.float32) for n, m in zip(shape, self.fitted, strict=True)
        ]

    def fit(self, grey: np.ndarray) -> np.ndarray:
        """uint8 slice -> uint8 (rows, columns) of the fitted picture, averaged by area."""
        rows, columns = self._weights
        return np.rint(rows @ grey.astype(np.float32) @ columns.T).astype(np.uint8)

    def picture(self, grey: np.ndarray) -> np.ndarray:
        """uint8 slice -> float32 (size, size) from 0 to 1, stretched to the slice's own range."""
        fitted = self.fit(grey).astype(np.float32)
        lowest, highest = fitted.min(), fitted.max()
        picture = np.zeros((self.size, self.size), dtype=np.float32)
        picture[: self.fitted[0], : self.fitted[1]] = (fitted - lowest) / max(
            highest - lowest, 1e-8
        )
        return picture

    def at_voxels(self, picture: np.ndarray) -> np.ndarray:
        """float32 picture (size, size) -> its values at the slice's voxels, by interpolation."""
        rows, columns = (
            linear_weights((np.arange(n) + 0.5) * m / n - 0.5, m).astype(np.float32)
            for n, m in zip(self.shape, self.fitted, strict=True)
        )
        return rows @ picture[: self.fitted[0], : self.fitted[1]] @ columns.T

    def box_of_voxels(self, box: tuple[int, int, int, int]) -> np.ndarray:
        """Box of voxels (first row, first column, last row, last column) -> xyxy in the picture.

        Truncated to whole pixels, as the networks were trained.
        """
        top, left, bottom, right = box
        return np.array(
            [
                int(left * self.scale[1]),
                int(top * self.scale[0]),
                int(right * self.scale[1]),
                int(bottom * self.scale[0]),
            ]
        )

    def box_of_mask(self, mask: np.ndarray, margin: int) -> np.ndarray | None:
        """Bounding box of a slice's mask, xyxy in the picture, enlarged; None without a mask."""
        fitted = self.fit(mask)
        rows, columns = np.flatnonzero(fitted.any(1)), np.flatnonzero(fitted.any(0))
        if rows.size == 0:
            return None
        low = np.array([columns[0], rows[0]]) - margin
        high = np.array([columns[-1], rows[-1]]) + margin
        return np.concatenate([np.maximum(low, 0), np.minimum(high, self.size)])


@dataclass(frozen=True, eq=False)
class SliceWindow:
    """One slice of a stack, as the network gets it."""

    stack: SliceStack
    index: int

    @property
    def key(self) -> Hashable:
        return (self.stack.orientation, self.stack.grey_levels, self.index)

    def picture(self) -> np.ndarray:
        """float32 (size, size), 0 to 1: the slice as the network gets it."""
        return self.stack.picture(self.index)

    @property
    def geometry(self) -> Geometry:
        """The network's pixels in the image's RAS; shape (1, size, size)."""
        grid = self.stack.grid
        to_voxels = np.eye(4)
        for axis, (source, target) in enumerate(
            zip(grid.shape[::-1], grid.fitted[::-1], strict=True)
        ):
            step = source / target
            to_voxels[axis, axis] = step
            to_voxels[axis, 3] = (step - 1) / 2
        to_voxels[2, 3] = self.index
        return Geometry(self.stack.geometry.ijk_to_ras @ to_voxels, (1, grid.size, grid.size))


class SliceStack:
    """An image as slices, always the same way round (see core.orientation).

    Args:
        size: side of the network's picture in pixels.
        orientation: how the slices lie; None: as the scan's own.
        limits: where no mask may be.
    """

    def __init__(
        self,
        image: Image,
        grey_levels: GreyLevels,
        size: int,
        orientation: Reorientation | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.image = image
        self.grey_levels = grey_levels
        self.orientation = orientation or slices_first(image.geometry)
        self.geometry = self.orientation.apply_to_geometry(image.geometry)
        self.voxels = self.orientation.apply(image.voxels)
        spacing = self.geometry.spacing
        self.grid = PixelGrid(self.geometry.shape[1:], (spacing[1], spacing[0]), size)
        self._limits = limits

    def allowed(self, start: Sequence[int], shape: Sequence[int]) -> np.ndarray | None:
        """Where in a box (slice, row, column) the object may be; None: everywhere."""
        if self._limits is None:
            return None
        return self._limits.allowed(self.image.geometry, self.orientation, start, shape)

    def picture(self, index: int) -> np.ndarray:
        """float32 (size, size): the slice as the network gets it."""
        return self.grid.picture(self.grey_levels.apply(self.voxels[index]))


class RoiInStack:
    """Where an ROI cuts the slices of a stack. It is a hard limit: no mask leaves it.

    Args:
        geometry: grid of the stack (slice, row, column).

    Raises:
        InputError: if the ROI does not touch the volume.
    """

    def __init__(self, roi: Roi, geometry: Geometry) -> None:
        self._roi = at_least_a_voxel(roi, geometry)
        self._geometry = geometry
        self._corners = geometry.to_ijk(self._roi.corners())[:, ::-1]
        low, high = self._corners.min(0), self._corners.max(0)
        #: First voxel (slice, row, column) of the box of voxels around the ROI.
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


def box_on_window(roi: Roi, window: SliceWindow) -> np.ndarray:
    """An ROI as an xyxy box on the network's pixels of a slice."""
    corners = apply_matrix(window.geometry.ras_to_ijk, roi.corners())
    size = window.stack.grid.size
    return np.concatenate([corners.min(0)[:2], corners.max(0)[:2]]).clip(0, size)
