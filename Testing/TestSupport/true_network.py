"""A stand-in for SAMSegment 3D's network that knows the objects: an engine's tests take no time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from scipy import ndimage

from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.models.samsegment3d import engine as samsegment3d
from SAMSegmentLib.models.samsegment3d.model import SAMSegment3DModel
from SAMSegmentLib.models.samsegment3d.prompts import WindowPrompt
from SAMSegmentLib.models.windowed.masks import WindowMask
from SAMSegmentLib.models.windowed.windows import Window

from .phantoms import voxel_positions

SURE = 6.0


class Truth:
    """Marks the object of each positive click; of the ROI or the mask before, if there is none.

    It sees no more than a network does: whole voxels of the window, in one window at a time.

    Args:
        objects: each says which positions (..., 3) in RAS mm lie in it.

    Attributes:
        asked: what was asked: (window, prompt).
        deaf: whether it heeds no click but the first.
        candidates: whether it offers others, too.
    """

    def __init__(
        self,
        *objects: Callable[[np.ndarray], np.ndarray],
        deaf: bool = False,
        candidates: bool = False,
    ) -> None:
        self.objects = objects
        self.asked: list[tuple[Window, WindowPrompt]] = []
        self.deaf, self.candidates = deaf, candidates

    def __call__(self, window: Window, prompt: WindowPrompt) -> list[WindowMask]:
        self.asked.append((window, prompt))
        positions = voxel_positions(window.geometry)
        there = [inside(positions) for inside in self.objects]
        chosen = set()
        if prompt.before is not None:
            known = np.kron(prompt.before, np.ones((2, 2, 2))) > 0
            chosen |= {n for n, mask in enumerate(there) if 2 * (mask & known).sum() > mask.sum()}
        if prompt.roi is not None:
            known = np.kron(prompt.roi, np.ones((2, 2, 2))) > 0
            chosen |= {n for n, mask in enumerate(there) if 2 * (mask & known).sum() > mask.sum()}
        for point in prompt.points[: 1 if self.deaf else None]:
            at = {n for n, inside in enumerate(self.objects) if inside(np.array(point.ras))}
            chosen = chosen | at if point.positive else chosen - at
        masks = [there[n] for n in sorted(chosen)]
        mask = np.any(masks, axis=0) if masks else np.zeros(window.shape, bool)
        found = [mask]
        if self.candidates and prompt.wanted > 1:
            # The core of it, and something much larger.
            found.append(ndimage.binary_erosion(mask, iterations=2))
            found.append(ndimage.binary_dilation(mask, iterations=6))
        return [
            WindowMask(window, np.where(one, np.float32(SURE), np.float32(-SURE))) for one in found
        ]


def ball_at(center: Sequence[float], radius: float) -> Callable[[np.ndarray], np.ndarray]:
    """Which positions lie in a ball, mm."""
    return lambda ras: np.linalg.norm(ras - np.asarray(center), axis=-1) <= radius


class TrueEngine(samsegment3d.SAMSegment3DEngine):
    """SAMSegment 3D's engine around a Truth.

    Attributes:
        encoded_windows: the windows that were encoded.
    """

    def __init__(self, truth: Truth, capacity: int = 2**20) -> None:
        self.encoded_windows: list[Window] = []
        self.truth = truth
        with mock.patch.object(samsegment3d, "SAMSegment3DModel", lambda *_: _TrueModel(self)):
            super().__init__(Path(__file__), torch.device("cpu"), EmbeddingCache(capacity))

    def encode(self, window):
        self.watch.step(0, 1, "Looking")
        self.encoded_windows.append(window.window)
        return np.zeros(1000, np.uint8)


class _TrueModel(SAMSegment3DModel):
    """A WindowModel that asks an engine's Truth."""

    numbers = torch.float32

    def __init__(self, engine: TrueEngine) -> None:
        self._engine = engine

    def decode(self, features, window, prompt, check):
        return [mask.logits for mask in self._engine.truth(window, prompt)]
