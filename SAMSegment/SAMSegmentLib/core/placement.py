"""Logits on another grid: where their mask lies there, and nothing around it."""

from __future__ import annotations

import numpy as np

from .answer import logit, on_grid
from .geometry import Geometry
from .patch import Box, Index, Patch, bounding_box

# Grids whose voxels lie within this part of a voxel of each other are one grid: the mask is
# copied. Far above rounding, far below what anyone can see.
SAME_VOXEL = 0.01


def place(
    logits: Patch, source: Geometry, target: Geometry, threshold: float = 0.5
) -> Patch | None:
    """The mask of logits on another grid in the same RAS, cropped; None if nothing is there.

    Where both grids share their voxels the mask is copied one to one; else the logits are
    interpolated linearly, once, on the cropped part of the target, and thresholded there.

    Args:
        logits: float32, on a box of the grid `source`.
        threshold: probability, 0 to 1.
    """
    found = logits_on(logits, source, target, threshold)
    if found is None:
        return None
    cut = share_outside(logits, source, target, threshold)
    return Patch(found.values > logit(threshold), found.start, cut).cropped()


def logits_on(logits: Patch, source: Geometry, target: Geometry, threshold: float) -> Patch | None:
    """Logits on a box of the target that holds all above `threshold`; None without any.

    Where both grids share their voxels, the values are the given ones, not a copy.
    """
    shift = voxel_shift(source, target)
    if shift is not None:
        first = tuple(a + offset for a, offset in zip(logits.start, shift, strict=True))
        return Patch(logits.values, first).clipped(target.shape)
    box = bounding_box(logits.values > logit(threshold))
    return None if box is None else _resampled(logits, box, source, target)


def voxel_shift(source: Geometry, target: Geometry) -> Index | None:
    """What to add to a source index (k, j, i) for the target's; None if the voxels differ."""
    indices = source.to_ijk(source.corners())
    shifts = target.to_ijk(source.corners()) - indices
    shift = np.round(shifts.mean(axis=0))
    if np.abs(shifts - shift).max() > SAME_VOXEL:
        return None
    return tuple(int(n) for n in shift[::-1])


def share_outside(
    logits: Patch, source: Geometry, target: Geometry, threshold: float = 0.5
) -> float:
    """Share (0 to 1) of a mask that lies outside the target, estimated."""
    if target.contains(source.crop(logits.start, logits.values.shape).corners()).all():
        return 0.0
    voxels = np.argwhere(logits.values > logit(threshold))
    if len(voxels) == 0:
        return 0.0
    ras = source.to_ras((voxels + logits.start)[:, ::-1])
    return float(1 - target.contains(ras).mean())


def _resampled(logits: Patch, box: Box, source: Geometry, target: Geometry) -> Patch | None:
    # One voxel around the mask: what lies farther can not be interpolated to foreground.
    around = source.crop(
        tuple(first + part.start - 1 for first, part in zip(logits.start, box, strict=True)),
        tuple(part.stop - part.start + 2 for part in box),
    )
    found = target.box_around(around.corners())
    if found is None:
        return None
    start = tuple(part.start for part in found)
    shape = tuple(part.stop - part.start for part in found)
    return Patch(on_grid(logits, source, target.crop(start, shape)), start)
