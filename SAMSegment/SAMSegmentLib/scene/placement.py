"""A prediction on another grid: where its mask lies there, and nothing around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..core.geometry import Geometry
from ..core.prediction import Prediction, logit

# Grids whose voxels lie within this part of a voxel of each other are one grid: the mask is
# copied. Far above rounding, far below what anyone can see.
SAME_VOXEL = 0.01

Index = tuple[int, int, int]


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
        result[_slices(lower, upper, start)] = self.mask[_slices(lower, upper, self.start)]
        return result

    def cropped(self) -> Patch | None:
        """The same mask on the smallest box that holds it; None if it is empty."""
        box = bounding_box(self.mask)
        if box is None:
            return None
        start = tuple(a + part.start for a, part in zip(self.start, box, strict=True))
        return Patch(start, self.mask[box], self.cut)


def place(prediction: Prediction, target: Geometry, threshold: float = 0.5) -> Patch | None:
    """A prediction's mask on another grid in the same RAS, cropped; None if nothing is there.

    Where both grids share their voxels the mask is copied one to one; else the logits are
    interpolated linearly, once, on the cropped part of the target, and thresholded there.
    """
    box = bounding_box(prediction.box_mask(threshold))
    if box is None:
        return None
    shift = voxel_shift(prediction.geometry, target)
    if shift is None:
        return _resampled(prediction, box, target, threshold)
    start = tuple(
        first + part.start + offset
        for first, part, offset in zip(prediction.start, box, shift, strict=True)
    )
    whole = Patch(start, prediction.logits[box] > logit(threshold))
    return _clipped(whole, target.shape)


def voxel_shift(source: Geometry, target: Geometry) -> Index | None:
    """What to add to a source index (k, j, i) for the target's; None if the voxels differ."""
    indices = source.to_ijk(source.corners())
    shifts = target.to_ijk(source.corners()) - indices
    shift = np.round(shifts.mean(axis=0))
    if np.abs(shifts - shift).max() > SAME_VOXEL:
        return None
    return tuple(int(n) for n in shift[::-1])


def bounding_box(mask: np.ndarray) -> tuple[slice, slice, slice] | None:
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


def _resampled(prediction, box, target: Geometry, threshold: float) -> Patch | None:
    # One voxel around the mask: what lies farther can not be interpolated to foreground.
    source = prediction.geometry.crop(
        tuple(first + part.start - 1 for first, part in zip(prediction.start, box, strict=True)),
        tuple(part.stop - part.start + 2 for part in box),
    )
    corners = target.to_ijk(source.corners())[:, ::-1]
    lower, upper = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0)) + 1
    start = tuple(int(n) for n in np.clip(lower, 0, target.shape))
    stop = tuple(int(n) for n in np.clip(upper, 0, target.shape))
    shape = tuple(b - a for a, b in zip(start, stop, strict=True))
    if min(shape) < 1:
        return None
    mask = prediction.on_grid(target.crop(start, shape)) > logit(threshold)
    return Patch(start, mask, _share_outside(prediction, box, target, threshold)).cropped()


def _share_outside(prediction, box, target: Geometry, threshold: float) -> float:
    inside_corners = target.contains(prediction.geometry.corners())
    if inside_corners.all():
        return 0.0
    voxels = np.argwhere(prediction.logits[box] > logit(threshold))
    start = [first + part.start for first, part in zip(prediction.start, box, strict=True)]
    ras = prediction.geometry.to_ras((voxels + start)[:, ::-1])
    return float(1 - target.contains(ras).mean())


def _clipped(patch: Patch, shape: Index) -> Patch | None:
    start = tuple(min(max(a, 0), n) for a, n in zip(patch.start, shape, strict=True))
    stop = tuple(min(max(b, a), n) for a, b, n in zip(start, patch.stop, shape, strict=True))
    kept = patch.mask[_slices(start, stop, patch.start)]
    total = np.count_nonzero(patch.mask)
    return Patch(start, kept, 1 - np.count_nonzero(kept) / total).cropped() if kept.size else None


def _slices(start, stop, origin) -> tuple[slice, ...]:
    return tuple(slice(a - o, b - o) for a, b, o in zip(start, stop, origin, strict=True))
