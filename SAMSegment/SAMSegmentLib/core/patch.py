"""A mask on a part of a grid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Index = tuple[int, int, int]
Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Patch:
    """A mask on a box of a grid; everything outside it is background.

    Attributes:
        start: first voxel (k, j, i) of the box.
        mask: boolean, (k, j, i).
        cut: share (0 to 1) of the mask that fell outside the grid, estimated.
    """

    start: Index
    mask: np.ndarray
    cut: float = 0.0

    @property
    def stop(self) -> Index:
        """First voxel (k, j, i) behind the box."""
        return tuple(a + n for a, n in zip(self.start, self.mask.shape, strict=True))

    def on_box(self, start: Index, shape: Index) -> np.ndarray:
        """The mask on another box of the same grid, boolean, (k, j, i)."""
        result = np.zeros(shape, dtype=bool)
        stop = tuple(a + n for a, n in zip(start, shape, strict=True))
        lower = [max(a, b) for a, b in zip(self.start, start, strict=True)]
        upper = [max(a, min(b, c)) for a, b, c in zip(lower, self.stop, stop, strict=True)]
        result[slices(lower, upper, start)] = self.mask[slices(lower, upper, self.start)]
        return result

    def at(self, voxels: np.ndarray) -> np.ndarray:
        """The mask at voxels (N, 3) by k, j, i, boolean (N,)."""
        return values_at(self.mask, voxels - np.array(self.start), False)

    def cropped(self) -> Patch | None:
        """The same mask on the smallest box that holds it; None if it is empty."""
        box = bounding_box(self.mask)
        if box is None:
            return None
        start = tuple(a + part.start for a, part in zip(self.start, box, strict=True))
        return Patch(start, self.mask[box], self.cut)


def bounding_box(mask: np.ndarray) -> Box | None:
    """Slices (k, j, i) of the smallest box that holds all true voxels; None without any."""
    box = []
    for _ in range(3):
        # Each cut makes the next projection cheaper.
        others = tuple(axis for axis in range(3) if axis != len(box))
        hits = np.flatnonzero(mask[tuple(box)].any(axis=others))
        if hits.size == 0:
            return None
        box.append(slice(int(hits[0]), int(hits[-1]) + 1))
    return tuple(box)


def values_at(array: np.ndarray, index: np.ndarray, outside) -> np.ndarray:
    """(N,) values of an array at indices (N, 3), which may lie outside of it."""
    within = ((index >= 0) & (index < array.shape)).all(-1)
    values = np.full(len(index), outside, dtype=array.dtype)
    values[within] = array[tuple(index[within].T)]
    return values


def slices(start, stop, origin) -> Box:
    """The box from `start` to `stop` in an array that begins at `origin`."""
    return tuple(slice(a - o, b - o) for a, b, o in zip(start, stop, origin, strict=True))
