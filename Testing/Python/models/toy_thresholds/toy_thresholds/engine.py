"""Finds the body, and the air in it, by two thresholds: an automatic model without a network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from SAMSegmentLib.core.answer import Answer, LabelledMask
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT, Patch, bounding_box
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.models.base import AutomaticEngine, Capabilities
from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.models.tensor_files.checkpoints import load_tensors

BODY, AIR = "Body", "Air in the body"
#: Grey levels per logit on both sides of a threshold.
SOFTNESS = 25.0


class ToyThresholds(AutomaticEngine):
    """The largest piece above one threshold with all that it encloses, and what is dark in it.

    Args:
        weights: safetensors with the two thresholds, in grey levels.
        structures: some of BODY and AIR.
    """

    capabilities = Capabilities(prompts=frozenset(), task="automatic", single_slices=True)

    @staticmethod
    def self_check(device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
        """See Engine."""
        grey = torch.arange(-1000, 1000, 25, dtype=torch.float32, device=device)
        return (_logits(grey, torch.tensor(-300.0, device=device)),)

    def __init__(
        self,
        weights: Path,
        device: torch.device,
        cache: EmbeddingCache,
        structures: tuple[Label, ...],
    ) -> None:
        self.structures = structures
        self._device = device
        thresholds = load_tensors(weights)
        self._body, self._air = (thresholds[name].to(device) for name in ("body", "air"))

    def segment(
        self,
        image: Image,
        structures: Sequence[Label],
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
    ) -> Answer:
        """See AutomaticEngine."""
        if unknown := {label.name for label in structures} - {BODY, AIR}:
            raise InputError(f"{', '.join(sorted(unknown))} cannot be found by two thresholds.")
        watch.step(0, len(structures) + 1, "Looking for the body")
        grey = torch.as_tensor(image.voxels.astype(np.float32), device=self._device)
        above = _logits(grey, self._body).cpu().numpy()
        body = _largest_with_holes(above > 0)
        masks = []
        for number, label in enumerate(structures, start=1):
            watch.step(number, len(structures) + 1, f"Looking for {label.name}")
            if label.name == BODY:
                logits = np.where(body, np.maximum(above, 1), np.float32(BACKGROUND_LOGIT))
            else:
                below = -_logits(grey, self._air).cpu().numpy()
                logits = np.where(body, below, np.float32(BACKGROUND_LOGIT))
            masks.append(LabelledMask(_cropped(logits), label))
        watch.step(1, 1, "Done")
        return Answer(tuple(masks), image.geometry)


def _logits(grey: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    return ((grey - threshold) / SOFTNESS).clamp(-20, 20)


def _largest_with_holes(mask: np.ndarray) -> np.ndarray:
    pieces, count = ndimage.label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return ndimage.binary_fill_holes(pieces == sizes.argmax())


def _cropped(logits: np.ndarray) -> Patch:
    """The logits on the smallest box that holds all that is more likely than not, and its rim."""
    box = bounding_box(logits > 0)
    if box is None:
        return Patch(np.full((1, 1, 1), BACKGROUND_LOGIT, np.float32), (0, 0, 0))
    start = tuple(max(part.start - 1, 0) for part in box)
    stop = tuple(part.stop + 1 for part in box)
    around = tuple(slice(a, b) for a, b in zip(start, stop, strict=True))
    return Patch(logits[around].astype(np.float32), start)
