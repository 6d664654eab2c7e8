"""From boxes on slices to a 3D mask: start in the middle, follow the object both ways.

Source: CVPR24_LiteMedSAM_infer.py of LiteMedSAM (bowang-lab/MedSAM, branch LiteMedSAM). Unlike
there, no mask leaves the ROI.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..core.prediction import BACKGROUND_LOGIT
from ..core.progress import Watch
from .slices import PixelGrid, RoiInStack

#: Network pixels by which the last slice's box grows for the next.
BOX_MARGIN = 3


def propagate(
    roi: RoiInStack,
    grid: PixelGrid,
    segment_slice: Callable[[int, np.ndarray], np.ndarray],
    watch: Watch,
) -> np.ndarray:
    """Logits of the object in the ROI's box of voxels.

    The middle slice gets the ROI as its box; each further slice gets the bounding box of its
    neighbour's mask, a little larger, or again the ROI where that mask is empty.

    Args:
        segment_slice: (slice index, xyxy box on the network's pixels) -> logits of the slice.

    Returns:
        float32, (slice, row, column) of `roi.box`.

    Raises:
        Cancelled: between two slices, if the user asked to stop.
    """
    logits = np.full(roi.inside.shape, BACKGROUND_LOGIT, dtype=np.float32)
    first, middle, last = roi.slices[0], roi.middle, roi.slices[-1]
    order = [*range(middle, last + 1), *range(middle - 1, first - 1, -1)]
    first_box = grid.box_of_voxels(roi.voxel_box(middle))

    for done, index in enumerate(order):
        watch.step(done, len(order), f"Slice {done + 1} of {len(order)}")
        box = None
        if index != middle:
            neighbour = index - 1 if index > middle else index + 1
            box = grid.box_of_mask(_slice_mask(logits, roi, neighbour, grid), BOX_MARGIN)
        slice_logits = segment_slice(index, first_box if box is None else box)
        inside = roi.inside[index - first]
        logits[index - first][inside] = slice_logits[roi.box[1:]][inside]
    watch.step(len(order), len(order), "Done")
    return logits


def _slice_mask(logits: np.ndarray, roi: RoiInStack, index: int, grid: PixelGrid) -> np.ndarray:
    mask = np.zeros(grid.shape, dtype=np.uint8)
    mask[roi.box[1:]] = logits[index - roi.slices[0]] > 0
    return mask
