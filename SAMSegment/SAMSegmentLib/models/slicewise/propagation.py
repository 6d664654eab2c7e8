"""From an ROI, or from a section of the object, to the object in 3D."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from ...core.overlap import dice
from ...core.progress import Watch
from . import fusion, hypotheses, planes
from .fusion import Candidates, Selection, Slices
from .hypotheses import Hypothesis
from .previews import Previews
from .starts import Start
from .tracking import follow
from .views import View

# How many starts are followed, how many masks are offered, and how many of them, the likeliest, are
# made to agree with the other axes, in how many rounds at most.
MOST_TRACKS = 8
OFFERS = 3
FINALISTS = 2
ROUNDS = 4
# A start that a track has met already would only give the same track again.
MET = 0.9

#: How well a mask (boolean, (k, j, i), and its first voxel) fits what the user said of the object.
Fit = Callable[[np.ndarray, tuple[int, int, int]], float]


@dataclass(frozen=True, eq=False)
class Judge:
    """Says how likely a 3D mask of a region is meant.

    Attributes:
        cuts: see hypotheses.score.
        fit: what else the user said; added to the score.
    """

    views: Sequence[View]
    cuts: Slices | None = None
    fit: Fit | None = None

    def score(self, selection: Selection, logits: np.ndarray) -> float:
        """The higher, the likelier."""
        value = hypotheses.score(self.views, selection, logits, self.cuts)
        if self.fit is None:
            return value
        return value + self.fit(logits > 0, planes.native_start(self.views[0]))


def lift(
    views: Sequence[View],
    inside: np.ndarray,
    starts: Sequence[Start],
    seen: Candidates,
    cuts: Slices | None,
    watch: Watch,
    previews: Previews | None = None,
    fit: Fit | None = None,
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
        previews: shows what there is so far.
        fit: what else the user said of the object: added to a mask's score.

    Raises:
        Cancelled: if the user asked to stop.
    """
    judge = Judge(views, cuts, fit)
    tracks = tracks_of(views, inside, starts, judge, watch, previews)
    return settled(views, inside, tracks, seen, judge, watch, previews)


def tracks_of(
    views: Sequence[View],
    inside: np.ndarray,
    starts: Sequence[Start],
    judge: Judge,
    watch: Watch,
    previews: Previews | None = None,
) -> list[Hypothesis]:
    """What is found by following the starts, each along its own axis, the likeliest first.

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
        track = _track(views, start, inside, judge, previews)
        followed.append(track.selection)
        # A 3D mask of a large region takes much memory: only the best are kept.
        tracks = hypotheses.distinct([*tracks, track], OFFERS)
        if previews is not None:
            previews.whole(views, tracks[0].logits)
    return tracks


def settled(
    views: Sequence[View],
    inside: np.ndarray,
    tracks: Sequence[Hypothesis],
    seen: Candidates,
    judge: Judge,
    watch: Watch,
    previews: Previews | None = None,
) -> list[Hypothesis]:
    """The likeliest tracks, made to agree with all axes, then what else may be offered.

    Raises:
        Cancelled: if the user asked to stop.
    """
    results: list[Hypothesis] = []
    others = list(tracks)
    # Different tracks may come to agree on one object; then the next one has its turn.
    while others and len(results) < FINALISTS:
        watch.step(len(tracks) - len(others), len(tracks), "Comparing slices of all directions")
        result = _settle(views, inside, others.pop(0), seen, judge)
        results = hypotheses.distinct([*results, result], FINALISTS)
        if previews is not None:
            previews.whole(views, results[0].logits)
    return [*results, *(h for h in others if all(hypotheses.unlike(h, r) for r in results))]


def _meets(selection: Selection, start: Start) -> bool:
    """Whether a track along the same axis holds a start's section already."""
    section = selection[start.view].get(start.key)
    return section is not None and dice(section.mask, start.mask.mask) >= MET


def _track(
    views: Sequence[View],
    start: Start,
    inside: np.ndarray,
    judge: Judge,
    previews: Previews | None,
) -> Hypothesis:
    """One view's masks as a 3D mask; the other views have no say yet."""
    view = views[start.view]
    show = None if previews is None else partial(previews.slices, view)
    masks = follow(view, start.key, start.mask, show)
    logits = view.native(
        view.between({key: fusion.bounded(mask.logits) for key, mask in masks.items()})
    ).copy()
    logits[~inside] = -fusion.SURE_LOGIT
    selection: Selection = [{} for _ in views]
    selection[start.view] = masks
    return Hypothesis(selection, logits, judge.score(selection, logits))


def _settle(
    views: Sequence[View],
    inside: np.ndarray,
    track: Hypothesis,
    seen: Candidates,
    judge: Judge,
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
    return Hypothesis(selection, logits, judge.score(selection, logits))
