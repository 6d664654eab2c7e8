"""Four slices in one picture, so that the encoder sees four for the price of one.

A slice-wise network gets a whole slice, of which an ROI is mostly a small part. Its squares
around the ROI from four slices, at the network's own scale, fit side by side into one picture. On
CT and MR the masks are as good as from whole slices (docs/accuracy.md has the figures), and the
decoder, shown one square alone, takes a quarter of its time.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from ...core.resample import area_weights, linear_weights
from ..regions import RoiOnGrid
from .model import Box, Part
from .slices import PixelGrid, SliceStack

#: Squares along a side of the picture.
TILES = 2
SLICES_PER_PICTURE = TILES * TILES
# A tile holds the region and at least this much around it, relative to the region's longer side.
CONTEXT = 1.15
# A small region fills at least this share of the picture's side, but its voxels are at most
# LARGEST_ZOOM times as large as in a picture of the whole slice: lesions of a few pixels are not
# seen otherwise.
SMALLEST_REGION, LARGEST_ZOOM = 1 / 4, 3.0


@dataclass(frozen=True)
class Tile:
    """A square part of every slice of a stack, in the pixels that the network sees.

    Attributes:
        start: row and column of its upper left corner, in voxels from the slice's corner.
        scale: pixels per voxel along rows and columns.
        side: pixels along a side.
        mask_stride: pixels per pixel of the network's masks.
    """

    start: tuple[float, float]
    scale: tuple[float, float]
    side: int
    mask_stride: int = 1

    @classmethod
    def around(cls, region: RoiOnGrid, grid: PixelGrid) -> Tile:
        """The tile around a region: at the scale of whole slices, unless it is large or small."""
        side = grid.size // TILES
        first, last = region.start[1:], region.stop[1:] + 1
        needed = CONTEXT * float(((last - first) * grid.scale).max())
        zoom = min(max(1.0, SMALLEST_REGION * grid.size / needed), LARGEST_ZOOM, side / needed)
        scale = grid.scale * zoom
        extent = side / scale
        start = [
            _place(*ends) for ends in zip(first, last, extent, np.array(grid.shape), strict=True)
        ]
        return cls(tuple(start), tuple(float(value) for value in scale), side, grid.mask_stride)

    def picture(self, grey: np.ndarray) -> np.ndarray:
        """uint8 slice -> float32 (side, side), 0 to 255; black beyond the slice."""
        return np.rint(self._averaged(grey, (0, 0), self.side))

    def mask_prompt(self, logits: np.ndarray, start: np.ndarray, outside: float) -> np.ndarray:
        """Logits of a part of the slice -> those of the tile, as the network's own masks.

        Args:
            logits: (row, column).
            start: row and column of their first voxel.
            outside: the logit elsewhere.
        """
        return outside + self._averaged(logits - outside, start, self.side // self.mask_stride)

    def box(self, first: tuple[int, int], last: tuple[int, int], margin: int = 0) -> Box:
        """xyxy in pixels of the tile around the voxels from (row, column) `first` to `last`."""
        start, scale = np.array(self.start), np.array(self.scale)
        low = np.floor((np.array(first) - start) * scale).astype(int) - margin
        high = np.floor((np.array(last) - start) * scale).astype(int) + margin
        (top, left), (bottom, right) = low.clip(0, self.side), high.clip(0, self.side)
        return int(left), int(top), int(right), int(bottom)

    def centre_of(self, voxel: np.ndarray) -> tuple[float, float]:
        """x and y, in pixels of the tile, of the centre of a voxel (row, column)."""
        y, x = (voxel + 0.5 - self.start) * np.array(self.scale)
        return x, y

    def weights(self, rows: range, columns: range) -> tuple[np.ndarray, np.ndarray]:
        """Matrices that interpolate a mask of the tile at voxels: `rows @ mask @ columns.T`."""
        stride = self.mask_stride
        return tuple(
            linear_weights(
                (np.array(voxels) + 0.5 - start) * scale / stride - 0.5, self.side // stride
            ).astype(np.float32)
            for voxels, start, scale in zip((rows, columns), self.start, self.scale, strict=True)
        )

    def _averaged(self, values: np.ndarray, first: np.ndarray, side: int) -> np.ndarray:
        """Voxels from `first` on, averaged over the pixels of a picture; 0 beyond them."""
        rows, columns = (
            area_weights(n, side, start - offset, self.side / scale).astype(np.float32)
            for n, start, offset, scale in zip(
                values.shape, self.start, first, self.scale, strict=True
            )
        )
        return rows @ values.astype(np.float32) @ columns.T


@dataclass(frozen=True, eq=False)
class Montage:
    """Up to four slices of a stack, cut to a tile each, as one picture.

    Attributes:
        indices: the slices, row by row of the picture.
    """

    stack: SliceStack
    tile: Tile
    indices: tuple[int, ...]

    @property
    def key(self) -> Hashable:
        return (self.stack.orientation, self.stack.grey_levels, self.tile, self.indices)

    def part(self, index: int) -> Part:
        """Where a slice's tile lies in the picture."""
        row, column = divmod(self.indices.index(index), TILES)
        return row * self.tile.side, column * self.tile.side, self.tile.side

    def picture(self) -> np.ndarray:
        """float32 (channels, size, size); black and white are those of all tiles together."""
        side = self.tile.side
        grey = np.zeros((TILES * side, TILES * side), dtype=np.float32)
        for place in range(SLICES_PER_PICTURE):
            # Where slices are fewer than places they are shown again: black would be a border.
            index = self.indices[place % len(self.indices)]
            row, column = (side * n for n in divmod(place, TILES))
            grey[row : row + side, column : column + side] = self.tile.picture(
                self.stack.grey(index)
            )
        return self.stack.model.normalise(grey, 0.0, float(grey.max()))


def _place(first: float, last: float, extent: float, size: int) -> float:
    """Where a window of `extent` around first..last begins; inside 0..size if it fits."""
    start = (first + last - extent) / 2
    if extent >= size:
        return float((size - extent) / 2)
    return float(np.clip(start, 0, size - extent))
