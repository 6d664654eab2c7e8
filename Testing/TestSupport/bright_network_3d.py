"""A stand-in for SAM-Med3D's network that marks what is bright: an engine's tests take no time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.models.sammed3d import model
from SAMSegmentLib.models.sammed3d.engine import SAMMed3DEngine
from SAMSegmentLib.models.sammed3d.network import IMAGE_SIZE, MASK_SIZE

# Logits for the whole difference between what is dark and what is bright.
STEEP = 12.0
BLOCKS = 12


class BrightNetwork3D:
    """Marks the bright pieces at positive clicks, and takes away those at negative ones.

    Bright is what is nearer to the brightest than to the darkest voxel of the cube. What was in the
    mask before stays in it. As the real network, it knows nothing of other cubes.

    Attributes:
        encoded: how many cubes were encoded to the end.
        asked: per prompt, what was told: (label, position, box, whether there was a mask before).
    """

    def __init__(self, takes_boxes: bool = False) -> None:
        self.takes_boxes = takes_boxes
        self.encoded = 0
        self.asked: list[tuple] = []

    def encode(
        self, images: torch.Tensor, between_blocks: Callable[[], None] = lambda: None
    ) -> torch.Tensor:
        """(1, 1, 32, 32, 32): how bright each voxel of the mask is, 0 halfway, 0.5 at most."""
        for _ in range(BLOCKS + 1):
            between_blocks()
        assert images.shape == (1, 1, *(IMAGE_SIZE,) * 3) and images.dtype == torch.float32
        self.encoded += 1
        low, high = images.min(), images.max()
        return F.avg_pool3d((images - low) / (high - low), IMAGE_SIZE // MASK_SIZE) - 0.5

    def decode(
        self,
        embedding: torch.Tensor,
        mask: torch.Tensor,
        points: tuple[torch.Tensor, torch.Tensor] | None = None,
        boxes: torch.Tensor | None = None,
        between_blocks: Callable[[], None] = lambda: None,
    ) -> torch.Tensor:
        """See sammed3d.network.SAMMed3D.decode."""
        between_blocks()
        brightness, before = embedding[0, 0].numpy(), mask[0, 0].numpy()
        pieces, _ = ndimage.label(brightness > 0)
        chosen = set(np.unique(pieces[before > 0]))
        label = position = None
        if points is not None:
            (position,), (label,) = (part[0].tolist() for part in points)
            piece = pieces[tuple(int(n) * MASK_SIZE // IMAGE_SIZE for n in position)]
            chosen = chosen | {piece} if label else chosen - {piece}
        box = None if boxes is None else boxes[0].tolist()
        self.asked.append((label, position, box, bool(before.any())))
        there = np.isin(pieces, list(chosen - {0}))
        logits = STEEP * np.where(there, brightness, -np.abs(brightness))
        return torch.from_numpy(logits.astype(np.float32))[None, None]


def bright_engine(network: BrightNetwork3D | None = None, capacity: int = 2**28) -> SAMMed3DEngine:
    """SAM-Med3D's engine around such a network."""
    network = network or BrightNetwork3D()
    with mock.patch.object(model, "load_network", lambda *_: network):
        return SAMMed3DEngine(
            Path(__file__), torch.device("cpu"), EmbeddingCache(capacity), torch.float32
        )
