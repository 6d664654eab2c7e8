"""From an ROI, or from a section of the object, to the object in 3D."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..core.progress import Watch
from . import fusion, hypotheses
from .fusion import Candidates, Selection, Slices
from .hypotheses import Hypothesis
from .starts import Start
from .tracking import follow, overlap
from .views import View

# How many starts are followed, how many masks are offered, and how many of them, the likeliest, are
# made to agree with the other axes, in how many rounds at most.
MOST_TRACKS = 8
OFFERS = 3
FINALISTS = 2
ROUNDS = 4
# A start that a track has met already would only give the same track again.
MET = 0.9


def lift(
    views: Sequence[View],
    inside: np.ndarray,
    starts: Sequence[Start],
    seen: Candidates,
    cuts: Slices | None,
    watch: Watch,
) -> list[Hypothesis]:
    """3D masks of what may be meant, the likeliest first.

    Each start is followed along its own axis. The most promising tracks are then checked against
    the other axes: all slices are asked for the section of the common 3D mask, and take what
    agrees best with it, a few times over.

    Args:
        inside: native boolean, which voxels may belong to the object.
        seen: masks that every slice may fall back on.
        cuts: the masks for an ROI's cuts with the first view's slices; None: no user drew the
            region around the object.

    Raises:
        Cancelled: if the user asked to stop.
    """
    tracks: list[Hypothesis] = []
    followed: list[Selection] = []
    for number, start in enumerate(starts):
        if len(followed) == MOST_TRACKS:
            break
        watch.step(number, len(starts), "Following objects from slice to slice")
        if any(_meets(selection, start) for selection in followed):
            continue
        track = _track(views, start, inside, cuts)
        followed.append(track.selection)
        # A 3D mask of a large region takes much memory: only the best are kept.
        tracks = hypotheses.distinct([*tracks, track], OFFERS)
    return _agreed(views, inside, tracks, seen, cuts, watch)


def _agreed(
    views: Sequence[View],
    inside: np.ndarray,
    tracks: Sequence[Hypothesis],
    seen: Candidates,
    cuts: Slices | None,
    watch: Watch,
) -> list[Hypothesis]:
    """The likeliest tracks, made to agree with all axes, then what else may be offered."""
    results: list[Hypothesis] = []
    others = list(tracks)
    # Different tracks may come to agree on one object; then the next one has its turn.
    while others and len(results) < FINALISTS:
        watch.step(len(tracks) - len(others), len(tracks), "Comparing slices of all directions")
        settled = _settle(views, inside, others.pop(0), seen, cuts)
        results = hypotheses.distinct([*results, settled], FINALISTS)
    return [*results, *(h for h in others if all(hypotheses.unlike(h, r) for r in results))]


def _meets(selection: Selection, start: Start) -> bool:
    """Whether a track along the same axis holds a start's section already."""
    section = selection[start.view].get(start.key)
    return section is not None and overlap(section.mask, start.mask.mask) >= MET


def _track(
    views: Sequence[View], start: Start, inside: np.ndarray, cuts: Slices | None
) -> Hypothesis:
    """One view's masks as a 3D mask; the other views have no say yet."""
    view = views[start.view]
    masks = follow(view, start.key, start.mask)
    logits = view.native(
        view.between({key: fusion.bounded(mask.logits) for key, mask in masks.items()})
    ).copy()
    logits[~inside] = -fusion.SURE_LOGIT
    selection: Selection = [{} for _ in views]
    selection[start.view] = masks
    return Hypothesis(selection, logits, hypotheses.score(views, selection, logits, cuts))


def _settle(
    views: Sequence[View],
    inside: np.ndarray,
    track: Hypothesis,
    seen: Candidates,
    cuts: Slices | None,
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
    return Hypothesis(selection, logits, hypotheses.score(views, selection, logits, cuts))
