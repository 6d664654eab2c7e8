"""An array on a box of a grid: the one form of masks, logits and levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Index = tuple[int, int, int]
Box = tuple[slice, slice, slice]


# Where a model did not look: a probability of 1e-13, finite so that it can be interpolated.
BACKGROUND_LOGIT = -30.0


@dataclass(frozen=True, eq=False)
class Patch:
    """An array on a box of a volume's grid. Outside the box all voxels have the same value.

    Attributes:
        values: (k, j, i) of the box: a mask (boolean), logits (float32) or levels (int8).
        start: first voxel (k, j, i) of the box.
        cut: share (0 to 1) of a mask that fell outside the grid, estimated.
    """

    values: np.ndarray
    start: Index
    cut: float = 0.0

    @property
    def stop(self) -> Index:
        """First voxel (k, j, i) behind the box."""
        return tuple(a + n for a, n in zip(self.start, self.values.shape, strict=True))

    @property
    def box(self) -> Box:
        """Where the values lie in the volume's array."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    @property
    def outside(self) -> bool | float:
        """The value of voxels outside the box: background."""
        return {"b": False, "f": BACKGROUND_LOGIT}[self.values.dtype.kind]

    def on_box(self, start: Sequence[int], shape: Sequence[int]) -> np.ndarray:
        """The values on another box of the same grid, a copy, (k, j, i)."""
        result = np.full(tuple(shape), self.outside, dtype=self.values.dtype)
        stop = tuple(a + n for a, n in zip(start, shape, strict=True))
        lower = [max(a, b) for a, b in zip(self.start, start, strict=True)]
        upper = [max(a, min(b, c)) for a, b, c in zip(lower, self.stop, stop, strict=True)]
        result[slices(lower, upper, start)] = self.values[slices(lower, upper, self.start)]
        return result

    def at(self, voxels: np.ndarray) -> np.ndarray:
        """The values at voxels (N, 3) by k, j, i of the volume, (N,)."""
        return values_at(self.values, voxels - np.array(self.start), self.outside)

    def cropped(self) -> Patch | None:
        """The same mask on the smallest box that holds it; None if it is empty."""
        box = bounding_box(self.values)
        if box is None:
            return None
        start = tuple(a + part.start for a, part in zip(self.start, box, strict=True))
        return Patch(self.values[box], start, self.cut)

    def clipped(self, shape: Index) -> Patch | None:
        """The part within a grid of that shape, not copied; None if nothing is left."""
        start = tuple(min(max(a, 0), n) for a, n in zip(self.start, shape, strict=True))
        stop = tuple(min(max(b, a), n) for a, b, n in zip(start, self.stop, shape, strict=True))
        kept = self.values[slices(start, stop, self.start)]
        return Patch(kept, start, self.cut) if kept.size else None

    def enlarged(self, start: Sequence[int], stop: Sequence[int]) -> Patch:
        """A copy on the smallest box that holds this one and another."""
        low, high = np.minimum(start, self.start), np.maximum(stop, self.stop)
        return Patch(self.on_box(low, high - low), tuple(int(n) for n in low), self.cut)

    def without(self, mask: Patch) -> Patch:
        """These values with background in a mask."""
        there = mask.on_box(self.start, self.values.shape)
        return self._where(~there) if there.any() else self

    def only(self, mask: Patch) -> Patch:
        """These values with background outside a mask."""
        there = mask.on_box(self.start, self.values.shape)
        return self if there.all() else self._where(there)

    def _where(self, kept: np.ndarray) -> Patch:
        outside = self.values.dtype.type(self.outside)
        return Patch(np.where(kept, self.values, outside), self.start, self.cut)


def bounding_box(mask: np.ndarray) -> Box | None:
    """Slices (k, j, i) of the smallest box that holds all true voxels; None without any."""
    box = []
    for _ in range(mask.ndim):
        # Each cut makes the next projection cheaper.
        others = tuple(axis for axis in range(mask.ndim) if axis != len(box))
        hits = np.flatnonzero(mask[tuple(box)].any(axis=others))
        if hits.size == 0:
            return None
        box.append(slice(int(hits[0]), int(hits[-1]) + 1))
    return tuple(box)


def values_at(array: np.ndarray, index: np.ndarray, outside: float) -> np.ndarray:
    """(N,) values of an array at indices (N, 3), which may lie outside of it."""
    within = ((index >= 0) & (index < array.shape)).all(-1)
    values = np.full(len(index), outside, dtype=array.dtype)
    values[within] = array[tuple(index[within].T)]
    return values


def slices(start: Sequence[int], stop: Sequence[int], origin: Sequence[int]) -> Box:
    """The box from `start` to `stop` in an array that begins at `origin`."""
    return tuple(slice(a - o, b - o) for a, b, o in zip(start, stop, origin, strict=True))
