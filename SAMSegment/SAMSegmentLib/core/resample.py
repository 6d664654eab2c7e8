"""Interpolates the values of one grid at the voxels of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .geometry import Geometry, corners_between

# What SimpleITK reads as it is; other types are converted, and only the part that is needed.
_PLAIN_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64")


def resample_linear(
    values: np.ndarray, source: Geometry, target: Geometry, outside: float
) -> np.ndarray:
    """Linear interpolation of a scalar field on another grid.

    Args:
        values: (k, j, i) on the grid `source`.
        source: grid of the values.
        target: grid of the result, in the same RAS.
        outside: value outside the source's voxels (not just their centres).

    Returns:
        float32, shape of `target`.
    """
    to_source = source.ras_to_ijk @ target.ijk_to_ras
    # ndimage counts axes k, j, i.
    matrix, offset = to_source[:3, :3][::-1, ::-1], to_source[:3, 3][::-1]
    resampled = ndimage.affine_transform(
        np.asarray(values, dtype=np.float32),
        matrix,
        offset,
        output_shape=target.shape,
        order=1,
        mode="nearest",
    )
    resampled[~_inside(to_source, source.shape, target.shape)] = outside
    return resampled


def _inside(
    to_source: np.ndarray, source_shape: tuple[int, ...], target_shape: tuple[int, ...]
) -> np.ndarray:
    """Which centres of target voxels lie in a source voxel."""
    i, j, k = (np.arange(n, dtype=np.float32) for n in target_shape[::-1])
    inside = np.ones(target_shape, dtype=bool)
    for row, size in zip(to_source[:3], source_shape[::-1], strict=True):
        row = row.astype(np.float32)
        position = (row[2] * k)[:, None, None] + (row[1] * j)[:, None] + (row[0] * i + row[3])
        inside &= (position >= -0.5) & (position <= size - 0.5)
    return inside


def sample_linear(
    voxels: np.ndarray, source: Geometry, target: Geometry, outside: float
) -> np.ndarray:
    """Linear interpolation of a part of a volume on another grid, by SimpleITK.

    Args:
        voxels: (k, j, i) on the grid `source`; only the part around the target is read.
        source: grid of the voxels.
        target: grid of the result, in the same RAS.
        outside: value outside the source's voxels (not just their centres).

    Returns:
        float32, shape of `target`.
    """
    to_source = source.ras_to_ijk @ target.ijk_to_ras
    start, stop = _box_around(to_source, source.shape, target.shape)
    if (stop <= start).any():
        return np.full(target.shape, outside, dtype=np.float32)
    part = voxels[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    # In voxel indices, because SimpleITK's resampling does not support sheared grids.
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


def _box_around(
    to_source: np.ndarray, source_shape: tuple[int, ...], target_shape: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The box of source voxels around the target: its first voxel and its end (k, j, i)."""
    corners = np.ascontiguousarray(corners_between((0,) * 3, np.array(target_shape[::-1]) - 1).T)
    index = (to_source[:3, :3] @ corners + to_source[:3, 3:])[::-1]
    start = np.clip(np.floor(index.min(1)), 0, source_shape).astype(int)
    stop = np.clip(np.ceil(index.max(1)) + 1, 0, source_shape).astype(int)
    return start, stop


def _image_of(part: np.ndarray) -> sitk.Image:
    if part.dtype.name not in _PLAIN_TYPES or not part.dtype.isnative:
        part = part.astype(np.uint8 if part.dtype == bool else np.float32)
    return sitk.GetImageFromArray(np.ascontiguousarray(part))


def area_weights(
    source_size: int, target_size: int, start: float = 0.0, extent: float | None = None
) -> np.ndarray:
    """Weights (target, source) that average each target pixel over the source pixels it covers.

    The same rule for shrinking and enlarging: that of OpenCV's INTER_AREA, with which the
    slice-wise models were trained. Rows sum to one, or to less where a target pixel extends beyond
    the source.

    Args:
        source_size, target_size: number of pixels.
        start: where the target begins, in source pixels from the source's edge.
        extent: source pixels that the target covers; None: all.
    """
    step = (source_size if extent is None else extent) / target_size
    edges = start + np.arange(target_size + 1) * step
    cells = np.arange(source_size)
    upper = np.minimum(edges[1:, None], cells + 1)
    lower = np.maximum(edges[:-1, None], cells)
    return np.clip(upper - lower, 0, None) / step


def linear_weights(positions: np.ndarray, size: int) -> np.ndarray:
    """Weights (positions, size) that interpolate linearly between `size` values.

    Args:
        positions: continuous indices of values; beyond either end, the end's value is used.
        size: number of values.
    """
    positions = np.clip(np.asarray(positions, dtype=float), 0, size - 1)
    lower = np.minimum(positions.astype(int), max(size - 2, 0))
    share = positions - lower
    weights = np.zeros((len(positions), size))
    rows = np.arange(len(positions))
    weights[rows, lower] = 1 - share
    weights[rows, np.minimum(lower + 1, size - 1)] += share
    return weights


def interpolated(values: np.ndarray, positions: Sequence[np.ndarray]) -> np.ndarray:
    """Linear interpolation along all three axes, for grids with parallel axes.

    Args:
        values: float32, (k, j, i).
        positions: continuous indices along each axis; beyond either end, the end's value is used,
            as in torch's trilinear interpolation.

    Returns:
        float32, with the number of positions along each axis.
    """
    k, j, i = (
        linear_weights(places, size).astype(np.float32)
        for places, size in zip(positions, values.shape, strict=True)
    )
    # Along the slices first, which leaves the fewest values.
    slices = np.tensordot(k, values, (1, 0))
    return np.matmul(np.matmul(j, slices), i.T)
