"""Logits on SAM-Med3D's cubes, blended where cubes overlap, on a volume's grid or another cube."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.geometry import Geometry
from ...core.patch import BACKGROUND_LOGIT, Patch
from ...core.resample import resample_linear
from ..windowed.on_volume import Box, box_of, on_box, visible_box
from .cubes import Cube
from .network import MASK_SIZE


@dataclass(frozen=True, eq=False)
class CubeMask:
    """What the network says of a cube.

    Attributes:
        logits: float32, (32, 32, 32) by x, y, z.
    """

    cube: Cube
    logits: np.ndarray


def blended(masks: Sequence[CubeMask], geometry: Geometry, within: Box | None = None) -> Patch:
    """The masks on a volume's grid, interpolated once.

    Where cubes overlap, each counts the more the farther a voxel is from its faces, so that no seam
    is seen. What no threshold could show is left out.

    Args:
        within: a box that no mask leaves; None: the volume.
    """
    boxes = [visible_box(mask.logits, mask.cube.mask_geometry, geometry) for mask in masks]
    low = np.min([box[0] for box in boxes], axis=0)
    high = np.max([box[1] for box in boxes], axis=0)
    if within is not None:
        low, high = np.maximum(low, within[0]), np.minimum(high, within[1])
    if (high <= low).any():
        return Patch(np.full((1, 1, 1), BACKGROUND_LOGIT, dtype=np.float32), (0, 0, 0))
    start = tuple(int(n) for n in low)
    if len(masks) == 1:
        return Patch(
            on_box(masks[0].logits, masks[0].cube.mask_geometry, geometry, (low, high)), start
        )
    weighted = np.zeros(high - low, dtype=np.float32)
    weights = np.zeros(high - low, dtype=np.float32)
    for mask in masks:
        part = _overlap(box_of(mask.cube.mask_geometry, geometry), (low, high))
        if part is None:
            continue
        here = tuple(slice(a, b) for a, b in zip(part[0] - low, part[1] - low, strict=True))
        weight = on_box(_WEIGHTS, mask.cube.mask_geometry, geometry, part, 0.0)
        weights[here] += weight
        weight *= on_box(mask.logits, mask.cube.mask_geometry, geometry, part, 0.0)
        weighted[here] += weight
    # In place: around far cubes lies much of the volume.
    seen = weights > 0
    np.divide(weighted, weights, out=weighted, where=seen)
    weighted[~seen] = BACKGROUND_LOGIT
    return Patch(weighted, start)


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


def _overlap(a: Box, b: Box) -> Box | None:
    low, high = np.maximum(a[0], b[0]), np.minimum(a[1], b[1])
    return None if (high <= low).any() else (low, high)
