"""A single slice for a network of volumes: the same is to be seen in front of it and behind it.

So an object is a column through the window, not a disc as thin as a voxel, and an ROI goes through.
"""

from __future__ import annotations

import numpy as np

from ...core.geometry import Geometry
from ...core.prompts import Roi

# Beyond any window, in front of a slice and behind it; the spacing of a grid that reaches so far is
# still a plausible one.
_BEYOND_MM = 450.0


def gone_on(
    voxels: np.ndarray, geometry: Geometry, axis: int | None
) -> tuple[np.ndarray, Geometry]:
    """Voxels (k, j, i) and their grid, as two equal slices far apart; other voxels as they are.

    Args:
        axis: the array axis across the slice; None: they are no single slice.
    """
    if axis is None:
        return voxels, geometry
    matrix = geometry.ijk_to_ras.copy()
    column = 2 - axis
    step = 2 * _BEYOND_MM * matrix[:3, column] / geometry.spacing[column]
    matrix[:3, column] = step
    matrix[:3, 3] -= step / 2
    twice = np.repeat(voxels, 2, axis)
    return twice, Geometry(matrix, twice.shape)


def gone_through(roi: Roi, geometry: Geometry) -> Roi:
    """An ROI on a single slice, as a column through it; in a volume, as it is."""
    if geometry.slice_axis is None:
        return roi
    across = geometry.directions[:, 2 - geometry.slice_axis]
    matrix = roi.box_to_ras.copy()
    matrix[:3, int(np.abs(roi.axes.T @ across).argmax())] = 2 * _BEYOND_MM * across
    return Roi(matrix)
