"""Sections from which an object may be followed, found in an ROI."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from ...core.progress import Watch
from .fusion import Choices
from .sections import masks_at
from .tracking import best_unlike
from .views import SliceMask, View

# How many slices the ROI's cut itself is taken from, and how many sections each slice offers that
# is searched: the middle one, the scan's own others, and those of the other axes.
CUTS = 2
SECTIONS, OTHER_SECTIONS = 4, 2
# Where a slice is searched, as shares of its height and width: the middle first.
MIDDLE = (0.5, 0.5)
PLACES = (MIDDLE, *(place for place in product((0.3, 0.5, 0.7), repeat=2) if place != MIDDLE))
# Slices of the scan's own that are searched in their middle only: objects bend.
ASIDE = (0.35, 0.65)
# A section that runs into the ROI's edges is part of something larger.
EDGE_PENALTY = 0.5
SMALLEST_SHARE = 0.03
# Within a section for which the network expects that IoU, nothing else is searched.
GOOD = 0.9
SAME_SECTION, ALIKE = 0.5, 0.8


@dataclass(frozen=True, eq=False)
class Seed:
    """A mask on one slice from which the object may be followed."""

    view: int
    key: int
    mask: SliceMask


def seeds_in_roi(views: Sequence[View], seen: Choices, watch: Watch) -> list[Seed]:
    """Sections of what the ROI may have been drawn around, the most promising first.

    Whether an ROI's cut is a good box depends on the object: it is one for a kidney, but that of a
    stomach also holds a corner of the liver, which the network knows better. So objects are
    searched at several places of the slices, too, as under a click (see sections).

    Args:
        seen: the masks for the ROI's cut, first on each slice.

    Raises:
        Cancelled: if the user asked to stop.
    """
    cuts = [Seed(0, key, of_slice[0]) for key, of_slice in seen[0].items()]
    seeds = _distinct(cuts, views[0], CUTS, SAME_SECTION)
    for number, view in enumerate(views):
        watch.step(number, len(views), "Looking for objects in the ROI")
        for key, places, wanted in _slices_to_search(view, number == 0):
            found = [Seed(number, key, mask) for mask in _found_at(view, key, places)]
            seeds += _distinct(found, view, wanted, ALIKE)
    promise = {seed: _promise(views[seed.view], seed.mask) for seed in seeds}
    seeds.sort(key=lambda seed: -promise[seed])
    return [seed for seed in seeds if promise[seed] > 0] or seeds[:1]


def _slices_to_search(
    view: View, is_main: bool
) -> Iterator[tuple[int, Sequence[tuple[float, float]], int]]:
    """Key slices, where to search them, and how many sections to take."""
    last = view.shape[0] - 1
    yield view.nearest_key(last / 2), PLACES, SECTIONS if is_main else OTHER_SECTIONS
    for share in ASIDE if is_main else ():
        yield view.nearest_key(share * last), (MIDDLE,), OTHER_SECTIONS


def _found_at(view: View, key: int, places: Sequence[tuple[float, float]]) -> list[SliceMask]:
    found: list[SliceMask] = []
    for place in places:
        row, column = (
            round(share * (n - 1)) for share, n in zip(place, view.shape[1:], strict=True)
        )
        row, column = view.nearest_allowed(key, row, column)
        if not any(mask.quality >= GOOD and mask.mask[row, column] for mask in found):
            found += masks_at(view, key, row, column)
    return found


def _distinct(seeds: Sequence[Seed], view: View, wanted: int, alike: float) -> list[Seed]:
    """The most promising, no two of nearly one outline."""
    return best_unlike(
        seeds,
        lambda seed: _promise(view, seed.mask),
        lambda seed: seed.mask.mask,
        alike,
        wanted,
    )


def _promise(view: View, mask: SliceMask) -> float:
    """How good a seed a slice's mask is."""
    area = np.count_nonzero(mask.mask)
    if area < SMALLEST_SHARE * mask.mask.size:
        return -1.0
    (top, bottom), (left, right) = view.region.open_faces[1:]
    edge = top * mask.mask[0].sum() + bottom * mask.mask[-1].sum()
    edge += left * mask.mask[:, 0].sum() + right * mask.mask[:, -1].sum()
    return mask.quality - EDGE_PENALTY * edge / (4 * np.sqrt(area))
