"""A network's answer on a grid of its own, on the part of a volume's grid where it can be seen."""

from __future__ import annotations

import numpy as np

from ...core.answer import logit
from ...core.geometry import Geometry
from ...core.patch import BACKGROUND_LOGIT, bounding_box
from ...core.proposal import LOWEST_THRESHOLD
from ...core.resample import interpolated, resample_linear

# Grids count as parallel if their axes run apart by less than this part of a voxel over their whole
# length: far above rounding, far below what anyone can see.
PARALLEL = 0.05

#: First voxel (k, j, i) of a box, and the one behind its last.
Box = tuple[np.ndarray, np.ndarray]


def visible_part(logits: np.ndarray, grid: Geometry) -> tuple[np.ndarray, Geometry]:
    """The part of a grid that some threshold might show, and the voxels around it.

    Interpolating it, where it might show, gives what interpolating the whole gives.
    """
    box = bounding_box(logits > logit(LOWEST_THRESHOLD))
    if box is None:
        return logits, grid
    start = [max(part.start - 1, 0) for part in box]
    part = logits[tuple(slice(a, part.stop + 1) for a, part in zip(start, box, strict=True))]
    return part, grid.crop(tuple(start), part.shape)


def visible_box(logits: np.ndarray, grid: Geometry, geometry: Geometry) -> Box:
    """Voxels of a volume that some threshold might show; none if there are none.

    Args:
        logits: on the grid given.
        geometry: of the volume.
    """
    box = bounding_box(logits > logit(LOWEST_THRESHOLD))
    if box is None:
        return np.array(geometry.shape), np.zeros(3, dtype=int)
    # Between a voxel of the mask and the next, it might still show.
    low = np.array([part.start - 1 for part in box], dtype=float)
    high = np.array([part.stop for part in box], dtype=float)
    return box_of(grid, geometry, low, high)


def box_of(
    grid: Geometry,
    geometry: Geometry,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
) -> Box:
    """Voxels of a volume between two places of a grid (array axes); by default all of it."""
    low = np.maximum(-0.5 if low is None else low, -0.5) * np.ones(3)
    last = np.array(grid.shape) - 0.5
    high = np.minimum(last if high is None else high, last)
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T[:, ::-1]
    index = geometry.to_ijk(grid.to_ras(corners))[:, ::-1]
    # Within rounding of a face, a voxel's centre lies in the grid.
    start = np.ceil(index.min(0) - 1e-6).astype(int)
    stop = np.floor(index.max(0) + 1e-6).astype(int) + 1
    return np.clip(start, 0, geometry.shape), np.clip(stop, 0, geometry.shape)


def on_box(
    values: np.ndarray,
    grid: Geometry,
    geometry: Geometry,
    box: Box,
    outside: float = BACKGROUND_LOGIT,
) -> np.ndarray:
    """Values on a grid at the voxels of a box of a volume within it, float32 (k, j, i)."""
    start, shape = tuple(int(n) for n in box[0]), tuple(int(n) for n in box[1] - box[0])
    target = geometry.crop(start, shape)
    to_grid = grid.ras_to_ijk @ target.ijk_to_ras
    # Which array axis of the grid runs along each of the volume's, as matrices of (k, j, i).
    matrix, offset = to_grid[:3, :3][::-1, ::-1], to_grid[:3, 3][::-1]
    own = np.abs(matrix).argmax(axis=0)
    astray = np.abs(matrix) * shape
    astray[own, range(3)] = 0
    if len(set(own)) < 3 or astray.sum(axis=1).max() > PARALLEL:
        return resample_linear(values, grid, target, outside)
    places = [matrix[a, axis] * np.arange(shape[axis]) + offset[a] for axis, a in enumerate(own)]
    return interpolated(values.transpose(own), places)
