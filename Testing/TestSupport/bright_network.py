"""A stand-in for LiteMedSAM's network that marks what is bright: an engine's tests take no time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from scipy import ndimage

from .knowing_network import BEST_QUALITY, WORST_QUALITY, box_around, box_overlap

#: Grey level of the picture, 0 to 1, from which on a pixel is bright.
BRIGHT = 0.65
# Logits for the difference of a pixel's level.
STEEP = 30.0
BLOCKS = 3


class BrightNetwork:
    """Gives, for a box, the bright piece that fits it best, and how well it does.

    Attributes:
        encoded: how many pictures were encoded to the end.
    """

    def __init__(self) -> None:
        self.encoded = 0

    def encode(
        self, images: torch.Tensor, between_blocks: Callable[[], None] | None = None
    ) -> torch.Tensor:
        """The picture itself."""
        for _ in range(BLOCKS):
            if between_blocks is not None:
                between_blocks()
        self.encoded += 1
        return images[0, 0].clone()

    def decode(
        self,
        embedding: torch.Tensor,
        boxes: torch.Tensor,
        part: tuple[int, int, int] | None = None,
        between_blocks: Callable[[], None] = lambda: None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See networks.litemedsam.LiteMedSAM.decode."""
        between_blocks()
        row, column, side = part or (0, 0, len(embedding))
        picture = embedding.numpy()[row : row + side, column : column + side]
        pieces, count = ndimage.label(picture > BRIGHT)
        sections = [pieces == n + 1 for n in range(count)]
        answers = [_for_box(picture, sections, box - [column, row] * 2) for box in boxes.numpy()]
        logits, quality = zip(*answers, strict=True)
        shape = (len(boxes), 1)
        return torch.from_numpy(np.stack(logits))[:, None], torch.tensor(quality).reshape(shape)


def _for_box(picture, sections, box) -> tuple[np.ndarray, float]:
    fits = [box_overlap(box_around(section), box) for section in sections]
    if not fits or max(fits) == 0:
        return np.full(picture.shape, -6, np.float32), WORST_QUALITY
    best = int(np.argmax(fits))
    others = np.any([s for n, s in enumerate(sections) if n != best] or [~sections[best]], axis=0)
    logits = np.where(others & (picture > BRIGHT), -6, STEEP * (picture - BRIGHT))
    return logits.astype(np.float32), WORST_QUALITY + (BEST_QUALITY - WORST_QUALITY) * fits[best]
