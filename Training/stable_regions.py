"""Finds objects in volumes without labels: stable regions of similar intensity.

As maximally stable extremal regions (Donoser & Bischof, 3D Segmentation by MSERs, ICIP 2006), with
ranges of intensities instead of thresholds, and a morphological opening that separates objects
connected by a thin bridge. Their borders are edges of the image, which the network has to learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

#: Smallest Dice of a stable region with that of a wider range.
STABLE = 0.85
#: Smallest and largest volume in mm³: 0.5 ml to 3 l.
SMALLEST, LARGEST = 5e2, 3e6
#: Regions with a larger Dice are the same.
SAME = 0.8
# Ranges: number of centres (quantiles of the body), and half widths as shares of its spread.
MIDDLES, WIDTHS = 24, (0.08, 0.16, 0.3)
WIDER = 1.3
# Radii of the opening in mm.
OPENINGS = (2.0, 5.0)
MOST_REGIONS = 80


@dataclass(frozen=True, eq=False)
class Region:
    """A mask on a box of the volume, and its number of voxels."""

    box: tuple[slice, ...]
    mask: np.ndarray
    count: int

    def dice(self, other: Region) -> float:
        """Dice with another region of the same volume."""
        common = [
            (max(a.start, b.start), min(a.stop, b.stop))
            for a, b in zip(self.box, other.box, strict=True)
        ]
        if any(low >= high for low, high in common):
            return 0.0
        both = np.count_nonzero(self._within(common) & other._within(common))
        return 2 * both / (self.count + other.count)

    def whole(self, shape: tuple[int, ...]) -> np.ndarray:
        """The mask on the whole volume."""
        mask = np.zeros(shape, bool)
        mask[self.box] = self.mask
        return mask

    def _within(self, ends: list[tuple[int, int]]) -> np.ndarray:
        pairs = zip(ends, self.box, strict=True)
        return self.mask[tuple(slice(low - s.start, high - s.start) for (low, high), s in pairs)]


def stable_regions(voxels: np.ndarray, spacing: tuple[float, ...]) -> list[Region]:
    """Regions, largest first; they may overlap.

    Args:
        voxels: with a spacing of at most about 2.5 mm, otherwise the opening is coarse.
        spacing: mm along the array's axes.
    """
    smooth = ndimage.gaussian_filter(voxels.astype(np.float32), [1.5 / mm for mm in spacing])
    low, high = np.percentile(smooth, [1, 99.5])
    body = smooth > low + 0.1 * (high - low)
    if not body.any():
        return []
    spread = float(np.subtract(*np.percentile(smooth[body], [95, 5])))
    middles = [low, *np.quantile(smooth[body], np.linspace(0.02, 0.995, MIDDLES))]
    found: list[Region] = []
    for opening in OPENINGS:
        ball = _ball(opening, spacing)
        for middle in middles:
            for width in WIDTHS:
                narrow = np.abs(smooth - middle) < width * spread
                wide = np.abs(smooth - middle) < WIDER * width * spread
                for region in _stable_parts(narrow, wide, ball, float(np.prod(spacing))):
                    if not any(region.dice(other) > SAME for other in found):
                        found.append(region)
    return sorted(found, key=lambda region: -region.count)[:MOST_REGIONS]


def _stable_parts(
    narrow: np.ndarray, wide: np.ndarray, ball: np.ndarray, voxel_mm3: float
) -> Iterator[Region]:
    parts, wider = _opened_parts(narrow, ball), _opened_parts(wide, ball)
    wider_sizes = np.bincount(wider.ravel())
    for part, box in enumerate(ndimage.find_objects(parts), 1):
        if box is None:
            continue
        mask = parts[box] == part
        size = np.count_nonzero(mask)
        if not SMALLEST < size * voxel_mm3 < LARGEST:
            continue
        common = np.bincount(wider[box][mask], minlength=wider_sizes.size)
        common[0] = 0
        match = int(common.argmax())
        if 2 * common[match] >= STABLE * (size + wider_sizes[match]):
            filled = ndimage.binary_fill_holes(mask)
            yield Region(box, filled, np.count_nonzero(filled))


def _opened_parts(mask: np.ndarray, ball: np.ndarray) -> np.ndarray:
    """Connected components of an eroded mask, each dilated again within the mask."""
    eroded = ndimage.binary_erosion(mask, ball)
    parts, count = ndimage.label(eroded)
    if count == 0:
        return parts
    sizes = np.bincount(parts.ravel())
    parts[(sizes < 8)[parts]] = 0
    grown = ndimage.grey_dilation(parts, footprint=ball)
    return np.where(mask, grown, 0)


def _ball(radius: float, spacing: tuple[float, ...]) -> np.ndarray:
    reach = [max(1, round(radius / mm)) for mm in spacing]
    grid = np.meshgrid(*(np.arange(-n, n + 1) / n for n in reach), indexing="ij")
    return sum(axis**2 for axis in grid) <= 1.01
