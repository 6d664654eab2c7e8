"""From an ROI, or from a section of the object, to the object in 3D."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.progress import Watch
from . import fusion, hypotheses
from .fusion import Candidates, Selection
from .hypotheses import Hypothesis
from .starts import Start
from .tracking import follow, overlap
from .views import View

# How many starts are followed, and how many 3D masks are made to agree, in how many rounds at most.
MOST_TRACKS = 8
FINALISTS = 3
ROUNDS = 4
# A start that a track has met already would only give the same track again.
MET = 0.9


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
    tracks: list[Hypothesis] = []
    for number, start in enumerate(starts):
        if len(tracks) == MOST_TRACKS:
            break
        watch.step(number, len(starts), "Following objects from slice to slice")
        if not any(_meets(views, track, start) for track in tracks):
            tracks.append(_track(views, start, inside, in_roi))
    finalists = hypotheses.distinct(tracks, FINALISTS)
    results = []
    for number, track in enumerate(finalists):
        watch.step(number, len(finalists), "Comparing slices of all directions")
        results.append(_settle(views, inside, track, seen, in_roi))
    return hypotheses.distinct(results, FINALISTS)


def _meets(views: Sequence[View], track: Hypothesis, start: Start) -> bool:
    """Whether a track along the same axis holds a start's section already."""
    if not track.selection[start.view]:
        return False
    section = views[start.view].own(track.logits)[start.key] > 0
    return overlap(section, start.mask.mask) >= MET


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
