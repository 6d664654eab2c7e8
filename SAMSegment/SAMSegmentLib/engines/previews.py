"""What there is of an answer while it is made, for those who look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.patch import bounding_box
from ..core.prediction import BACKGROUND_LOGIT, Prediction
from ..core.progress import Watch
from . import planes
from .answers import Field
from .clicks import Section
from .fusion import Slices, bounded
from .slices import SliceStack
from .views import SURE_LOGIT, View

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

    def sections(self, found: Sequence[tuple[SliceStack, int, Section]]) -> None:
        """Sections under a click: each as (stack, slice, section)."""
        there = [(stack, index, section) for stack, index, section in found]
        if there:
            self._watch.show(lambda: _of_sections(there))

    def slices(self, view: View, masks: Slices) -> None:
        """The slices of an object that is being followed along one axis."""
        if not self._whole and len(masks) % EVERY == 0:
            known = dict(masks)
            self._watch.show(lambda: _of_slices(view, known))

    def whole(self, views: Sequence[View], logits: np.ndarray) -> None:
        """The best mask of the whole object so far: native logits of the views' region."""
        self._whole = True
        start, geometry = planes.native_start(views[0]), views[0].stack.image.geometry
        self._watch.show(lambda: Prediction(logits, start, geometry))


def _of_slices(view: View, masks: Slices) -> Prediction:
    """One view's masks, and what lies between them."""
    first, last = min(masks), max(masks)
    logits = view.between({key: bounded(mask.logits) for key, mask in masks.items()})
    logits[:first] = logits[last + 1 :] = -SURE_LOGIT
    logits[~view.inside] = -SURE_LOGIT
    native = np.ascontiguousarray(view.native(logits.astype(np.float32)))
    return Prediction(native, planes.native_start(view), view.stack.image.geometry)


def _of_sections(found: Sequence[tuple[SliceStack, int, Section]]) -> Prediction:
    """Thin masks in several planes, each a voxel thick, in a box around all of them."""
    fields = [_thin(*section) for section in found]
    low = np.min([field.start for field in fields], axis=0)
    high = np.max([field.stop for field in fields], axis=0)
    logits = np.max([field.on(low, high - low) for field in fields], axis=0)
    return Prediction(logits, tuple(int(n) for n in low), found[0][0].image.geometry)


def _thin(stack: SliceStack, index: int, section: Section) -> Field:
    logits = bounded(section.mask.logits)[None]
    box = bounding_box(logits > 0) or (slice(0, 1),) * 3
    logits = logits[box]
    start = (index, box[1].start, box[2].start)
    native = np.ascontiguousarray(stack.orientation.undo(logits))
    first = stack.orientation.undo_start(start, logits.shape, stack.geometry.shape)
    return Field(np.where(native > 0, native, np.float32(BACKGROUND_LOGIT)), first)
