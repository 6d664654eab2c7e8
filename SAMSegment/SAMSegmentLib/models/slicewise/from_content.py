"""From what a segment holds already: near a click, or as a hint at the object that is meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from scipy import ndimage

from ...core.geometry import Geometry
from ...core.overlap import dice
from ...core.patch import Patch
from ..local_correction import certain
from .candidates import Candidate
from .fusion import Choices
from .object_finder import FoundObject, ObjectFinder, found_objects
from .propagation import Propagation
from .sections import MARGIN, VoxelBox, search, with_margin
from .seeds import Seed
from .tracking import boxes_like
from .views import SURE_LOGIT, View

# How much similarity to the content counts, against the quality that the network expects.
SIMILARITY = 1.0
# What is less like the content (Dice) is something else; if nothing is more, the content stays.
LEAST_SIMILARITY = 0.5
# Content is corrected with the network's help that far around a click, or as far as the content
# goes: the smaller the region, the more the network sees of it.
AROUND_CLICK_MM = 40.0


def with_views(
    finder: ObjectFinder, found: FoundObject, content: Patch, voxel: np.ndarray
) -> FoundObject:
    """The object with views of the surroundings of a click on the content or near it.

    Views from an earlier click serve again where they show this one. A click far from the content
    means another object, of which nothing is known yet.

    Args:
        voxel: (k, j, i) of the click.
    """
    geometry = finder.image.geometry
    low, high = _around(content, geometry)
    if (voxel < low).any() or (voxel > high).any():
        return replace(found, views=())
    reach = np.ceil(AROUND_CLICK_MM / geometry.spacing[::-1]).astype(int)
    near = np.maximum(low, voxel - reach // 2), np.minimum(high, voxel + reach // 2)
    if found.views and found.views[0].holds(*near):
        return found
    views = finder.views_of(np.maximum(low, voxel - reach), np.minimum(high, voxel + reach))
    return replace(found, views=views)


def refined(finder: ObjectFinder, content: Patch) -> list[FoundObject]:
    """The objects that the content means: near it, and like it, but as the network sees them.

    The content itself is made to agree with the network's masks for its sections in all planes, and
    so is the best of what is found by following its largest sections. If all that is found is
    unlike the content, the content stays as it is.
    """
    views = finder.views_of(*_around(content, finder.image.geometry))
    inside, start = views[0].native_inside, views[0].native_start
    there = content.on_box(start, inside.shape)

    def fit(mask: np.ndarray, first: tuple[int, int, int]) -> float:
        fit_of_line = 0.0 if finder.fit is None else finder.fit(mask, first)
        return SIMILARITY * dice(mask, there) + fit_of_line

    propagation = Propagation(views, finder.watch, finder.previews, None, fit)
    logits = np.where(there & inside, np.float32(SURE_LOGIT), np.float32(-SURE_LOGIT))
    itself = Candidate([{} for _ in views], logits, 0.0)
    seen = _sections(finder, views, there)
    tracks = propagation.tracks(_seeds(views, there))
    found = propagation.agreed([itself, *tracks], seen)
    found = [one for one in found if dice(one.logits > 0, there) >= LEAST_SIMILARITY]
    if not found:
        return [FoundObject(certain(Patch(there & inside, start)))]
    return found_objects(sorted(found, key=lambda one: -one.score), views)


def _sections(finder: ObjectFinder, views: Sequence[View], content: np.ndarray) -> Choices:
    """The network's masks for boxes around the content's sections, and smaller and larger ones."""
    seen: Choices = []
    for number, view in enumerate(views):
        finder.watch.step(number, len(views), "Looking at what is there")
        own = view.own(content)
        boxes = {key: view.box_of(own[key], 0, key) for key in view.keys}
        seen.append(
            {
                key: [] if box is None else view.ask(key, boxes_like(view, key, box))
                for key, box in boxes.items()
            }
        )
    return seen


def _seeds(views: Sequence[View], content: np.ndarray) -> list[Seed]:
    """In each plane, what lies where the content is largest, and is like it."""
    seeds = []
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
        found.sort(key=lambda mask: -mask.quality - SIMILARITY * dice(mask.mask, section))
        seeds += [Seed(number, key, mask) for mask in found[:1]]
    return seeds


def _deepest(section: np.ndarray) -> tuple[int, int]:
    """The pixel of a section that is farthest from its border."""
    depth = ndimage.distance_transform_edt(np.pad(section, 1))[1:-1, 1:-1]
    return tuple(int(n) for n in np.unravel_index(depth.argmax(), depth.shape))


def _around(content: Patch, geometry: Geometry) -> VoxelBox:
    low, high = np.array(content.start), np.array(content.stop) - 1
    return with_margin(low, high, (high - low + 1) * geometry.spacing[::-1], geometry)
