"""Answers from a slice-wise network: an object in an ROI, at a click, corrected by more clicks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from ...core.image import Image
from ...core.patch import BACKGROUND_LOGIT, Patch, values_at
from ...core.progress import Watch
from ...core.prompts import Point, Roi
from .. import local_correction
from ..local_correction import Error
from ..regions import voxel_of
from . import planes
from . import propagation as lifting
from .answers import Answer
from .clicks import Section, matching, sections_in_view, voxel_at
from .fusion import Candidates
from .hypotheses import Hypothesis
from .previews import Previews
from .propagation import Fit
from .regions import Box, grown, region_of, roi_of
from .slices import SliceStack
from .starts import Start, starts_in_roi
from .views import SURE_LOGIT, DecodeBoxes, SliceMask, View

# The region is grown at faces that the object reaches, at most this many times.
GROWTHS = 3
# Sections of how many combinations are followed.
COMBINATIONS = 2
# What lies under a negative click is something else only if it shares less than this with the mask.
SHARED = 0.6
# What lies under a positive click is more of the object only if it is not so many times as large as
# the mask; unless that is too small to be the object.
MOST_GROWTH, SMALLEST_ML = 5.0, 1.0
# Pieces smaller than this share of the largest one are crumbs.
CRUMB = 0.1


def in_roi(
    stacks: Sequence[SliceStack],
    roi: Roi,
    decode: DecodeBoxes,
    watch: Watch,
    previews: Previews | None = None,
) -> Answer:
    """The object in an ROI. No mask leaves the ROI."""
    views = planes.views_of(stacks, roi, decode)
    seen = _seen_for_cut(views, watch, previews)
    if previews is not None and any(mask.mask.any() for mask, *_ in seen[0].values()):
        previews.only_whole()
    starts = starts_in_roi(views, seen, watch)
    inside = planes.inside_of(views)
    cuts = {key: of_slice[0] for key, of_slice in seen[0].items()}
    found = lifting.lift(views, inside, starts, seen, cuts, watch, previews)
    return answer_of(found, views)


def at_click(
    image: Image,
    stacks: Sequence[SliceStack],
    offers: Sequence[Sequence[Section]],
    ras: np.ndarray,
    decode: DecodeBoxes,
    watch: Watch,
    previews: Previews | None = None,
) -> Answer:
    """The object under a click.

    The sections through the click tell where to look; where the object reaches the end of that
    region, the region grows.

    Args:
        offers: per stack, what may lie under the click on its whole slice there.
        ras: of the click, mm.
        previews: shows what there is so far.
    """
    best = matching(offers, COMBINATIONS)
    voxel = voxel_of(image.geometry, ras)
    box = region_of(best[0] if best else (), voxel, image.geometry)
    answer = in_region(image, stacks, best, ras, box, GROWTHS, decode, watch, previews)
    return holding(image, answer, ras)


def in_region(
    image: Image,
    stacks: Sequence[SliceStack],
    best: Sequence[tuple[Section, ...]],
    ras: np.ndarray,
    box: Box,
    growths: int,
    decode: DecodeBoxes,
    watch: Watch,
    previews: Previews | None = None,
    fit: Fit | None = None,
) -> Answer:
    """The object of some sections, in a box that grows where the object reaches its faces.

    Args:
        best: combinations of sections through a position, on whole slices.
        ras: that position, mm.
        growths: how often the box may grow.
        fit: see lifting.lift.
    """
    low, high = box
    for left in range(growths, -1, -1):
        views = planes.views_of(stacks, roi_of(low, high, image.geometry), decode)
        found = _found_at(views, best, ras, watch, previews, fit)
        larger = grown(found[0].logits > 0, views[0], low, high) if found and left else None
        if larger is None:
            break
        low, high = larger
    return answer_of(found, views)


def holding(image: Image, answer: Answer, ras: np.ndarray) -> Answer:
    """An answer that holds a position, whatever the network thinks of it."""
    if answer.mask.on_box(voxel_of(image.geometry, ras), (1, 1, 1)).item() > 0:
        return answer
    # The network has nothing that holds the click; the click holds all the same.
    mask = local_correction.corrected(image, answer.mask, Point(tuple(ras)), (), lambda _: None)
    return replace(answer, mask=mask)


def corrected(
    image: Image,
    answer: Answer,
    point: Point,
    earlier: Sequence[Point],
    find: Callable[[np.ndarray], Answer],
    watch: Watch,
) -> Answer:
    """An answer after one more click; see core.correction for what may change.

    What the network takes for the object under the click is added, or taken away.

    Args:
        earlier: the clicks before this one.
        find: the object at a position in RAS mm; asked where the answer's own views end.
    """

    def proposed(error: Error) -> np.ndarray | None:
        return _proposed(image, answer, point, error, find, watch)

    mask = local_correction.corrected(image, answer.mask, point, earlier, proposed)
    return replace(answer, mask=mask, alternatives=())


def _proposed(
    image: Image,
    answer: Answer,
    point: Point,
    error: Error,
    find: Callable[[np.ndarray], Answer],
    watch: Watch,
) -> np.ndarray | None:
    """What the network takes for the object under a correcting click, on the mask's box.

    None where it says nothing of the click; empty where all that it says is not to be believed.
    """
    mask = error.mask
    present = mask.values > 0
    least = 1000 * SMALLEST_ML / float(np.prod(image.geometry.spacing))
    found = _objects_under(answer, point, error.voxel, error.radius, find, watch)
    proposals = [field.on_box(mask.start, mask.values.shape) > 0 for field in found]
    possible = [
        proposed
        for proposed in proposals
        if not values_at(proposed, error.opposite - np.array(mask.start), False).any()
    ]
    for proposed in possible:
        if _plausible(proposed, present, point.positive, least):
            return proposed
    # Where a click lies in something large and even, its surroundings would only make a ball there.
    return np.zeros_like(present) if point.positive and possible else None


def _objects_under(
    answer: Answer,
    point: Point,
    voxel: np.ndarray,
    radius: float,
    find: Callable[[np.ndarray], Answer],
    watch: Watch,
) -> list[Patch]:
    ras = np.array(point.ras)
    if _in_views(answer, voxel):
        start = planes.native_start(answer.views[0])
        nearby = [_near(view, ras, radius) for view in answer.views]
        return [Patch(h.logits, start) for h in _found_at(nearby, None, ras, watch)]
    if point.positive:
        found = find(ras)
        return [found.mask, *found.alternatives]
    return []


def _plausible(proposed: np.ndarray, present: np.ndarray, positive: bool, least: float) -> bool:
    """Whether what lies under a click can be what a mask lacks, or holds in error.

    Args:
        least: voxels of the smallest mask that is taken for most of the object.
    """
    size = np.count_nonzero(present)
    if positive:
        return np.count_nonzero(proposed & ~present) < MOST_GROWTH * size or size < least
    return np.count_nonzero(proposed & present) < SHARED * max(size, 1)


def _in_views(answer: Answer, voxel: np.ndarray) -> bool:
    if not answer.views:
        return False
    start = np.array(planes.native_start(answer.views[0]))
    shape = planes.inside_of(answer.views).shape
    return bool(((voxel >= start) & (voxel < start + shape)).all())


def _near(view: View, ras: np.ndarray, radius: float) -> View:
    """The view with only those key slices that lie within `radius` mm of a position."""
    slice_, _, _ = voxel_at(view, ras)
    nearest = view.nearest_key(slice_)
    reach = radius / view.spacing[0]
    return view.limited([key for key in view.keys if abs(key - slice_) <= reach or key == nearest])


def _found_at(
    views: Sequence[View],
    best: Sequence[tuple[Section, ...]] | None,
    ras: np.ndarray,
    watch: Watch,
    previews: Previews | None = None,
    fit: Fit | None = None,
) -> list[Hypothesis]:
    """What may lie under a click, in the region of the views.

    Args:
        best: sections on whole slices; None: they are searched in the region.
    """
    keys = [view.nearest_key(voxel_at(view, ras)[0]) for view in views]
    if best is None:
        offers = [sections_in_view(view, ras)[1] for view in views]
        best = matching(offers, COMBINATIONS)
    number_of = {view.stack.orientation: number for number, view in enumerate(views)}
    starts = []
    for sections in best:
        for section in sections:
            number = number_of.get(section.orientation)
            if number is None:
                continue
            mask = _in_region(section, views[number])
            starts.append(Start(number, keys[number], mask))
    seen: Candidates = [{key: [] for key in view.keys} for view in views]
    for start in starts:
        seen[start.view][start.key].append(start.mask)
    if not starts:
        return []
    inside = planes.inside_of(views)
    return lifting.lift(views, inside, starts, seen, None, watch, previews, fit)


def _in_region(section: Section, view: View) -> SliceMask:
    """A section, of a whole slice or of the region already, in the region of a view."""
    mask = section.mask
    if mask.logits.shape == view.shape[1:]:
        return mask
    return SliceMask(mask.logits[view.region.box[1:]], mask.quality)


def _seen_for_cut(
    views: Sequence[View], watch: Watch, previews: Previews | None = None
) -> Candidates:
    """Each key slice's mask for the ROI's cut; every slice is looked at here for the first time.

    Those who wait see the middle of the ROI first, in the plane in which they look; then the
    middle in the other planes; then more and more of the object along the first one.
    """
    order = planes.in_view_first([view.stack for view in views], watch.facing)
    pictures = [[(number, keys) for keys in views[number].from_middle()] for number in order]
    pictures = [of_view[0] for of_view in pictures] + [
        p for of_view in pictures for p in of_view[1:]
    ]
    slices = [(number, key) for number, keys in pictures for key in keys]
    seen: Candidates = [{} for _ in views]
    for done, (number, key) in enumerate(slices):
        watch.step(done, len(slices), f"Slice {done + 1} of {len(slices)}")
        view = views[number]
        seen[number][key] = view.ask(key, [view.limit(key)])
        if previews is not None:
            previews.cuts(views, seen, order[0])
    # Whichever was seen first, the answer is the same.
    return [{key: of_view[key] for key in sorted(of_view)} for of_view in seen]


def without_crumbs(logits: np.ndarray) -> np.ndarray:
    """Logits without the small pieces that slices left around the object."""
    pieces, count = ndimage.label(logits > 0)
    if count < 2:
        return logits
    sizes = np.bincount(pieces.ravel())[1:]
    crumbs = 1 + np.flatnonzero(sizes < CRUMB * sizes.max())
    return np.where(np.isin(pieces, crumbs), np.float32(-SURE_LOGIT), logits)


def _decided(logits: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Logits in which what all slices are sure of is certain, whatever the threshold."""
    certain = np.where(logits > 0, -BACKGROUND_LOGIT, BACKGROUND_LOGIT)
    sure = (np.abs(logits) >= SURE_LOGIT) | ~inside
    return np.where(sure, certain, logits).astype(np.float32)


def answer_of(found: Sequence[Hypothesis], views: Sequence[View]) -> Answer:
    """Hypotheses, the likeliest first, as an answer."""
    start, inside = planes.native_start(views[0]), planes.inside_of(views)
    fields = [Patch(_decided(without_crumbs(h.logits), inside), start) for h in found]
    if not fields:
        fields = [Patch(np.full(inside.shape, BACKGROUND_LOGIT, dtype=np.float32), start)]
    return Answer(fields[0], views, tuple(fields[1:]))
