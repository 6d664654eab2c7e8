"""An object in an ROI, at a click, corrected by more clicks: from the slices of an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from ...core.image import Image
from ...core.patch import BACKGROUND_LOGIT, Patch, values_at
from ...core.progress import Watch
from ...core.prompts import Point, Roi
from .. import local_correction
from ..local_correction import Error
from ..regions import REACHED, roi_of_voxels, voxel_of
from .candidates import Candidate, Fit
from .fusion import Choices
from .previews import Previews
from .propagation import Propagation
from .sections import Section, VoxelBox, matching, region_of, sections_in_view
from .seeds import Seed, seeds_in_roi
from .slices import SliceStack, in_view_first
from .views import SURE_LOGIT, DecodeTile, SliceMask, View, views_of

# The region is grown at faces that the object reaches, by this share of itself, so many times.
GROWTH_SHARE, GROWTHS = 0.5, 3
# Sections of how many combinations are followed.
COMBINATIONS = 2
# What lies under a negative click is something else only if it shares less than this with the mask.
SHARED = 0.6
# What lies under a positive click is more of the object only if it is not so many times as large as
# the mask; unless that is too small to be the object.
MOST_GROWTH, SMALLEST_ML = 5.0, 1.0
# Pieces smaller than this share of the largest one are left out.
SMALLEST_PIECE = 0.1


@dataclass(frozen=True, eq=False)
class FoundObject:
    """An object's mask, and the views on which it rests: with them, a click corrects it.

    Attributes:
        sharing: how many objects rest on the same views.
    """

    mask: Patch
    views: Sequence[View] = ()
    sharing: int = 1

    @property
    def nbytes(self) -> int:
        """Memory that it takes, with its share of the views."""
        return self.mask.values.nbytes + sum(view.nbytes for view in self.views) // self.sharing


@dataclass(frozen=True, eq=False)
class ObjectFinder:
    """Looks for an object on the slices of an image. Masks come as native logits of a region.

    Attributes:
        stacks: the scan's own slices first; none is modified.
        decode: asks the network.
        previews: shows what there is so far.
        fit: how well a mask fits what else the prompts say of the object; added to its score.
    """

    stacks: Sequence[SliceStack]
    decode: DecodeTile
    watch: Watch
    previews: Previews = field(default_factory=Previews)
    fit: Fit | None = None

    @property
    def image(self) -> Image:
        return self.stacks[0].image

    def views_of(self, low: np.ndarray, high: np.ndarray) -> list[View]:
        """The views of the voxels from `low` to `high`, (k, j, i)."""
        return views_of(self.stacks, roi_of_voxels(low, high, self.image.geometry), self.decode)

    def in_roi(self, roi: Roi) -> list[FoundObject]:
        """The objects in an ROI, the likeliest first. No mask leaves the ROI."""
        views = views_of(self.stacks, roi, self.decode)
        seen = self._seen_for_cut(views)
        cuts = {key: of_slice[0] for key, of_slice in seen[0].items()}
        if any(mask.mask.any() for mask in cuts.values()):
            self.previews.only_whole()
        seeds = seeds_in_roi(views, seen, self.watch)
        found = Propagation(views, self.watch, self.previews, cuts).objects(seeds, seen)
        return found_objects(found, views)

    def at_click(self, by_plane: Sequence[Sequence[Section]], ras: np.ndarray) -> list[FoundObject]:
        """The objects under a click, the likeliest first.

        The sections through the click tell where to look; where the object reaches the end of that
        region, the region grows.

        Args:
            by_plane: per stack, what may lie under the click on its whole slice there.
            ras: of the click, mm.
        """
        best = matching(by_plane, COMBINATIONS)
        voxel = voxel_of(self.image.geometry, ras)
        region = region_of(best[0] if best else (), voxel, self.image.geometry)
        return self.in_region(best, ras, region, GROWTHS)

    def in_region(
        self, best: Sequence[tuple[Section, ...]], ras: np.ndarray, region: VoxelBox, growths: int
    ) -> list[FoundObject]:
        """The objects of some sections, in a region that grows where they reach its faces.

        The first one holds the position, whether the network finds it there or not.

        Args:
            best: combinations of sections through a position, on whole slices.
            ras: that position, mm.
            growths: how often the region may grow.
        """
        for left in range(growths, -1, -1):
            views = self.views_of(*region)
            found = _found_at(views, best, ras, self.watch, self.previews, self.fit)
            larger = _grown(found[0].logits > 0, views[0], *region) if found and left else None
            if larger is None:
                break
            region = larger
        first, *others = found_objects(found, views)
        if first.mask.at(voxel_of(self.image.geometry, ras)[None]).item() <= 0:
            click = Point(tuple(ras))
            mask = local_correction.corrected(self.image, first.mask, click, (), lambda _: None)
            first = replace(first, mask=mask)
        return [first, *others]

    def _seen_for_cut(self, views: Sequence[View]) -> Choices:
        """Each key slice's mask for the ROI's cut; every slice is encoded here first.

        Previews begin with the middle of the ROI, in the plane that the user views; then the middle
        in the other planes; then more and more of the object along the first one.
        """
        order = in_view_first([view.stack for view in views], self.watch.facing)
        pictures = [[(number, keys) for keys in views[number].from_middle()] for number in order]
        pictures = [of_view[0] for of_view in pictures] + [
            p for of_view in pictures for p in of_view[1:]
        ]
        slices = [(number, key) for number, keys in pictures for key in keys]
        seen: Choices = [{} for _ in views]
        for done, (number, key) in enumerate(slices):
            self.watch.step(done, len(slices), f"Slice {done + 1} of {len(slices)}")
            view = views[number]
            seen[number][key] = view.ask(key, [view.limit(key)])
            self.previews.cuts(views, seen, order[0])
        # Whichever was seen first, the answer is the same.
        return [{key: of_view[key] for key in sorted(of_view)} for of_view in seen]


def corrected(
    image: Image,
    found: FoundObject,
    point: Point,
    earlier: Sequence[Point],
    find: Callable[[np.ndarray], Sequence[FoundObject]],
    watch: Watch,
) -> FoundObject:
    """An object after one more click; see core.correction for what may change.

    What the network takes for the object under the click is added, or taken away.

    Args:
        earlier: the clicks before this one.
        find: the objects at a position in RAS mm; asked where the object's own views end.
    """

    def proposed(error: Error) -> np.ndarray | None:
        """What the network takes for the object under the click, on the mask's box.

        None where it has nothing there; empty where all that it has is implausible.
        """
        present = error.mask.values > 0
        least = 1000 * SMALLEST_ML / float(np.prod(image.geometry.spacing))
        masks = _masks_under(found, point, error, find, watch)
        on_box = [mask.on_box(error.mask.start, present.shape) > 0 for mask in masks]
        first = np.array(error.mask.start)
        possible = [
            mask for mask in on_box if not values_at(mask, error.opposite - first, False).any()
        ]
        for mask in possible:
            if _is_plausible(mask, present, point.positive, least):
                return mask
        # Where a click lies in something large and even, its surroundings would make a ball there.
        return np.zeros_like(present) if point.positive and possible else None

    mask = local_correction.corrected(image, found.mask, point, earlier, proposed)
    return FoundObject(mask, found.views)


def _masks_under(
    found: FoundObject,
    point: Point,
    error: Error,
    find: Callable[[np.ndarray], Sequence[FoundObject]],
    watch: Watch,
) -> list[Patch]:
    """What may lie under a correcting click, the likeliest first."""
    ras = np.array(point.ras)
    if found.views and found.views[0].holds(error.voxel, error.voxel):
        start = found.views[0].native_start
        nearby = [_near(view, ras, error.radius) for view in found.views]
        candidates = _found_at(nearby, None, ras, watch, Previews())
        return [Patch(candidate.logits, start) for candidate in candidates]
    return [other.mask for other in find(ras)] if point.positive else []


def _is_plausible(proposed: np.ndarray, present: np.ndarray, positive: bool, least: float) -> bool:
    """Whether what lies under a click can be what a mask lacks, or holds in error.

    Args:
        least: voxels of the smallest mask that is taken for most of the object.
    """
    size = np.count_nonzero(present)
    if positive:
        return np.count_nonzero(proposed & ~present) < MOST_GROWTH * size or size < least
    return np.count_nonzero(proposed & present) < SHARED * max(size, 1)


def _near(view: View, ras: np.ndarray, radius: float) -> View:
    """The view with only those key slices that lie within `radius` mm of a position."""
    slice_, _, _ = view.voxel_at(ras)
    nearest = view.nearest_key(slice_)
    reach = radius / view.spacing[0]
    return view.limited([key for key in view.keys if abs(key - slice_) <= reach or key == nearest])


def _found_at(
    views: Sequence[View],
    best: Sequence[tuple[Section, ...]] | None,
    ras: np.ndarray,
    watch: Watch,
    previews: Previews,
    fit: Fit | None = None,
) -> list[Candidate]:
    """What may lie under a click, in the region of the views.

    Args:
        best: sections on whole slices; None: they are searched in the region.
    """
    keys = [view.nearest_key(view.voxel_at(ras)[0]) for view in views]
    if best is None:
        best = matching([sections_in_view(view, ras) for view in views], COMBINATIONS)
    number_of = {view.stack.orientation: number for number, view in enumerate(views)}
    seeds = []
    for section in (section for sections in best for section in sections):
        number = number_of.get(section.orientation)
        if number is not None:
            seeds.append(Seed(number, keys[number], _in_region(section, views[number])))
    if not seeds:
        return []
    seen: Choices = [{key: [] for key in view.keys} for view in views]
    for seed in seeds:
        seen[seed.view][seed.key].append(seed.mask)
    return Propagation(views, watch, previews, None, fit).objects(seeds, seen)


def _in_region(section: Section, view: View) -> SliceMask:
    """A section, of a whole slice or of the region already, in the region of a view."""
    mask = section.mask
    if mask.logits.shape == view.shape[1:]:
        return mask
    return SliceMask(mask.logits[view.region.box[1:]], mask.quality)


def _grown(mask: np.ndarray, view: View, low: np.ndarray, high: np.ndarray) -> VoxelBox | None:
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


def without_small_pieces(logits: np.ndarray) -> np.ndarray:
    """Logits without the small pieces that slices left around the object."""
    pieces, count = ndimage.label(logits > 0)
    if count < 2:
        return logits
    sizes = np.bincount(pieces.ravel())[1:]
    small = 1 + np.flatnonzero(sizes < SMALLEST_PIECE * sizes.max())
    return np.where(np.isin(pieces, small), np.float32(-SURE_LOGIT), logits)


def decided(logits: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Logits in which what all slices are sure of is certain, whatever the threshold."""
    certain = np.where(logits > 0, -BACKGROUND_LOGIT, BACKGROUND_LOGIT)
    sure = (np.abs(logits) >= SURE_LOGIT) | ~inside
    return np.where(sure, certain, logits).astype(np.float32)


def found_objects(found: Sequence[Candidate], views: Sequence[View]) -> list[FoundObject]:
    """Candidates, the likeliest first, as objects; an empty one if there are none."""
    start, inside = views[0].native_start, views[0].native_inside
    logits = [decided(without_small_pieces(candidate.logits), inside) for candidate in found]
    if not logits:
        logits = [np.full(inside.shape, BACKGROUND_LOGIT, dtype=np.float32)]
    return [FoundObject(Patch(each, start), views, len(logits)) for each in logits]
