"""Logits on SAM-Med3D's cubes, blended where cubes overlap, on a volume's grid or another cube."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.geometry import Geometry
from ..core.patch import bounding_box
from ..core.prediction import BACKGROUND_LOGIT, logit
from ..core.proposal import LOWEST_THRESHOLD
from ..core.resample import interpolated, resample_linear
from ..networks.sammed3d import MASK_SIZE
from .answers import Field
from .cubes import Cube

# Grids count as parallel if their axes run apart by less than this part of a voxel over their whole
# length: far above rounding, far below what anyone can see.
PARALLEL = 0.05

#: First voxel (k, j, i) of a box, and the one behind its last.
Box = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class CubeMask:
    """What the network says of a cube.

    Attributes:
        logits: float32, (32, 32, 32) by x, y, z.
    """

    cube: Cube
    logits: np.ndarray


def blended(masks: Sequence[CubeMask], geometry: Geometry, within: Box | None = None) -> Field:
    """The masks on a volume's grid, interpolated once.

    Where cubes overlap, each counts the more the farther a voxel is from its faces, so that no seam
    is seen. What no threshold could show is left out.

    Args:
        within: a box that no mask leaves; None: the volume.
    """
    boxes = [_visible_box(mask, geometry) for mask in masks]
    low = np.min([box[0] for box in boxes], axis=0)
    high = np.max([box[1] for box in boxes], axis=0)
    if within is not None:
        low, high = np.maximum(low, within[0]), np.minimum(high, within[1])
    if (high <= low).any():
        return Field(np.full((1, 1, 1), BACKGROUND_LOGIT, dtype=np.float32), (0, 0, 0))
    start = tuple(int(n) for n in low)
    if len(masks) == 1:
        return Field(_on_grid(masks[0].logits, masks[0].cube, geometry, (low, high)), start)
    weighted = np.zeros(high - low, dtype=np.float32)
    weights = np.zeros(high - low, dtype=np.float32)
    for mask in masks:
        part = _overlap(_box_of(mask.cube, geometry), (low, high))
        if part is None:
            continue
        here = tuple(slice(a, b) for a, b in zip(part[0] - low, part[1] - low, strict=True))
        weight = _on_grid(_WEIGHTS, mask.cube, geometry, part, 0.0)
        weights[here] += weight
        weight *= _on_grid(mask.logits, mask.cube, geometry, part, 0.0)
        weighted[here] += weight
    # In place: around far cubes lies much of the volume.
    seen = weights > 0
    np.divide(weighted, weights, out=weighted, where=seen)
    weighted[~seen] = BACKGROUND_LOGIT
    return Field(weighted, start)


def on_cube(masks: Sequence[CubeMask], cube: Cube) -> np.ndarray:
    """The masks on another cube, float32 (32, 32, 32) by x, y, z; 0 where nothing is known."""
    weighted = np.zeros((MASK_SIZE,) * 3, dtype=np.float32)
    weights = np.zeros_like(weighted)
    for mask in masks:
        source, target = mask.cube.mask_geometry, cube.mask_geometry
        weight = resample_linear(_WEIGHTS, source, target, 0.0)
        weights += weight
        weighted += weight * resample_linear(mask.logits, source, target, 0.0)
    return np.divide(weighted, weights, out=np.zeros_like(weighted), where=weights > 0)


def _tents() -> np.ndarray:
    """Weights of a cube's voxels: from 1 in its middle towards 0 at its faces."""
    places = (np.arange(MASK_SIZE) + 0.5) / MASK_SIZE
    tent = 2 * np.minimum(places, 1 - places)
    return (tent[:, None, None] * tent[:, None] * tent).astype(np.float32)


_WEIGHTS = _tents()


def _visible_box(mask: CubeMask, geometry: Geometry) -> Box:
    """Voxels of a volume that some threshold might show; none if there are none."""
    box = bounding_box(mask.logits > logit(LOWEST_THRESHOLD))
    if box is None:
        return np.array(geometry.shape), np.zeros(3, dtype=int)
    # Between a voxel of the mask and the next, it might still show.
    low = np.array([part.start - 1 for part in box], dtype=float)
    high = np.array([part.stop for part in box], dtype=float)
    return _box_of(mask.cube, geometry, low, high)


def _box_of(
    cube: Cube, geometry: Geometry, low: np.ndarray | None = None, high: np.ndarray | None = None
) -> Box:
    """Voxels of a volume between two places of a cube's mask (x, y, z); by default all of it."""
    low = np.maximum(-0.5 if low is None else low, -0.5) * np.ones(3)
    high = np.minimum(MASK_SIZE if high is None else high, MASK_SIZE - 0.5) * np.ones(3)
    corners = np.array(np.meshgrid(*zip(low, high, strict=True))).reshape(3, -1).T[:, ::-1]
    index = geometry.to_ijk(cube.mask_geometry.to_ras(corners))[:, ::-1]
    # Within rounding of a face, a voxel's centre lies in the cube.
    start = np.ceil(index.min(0) - 1e-6).astype(int)
    stop = np.floor(index.max(0) + 1e-6).astype(int) + 1
    return np.clip(start, 0, geometry.shape), np.clip(stop, 0, geometry.shape)


def _overlap(a: Box, b: Box) -> Box | None:
    low, high = np.maximum(a[0], b[0]), np.minimum(a[1], b[1])
    return None if (high <= low).any() else (low, high)


def _on_grid(
    values: np.ndarray,
    cube: Cube,
    geometry: Geometry,
    box: Box,
    outside: float = BACKGROUND_LOGIT,
) -> np.ndarray:
    """Values of a cube's mask at the voxels of a box of a volume, float32 (k, j, i)."""
    start, shape = tuple(int(n) for n in box[0]), tuple(int(n) for n in box[1] - box[0])
    target = geometry.crop(start, shape)
    to_cube = cube.mask_geometry.ras_to_ijk @ target.ijk_to_ras
    # Which array axis of the cube runs along each of the volume's, as matrices of (k, j, i).
    matrix, offset = to_cube[:3, :3][::-1, ::-1], to_cube[:3, 3][::-1]
    own = np.abs(matrix).argmax(axis=0)
    astray = np.abs(matrix) * shape
    astray[own, range(3)] = 0
    if len(set(own)) < 3 or astray.sum(axis=1).max() > PARALLEL:
        return resample_linear(values, cube.mask_geometry, target, outside)
    places = [matrix[a, axis] * np.arange(shape[axis]) + offset[a] for axis, a in enumerate(own)]
    return interpolated(values.transpose(own), places)
