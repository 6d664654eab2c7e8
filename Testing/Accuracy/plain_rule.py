"""The baseline: LiteMedSAM carried through the slices by its authors' rule, and nothing else.

Kept here as it was at the beginning of the project, so that what the engine gains stays measurable
when the engine changes: one ROI, no clicks; the middle slice first, then slice by slice, each with
its neighbour's bounding box.

Source: CVPR24_LiteMedSAM_infer.py and pre_CT_MR.py of LiteMedSAM (bowang-lab/MedSAM, branch
LiteMedSAM).
"""

from __future__ import annotations

import numpy as np
import torch

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.orientation import slices_first
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT, Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.models.litemedsam.engine import LiteMedSAMEngine
from SAMSegmentLib.models.regions import RoiOnGrid
from SAMSegmentLib.models.slicewise.intensity import GreyLevels
from SAMSegmentLib.models.slicewise.model import SlicePrompts
from SAMSegmentLib.models.slicewise.slices import PixelGrid, SliceStack, SliceWindow

#: Network pixels by which the last slice's box grows for the next.
BOX_MARGIN = 3
# Windows in HU, and the share of air in an ROI from which on the lung must be meant.
SOFT_TISSUE = (-160.0, 240.0)
LUNG = (-1350.0, 150.0)
CHEST = (-1000.0, 400.0)
AIR_HU = -500.0
LUNG_SHARE = 0.35
# For all that is not CT, of the positive voxels.
PERCENTILES = (0.5, 99.5)


class PlainRule(LiteMedSAMEngine):
    """The engine's network and kept embeddings, under the authors' rule."""

    def predict(
        self,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
    ) -> Answer:
        """See Engine. The ROI alone is used; an intensity range cannot be given.

        Raises:
            InputError: without an ROI, or with anything else.
        """
        if prompts.roi is None or prompts.points or intensity_range is not None:
            raise InputError("The plain rule takes an ROI, no points and no intensity range.")
        self._cache.start_counting()
        orientation = slices_first(image.geometry)
        roi = RoiOnGrid(prompts.roi, orientation.apply_to_geometry(image.geometry))
        values = orientation.apply(image.voxels)[roi.box][roi.inside]
        stack = self._stack_of_highest_iou(
            [
                SliceStack(image, grey_levels, self._model, orientation)
                for grey_levels in _grey_levels(image, values)
            ],
            roi,
        )
        logits = self._followed(roi, stack, watch)
        start = orientation.undo_start(roi.start, logits.shape, stack.geometry.shape)
        return Answer.of(
            Patch(orientation.undo(logits), start), image.geometry, cost=self._cache.cost
        )

    def _followed(self, roi: RoiOnGrid, stack: SliceStack, watch: Watch) -> np.ndarray:
        """Logits of the object in the ROI's box of voxels, float32."""
        logits = np.full(roi.inside.shape, BACKGROUND_LOGIT, dtype=np.float32)
        first, middle, last = roi.slices[0], roi.middle, roi.slices[-1]
        order = [*range(middle, last + 1), *range(middle - 1, first - 1, -1)]
        for done, index in enumerate(order):
            watch.step(done, len(order), f"Slice {done + 1} of {len(order)}")
            box = None
            if index != middle:
                neighbour = index - 1 if index > middle else index + 1
                mask = _slice_mask(logits[neighbour - first], roi, stack.grid)
                box = _box_of_mask(stack.grid, mask)
            if box is None:
                box = stack.grid.box_of_voxels(roi.voxel_box(middle))
            inside = roi.inside[index - first]
            slice_logits, _ = self._segmented(stack, index, box)
            logits[index - first][inside] = slice_logits[roi.box[1:]][inside]
        return logits

    def _stack_of_highest_iou(self, stacks: list[SliceStack], roi: RoiOnGrid) -> SliceStack:
        """The stack whose middle slice the network expects to segment best."""
        if len(stacks) == 1:
            return stacks[0]

        def predicted_iou(stack: SliceStack) -> float:
            box = stack.grid.box_of_voxels(roi.voxel_box(roi.middle))
            return self._segmented(stack, roi.middle, box)[1]

        return max(stacks, key=predicted_iou)

    @torch.inference_mode()
    def _segmented(
        self, stack: SliceStack, index: int, box: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """Logits at a slice's own voxels (row, column), and the network's predicted IoU."""
        embedding = self.embedding(stack.image, SliceWindow(stack, index))
        prompts = SlicePrompts(boxes=box[None].astype(np.float32))
        whole = (0, 0, self._model.size)
        logits, predicted_iou = self._model.decode(embedding, prompts, whole, self.watch.check)
        rows, columns = stack.grid.fitted
        at_voxels = torch.nn.functional.interpolate(
            torch.from_numpy(logits)[..., :rows, :columns],
            size=stack.grid.shape,
            mode="bilinear",
            align_corners=False,
        )
        return at_voxels[0, 0].numpy(), float(predicted_iou[0, 0])


def _box_of_mask(grid: PixelGrid, mask: np.ndarray) -> np.ndarray | None:
    """Bounding box of a slice's mask, xyxy in the picture, enlarged; None without a mask."""
    fitted = grid.fit(mask)
    rows, columns = np.flatnonzero(fitted.any(1)), np.flatnonzero(fitted.any(0))
    if rows.size == 0:
        return None
    low = np.array([columns[0], rows[0]]) - BOX_MARGIN
    high = np.array([columns[-1], rows[-1]]) + BOX_MARGIN
    return np.concatenate([np.maximum(low, 0), np.minimum(high, grid.size)])


def _slice_mask(logits: np.ndarray, roi: RoiOnGrid, grid: PixelGrid) -> np.ndarray:
    mask = np.zeros(grid.shape, dtype=np.uint8)
    mask[roi.box[1:]] = logits > 0
    return mask


def _grey_levels(image: Image, object_values: np.ndarray) -> tuple[GreyLevels, ...]:
    """CT: soft tissue, or lung and chest where the ROI is mostly air; else percentiles."""
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
    lowest, highest = image.value_range
    lower, upper = max(ends[0], lowest), min(ends[1], highest)
    return GreyLevels(lower, upper) if lower < upper else GreyLevels(*ends)
