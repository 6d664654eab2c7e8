"""From a scanner's numbers to the 256 grey levels that slice-wise networks were trained on.

Source: pre_CT_MR.py of LiteMedSAM (bowang-lab/MedSAM, branch LiteMedSAM).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.image import Image

# Lower and upper end in HU. Soft tissue is level 40, width 400; lung is level -600, width 1500.
SOFT_TISSUE = (-160.0, 240.0)
LUNG = (-1350.0, 150.0)
# From air to bone, the range in which lung nodule networks see a chest (LUNA16).
CHEST = (-1000.0, 400.0)
# Nothing in a body but gas and lung lies below this.
AIR_HU = -500.0
# Share of air in an ROI from which on it must be the lung that is meant.
LUNG_SHARE = 0.35
PERCENTILES = (0.5, 99.5)


@dataclass(frozen=True)
class GreyLevels:
    """A linear map of intensities to 0..255.

    Attributes:
        lower, upper: intensities shown black and white; beyond them, clipped.
        zero_is_background: keep voxels of exactly 0 black, as outside a masked MR.
    """

    lower: float
    upper: float
    zero_is_background: bool = False

    def apply(self, values: np.ndarray) -> np.ndarray:
        """uint8 grey levels, rounded down, of intensities of any shape."""
        scaled = np.clip(values, self.lower, self.upper).astype(np.float32)
        scaled -= self.lower
        scaled *= 255.0 / (self.upper - self.lower)
        grey = scaled.astype(np.uint8)
        if self.zero_is_background:
            grey[values == 0] = 0
        return grey


def possible_grey_levels(image: Image, object_values: np.ndarray) -> tuple[GreyLevels, ...]:
    """The grey levels in which the object may show best; the network decides between several.

    CT: the soft-tissue window; where more than LUNG_SHARE of the ROI is air, the lung or the chest
    window. All else: from the 0.5th to the 99.5th percentile of the positive voxels of the volume.

    Args:
        object_values: intensities in the ROI.
    """
    if image.is_ct:
        mostly_air = np.mean(object_values < AIR_HU) > LUNG_SHARE
        windows = (LUNG, CHEST) if mostly_air else (SOFT_TISSUE,)
        return tuple(_within_volume(image, window) for window in windows)
    voxels = image.voxels
    positive = voxels[voxels > 0]
    lower, upper = np.percentile(positive if positive.size else voxels, PERCENTILES)
    if lower == upper:
        lower, upper = image.value_range
    return (GreyLevels(float(lower), float(upper), zero_is_background=True),)


def _within_volume(image: Image, ends: tuple[float, float]) -> GreyLevels:
    """The window cut to the intensities that occur, so that black and white are used."""
    lowest, highest = image.value_range
    lower, upper = max(ends[0], lowest), min(ends[1], highest)
    return GreyLevels(lower, upper) if lower < upper else GreyLevels(*ends)
