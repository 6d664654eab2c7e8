"""From an ROI, or from a section of the object, to the object in 3D."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..core.progress import Watch
from . import fusion, hypotheses
from .fusion import Candidates, Selection
from .hypotheses import Hypothesis
from .tracking import follow, overlap
from .views import SliceMask, View

# How many starting slices the scan's own view and each other one offer, and how many 3D masks are
# made to agree.
STARTS, SIDE_STARTS, FINALISTS = 2, 1, 3
ROUNDS = 4
# A start that runs into the ROI's edges is part of something larger.
EDGE_PENALTY = 0.5
SMALLEST_SHARE = 0.03
SAME_SECTION = 0.5


@dataclass(frozen=True, eq=False)
class Start:
    """A mask on one slice from which the object may be followed."""

    view: int
    key: int
    mask: SliceMask


def lift(
    views: Sequence[View],
    inside: np.ndarray,
    starts: Sequence[Start],
    seen: Candidates,
    in_roi: bool,
    watch: Watch,
) -> list[Hypothesis]:
    """3D masks of what may be meant, the likeliest first.

    Each start is followed along its own axis. The most promising tracks are then checked against
    the other axes: all slices are asked for the section of the common 3D mask, and take what
    agrees best with it, a few times over.

    Args:
        inside: native boolean, which voxels may belong to the object.
        seen: masks that every slice may fall back on.
        in_roi: whether a user drew the region around the object.

    Raises:
        Cancelled: if the user asked to stop.
    """
    tracks = [_track(views, start, inside, in_roi) for start in starts]
    finalists = hypotheses.distinct(tracks, FINALISTS)
    results = []
    for number, track in enumerate(finalists):
        watch.step(number, len(finalists), "Comparing slices of all directions")
        results.append(_settle(views, inside, track, seen, in_roi))
    return hypotheses.distinct(results, FINALISTS)


def starts_in_roi(views: Sequence[View], seen: Candidates) -> list[Start]:
    """Where to start from an ROI: the slices on which the ROI's cut makes the best box.

    Args:
        seen: the masks for the ROI's cut, first on each slice.
    """
    starts = []
    for number, (view, masks) in enumerate(zip(views, seen, strict=True)):
        offers = [Start(number, key, of_slice[0]) for key, of_slice in masks.items()]
        offers.sort(key=lambda start: -_promise(views[start.view], start.mask))
        chosen: list[Start] = []
        wanted = SIDE_STARTS if number else STARTS
        for offer in offers:
            if len(chosen) < wanted and all(_differ(offer, other) for other in chosen):
                chosen.append(offer)
        middle = view.nearest_key((view.shape[0] - 1) / 2)
        if number == 0:
            chosen += [offer for offer in offers if offer.key == middle and offer not in chosen]
        starts += chosen
    return starts


def _track(views: Sequence[View], start: Start, inside: np.ndarray, in_roi: bool) -> Hypothesis:
    """One view's masks as a 3D mask; the other views have no say yet."""
    view = views[start.view]
    masks = follow(view, start.key, start.mask)
    logits = view.native(
        view.between({key: fusion.bounded(mask.logits) for key, mask in masks.items()})
    ).copy()
    logits[~inside] = -fusion.SURE_LOGIT
    selection: Selection = [{} for _ in views]
    selection[start.view] = masks
    return Hypothesis(selection, logits, hypotheses.score(views, selection, logits, in_roi))


def _settle(
    views: Sequence[View], inside: np.ndarray, track: Hypothesis, seen: Candidates, in_roi: bool
) -> Hypothesis:
    candidates = [
        {key: [*masks, *([own[key]] if key in own else [])] for key, masks in of_view.items()}
        for of_view, own in zip(seen, track.selection, strict=True)
    ]
    logits = track.logits
    for _ in range(ROUNDS):
        selection = fusion.agree(views, candidates, logits)
        before, logits = logits, fusion.fuse(views, selection, inside)
        if np.array_equal(before > 0, logits > 0):
            break
    return Hypothesis(selection, logits, hypotheses.score(views, selection, logits, in_roi))


def _promise(view: View, mask: SliceMask) -> float:
    """How good a start a slice's mask is."""
    area = np.count_nonzero(mask.mask)
    if area < SMALLEST_SHARE * mask.mask.size:
        return -1.0
    (top, bottom), (left, right) = view.region.open_faces[1:]
    edge = top * mask.mask[0].sum() + bottom * mask.mask[-1].sum()
    edge += left * mask.mask[:, 0].sum() + right * mask.mask[:, -1].sum()
    return mask.quality - EDGE_PENALTY * edge / (4 * np.sqrt(area))


def _differ(one: Start, other: Start) -> bool:
    return one.key != other.key and overlap(one.mask.mask, other.mask.mask) < SAME_SECTION
