"""SAMSegment 3D: one window around the object, all prompts at once, and the mask before.

See network for the network, and window_session for how it is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from ...core.overlap import dice
from ...core.patch import Patch
from ...core.prompts import Point, Prompts, Roi, positions_of
from ...weights.catalogue import file_sha256
from .. import local_correction
from ..base import Capabilities, Embedding
from ..embedding_cache import EmbeddingCache
from ..interactive import InteractiveEngine, Request, limit_of
from ..precision import encoder_type
from ..regions import RoiOnGrid, voxel_of
from ..windowed.contrast import contrast
from ..windowed.masks import WindowMask
from ..windowed.single_slice import gone_through
from ..windowed.windows import Window3D
from .picture import RANKED
from .pictured_window import PicturedWindow
from .self_check import self_check
from .window_network import WindowNetwork, nbytes_of
from .window_session import WindowPrompt, WindowSession

# Candidates whose masks are this much alike (Dice) are one.
ALIKE = 0.9


@dataclass(frozen=True, eq=False)
class WindowCandidate:
    """A mask in its window and on the volume's grid, where each click is honoured.

    Attributes:
        as_clicked: whether the network's own mask honoured all clicks.
    """

    mask: WindowMask
    field: Patch
    as_clicked: bool = True

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.mask.logits.nbytes + self.field.values.nbytes


class SAMSegment3DEngine(InteractiveEngine[WindowCandidate]):
    """SAMSegment 3D on one device.

    Args:
        weights: the tensors as safetensors.
        cache: keeps the windows' embeddings, about 9 MB each.
        numbers: in which the network computes; None: the fastest that the device has without harm.

    Raises:
        WeightsError: if the file is not one of this network.
    """

    capabilities = Capabilities(
        prompts=frozenset({"roi", "points"}), candidates=True, single_slices=True
    )
    self_check = staticmethod(self_check)
    NEEDS = (
        "SAMSegment 3D needs a positive point on the object or an ROI around it: add one. "
        "(Negative points only correct a mask.)"
    )

    def __init__(
        self,
        weights: Path,
        device: torch.device,
        cache: EmbeddingCache,
        numbers: torch.dtype | None = None,
    ) -> None:
        numbers = encoder_type(device) if numbers is None else numbers
        self._network = WindowNetwork(weights, device, numbers)
        super().__init__((file_sha256(weights), str(numbers)), cache)

    def first(self, request: Request, prompts: Prompts) -> Sequence[WindowCandidate]:
        """See InteractiveEngine."""
        if prompts.roi is not None:
            self.region(request.image, prompts.roi)  # raises if that lies outside
        best, *others = self._session(request, prompts).first(prompts)
        candidates = [self._honoured(request, best, prompts.points)]
        for mask in others:
            if mask.box is None:
                continue
            other = WindowCandidate(mask, mask.on_volume(request.image.geometry))
            if not any(_are_alike(other, each) for each in candidates):
                candidates.append(other)
        return candidates

    def correct(
        self, request: Request, candidate: WindowCandidate, prompts: Prompts
    ) -> WindowCandidate:
        """See InteractiveEngine."""
        seen = None if candidate.as_clicked else candidate.field
        session = self._session(request, prompts)
        mask = session.corrected(candidate.mask, seen, prompts.points)
        return self._honoured(request, mask, prompts.points)

    def propose(self, request: Request, mask: Patch, prompts: Prompts) -> Patch:
        """See InteractiveEngine."""
        found = self._session(request, prompts).opinion(prompts.points, mask)
        return found.on_volume(request.image.geometry)

    def on_volume(
        self, request: Request, candidate: WindowCandidate, region: RoiOnGrid | None
    ) -> Patch:
        """See InteractiveEngine."""
        return candidate.field

    def covers(self, candidate: WindowCandidate, ras: np.ndarray) -> bool:
        """See InteractiveEngine."""
        return bool(candidate.mask.window.holds(ras))

    def goes_on(self, candidate: WindowCandidate, limit: Roi | None) -> bool:
        """See InteractiveEngine."""
        return limit is None and bool(candidate.mask.faces)

    def windows_ahead(self, request: Request, ras: np.ndarray) -> Sequence[PicturedWindow]:
        """See InteractiveEngine."""
        window = self._session(request, Prompts()).around(ras)
        return [PicturedWindow(request.image, window, request.intensity_range)]

    def _honoured(
        self, request: Request, mask: WindowMask, points: tuple[Point, ...]
    ) -> WindowCandidate:
        """The mask on the volume's grid; changed near clicks that the network did not heed."""
        field = own = mask.on_volume(request.image.geometry)
        voxels = voxel_of(request.image.geometry, positions_of(points))
        positive = np.array([point.positive for point in points], dtype=bool)
        # A correction helps other clicks, too, and undoes none.
        for number in np.flatnonzero((own.at(voxels) > 0) != positive):
            if (field.at(voxels[number : number + 1])[0] > 0) != positive[number]:
                others = points[:number] + points[number + 1 :]
                field = local_correction.corrected(
                    request.image, field, points[number], others, lambda error: None
                )
        return WindowCandidate(mask, field, field is own)

    def _session(self, request: Request, prompts: Prompts) -> WindowSession:
        limit = limit_of(prompts, request.image.geometry)

        def ask(window: Window3D, prompt: WindowPrompt, wanted: int) -> list[WindowMask]:
            pictured = PicturedWindow(request.image, window, request.intensity_range)
            embedding = self.embedding(request.image, pictured)
            return self._decode(embedding, window, prompt, wanted)

        def show(mask: WindowMask) -> None:
            geometry = request.image.geometry
            self.show(request, prompts, lambda: WindowCandidate(mask, mask.on_volume(geometry)))

        @lru_cache(maxsize=1)
        def ranked(window: Window3D) -> np.ndarray:
            return PicturedWindow(request.image, window, request.intensity_range).picture()[RANKED]

        def worth(mask: WindowMask) -> float:
            return contrast(ranked(mask.window), mask.logits > 0)

        content = None
        if request.content is not None and request.refine:
            content = local_correction.certain(request.content)
        # Pieces of these are meant, though no click is on them.
        keeps = request.content is not None or (prompts.roi is not None and limit is None)
        geometry = request.image.geometry
        told = None if limit is None else gone_through(limit, geometry)
        return WindowSession(geometry, ask, show, told, content, keeps, worth)

    def encode(self, window: PicturedWindow) -> Embedding:
        """See InteractiveEngine."""
        part = self._cache.cost.encoded + 1
        message = "Looking at the volume" if part == 1 else f"Looking again, window {part}"
        self.watch.step(0, 2, message)
        picture = window.picture()
        self.watch.step(1, 2, message)
        features = self._network.encode(picture)
        self.watch.check()
        return Embedding(features, nbytes_of(features))

    def _decode(
        self, embedding: Embedding, window: Window3D, prompt: WindowPrompt, wanted: int
    ) -> list[WindowMask]:
        self.watch.check()
        clicks = window.place(positions_of(prompt.points))
        signs = np.array([1.0 if point.positive else -1.0 for point in prompt.points])
        masks = self._network.decode(
            embedding.features, clicks, signs, prompt.roi, prompt.before, wanted
        )
        return [WindowMask(window, logits) for logits in masks]


def _are_alike(one: WindowCandidate, other: WindowCandidate) -> bool:
    whole = one.field.enlarged(other.field.start, other.field.stop)
    there = other.field.on_box(whole.start, whole.values.shape)
    return dice(whole.values > 0, there > 0) >= ALIKE
