"""From what a segment holds already: as it is, or as a hint at the object that is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from scipy import ndimage

from ...core.geometry import Geometry
from ...core.overlap import dice
from ...core.patch import Patch
from ...core.progress import Watch
from ..local_correction import certain
from . import planes
from .answers import Answer
from .box_search import MARGIN, search
from .fusion import Candidates
from .hypotheses import Hypothesis
from .object_finder import answer_of
from .previews import Previews
from .propagation import Fit, Judge, settled, tracks_of
from .regions import roi_of, with_margin
from .slices import SliceStack
from .starts import Start
from .tracking import boxes_like
from .views import SURE_LOGIT, DecodeBoxes, View

# How much likeness to the content counts, against what the network says for a mask.
LIKENESS = 1.0
# What is less like the content (Dice) is something else; if nothing is liker, the content stays.
LEAST_LIKE = 0.5
# Content is corrected with the network's help that far around a click, or as far as the content
# goes: the smaller the region, the more the network sees of it.
AROUND_CLICK_MM = 40.0


def with_views(
    answer: Answer,
    content: Patch,
    voxel: np.ndarray,
    stacks: Sequence[SliceStack],
    decode: DecodeBoxes,
) -> Answer:
    """The answer, seen around a click on the content or near it.

    Views from an earlier click serve again where they show this one. A click far from the content
    means another object, of which nothing is known yet.

    Args:
        voxel: (k, j, i) of the click.
    """
    geometry = stacks[0].image.geometry
    low, high = _around(content, geometry)
    if (voxel < low).any() or (voxel > high).any():
        return replace(answer, views=())
    reach = np.ceil(AROUND_CLICK_MM / geometry.spacing[::-1]).astype(int)
    near = np.maximum(low, voxel - reach // 2), np.minimum(high, voxel + reach // 2)
    if answer.views and _shows(answer.views[0], *near):
        return answer
    region = roi_of(np.maximum(low, voxel - reach), np.minimum(high, voxel + reach), geometry)
    return replace(answer, views=planes.views_of(stacks, region, decode))


def refined(
    content: Patch,
    stacks: Sequence[SliceStack],
    decode: DecodeBoxes,
    watch: Watch,
    previews: Previews | None = None,
    fit: Fit | None = None,
) -> Answer:
    """The object that the content means: near it, and like it, but as the network sees it.

    The content itself is made to agree with the network's masks for its sections in all planes, and
    so is the best of what is found by following its largest sections. If all that is found is
    unlike the content, the content stays as it is.

    Args:
        fit: what else the user said about the object.
    """
    geometry = stacks[0].image.geometry
    views = planes.views_of(stacks, roi_of(*_around(content, geometry), geometry), decode)
    inside, start = planes.inside_of(views), planes.native_start(views[0])
    there = content.on_box(start, inside.shape)

    def fits(mask: np.ndarray, first: tuple[int, int, int]) -> float:
        return LIKENESS * dice(mask, there) + (0.0 if fit is None else fit(mask, first))

    judge = Judge(views, None, fits)
    logits = np.where(there & inside, np.float32(SURE_LOGIT), np.float32(-SURE_LOGIT))
    itself = Hypothesis([{} for _ in views], logits, 0.0)
    seen = _sections(views, there, watch)
    tracks = tracks_of(views, inside, _starts(views, there), judge, watch, previews)
    found = settled(views, inside, [itself, *tracks], seen, judge, watch, previews)
    found = [one for one in found if dice(one.logits > 0, there) >= LEAST_LIKE]
    if not found:
        return Answer(certain(Patch(there & inside, start)), ())
    return answer_of(sorted(found, key=lambda one: -one.score), views)


def _sections(views: Sequence[View], content: np.ndarray, watch: Watch) -> Candidates:
    """The network's masks for boxes around the content's sections, and smaller and larger ones."""
    seen: Candidates = []
    for number, view in enumerate(views):
        watch.step(number, len(views), "Looking at what is there")
        own = view.own(content)
        boxes = {key: view.box_of(own[key], 0, key) for key in view.keys}
        seen.append(
            {
                key: [] if box is None else view.ask(key, boxes_like(view, key, box))
                for key, box in boxes.items()
            }
        )
    return seen


def _starts(views: Sequence[View], content: np.ndarray) -> list[Start]:
    """In each plane, what lies where the content is largest, and is like it."""
    starts = []
    for number, view in enumerate(views):
        own = view.own(content)
        key = max(view.keys, key=lambda n, own=own: np.count_nonzero(own[n]))
        box = view.box_of(own[key], 0, key)
        if box is None:
            continue
        found = search(
            partial(view.ask, key),
            lambda mask, view=view, key=key: view.box_of(mask, MARGIN, key),
            boxes_like(view, key, box),
            _deepest(own[key]),
        )
        section = own[key]
        found.sort(key=lambda mask: -mask.quality - LIKENESS * dice(mask.mask, section))
        starts += [Start(number, key, mask) for mask in found[:1]]
    return starts


def _deepest(section: np.ndarray) -> tuple[int, int]:
    """The pixel of a section that is farthest from its border."""
    depth = ndimage.distance_transform_edt(np.pad(section, 1))[1:-1, 1:-1]
    return tuple(int(n) for n in np.unravel_index(depth.argmax(), depth.shape))


def _around(content: Patch, geometry: Geometry) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.array(content.start), np.array(content.stop) - 1
    return with_margin(low, high, (high - low + 1) * geometry.spacing[::-1], geometry)


def _shows(view: View, low: np.ndarray, high: np.ndarray) -> bool:
    first = np.array(planes.native_start(view))
    last = first + view.native(view.inside).shape - 1
    return bool((first <= low).all() and (last >= high).all())
