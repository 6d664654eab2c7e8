"""A volume as a stack of slices, as a 2D network sees them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.geometry import Geometry
from ...core.image import Image
from ...core.orientation import Reorientation, slices_first
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
