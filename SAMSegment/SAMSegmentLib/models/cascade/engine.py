"""Two models, one answer: a fast one answers, and another one's border may replace its mask.

Each is a model of the catalogue, with weights of its own: this one has none. The user sees one
mask that gets better, and a click corrects it at once, whoever has made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...core.errors import InputError
from ...core.image import Image
from ...core.patch import Patch
from ...core.progress import Watch
from ...core.prompts import Prompts, Roi, positions_of
from ..base import Capabilities, Parts, Window
from ..embedding_cache import EmbeddingCache, Sized
from ..interactive import Content, InteractiveEngine, Request
from ..regions import RoiOnGrid, voxel_of
from ..slicewise.slicewise_engine import SlicewiseEngine
from .rule import LEAST_QUALITY, is_surer

#: What the parts are for.
FAST, BORDERS = "fast", "borders"


@dataclass(frozen=True, eq=False)
class OfPart:
    """What one of the parts has made; clicks go there."""

    part: InteractiveEngine
    candidate: Any

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return self.candidate.nbytes


class CascadeEngine(InteractiveEngine[OfPart]):
    """A fast prompted model, and a slice-wise one that draws the border.

    A measured line, which the fast one does not take, is answered by the slice-wise one.

    Args:
        parts: "fast" and "borders"; the second is loaded when the first has answered.
        cache: that of the parts.
    """

    capabilities = Capabilities(
        prompts=frozenset({"roi", "points", "line"}),
        candidates=True,
        single_slices=True,
        parts=(FAST, BORDERS),
    )
    NEEDS = "Add a positive point on the object, an ROI around it or a line across it."

    def __init__(self, parts: Parts, device: torch.device, cache: EmbeddingCache) -> None:
        super().__init__("cascade", cache)
        self._fast = _of_kind(InteractiveEngine, parts[FAST](), FAST)
        self._load_slicewise = parts[BORDERS]
        self._slicewise: SlicewiseEngine | None = None

    @staticmethod
    def self_check(device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
        """Nothing by itself: its parts are checked as they are loaded."""
        return ()

    def first(self, request: Request, prompts: Prompts) -> Sequence[OfPart | Content]:
        """See InteractiveEngine. A border that was drawn is corrected near clicks only."""
        if prompts.line is not None:
            with self._borders() as borders:
                return [OfPart(borders, each) for each in borders.first(request, prompts)]
        best, *others = (OfPart(self._fast, one) for one in self._fast.first(request, prompts))
        border = self._border(request, prompts, best) if request.content is None else None
        return [best if border is None else Content(border), *others]

    def correct(self, request: Request, candidate: OfPart, prompts: Prompts) -> OfPart:
        """See InteractiveEngine."""
        part = candidate.part
        with part.watched(self.watch):
            return OfPart(part, part.correct(request, candidate.candidate, prompts))

    def on_volume(self, request: Request, candidate: OfPart, region: RoiOnGrid | None) -> Patch:
        """See InteractiveEngine."""
        return candidate.part.on_volume(request, candidate.candidate, region)

    def propose(self, request: Request, mask: Patch, prompts: Prompts) -> Patch:
        """See InteractiveEngine."""
        return self._fast.propose(request, mask, prompts)

    def unrefined(self, request: Request) -> Content | OfPart:
        """See InteractiveEngine."""
        content = self._fast.unrefined(request)
        return content if isinstance(content, Content) else OfPart(self._fast, content)

    def limit(self, request: Request, prompts: Prompts) -> Roi | None:
        """See InteractiveEngine."""
        return None if prompts.line is not None else self._fast.limit(request, prompts)

    def covers(self, candidate: OfPart, ras: np.ndarray) -> bool:
        """See InteractiveEngine."""
        return candidate.part.covers(candidate.candidate, ras)

    def is_cut_off(self, candidate: OfPart, limit: Roi | None) -> bool:
        """See InteractiveEngine."""
        return candidate.part.is_cut_off(candidate.candidate, limit)

    def windows_ahead(self, request: Request, ras: np.ndarray) -> Sequence[Window]:
        """See InteractiveEngine."""
        return self._fast.windows_ahead(request, ras)

    def encode(self, window: Window) -> Sized:
        """See InteractiveEngine."""
        return self._fast.encode(window)

    def embedding(self, image: Image, window: Window) -> Any:
        """Of the fast part, under whose name it is kept."""
        return self._fast.embedding(image, window)

    def forget_answers(self) -> None:
        """See Engine."""
        super().forget_answers()
        for part in filter(None, (self._fast, self._slicewise)):
            part.forget_answers()

    @contextmanager
    def watched(self, watch: Watch) -> Iterator[None]:
        """See InteractiveEngine; the fast part asks the watch, too."""
        with super().watched(watch), self._fast.watched(watch):
            yield

    def _border(self, request: Request, prompts: Prompts, answer: OfPart) -> Patch | None:
        """The mask that the slice-wise part makes of an answer; None if the answer stays."""
        limit = self.limit(request, prompts)
        show = self._until_shown(request, prompts, answer)
        show()
        if self.is_cut_off(answer, limit):
            return None  # its last section is none of the object's ends
        mask = self._mask(request, answer, limit)
        with self._borders() as borders:
            outline = borders.outline(request, mask, show, LEAST_QUALITY)
        if outline is None or not is_surer(outline):
            return None
        border = outline.found.mask
        voxels = voxel_of(request.image.geometry, positions_of(prompts.points))
        # The first prompt holds no negative click, and no border is worth a positive one.
        return border if (border.at(voxels) > 0).all() else None

    def _until_shown(
        self, request: Request, prompts: Prompts, answer: OfPart
    ) -> Callable[[], None]:
        """Shows an answer, but not again: previews are dropped while others are on their way."""
        is_shown = False

        def make() -> OfPart:
            nonlocal is_shown
            is_shown = True
            return answer

        def show() -> None:
            if not is_shown:
                self.show(request, prompts, make)

        return show

    @contextmanager
    def _borders(self) -> Iterator[SlicewiseEngine]:
        """The slice-wise part, at work for this request."""
        if self._slicewise is None:
            self._slicewise = _of_kind(SlicewiseEngine, self._load_slicewise(), BORDERS)
        with self._slicewise.watched(self.watch):
            yield self._slicewise


def _of_kind(kind: type, part: object, role: str) -> Any:
    if not isinstance(part, kind):
        raise InputError(
            f"{type(part).__name__} cannot be the part {role!r} of a cascade, which needs a "
            f"{kind.__name__}: correct the model's entry."
        )
    return part
