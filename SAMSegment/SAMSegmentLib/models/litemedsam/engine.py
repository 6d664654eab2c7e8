"""LiteMedSAM: a 2D network with a box prompt, carried through the slices of a volume.

Source: Ma et al., Segment anything in medical images, Nat Commun 15, 654 (2024), and its branch
LiteMedSAM (bowang-lab/MedSAM).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ...weights.files import file_sha256
from ..embedding_cache import EmbeddingCache
from ..slicewise.model import BOXES, Part, SlicePrompts, stretched
from ..slicewise.slicewise_engine import SlicewiseEngine
from ..tensor_files.checkpoints import check_fits, load_tensors
from .network import IMAGE_SIZE, PIXELS_PER_TOKEN, LiteMedSAM
from .self_check import self_check


class LiteMedSAMModel:
    """LiteMedSAM's network as a SliceModel; its weights were trained with boxes alone.

    Args:
        network: in eval mode.
    """

    title = "LiteMedSAM"
    size = IMAGE_SIZE
    stride = PIXELS_PER_TOKEN
    mask_stride = 1
    channels = 1  # faster than three equal ones
    prompts = frozenset({BOXES})

    def __init__(self, network: LiteMedSAM, device: torch.device) -> None:
        self._network = network
        self._device = device

    def normalise(self, grey: np.ndarray, lowest: float, highest: float) -> np.ndarray:
        """See SliceModel: the slice's own darkest and brightest grey become 0 and 1."""
        return stretched(grey, lowest, highest)

    @torch.inference_mode()
    def encode(self, picture: np.ndarray, check: Callable[[], None]) -> torch.Tensor:
        """See SliceModel."""
        return self._network.encode(torch.from_numpy(picture)[None].to(self._device), check)

    @torch.inference_mode()
    def decode(
        self,
        embedding: torch.Tensor,
        prompts: SlicePrompts,
        part: Part,
        check: Callable[[], None],
    ) -> tuple[np.ndarray, np.ndarray]:
        """See SliceModel."""
        logits, quality = self._network.decode(
            embedding,
            boxes=torch.from_numpy(prompts.boxes).to(self._device),
            part=part,
            between_blocks=check,
        )
        return logits.cpu().numpy(), quality.cpu().numpy()


class LiteMedSAMEngine(SlicewiseEngine):
    """LiteMedSAM on one device.

    Args:
        weights: a safetensors file with the network's 435 tensors.
        cache: keeps the pictures' embeddings, 4 MiB each.
    """

    self_check = staticmethod(self_check)
    empty_network = staticmethod(lambda tensors: LiteMedSAM())

    def __init__(self, weights: Path, device: torch.device, cache: EmbeddingCache) -> None:
        network = load_network(weights, device)
        super().__init__(LiteMedSAMModel(network, device), file_sha256(weights), cache)


def load_network(weights: Path, device: torch.device) -> LiteMedSAM:
    """The network in a weights file.

    Raises:
        WeightsError: if the file is not one of this network.
    """
    tensors = load_tensors(weights)
    try:
        return LiteMedSAM.build(tensors, device)
    except RuntimeError:
        with torch.device("meta"):
            check_fits(tensors, LiteMedSAM(), "LiteMedSAM")
        raise
