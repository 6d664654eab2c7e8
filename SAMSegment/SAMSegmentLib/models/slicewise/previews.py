"""What there is of an answer while it is made, for those who look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.answer import Answer
from ...core.patch import BACKGROUND_LOGIT, Patch, bounding_box
from ...core.progress import Watch
from . import planes
from .clicks import Section
from .fusion import Candidates, Slices, bounded
from .slices import SliceStack
from .views import SURE_LOGIT, View

#: A section with its stack and the slice on which it lies.
Located = tuple[SliceStack, int, Section]

#: While an object is followed, it is offered for looking each time that many slices are known.
EVERY = 3


class Previews:
    """Offers masks for looking while an object is searched; nothing is computed if nobody looks.

    What was offered is never followed by less: once a whole object is there, a second search for it
    is only shown when that, too, has a whole one.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._whole = False

    def sections(self, found: Sequence[Located]) -> None:
        """Sections under a click."""
        there = list(found)
        if there:
            self._watch.show(lambda: _of_sections(there))

    def one_more(self, found: Sequence[Located], section: Located) -> None:
        """Likewise, with one that may yet become a better one."""
        self.sections([*found, section])

    def cuts(self, views: Sequence[View], seen: Candidates, first: int = 0) -> None:
        """What an ROI's cuts with slices show, as far as these were looked at.

        Args:
            seen: per view, the mask for the cut first on each slice; in the view `first` also what
                lies between these is shown, in the others the slices alone.
        """
        known = [{key: masks[0] for key, masks in of_view.items()} for of_view in seen]
        self._watch.show(lambda: _of_cuts(views, known, first))

    def only_whole(self) -> None:
        """Says that enough of the object was shown: a part of it would be less."""
        self._whole = True

    def slices(self, view: View, masks: Slices) -> None:
        """The slices of an object that is being followed along one axis."""
        if not self._whole and len(masks) % EVERY == 0:
            known = dict(masks)
            self._watch.show(lambda: _of_slices(view, known))

    def whole(self, views: Sequence[View], logits: np.ndarray) -> None:
        """The best mask of the whole object so far: native logits of the views' region."""
        self._whole = True
        start, geometry = planes.native_start(views[0]), views[0].stack.image.geometry
        self._watch.show(lambda: Answer.of(Patch(logits, start), geometry))


def _of_slices(view: View, masks: Slices) -> Answer:
    """One view's masks, and what lies between them."""
    return _of_cuts([view], [masks], 0)


def _of_cuts(views: Sequence[View], masks: Sequence[Slices], first: int) -> Answer:
    """All views' masks, and what lies between those of one of them."""
    inside = planes.inside_of(views)
    native = np.full(inside.shape, -SURE_LOGIT, dtype=np.float32)
    for view, of_view in zip(views, masks, strict=True):
        for key, mask in of_view.items():
            view.own(native)[key] = bounded(mask.logits)
    if masks[first]:
        known = {key: bounded(mask.logits) for key, mask in masks[first].items()}
        part = slice(min(known), max(known) + 1)
        views[first].own(native)[part] = views[first].between(known)[part]
    native[~inside] = -SURE_LOGIT
    start, geometry = planes.native_start(views[0]), views[0].stack.image.geometry
    return Answer.of(Patch(native, start), geometry)


def _of_sections(found: Sequence[Located]) -> Answer:
    """Thin masks in several planes, each a voxel thick, in a box around all of them."""
    fields = [_thin(*section) for section in found]
    low = np.min([field.start for field in fields], axis=0)
    high = np.max([field.stop for field in fields], axis=0)
    logits = np.max([field.on_box(low, high - low) for field in fields], axis=0)
    return Answer.of(Patch(logits, tuple(int(n) for n in low)), found[0][0].image.geometry)


def _thin(stack: SliceStack, index: int, section: Section) -> Patch:
    logits = bounded(section.mask.logits)[None]
    box = bounding_box(logits > 0) or (slice(0, 1),) * 3
    logits = logits[box]
    start = (index, box[1].start, box[2].start)
    native = np.ascontiguousarray(stack.orientation.undo(logits))
    first = stack.orientation.undo_start(start, logits.shape, stack.geometry.shape)
    return Patch(np.where(native > 0, native, np.float32(BACKGROUND_LOGIT)), first)
