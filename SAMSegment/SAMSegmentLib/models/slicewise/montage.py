"""Four slices in one picture, so that the encoder sees four for the price of one.

A slice-wise network looks at a whole slice, of which an ROI is mostly a small part. Its squares
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
from .slices import PixelGrid, SliceStack

#: Squares along a side of the picture.
TILES = 2
SLICES_PER_PICTURE = TILES * TILES
# A tile holds the region and at least this much around it, relative to the region's longer side.
CONTEXT = 1.15
# Of a small region, the network is shown at least this many pixels, but voxels at most LARGEST_ZOOM
# times as large as in a picture of the whole slice: lesions of a few pixels are not seen otherwise.
SMALLEST_REGION, LARGEST_ZOOM = 64, 3.0

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Tile:
    """A square part of every slice of a stack, in the pixels that the network sees.

    Attributes:
        start: row and column of its upper left corner, in voxels from the slice's corner.
        scale: pixels per voxel along rows and columns.
        side: pixels along a side.
    """

    start: tuple[float, float]
    scale: tuple[float, float]
    side: int

    @classmethod
    def around(cls, region: RoiOnGrid, grid: PixelGrid) -> Tile:
        """The tile around a region: at the scale of whole slices, unless it is large or small."""
        side = grid.size // TILES
        first, last = region.start[1:], region.stop[1:] + 1
        needed = CONTEXT * float(((last - first) * grid.scale).max())
        zoom = min(max(1.0, SMALLEST_REGION / needed), LARGEST_ZOOM, side / needed)
        scale = grid.scale * zoom
        extent = side / scale
        start = [
            _place(*ends) for ends in zip(first, last, extent, np.array(grid.shape), strict=True)
        ]
        return cls(tuple(start), tuple(float(value) for value in scale), side)

    def picture(self, grey: np.ndarray) -> np.ndarray:
        """uint8 slice -> float32 (side, side), 0 to 255; black beyond the slice."""
        rows, columns = (
            area_weights(n, self.side, start, self.side / scale).astype(np.float32)
            for n, start, scale in zip(grey.shape, self.start, self.scale, strict=True)
        )
        return np.rint(rows @ grey.astype(np.float32) @ columns.T)

    def box(self, first: tuple[int, int], last: tuple[int, int], margin: int = 0) -> Box:
        """xyxy in pixels of the tile around the voxels from (row, column) `first` to `last`."""
        start, scale = np.array(self.start), np.array(self.scale)
        low = np.floor((np.array(first) - start) * scale).astype(int) - margin
        high = np.floor((np.array(last) - start) * scale).astype(int) + margin
        (top, left), (bottom, right) = low.clip(0, self.side), high.clip(0, self.side)
        return int(left), int(top), int(right), int(bottom)

    def weights(self, rows: range, columns: range) -> tuple[np.ndarray, np.ndarray]:
        """Matrices that interpolate the tile's pixels at voxels: `rows @ tile @ columns.T`."""
        return tuple(
            linear_weights((np.array(voxels) + 0.5 - start) * scale - 0.5, self.side).astype(
                np.float32
            )
            for voxels, start, scale in zip((rows, columns), self.start, self.scale, strict=True)
        )


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

    def corner(self, index: int) -> tuple[int, int]:
        """First row and column, in the picture, of a slice's tile."""
        row, column = divmod(self.indices.index(index), TILES)
        return row * self.tile.side, column * self.tile.side

    def picture(self) -> np.ndarray:
        """float32 (size, size), 0 to 1."""
        side = self.tile.side
        picture = np.zeros((TILES * side, TILES * side), dtype=np.float32)
        for place in range(SLICES_PER_PICTURE):
            # Where slices are fewer than places they are shown again: black would be a border.
            index = self.indices[place % len(self.indices)]
            row, column = (side * n for n in divmod(place, TILES))
            grey = self.stack.grey_levels.apply(self.stack.voxels[index])
            picture[row : row + side, column : column + side] = self.tile.picture(grey)
        return picture / max(float(picture.max()), 1.0)


def _place(first: float, last: float, extent: float, size: int) -> float:
    """Where a window of `extent` around first..last begins; inside 0..size if it fits."""
    start = (first + last - extent) / 2
    if extent >= size:
        return float((size - extent) / 2)
    return float(np.clip(start, 0, size - extent))
