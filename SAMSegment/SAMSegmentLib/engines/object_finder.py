"""Answers from a slice-wise network: an object in an ROI, at a click, corrected by more clicks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from ..core.correction import apply_click, distance_to_right, radius_of
from ..core.geometry import Geometry
from ..core.image import Image
from ..core.prediction import BACKGROUND_LOGIT
from ..core.progress import Watch
from ..core.prompts import Point, Roi
from . import lifting, planes
from .answers import Answer, Field
from .clicks import Section, matching, sections_in_view, voxel_at
from .fusion import Candidates
from .hypotheses import Hypothesis
from .slices import SliceStack
from .starts import Start, starts_in_roi
from .views import SURE_LOGIT, DecodeBoxes, SliceMask, View

# Around what the sections through a click show: the object may be larger elsewhere.
MARGIN_SHARE, MARGIN_MM = 0.2, 6.0
# Region grown at faces that the object reaches, at most this many times.
GROWTHS, GROWTH_SHARE = 3, 0.5
# A face counts as reached if this share of the object's outline lies on it.
REACHED = 0.1
# Sections of how many combinations are followed.
COMBINATIONS = 2
# What lies under a negative click is something else only if it shares less than this with the mask.
SHARED = 0.6
# What lies under a positive click is more of the object only if it is not so many times as large as
# the mask; unless that is too small to be the object.
MOST_GROWTH, SMALLEST_ML = 5.0, 1.0
# Pieces smaller than this share of the largest one are crumbs.
CRUMB = 0.1


def in_roi(stacks: Sequence[SliceStack], roi: Roi, decode: DecodeBoxes, watch: Watch) -> Answer:
    """The object in an ROI. No mask leaves the ROI."""
    views = planes.views_of(stacks, roi, decode)
    seen = _seen_for_cut(views, watch)
    starts = starts_in_roi(views, seen, watch)
    inside = planes.inside_of(views)
    cuts = {key: of_slice[0] for key, of_slice in seen[0].items()}
    found = lifting.lift(views, inside, starts, seen, cuts, watch)
    return _answer(found, views)


def at_click(
    image: Image,
    stacks: Sequence[SliceStack],
    offers: Sequence[Sequence[Section]],
    ras: np.ndarray,
    decode: DecodeBoxes,
    watch: Watch,
) -> Answer:
    """The object under a click.

    The sections through the click tell where to look; where the object reaches the end of that
    region, the region grows.

    Args:
        offers: per stack, what may lie under the click on its whole slice there.
        ras: of the click, mm.
    """
    best = matching(offers, COMBINATIONS)
    voxel = voxel_of(image.geometry, ras)
    low, high = _extent(best[0] if best else (), voxel, image.geometry)
    for _ in range(GROWTHS + 1):
        views = planes.views_of(stacks, _roi_of(low, high, image.geometry), decode)
        found = _found_at(views, best, ras, watch)
        grown = _grown(found[0].logits > 0, views[0], low, high) if found else None
        if grown is None:
            break
        low, high = grown
    answer = _answer(found, views)
    mask, size = _room_for(answer.mask, voxel, True, image.geometry)
    if size == 0.0:
        return answer
    # The network has nothing that holds the click; the click holds all the same.
    return replace(answer, mask=_clicked(image, mask, voxel, True, None))


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
    voxel = voxel_of(image.geometry, np.array(point.ras))
    mask, size = _room_for(answer.mask, voxel, point.positive, image.geometry)
    opposite = [
        voxel_of(image.geometry, np.array(other.ras))
        for other in earlier
        if other.positive != point.positive
    ]
    proposed = None
    if size > 0.0:
        proposed = _proposed(
            image, answer, point, voxel, mask, radius_of(size), opposite, find, watch
        )
    mask = _clicked(image, mask, voxel, point.positive, proposed, opposite)
    return replace(answer, mask=mask, alternatives=())


def _room_for(
    mask: Field, voxel: np.ndarray, positive: bool, geometry: Geometry
) -> tuple[Field, float]:
    """The mask on a box in which a click may change it, and the size of the error in mm."""
    spacing = geometry.spacing[::-1]
    mask = mask.enlarged(voxel, voxel + 1)
    here = tuple(int(n) for n in voxel - mask.start)
    size = distance_to_right(mask.logits > 0, here, positive, spacing)
    reach = np.ceil(radius_of(size) / spacing).astype(int)
    low, high = np.maximum(voxel - reach, 0), np.minimum(voxel + reach + 1, geometry.shape)
    return mask.enlarged(low, high), size


def _clicked(
    image: Image,
    mask: Field,
    voxel: np.ndarray,
    positive: bool,
    proposed: np.ndarray | None,
    opposite: Sequence[np.ndarray] = (),
) -> Field:
    """The mask after a click; see core.correction.apply_click."""
    box = tuple(slice(a, b) for a, b in zip(mask.start, mask.stop, strict=True))
    logits = apply_click(
        mask.logits,
        tuple(int(n) for n in voxel - mask.start),
        positive,
        proposed,
        image.voxels[box],
        image.geometry.spacing[::-1],
        [tuple(int(n) for n in other - mask.start) for other in opposite],
    )
    return Field(logits, mask.start)


def voxel_of(geometry: Geometry, ras: np.ndarray) -> np.ndarray:
    """(k, j, i) of the voxel that holds a position in RAS mm."""
    index = np.rint(geometry.to_ijk(ras)[::-1]).astype(int)
    return np.clip(index, 0, np.array(geometry.shape) - 1)


def _proposed(
    image: Image,
    answer: Answer,
    point: Point,
    voxel: np.ndarray,
    mask: Field,
    radius: float,
    opposite: Sequence[np.ndarray],
    find: Callable[[np.ndarray], Answer],
    watch: Watch,
) -> np.ndarray | None:
    """What the network takes for the object under a correcting click, on the mask's box.

    None where it says nothing of the click; empty where all that it says is not to be believed.
    """
    present = mask.logits > 0
    least = 1000 * SMALLEST_ML / float(np.prod(image.geometry.spacing))
    found = _objects_under(answer, point, voxel, radius, find, watch)
    proposals = [field.on(mask.start, mask.logits.shape) > 0 for field in found]
    possible = [
        proposed
        for proposed in proposals
        if not any(_holds(proposed, other - mask.start) for other in opposite)
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
) -> list[Field]:
    ras = np.array(point.ras)
    if _in_views(answer, voxel):
        start = planes.native_start(answer.views[0])
        nearby = [_near(view, ras, radius) for view in answer.views]
        return [Field(h.logits, start) for h in _found_at(nearby, None, ras, watch)]
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
    start = np.array(planes.native_start(answer.views[0]))
    shape = planes.inside_of(answer.views).shape
    return bool(((voxel >= start) & (voxel < start + shape)).all())


def _holds(mask: np.ndarray, voxel: np.ndarray) -> bool:
    """Whether a voxel, which may lie outside the array, belongs to a mask."""
    within = (voxel >= 0).all() and (voxel < mask.shape).all()
    return bool(within and mask[tuple(voxel)])


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
    return lifting.lift(views, planes.inside_of(views), starts, seen, None, watch)


def _in_region(section: Section, view: View) -> SliceMask:
    """A section, of a whole slice or of the region already, in the region of a view."""
    mask = section.mask
    if mask.logits.shape == view.shape[1:]:
        return mask
    return SliceMask(mask.logits[view.region.box[1:]], mask.quality)


def _extent(
    sections: Sequence[Section], voxel: np.ndarray, geometry: Geometry
) -> tuple[np.ndarray, np.ndarray]:
    """First and last voxel (k, j, i) of a region that should hold the object of the sections."""
    low, high = voxel.copy(), voxel.copy()
    across = []
    for section in sections:
        axes, flips = section.orientation.axes, section.orientation.flips
        for axis, flipped, there in (
            (axes[1], flips[1], section.mask.mask.any(1)),
            (axes[2], flips[2], section.mask.mask.any(0)),
        ):
            hits = np.flatnonzero(there[::-1] if flipped else there)
            if hits.size:
                low[axis], high[axis] = min(low[axis], hits[0]), max(high[axis], hits[-1])
        across.append(axes[0])
    spacing = geometry.spacing[::-1]
    size = (high - low + 1) * spacing
    # Along an axis that no section shows, the object is taken for as long as it is wide.
    for axis in across if len(sections) == 1 else []:
        half = np.ceil(np.delete(size, axis).mean() / 2 / spacing[axis]).astype(int)
        low[axis], high[axis] = low[axis] - half, high[axis] + half
    margin = np.ceil(np.maximum(MARGIN_SHARE * size, MARGIN_MM) / spacing).astype(int)
    last = np.array(geometry.shape) - 1
    return np.maximum(low - margin, 0), np.minimum(high + margin, last)


def _roi_of(low: np.ndarray, high: np.ndarray, geometry: Geometry) -> Roi:
    """The ROI that holds the voxels from `low` to `high`, (k, j, i)."""
    box = np.eye(4)
    box[:3, :3] = np.diag((high - low + 1)[::-1])
    box[:3, 3] = (low + high)[::-1] / 2
    return Roi(geometry.ijk_to_ras @ box)


def _grown(
    mask: np.ndarray, view: View, low: np.ndarray, high: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """The region, larger at those faces that the mask reaches; None if it reaches none."""
    last = np.array(view.stack.image.geometry.shape) - 1
    new_low, new_high = low.copy(), high.copy()
    for axis, size in enumerate(mask.shape):
        step = max(int(np.ceil(GROWTH_SHARE * size)), 3)
        # A few voxels may be a leak; the object itself reaches the face with a section of it.
        least = REACHED * mask.any(axis).sum()
        if low[axis] > 0 and np.take(mask, 0, axis).sum() > least:
            new_low[axis] = max(low[axis] - step, 0)
        if high[axis] < last[axis] and np.take(mask, -1, axis).sum() > least:
            new_high[axis] = min(high[axis] + step, last[axis])
    if (new_low == low).all() and (new_high == high).all():
        return None
    return new_low, new_high


def _seen_for_cut(views: Sequence[View], watch: Watch) -> Candidates:
    """Each key slice's mask for the ROI's cut; every slice is looked at here for the first time."""
    total = sum(len(view.keys) for view in views)
    seen: Candidates = []
    done = 0
    for view in views:
        seen.append({})
        for key in view.keys:
            watch.step(done, total, f"Slice {done + 1} of {total}")
            seen[-1][key] = view.ask(key, [view.limit(key)])
            done += 1
    return seen


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


def _answer(found: Sequence[Hypothesis], views: Sequence[View]) -> Answer:
    start, inside = planes.native_start(views[0]), planes.inside_of(views)
    fields = [Field(_decided(without_crumbs(h.logits), inside), start) for h in found]
    if not fields:
        fields = [Field(np.full(inside.shape, BACKGROUND_LOGIT, dtype=np.float32), start)]
    return Answer(fields[0], views, tuple(fields[1:]))
