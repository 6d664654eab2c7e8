"""A volume as stacks of slices, as a 2D network sees them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.geometry import Geometry
from ...core.image import Image
from ...core.orientation import FEW_SLICES, Reorientation, all_planes, slices_first
from ...core.patch import Patch
from ...core.prompts import Roi
from ...core.resample import area_weights, linear_weights
from .intensity import GreyLevels
from .model import SliceModel

# Across slices thicker than this many pixels, a network of square pixels sees steps, not shapes.
LARGEST_ANISOTROPY = 3.0


class PixelGrid:
    """A slice fitted into the network's square picture, at the top left, with square pixels.

    Args:
        shape: rows and columns of the slice.
        spacing: mm between rows and between columns.
        size: side of the picture in pixels.
        mask_stride: pixels of the picture per pixel of the network's masks.
    """

    def __init__(
        self, shape: tuple[int, int], spacing: tuple[float, float], size: int, mask_stride: int = 1
    ) -> None:
        self.shape = shape
        self.size = size
        self.mask_stride = mask_stride
        # Relative pixel sides; rounded, so that equal ones stay equal in oblique volumes.
        sides = np.round(np.array(spacing) / min(spacing), 3)
        extent = sides * shape
        #: Network pixels per voxel along rows and columns.
        self.scale = sides * size / extent.max()
        #: Rows and columns of the picture that hold the slice; the rest is padding.
        self.fitted = tuple(int(n) for n in np.maximum(shape * self.scale + 0.5, 1).astype(int))
        self._weights = [
            area_weights(n, m).astype(np.float32) for n, m in zip(shape, self.fitted, strict=True)
        ]

    def pixels(self, share: float) -> int:
        """A share of the picture's side in whole pixels."""
        return round(share * self.size)

    def fit(self, grey: np.ndarray) -> np.ndarray:
        """uint8 slice -> uint8 (rows, columns) of the fitted picture, averaged by area."""
        rows, columns = self._weights
        return np.rint(rows @ grey.astype(np.float32) @ columns.T).astype(np.uint8)

    def at_voxels(self, logits: np.ndarray) -> np.ndarray:
        """A float32 mask of the whole picture -> its values at the slice's voxels, interpolated."""
        stride = self.mask_stride
        rows, columns = (
            linear_weights((np.arange(n) + 0.5) * m / n / stride - 0.5, -(-m // stride)).astype(
                np.float32
            )
            for n, m in zip(self.shape, self.fitted, strict=True)
        )
        return rows @ logits[: rows.shape[1], : columns.shape[1]] @ columns.T

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


@dataclass(frozen=True, eq=False)
class Limits:
    """A hard limit for all masks on an image: voxels of other segments, or beyond an ROI.

    Attributes:
        occupied: voxels of other segments, on the image's grid.
        roi: what lies outside it is forbidden, too.
    """

    occupied: Patch | None = None
    roi: Roi | None = None

    def allowed(
        self, geometry: Geometry, start: tuple[int, int, int], shape: tuple[int, int, int]
    ) -> np.ndarray | None:
        """Where in a box (k, j, i) of an image's grid the object may be; None: everywhere."""
        allowed = None
        if self.occupied is not None:
            occupied = self.occupied.on_box(start, shape)
            allowed = ~occupied if occupied.any() else None
        if self.roi is not None:
            inside = self.roi.contains_voxels(geometry.crop(start, shape))
            allowed = inside if allowed is None else allowed & inside
        return allowed


@dataclass(frozen=True, eq=False)
class SliceWindow:
    """One slice of a stack, as the network gets it."""

    stack: SliceStack
    index: int

    @property
    def key(self) -> Hashable:
        return (self.stack.orientation, self.stack.grey_levels, self.index)

    def picture(self) -> np.ndarray:
        """float32 (channels, size, size): the slice, normalised by its own grey levels."""
        grid, model = self.stack.grid, self.stack.model
        grey = grid.fit(self.stack.grey(self.index)).astype(np.float32)
        rows, columns = grid.fitted
        picture = np.zeros((model.channels, grid.size, grid.size), dtype=np.float32)
        normalised = model.normalise(grey, float(grey.min()), float(grey.max()))
        picture[:, :rows, :columns] = normalised
        return picture


class SliceStack:
    """An image as slices, always the same way round (see core.orientation).

    Args:
        model: whose pictures the slices become.
        orientation: how the slices lie; None: as the scan's own.
        limits: where no mask may be.
    """

    def __init__(
        self,
        image: Image,
        grey_levels: GreyLevels,
        model: SliceModel,
        orientation: Reorientation | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.image = image
        self.grey_levels = grey_levels
        self.model = model
        self.orientation = orientation or slices_first(image.geometry)
        self.geometry = self.orientation.apply_to_geometry(image.geometry)
        self.voxels = self.orientation.apply(image.voxels)
        spacing = self.geometry.spacing
        self.grid = PixelGrid(
            self.geometry.shape[1:], (spacing[1], spacing[0]), model.size, model.mask_stride
        )
        self._limits = limits

    def allowed(self, start: Sequence[int], shape: Sequence[int]) -> np.ndarray | None:
        """Where in a box (slice, row, column) the object may be; None: everywhere."""
        if self._limits is None:
            return None
        native_shape = [0, 0, 0]
        for axis, size in zip(self.orientation.axes, shape, strict=True):
            native_shape[axis] = int(size)
        first = self.orientation.undo_start(tuple(start), tuple(shape), self.geometry.shape)
        allowed = self._limits.allowed(self.image.geometry, first, tuple(native_shape))
        return None if allowed is None else self.orientation.apply(allowed)

    def grey(self, index: int) -> np.ndarray:
        """Grey levels (row, column) of a slice, uint8."""
        return self.grey_levels.apply(self.voxels[index])


def stacks_of(
    image: Image, grey_levels: GreyLevels, model: SliceModel, limits: Limits | None = None
) -> list[SliceStack]:
    """The scan's own slices first, then the other two axes.

    Without these, where slices are few or voxels too elongated: they would show lines and steps.
    """
    planes = all_planes(image.geometry)
    spacing = image.geometry.spacing
    few = image.geometry.shape[planes[0].axes[0]] <= FEW_SLICES
    if few or spacing.max() > LARGEST_ANISOTROPY * spacing.min():
        planes = planes[:1]
    return [SliceStack(image, grey_levels, model, plane, limits) for plane in planes]


def in_view_first(
    stacks: Sequence[SliceStack], view_normal: tuple[float, float, float] | None
) -> list[int]:
    """The stacks' numbers, those first whose slices lie most in the plane that the user sees.

    Args:
        view_normal: across that plane, RAS; None: the order of the stacks.
    """
    numbers = range(len(stacks))
    if view_normal is None:
        return list(numbers)
    across = [abs(float(stack.geometry.directions[:, 2] @ view_normal)) for stack in stacks]
    return sorted(numbers, key=lambda number: -round(across[number], 3))
