"""What there is of an answer while it is made."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.answer import Answer
from ...core.geometry import Geometry
from ...core.patch import BACKGROUND_LOGIT, Patch, bounding_box
from ...core.progress import Watch
from .fusion import Choices, Slices, bounded
from .sections import Section
from .slices import SliceStack
from .views import SURE_LOGIT, View

#: A section with its stack and the slice on which it lies.
Located = tuple[SliceStack, int, Section]

#: While an object is followed, it is offered each time that many slices are known.
EVERY = 3


class Previews:
    """Offers masks while an object is searched; they are only computed if they are shown.

    What was offered is never followed by less: once a whole object is there, a second search for it
    is only shown when that, too, has a whole one.

    Args:
        watch: gets them; None: they are not shown.
    """

    def __init__(self, watch: Watch | None = None) -> None:
        self._watch = watch or Watch()
        self._whole = False

    def sections(self, found: Sequence[Located]) -> None:
        """Sections under a click."""
        there = tuple(found)
        if there:
            self._watch.show(lambda: _of_sections(there))

    def cuts(self, views: Sequence[View], seen: Choices, first: int = 0) -> None:
        """What an ROI's cuts with slices show, as far as these were decoded.

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
            self._watch.show(lambda: _of_cuts([view], [known], 0))

    def whole(self, views: Sequence[View], logits: np.ndarray) -> None:
        """The best mask of the whole object so far: native logits of the views' region."""
        self._whole = True
        view = views[0]
        self._watch.show(lambda: _shown(logits, view.native_start, view.stack.image.geometry))


def _shown(logits: np.ndarray, start: Sequence[int], geometry: Geometry) -> Answer:
    return Answer.of(Patch(logits, tuple(int(n) for n in start)), geometry)


def _of_cuts(views: Sequence[View], masks: Sequence[Slices], first: int) -> Answer:
    """All views' masks, and what lies between those of one of them."""
    inside = views[0].native_inside
    native = np.full(inside.shape, -SURE_LOGIT, dtype=np.float32)
    for view, of_view in zip(views, masks, strict=True):
        for key, mask in of_view.items():
            view.own(native)[key] = bounded(mask.logits)
    if masks[first]:
        known = {key: bounded(mask.logits) for key, mask in masks[first].items()}
        part = slice(min(known), max(known) + 1)
        views[first].own(native)[part] = views[first].between(known)[part]
    native[~inside] = -SURE_LOGIT
    return _shown(native, views[0].native_start, views[0].stack.image.geometry)


def _of_sections(found: Sequence[Located]) -> Answer:
    """Thin masks in several planes, each a voxel thick, in a box around all of them."""
    patches = [_thin(*section) for section in found]
    low = np.min([patch.start for patch in patches], axis=0)
    high = np.max([patch.stop for patch in patches], axis=0)
    logits = np.max([patch.on_box(low, high - low) for patch in patches], axis=0)
    return _shown(logits, low, found[0][0].image.geometry)


def _thin(stack: SliceStack, index: int, section: Section) -> Patch:
    logits = bounded(section.mask.logits)[None]
    box = bounding_box(logits > 0) or (slice(0, 1),) * 3
    logits = logits[box]
    start = (index, box[1].start, box[2].start)
    native = np.ascontiguousarray(stack.orientation.undo(logits))
    first = stack.orientation.undo_start(start, logits.shape, stack.geometry.shape)
    return Patch(np.where(native > 0, native, np.float32(BACKGROUND_LOGIT)), first)
