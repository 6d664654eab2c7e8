"""A prediction on another grid: where its mask lies there, and nothing around it."""

from __future__ import annotations

import numpy as np

from .geometry import Geometry
from .patch import Box, Index, Patch, bounding_box, slices
from .prediction import Prediction, logit

# Grids whose voxels lie within this part of a voxel of each other are one grid: the mask is
# copied. Far above rounding, far below what anyone can see.
SAME_VOXEL = 0.01


def place(prediction: Prediction, target: Geometry, threshold: float = 0.5) -> Patch | None:
    """A prediction's mask on another grid in the same RAS, cropped; None if nothing is there.

    Where both grids share their voxels the mask is copied one to one; else the logits are
    interpolated linearly, once, on the cropped part of the target, and thresholded there.
    """
    field = logits_on(prediction, target, threshold)
    if field is None:
        return None
    start, logits = field
    cut = share_outside(prediction, target, threshold)
    return Patch(logits > logit(threshold), start, cut).cropped()


def logits_on(
    prediction: Prediction, target: Geometry, threshold: float
) -> tuple[Index, np.ndarray] | None:
    """First voxel and logits of a box of the target that holds all above `threshold`, or None.

    Where both grids share their voxels, the logits are the prediction's own, not a copy.
    """
    shift = voxel_shift(prediction.geometry, target)
    if shift is not None:
        first = tuple(a + offset for a, offset in zip(prediction.start, shift, strict=True))
        return _clipped(first, prediction.logits, target.shape)
    box = bounding_box(prediction.box_mask(threshold))
    return None if box is None else _resampled(prediction, box, target)


def voxel_shift(source: Geometry, target: Geometry) -> Index | None:
    """What to add to a source index (k, j, i) for the target's; None if the voxels differ."""
    indices = source.to_ijk(source.corners())
    shifts = target.to_ijk(source.corners()) - indices
    shift = np.round(shifts.mean(axis=0))
    if np.abs(shifts - shift).max() > SAME_VOXEL:
        return None
    return tuple(int(n) for n in shift[::-1])


def share_outside(prediction: Prediction, target: Geometry, threshold: float = 0.5) -> float:
    """Share (0 to 1) of a prediction's mask that lies outside the target, estimated."""
    if target.contains(prediction.box_geometry.corners()).all():
        return 0.0
    voxels = np.argwhere(prediction.box_mask(threshold))
    if len(voxels) == 0:
        return 0.0
    ras = prediction.geometry.to_ras((voxels + prediction.start)[:, ::-1])
    return float(1 - target.contains(ras).mean())


def _resampled(
    prediction: Prediction, box: Box, target: Geometry
) -> tuple[Index, np.ndarray] | None:
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
    return start, prediction.on_grid(target.crop(start, shape))


def _clipped(first: Index, logits: np.ndarray, shape: Index) -> tuple[Index, np.ndarray] | None:
    last = tuple(a + n for a, n in zip(first, logits.shape, strict=True))
    start = tuple(min(max(a, 0), n) for a, n in zip(first, shape, strict=True))
    stop = tuple(min(max(b, a), n) for a, b, n in zip(start, last, shape, strict=True))
    kept = logits[slices(start, stop, first)]
    return (start, kept) if kept.size else None
