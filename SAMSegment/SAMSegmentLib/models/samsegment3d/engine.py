"""SAMSegment 3D: one window around the object, all prompts at once, and the mask before.

See network for the network, and session for how it is asked.
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
from ...weights.files import file_sha256
from .. import local_correction
from ..base import Capabilities
from ..embedding_cache import EmbeddingCache
from ..interactive import Request, limit_of
from ..regions import RoiOnGrid, voxel_of
from ..windowed.masks import WindowMask, on_volume
from ..windowed.model import WindowEngine
from ..windowed.windows import Window, through_slice
from .model import SAMSegment3DModel, sizes_of
from .network import SAMSegment3D
from .picture import LINEAR, RANKED, contrast
from .prompts import WindowPrompt
from .self_check import self_check
from .session import WindowSession

# Candidates whose masks are this much alike (Dice) are one.
ALIKE = 0.9


@dataclass(frozen=True, eq=False)
class WindowCandidate:
    """A mask in its window and on the volume's grid, where each click holds.

    Attributes:
        has_all_clicks: whether all clicks hold in the network's own mask, too.
    """

    mask: WindowMask
    field: Patch
    has_all_clicks: bool = True

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.mask.logits.nbytes + self.field.values.nbytes


class SAMSegment3DEngine(WindowEngine[WindowCandidate]):
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
    empty_network = staticmethod(lambda tensors: SAMSegment3D(**sizes_of(tensors)))
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
        model = SAMSegment3DModel(weights, device, numbers)
        super().__init__(model, (file_sha256(weights), str(model.numbers)), cache)

    def first(self, request: Request, prompts: Prompts) -> Sequence[WindowCandidate]:
        """See InteractiveEngine."""
        if prompts.roi is not None:
            self.region(request.image, prompts.roi)  # raises if that lies outside
        best, *others = self._session(request, prompts).first(prompts)
        candidates = [self._with_all_clicks(request, best, prompts.points)]
        for mask in others:
            if mask.box is None:
                continue
            other = WindowCandidate(mask, on_volume([mask], request.image.geometry))
            if not any(_are_alike(other, each) for each in candidates):
                candidates.append(other)
        return candidates

    def correct(
        self, request: Request, candidate: WindowCandidate, prompts: Prompts
    ) -> WindowCandidate:
        """See InteractiveEngine."""
        seen = None if candidate.has_all_clicks else candidate.field
        session = self._session(request, prompts)
        mask = session.corrected(candidate.mask, seen, prompts.points)
        return self._with_all_clicks(request, mask, prompts.points)

    def propose(self, request: Request, mask: Patch, prompts: Prompts) -> Patch:
        """See InteractiveEngine."""
        found = self._session(request, prompts).at_content(prompts.points, mask)
        return on_volume([found], request.image.geometry)

    def on_volume(
        self, request: Request, candidate: WindowCandidate, region: RoiOnGrid | None
    ) -> Patch:
        """See InteractiveEngine."""
        return candidate.field

    def windows_of(self, candidate: WindowCandidate) -> Sequence[Window]:
        """See WindowEngine."""
        return [candidate.mask.window]

    def is_cut_off(self, candidate: WindowCandidate, limit: Roi | None) -> bool:
        """See InteractiveEngine."""
        return limit is None and bool(candidate.mask.faces)

    def _with_all_clicks(
        self, request: Request, mask: WindowMask, points: tuple[Point, ...]
    ) -> WindowCandidate:
        """The mask on the volume's grid; changed near clicks that the network ignored."""
        field = own = on_volume([mask], request.image.geometry)
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
        image, geometry = request.image, request.image.geometry
        limit = limit_of(prompts, geometry)

        def ask(window: Window, prompt: WindowPrompt) -> list[WindowMask]:
            return self.ask(request, window, prompt)

        def show(mask: WindowMask) -> None:
            self.show(request, prompts, lambda: WindowCandidate(mask, on_volume([mask], geometry)))

        @lru_cache(maxsize=1)
        def picture(window: Window) -> np.ndarray:
            return self._model.picture(image, window, request.intensity_range)

        def score(mask: WindowMask) -> float:
            return contrast(picture(mask.window)[RANKED], mask.logits > 0)

        def grey(window: Window) -> np.ndarray:
            return picture(window)[LINEAR]

        content = None
        if request.content is not None and request.refine:
            content = local_correction.certain(request.content)
        # Components of these are meant, though no click is on them.
        keeps = request.content is not None or (prompts.roi is not None and limit is None)
        column = None if limit is None else through_slice(limit, geometry)
        return WindowSession(geometry, ask, show, column, content, keeps, score, grey)


def _are_alike(one: WindowCandidate, other: WindowCandidate) -> bool:
    whole = one.field.enlarged(other.field.start, other.field.stop)
    there = other.field.on_box(whole.start, whole.values.shape)
    return dice(whole.values > 0, there > 0) >= ALIKE
