"""How well a mask stands out: the step of grey levels at its border, by their spread within.

The network's own expectation tells small from large masks, but hardly good from bad ones; what is
to be seen at the border does. As for LiteMedSAM's candidates (docs/accuracy.md).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...core.patch import bounding_box
from ..samsegment3d.picture import OUTSIDE

# Added to the spread: a few voxels of one grey level have no contrast without limit.
_LEAST_SPREAD = 0.05


def contrast(picture: np.ndarray, mask: np.ndarray) -> float:
    """Mean distance of the grey levels just outside from the middle ones within, in spreads.

    Args:
        picture: grey levels by rank, -1 to 1, any axes; what is not in the volume does not count.
        mask: boolean, the same shape.

    Returns:
        0 for an empty mask, or one of all voxels.
    """
    box = bounding_box(mask)
    if box is None:
        return 0.0
    box = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)
    picture, mask = picture[box], mask[box]
    around = ndimage.binary_dilation(mask) & ~mask & (picture > OUTSIDE)
    if not around.any():
        return 0.0
    within = picture[mask]
    step = np.abs(picture[around] - np.median(within)).mean()
    return float(step / (within.std() + _LEAST_SPREAD))
