"""LiteMedSAM: a 2D network with a box prompt, carried through the slices of an ROI.

Source: Ma et al., Segment anything in medical images, Nat Commun 15, 654 (2024), and its branch
LiteMedSAM (bowang-lab/MedSAM).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ..core.errors import InputError
from ..core.image import Image
from ..core.orientation import slices_first
from ..core.prediction import Prediction
from ..core.progress import Watch
from ..core.prompts import Prompts, Roi
from ..networks.litemedsam import IMAGE_SIZE, LiteMedSAM
from ..weights.catalogue import file_sha256
from .base import Embedding, Engine
from .cache import EmbeddingCache
from .checkpoints import load_safetensors
from .intensity import GreyLevels, possible_grey_levels
from .propagation import propagate
from .slices import RoiInStack, SliceStack, SliceWindow, box_on_window


class LiteMedSAMEngine(Engine):
    """LiteMedSAM on one device.

    Args:
        weights: a safetensors file with the network's 435 tensors.
        cache: keeps the slices' embeddings, 4 MiB each.
    """

    def __init__(self, weights: Path, device: torch.device, cache: EmbeddingCache) -> None:
        self._network = LiteMedSAM.build(load_safetensors(weights), device)
        self._weights_sha256 = file_sha256(weights)
        self._device = device
        self._cache = cache

    def encode(self, image: Image, window: SliceWindow) -> Embedding:
        """The embedding of one slice; kept for the next prompt on it."""
        key = (image.key, self._weights_sha256, window.key)
        return self._cache.get(key, lambda: self._encode(window))

    def decode(
        self, embedding: Embedding, prompts: Prompts, previous: np.ndarray | None = None
    ) -> np.ndarray:
        """Logits on the slice's picture for the ROI, float32 (1, 256, 256).

        The weights were trained with boxes alone, so `previous` is not used.
        """
        box = box_on_window(_roi_of(prompts), embedding.window)
        logits, _ = self._decode_box(embedding, box)
        return logits.cpu().numpy()[0]

    def predict(
        self,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
    ) -> Prediction:
        """See Engine. The slices between the ROI's ends are segmented one by one."""
        self._cache.start_counting()
        orientation = slices_first(image.geometry)
        roi = RoiInStack(_roi_of(prompts), orientation.apply_to_geometry(image.geometry))
        if intensity_range is not None:
            stack = SliceStack(image, GreyLevels(*_checked_range(intensity_range)), IMAGE_SIZE)
        else:
            values = orientation.apply(image.voxels)[roi.box][roi.inside]
            stack = self._most_certain(
                [SliceStack(image, g, IMAGE_SIZE) for g in possible_grey_levels(image, values)], roi
            )

        def segment_slice(index: int, box: np.ndarray) -> np.ndarray:
            logits, _ = self._decode_box(self.encode(image, SliceWindow(stack, index)), box)
            return self._slice_logits(logits, stack)

        logits = propagate(roi, stack.grid, segment_slice, watch)
        return replace(_prediction(logits, roi, stack, image), cost=self._cache.cost)

    def _most_certain(self, stacks: list[SliceStack], roi: RoiInStack) -> SliceStack:
        """The stack whose middle slice the network expects to segment best (predicted IoU)."""
        if len(stacks) == 1:
            return stacks[0]

        def predicted_iou(stack: SliceStack) -> float:
            embedding = self.encode(stack.image, SliceWindow(stack, roi.middle))
            box = stack.grid.box_of_voxels(roi.voxel_box(roi.middle))
            return float(self._decode_box(embedding, box)[1])

        return max(stacks, key=predicted_iou)

    @torch.inference_mode()
    def _encode(self, window: SliceWindow) -> Embedding:
        picture = torch.from_numpy(window.stack.picture(window.index))
        features = self._network.encode(picture[None, None].to(self._device))
        return Embedding(window, features, features.nbytes)

    @torch.inference_mode()
    def _decode_box(
        self, embedding: Embedding, box: np.ndarray
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits (1, 1, 256, 256) and predicted IoU (1, 1) for an xyxy box on the picture."""
        boxes = torch.from_numpy(box[None].astype(np.float32)).to(self._device)
        return self._network.decode(embedding.features, boxes=boxes)

    @torch.inference_mode()
    def _slice_logits(self, logits: torch.Tensor, stack: SliceStack) -> np.ndarray:
        """The picture's logits at the slice's own voxels, float32 (row, column)."""
        rows, columns = stack.grid.fitted
        return (
            torch.nn.functional.interpolate(
                logits[..., :rows, :columns],
                size=stack.grid.shape,
                mode="bilinear",
                align_corners=False,
            )[0, 0]
            .cpu()
            .numpy()
        )


def _prediction(logits: np.ndarray, roi: RoiInStack, stack: SliceStack, image: Image) -> Prediction:
    """The logits of the stack's box, put back into the volume's own order."""
    start = stack.orientation.undo_start(roi.start, logits.shape, stack.geometry.shape)
    return Prediction(stack.orientation.undo(logits), start, image.geometry)


def _roi_of(prompts: Prompts) -> Roi:
    if prompts.roi is None:
        raise InputError("LiteMedSAM needs an ROI around the object.")
    return prompts.roi


def _checked_range(intensity_range: tuple[float, float]) -> tuple[float, float]:
    lower, upper = (float(value) for value in intensity_range)
    if not (np.isfinite((lower, upper)).all() and lower < upper):
        raise InputError(
            f"The intensity range {lower:g} to {upper:g} is not usable: give a lower and a higher "
            "finite number."
        )
    return lower, upper
