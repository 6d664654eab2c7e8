"""Values of a volume at the voxels of another grid, without touching the rest of the volume."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk

from .geometry import Geometry

# What SimpleITK reads as it is; others are converted, the part that is needed only.
_PLAIN_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def sample_linear(
    voxels: np.ndarray, source: Geometry, target: Geometry, outside: float
) -> np.ndarray:
    """Linear interpolation of a volume on another grid, by SimpleITK.

    Args:
        voxels: (k, j, i) on the grid `source`; only the part around the target is read.
        target: grid of the result; both grids share one RAS.
        outside: value where the target leaves the source's voxels (not just their centres).

    Returns:
        float32, shape of `target`.
    """
    to_source = source.ras_to_ijk @ target.ijk_to_ras
    start, stop = _box_around(to_source, source.shape, target.shape)
    if (stop <= start).any():
        return np.full(target.shape, outside, dtype=np.float32)
    part = voxels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    # Both grids as plain indices: SimpleITK's own geometry has no shear.
    transform = sitk.AffineTransform(3)
    transform.SetMatrix(to_source[:3, :3].ravel().tolist())
    transform.SetTranslation((to_source[:3, 3] - start[::-1]).tolist())
    resampled = sitk.Resample(
        _image_of(part),
        [int(n) for n in target.shape[::-1]],
        transform,
        sitk.sitkLinear,
        [0.0] * 3,
        [1.0] * 3,
        np.eye(3).ravel().tolist(),
        float(outside),
        sitk.sitkFloat32,
    )
    return sitk.GetArrayFromImage(resampled)


def _box_around(to_source: np.ndarray, source_shape, target_shape) -> tuple[np.ndarray, np.ndarray]:
    """First voxel, and the one behind the last (k, j, i), that the target's voxels lie between."""
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in target_shape[::-1]])).reshape(3, -1)
    index = (to_source[:3, :3] @ corners + to_source[:3, 3:])[::-1]
    start = np.clip(np.floor(index.min(1)), 0, source_shape).astype(int)
    stop = np.clip(np.ceil(index.max(1)) + 1, 0, source_shape).astype(int)
    return start, stop


def _image_of(part: np.ndarray) -> sitk.Image:
    if part.dtype.name not in _PLAIN_TYPES or not part.dtype.isnative:
        part = part.astype(np.uint8 if part.dtype == bool else np.float32)
    return sitk.GetImageFromArray(np.ascontiguousarray(part))
