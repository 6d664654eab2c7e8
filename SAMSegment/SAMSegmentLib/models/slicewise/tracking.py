"""An object followed from slice to slice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import TypeVar

import numpy as np

from ...core.overlap import dice
from .model import Box
from .views import SURE_LOGIT, SliceMask, View, intersect

Item = TypeVar("Item")

# By how much of the picture's side a box grows from slice to slice: 3 pixels of 256, LiteMedSAM's
# published rule.
BOX_MARGIN = 3 / 256
# A section may be smaller or larger than its neighbour; the network's own estimate decides.
SECTION_SCALES = (0.8, 1.0, 1.3)
# How much similarity to the neighbour counts, against the quality that the network expects.
SIMILARITY = 0.5
# Sections that overlap less than this are not of one object: its end was reached.
LEAST_OVERLAP = 0.1
# Nor are sections whose mean grey level (of 256) differs from the first one's by this much, and by
# this many times the spread within it: behind the lung's end lies the liver, of the same outline.
GREY_STEP, GREY_SPREADS = 40.0, 2.0


def follow(
    view: View,
    start: int,
    first: SliceMask,
    show: Callable[[dict[int, SliceMask]], None] = lambda track: None,
) -> dict[int, SliceMask]:
    """The object's masks on all key slices, from its mask on one of them.

    Each slice is asked for boxes of several sizes around the neighbour's section; the mask that is
    good by itself and like its neighbour is taken. Where the object ends, masks are empty.

    Args:
        show: called after each slice with the masks so far, from the first one outward.
    """
    track = {start: first}
    tissue = view.grey(start)[first.mask]
    sides = (
        [key for key in view.keys if key > start],
        [key for key in reversed(view.keys) if key < start],
    )
    neighbours = [first, first]
    for step in zip_longest(*sides):
        for side, key in enumerate(step):
            if key is None:
                continue
            neighbours[side] = track[key] = _next_section(view, key, neighbours[side], tissue)
            show(track)
    # One side after the other, whichever was seen first: sums over them never depend on that.
    return {key: track[key] for key in (start, *sides[0], *sides[1])}


def _next_section(view: View, key: int, neighbour: SliceMask, tissue: np.ndarray) -> SliceMask:
    box = view.box_of(neighbour.mask, 0, key)
    if box is None:
        return neighbour
    masks = view.ask(key, boxes_like(view, key, box))
    similarity = [
        dice(mask.mask, neighbour.mask) if _same_tissue(view.grey(key)[mask.mask], tissue) else 0
        for mask in masks
    ]
    best = max(range(len(masks)), key=lambda n: masks[n].quality + SIMILARITY * similarity[n])
    return masks[best] if similarity[best] > LEAST_OVERLAP else nothing(view)


def _same_tissue(grey: np.ndarray, first: np.ndarray) -> bool:
    if grey.size == 0 or first.size == 0:
        return False
    step = abs(float(grey.mean()) - float(first.mean()))
    return step < max(GREY_STEP, GREY_SPREADS * float(first.std()))


def nothing(view: View, quality: float = 0.5) -> SliceMask:
    """The mask of a slice without the object."""
    return SliceMask(np.full(view.shape[1:], -SURE_LOGIT, dtype=np.float32), quality)


def best_unlike(
    items: Iterable[Item],
    merit: Callable[[Item], float],
    mask_of: Callable[[Item], np.ndarray],
    alike: float,
    count: int,
) -> list[Item]:
    """The best `count` items, none of whose masks overlaps a better one's by `alike` or more."""
    kept: list[tuple[Item, np.ndarray]] = []
    for item in sorted(items, key=merit, reverse=True):
        if len(kept) == count:
            break
        mask = mask_of(item)
        if all(dice(mask, other) < alike for _, other in kept):
            kept.append((item, mask))
    return [item for item, _ in kept]


def boxes_like(view: View, key: int, box: Box) -> list[Box]:
    """Boxes for a section that may be smaller or larger than what lies in a box."""
    limit, margin = view.limit(key), view.stack.grid.pixels(BOX_MARGIN)
    return [intersect(_scaled(box, scale, margin), limit) for scale in SECTION_SCALES]


def _scaled(box: Box, scale: float, margin: int) -> Box:
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    width, height = scale * (box[2] - box[0]) / 2, scale * (box[3] - box[1]) / 2
    return (
        int(x - width - margin),
        int(y - height - margin),
        int(x + width + margin),
        int(y + height + margin),
    )
