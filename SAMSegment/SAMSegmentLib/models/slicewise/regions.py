"""The part of a volume in which an object is searched, and how it grows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.geometry import Geometry
from ...core.prompts import Roi
from ..regions import REACHED
from .clicks import Section
from .views import View

# Around what is known of the object: it may be larger elsewhere.
MARGIN_SHARE, MARGIN_MM = 0.2, 6.0
# At faces that the object reaches, the region grows by this share of itself.
GROWTH_SHARE = 0.5

#: First and last voxel (k, j, i) of a box.
Box = tuple[np.ndarray, np.ndarray]


def region_of(sections: Sequence[Section], voxel: np.ndarray, geometry: Geometry) -> Box:
    """A box around a voxel that should hold the object of the sections through it."""
    low, high = voxel.copy(), voxel.copy()
    across = []
    for section in sections:
        axes, flips = section.orientation.axes, section.orientation.flips
        for axis, flipped, there in (
            (axes[1], flips[1], section.mask.mask.any(1)),
            (axes[2], flips[2], section.mask.mask.any(0)),
        ):
            hits = np.flatnonzero(there[::-1] if flipped else there)
            if hits.size:
                low[axis], high[axis] = min(low[axis], hits[0]), max(high[axis], hits[-1])
        across.append(axes[0])
    spacing = geometry.spacing[::-1]
    size = (high - low + 1) * spacing
    # Along an axis that no section shows, the object is taken for as long as it is wide.
    for axis in across if len(sections) == 1 else []:
        half = np.ceil(np.delete(size, axis).mean() / 2 / spacing[axis]).astype(int)
        low[axis], high[axis] = low[axis] - half, high[axis] + half
    return with_margin(low, high, size, geometry)


def with_margin(low: np.ndarray, high: np.ndarray, size: np.ndarray, geometry: Geometry) -> Box:
    """A box with room for an object of `size` mm (k, j, i), within the volume."""
    margin = np.maximum(MARGIN_SHARE * size, MARGIN_MM) / geometry.spacing[::-1]
    margin = np.ceil(margin).astype(int)
    return np.maximum(low - margin, 0), np.minimum(high + margin, np.array(geometry.shape) - 1)


def roi_of(low: np.ndarray, high: np.ndarray, geometry: Geometry) -> Roi:
    """The ROI that holds the voxels from `low` to `high`, (k, j, i)."""
    box = np.eye(4)
    box[:3, :3] = np.diag((high - low + 1)[::-1])
    box[:3, 3] = (low + high)[::-1] / 2
    return Roi(geometry.ijk_to_ras @ box)


def grown(mask: np.ndarray, view: View, low: np.ndarray, high: np.ndarray) -> Box | None:
    """The region, larger at those faces that the mask reaches; None if it reaches none."""
    last = np.array(view.stack.image.geometry.shape) - 1
    new_low, new_high = low.copy(), high.copy()
    for axis, size in enumerate(mask.shape):
        step = max(int(np.ceil(GROWTH_SHARE * size)), 3)
        # A few voxels may be a leak; the object itself reaches the face with a section of it.
        least = REACHED * mask.any(axis).sum()
        if low[axis] > 0 and np.take(mask, 0, axis).sum() > least:
            new_low[axis] = max(low[axis] - step, 0)
        if high[axis] < last[axis] and np.take(mask, -1, axis).sum() > least:
            new_high[axis] = min(high[axis] + step, last[axis])
    if (new_low == low).all() and (new_high == high).all():
        return None
    return new_low, new_high
