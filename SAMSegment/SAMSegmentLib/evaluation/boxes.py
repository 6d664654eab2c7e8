"""Boxes of voxels around what is set in a mask, so that work is done only there."""

from __future__ import annotations

import numpy as np

Box = tuple[slice, slice, slice]


def bounding_box(mask: np.ndarray) -> Box | None:
    """The smallest box (k, j, i) that holds every voxel of a 3D mask; None if there are none."""
    box = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        taken = np.flatnonzero(mask.any(axis=others))
        if taken.size == 0:
            return None
        box.append(slice(int(taken[0]), int(taken[-1]) + 1))
    return tuple(box)
