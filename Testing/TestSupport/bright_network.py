"""A 2D network that marks what is bright, of any size: an engine's tests take no time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.models.slicewise.model import BOXES, Part, SlicePrompts, stretched
from SAMSegmentLib.models.slicewise.slicewise_engine import SlicewiseEngine

from .oracle_network import BEST_QUALITY, WORST_QUALITY, box_around, box_overlap

#: Grey level of the picture, 0 to 1, from which on a pixel is bright.
BRIGHT = 0.65
# Logits for the difference of a pixel's level.
STEEP = 30.0
BLOCKS = 3


class BrightModel:
    """Gives, for a box or a point, the bright piece that fits it best, and how well it does.

    Attributes:
        encoded: how many pictures were encoded to the end.
        asked: per call of the decoder, with which kinds of prompts.
    """

    title = "Bright"

    def __init__(
        self,
        size: int = 256,
        stride: int = 4,
        mask_stride: int = 1,
        channels: int = 1,
        prompts: Sequence[str] = (BOXES,),
    ) -> None:
        self.size, self.stride, self.mask_stride = size, stride, mask_stride
        self.channels, self.prompts = channels, frozenset(prompts)
        self.encoded = 0
        self.asked: list[set[str]] = []

    def normalise(self, grey: np.ndarray, lowest: float, highest: float) -> np.ndarray:
        """See SliceModel."""
        return np.repeat(stretched(grey, lowest, highest), self.channels, axis=0)

    def encode(self, picture: np.ndarray, check: Callable[[], None]) -> np.ndarray:
        """How bright the picture is, at the resolution of the masks."""
        for _ in range(BLOCKS):
            check()
        assert picture.shape == (self.channels, self.size, self.size)
        assert picture.dtype == np.float32
        self.encoded += 1
        cells = self.size // self.mask_stride
        return picture[0].reshape(cells, self.mask_stride, cells, -1).mean((1, 3))

    def decode(
        self, embedding: np.ndarray, prompts: SlicePrompts, part: Part, check: Callable[[], None]
    ) -> tuple[np.ndarray, np.ndarray]:
        """See SliceModel; three masks for a point: the piece there, that around it, and nothing."""
        check()
        assert all(n % self.stride == 0 for n in part)
        kinds = {
            kind for kind in ("boxes", "points", "masks") if getattr(prompts, kind) is not None
        }
        assert kinds <= self.prompts
        self.asked.append(kinds)
        row, column, side = (n // self.mask_stride for n in part)
        brightness = embedding[row : row + side, column : column + side]
        pieces, count = ndimage.label(brightness > BRIGHT)
        sections = [pieces == n + 1 for n in range(count)]
        local = prompts.moved(-part[0], -part[1])
        if local.masks is not None:
            assert local.masks.shape == (len(local.boxes), side, side)
        if local.points is None:
            boxes = local.boxes.astype(float) / self.mask_stride
            found = [[self._for_box(brightness, sections, box)] for box in boxes]
        else:
            points = (local.points / self.mask_stride).astype(int)
            found = [self._for_point(brightness, sections, point) for point in points]
        logits, quality = (
            np.array([[mask[n] for mask in masks] for masks in found], dtype=np.float32)
            for n in (0, 1)
        )
        return logits, quality

    @staticmethod
    def _for_box(brightness, sections, box) -> tuple[np.ndarray, float]:
        fits = [box_overlap(box_around(section), box) for section in sections]
        if not fits or max(fits) == 0:
            return np.full(brightness.shape, -6, np.float32), WORST_QUALITY
        best = int(np.argmax(fits))
        logits = _marked(brightness, sections, best)
        return logits, WORST_QUALITY + (BEST_QUALITY - WORST_QUALITY) * fits[best]

    @staticmethod
    def _for_point(brightness, sections, point) -> list[tuple[np.ndarray, float]]:
        nothing = np.full(brightness.shape, -6, np.float32)
        hit = [n for n, section in enumerate(sections) if section[point[1], point[0]]]
        there = _marked(brightness, sections, hit[0]) if hit else nothing
        around = np.where(ndimage.binary_dilation(there > 0, iterations=2), 6, nothing)
        return [(there, BEST_QUALITY), (around, WORST_QUALITY), (nothing, WORST_QUALITY)]


def _marked(brightness, sections, chosen: int) -> np.ndarray:
    others = [section for n, section in enumerate(sections) if n != chosen]
    others = np.any(others or [~sections[chosen]], axis=0)
    logits = np.where(others & (brightness > BRIGHT), -6, STEEP * (brightness - BRIGHT))
    return logits.astype(np.float32)


class BrightEngine(SlicewiseEngine):
    """A slice-wise engine around such a network, which no device needs to be trusted with."""

    @staticmethod
    def self_check(device, dtype) -> tuple:
        """See Engine."""
        return ()


def bright_engine(model: BrightModel | None = None, capacity: int = 2**29) -> BrightEngine:
    """An engine around such a network."""
    return BrightEngine(model or BrightModel(), "bright", EmbeddingCache(capacity))
