"""Volumes whose truth is known."""

from __future__ import annotations

import numpy as np

from SAMSegmentLib.core import overlap
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image


def voxel_positions(geometry: Geometry) -> np.ndarray:
    """RAS in mm of every voxel centre, (k, j, i, 3)."""
    k, j, i = np.indices(geometry.shape)
    return geometry.to_ras(np.stack([i, j, k], axis=-1))


def ball(geometry: Geometry, center, radius: float) -> np.ndarray:
    """Boolean mask of a ball, RAS in mm."""
    return np.linalg.norm(voxel_positions(geometry) - center, axis=-1) <= radius


def grid(shape=(20, 64, 64), spacing=(1.5, 1.5, 3.0), origin=(0.0, 0.0, 0.0)) -> Geometry:
    """An axial grid; spacing along i, j, k in mm."""
    matrix = np.diag([*spacing, 1.0])
    matrix[:3, 3] = origin
    return Geometry(matrix, shape)


def ct_with_ball(geometry: Geometry, center, radius: float, seed: int = 0) -> Image:
    """A CT of a body-like block in air with a bright ball, and some noise."""
    rng = np.random.default_rng(seed)
    body = np.full(geometry.shape, -1000.0)
    border = [max(1, n // 10) for n in geometry.shape]
    body[tuple(slice(b, n - b) for b, n in zip(border, geometry.shape, strict=True))] = 20.0
    body[ball(geometry, center, radius)] = 180.0
    noisy = body + rng.normal(0, 8, geometry.shape)
    return Image(noisy.astype(np.int16), geometry)


def dice(a: np.ndarray, b: np.ndarray) -> float:
    """Dice of two masks of any type, 0 to 1; two empty ones agree."""
    return overlap.dice(a.astype(bool), b.astype(bool), empty=1.0)


def centroid(mask: np.ndarray, geometry: Geometry) -> np.ndarray:
    """RAS in mm of a mask's centre of mass."""
    return geometry.to_ras(np.argwhere(mask).mean(0)[::-1])


def ellipsoid(geometry: Geometry, center, radii, axes=None) -> np.ndarray:
    """Boolean mask of an ellipsoid with half axes `radii` mm along the columns of `axes` (RAS)."""
    axes = np.eye(3) if axes is None else np.asarray(axes)
    return np.linalg.norm((voxel_positions(geometry) - center) @ axes / radii, axis=-1) <= 1


def middle_of(geometry: Geometry) -> np.ndarray:
    """RAS in mm of a grid's middle."""
    return geometry.to_ras((np.array(geometry.shape[::-1]) - 1) / 2)


def image_of(mask: np.ndarray, geometry: Geometry) -> Image:
    """Grey tissue without noise, with a brighter object in it."""
    return Image(np.where(mask, 180, 20).astype(np.int16), geometry)
