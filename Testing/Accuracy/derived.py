"""Cases made from others: cut, with another contrast, on another grid, with noise.

They are described in structures.json and made when they are loaded, always the same. A derived case
belongs to its source's patient and split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.resample import resample_linear
from SAMSegmentLib.evaluation.cases import LabelledImage

#: Between these percentiles, grey levels are turned where no range is given.
PERCENTILES = (0.5, 99.5)
#: Neighbouring voxels of a CT share their noise: the kernel's standard deviation in voxels.
CT_GRAIN = 0.7


@dataclass(frozen=True)
class Derivation:
    """What is changed, in this order.

    Attributes:
        crop: first voxel and end along (k, j, i): what is kept.
        grey_range: grey levels beyond these two are clipped, and the lower becomes 0.
        gamma: exponent of the grey levels within their range.
        inverted: whether bright becomes dark.
        rotated: degrees about the grid's own axes i, j and k, around its centre; corners beyond the
            source get its lowest value.
        spacing: of the voxels along (i, j, k) in mm; a voxel longer than the source's is a mean, as
            thick slices are.
        ct_noise: standard deviation, in the volume's unit.
        rician_noise: standard deviation, as a share of the 99.5th percentile.
    """

    crop: Sequence[Sequence[int]] | None = None
    grey_range: Sequence[float] | None = None
    gamma: float = 1.0
    inverted: bool = False
    rotated: Sequence[float] | None = None
    spacing: Sequence[float] | None = None
    ct_noise: float = 0.0
    rician_noise: float = 0.0

    def of(self, source: LabelledImage) -> LabelledImage:
        """The derived case; labels that are not scored are left out where the grid changes."""
        voxels, labels, geometry = source.image.voxels, source.labels, source.image.geometry
        if self.crop is not None:
            box = tuple(slice(start, stop) for start, stop in self.crop)
            voxels, labels = (np.ascontiguousarray(each[box]) for each in (voxels, labels))
            geometry = geometry.crop(tuple(part.start for part in box), voxels.shape)
        if self.grey_range is not None or self.gamma != 1 or self.inverted:
            voxels = self._turned(voxels)
        if self.rotated is not None or self.spacing is not None:
            grid = self._grid(geometry)
            labels = _labels_on(labels, source.values, geometry, grid)
            voxels = _voxels_on(voxels, geometry, grid)
            geometry = grid
        voxels = self._with_noise(voxels)
        image = Image(voxels, geometry, source.image.modality)
        return replace(source, image=image, labels=labels)

    def _turned(self, voxels: np.ndarray) -> np.ndarray:
        lower, upper = map(float, self.grey_range or np.percentile(voxels, PERCENTILES))
        share = np.clip((voxels.astype(np.float32) - lower) / (upper - lower), 0, 1) ** self.gamma
        return (1 - share if self.inverted else share) * (upper - lower)

    def _grid(self, source: Geometry) -> Geometry:
        """As large as the source, around the same centre."""
        spacing = np.array(self.spacing or source.spacing, dtype=float)
        extent = np.array(source.shape[::-1]) * source.spacing
        size = np.maximum(np.rint(extent / spacing), 1).astype(int)
        turn = Rotation.from_euler("xyz", self.rotated or (0, 0, 0), degrees=True).as_matrix()
        matrix = np.eye(4)
        matrix[:3, :3] = source.directions @ turn @ np.diag(spacing)
        middle = source.to_ras((np.array(source.shape[::-1]) - 1) / 2)
        matrix[:3, 3] = middle - matrix[:3, :3] @ ((size - 1) / 2)
        return Geometry(matrix, tuple(int(n) for n in size[::-1]))

    def _with_noise(self, voxels: np.ndarray) -> np.ndarray:
        # RandomState: its numbers never change.
        rng = np.random.RandomState(0)
        if self.ct_noise:
            noise = ndimage.gaussian_filter(rng.normal(size=voxels.shape), CT_GRAIN)
            noise *= self.ct_noise / noise.std()
            return _as_type(voxels + noise, voxels.dtype)
        if self.rician_noise:
            sd = self.rician_noise * np.percentile(voxels, PERCENTILES[1])
            real, imaginary = rng.normal(0, sd, (2, *voxels.shape))
            return _as_type(np.hypot(voxels + real, imaginary), voxels.dtype)
        return voxels


def _voxels_on(voxels: np.ndarray, source: Geometry, target: Geometry) -> np.ndarray:
    """By cubic splines, within the source's range."""
    lowest, highest = voxels.min(), voxels.max()
    sampled = np.clip(_sampled(voxels, source, target, 3), lowest, highest)
    within = resample_linear(np.ones(source.shape, np.float32), source, target, 0.0) > 0
    return _as_type(np.where(within, sampled, lowest), voxels.dtype)


def _labels_on(
    labels: np.ndarray, values: Sequence[int], source: Geometry, target: Geometry
) -> np.ndarray:
    """A voxel belongs to the label that has more than half of it."""
    result = np.zeros(target.shape, dtype=labels.dtype)
    within = resample_linear(np.ones(source.shape, np.float32), source, target, 0.0) > 0
    for value in values:
        result[(_sampled(labels == value, source, target, 1) > 0.5) & within] = value
    return result


def _sampled(values: np.ndarray, source: Geometry, target: Geometry, order: int) -> np.ndarray:
    """float32 on the target; along each axis the mean of as many samples as it has voxels there."""
    parts = np.maximum(np.ceil(target.spacing / source.spacing - 1e-6), 1).astype(int)
    matrix = target.ijk_to_ras.copy()
    matrix[:3, 3] -= matrix[:3, :3] @ ((1 - 1 / parts) / 2)
    matrix[:3, :3] /= parts
    to_source = source.ras_to_ijk @ matrix
    # ndimage counts axes k, j, i.
    sampled = ndimage.affine_transform(
        values.astype(np.float32),
        to_source[:3, :3][::-1, ::-1],
        to_source[:3, 3][::-1],
        output_shape=tuple(np.array(target.shape) * parts[::-1]),
        order=order,
        mode="nearest",
    )
    blocks = [n for pair in zip(target.shape, parts[::-1], strict=True) for n in pair]
    return sampled.reshape(blocks).mean((1, 3, 5))


def _as_type(voxels: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return np.clip(np.rint(voxels), limits.min, limits.max).astype(dtype)
    return voxels.astype(np.float32)
