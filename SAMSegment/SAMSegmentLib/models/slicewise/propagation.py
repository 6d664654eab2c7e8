"""From sections of an object to the object in 3D."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from ...core.overlap import dice
from ...core.progress import Watch
from . import candidates, fusion
from .candidates import Candidate, Fit, Scorer
from .fusion import Choices, Selection, Slices
from .previews import Previews
from .seeds import Seed
from .tracking import follow
from .views import View

# How many seeds are followed, how many candidates are kept, and how many of them, the likeliest,
# are made to agree with the other axes, in how many rounds at most.
MOST_TRACKS = 8
MOST_CANDIDATES = 3
FINALISTS = 2
ROUNDS = 4
# A seed that a track has met already would only give the same track again.
MET = 0.9


class Propagation:
    """Finds the objects of a region.

    Each seed is followed along its own axis. The most promising tracks are then checked against the
    other axes: all slices are asked for the section of the common 3D mask, and take what agrees
    best with it, a few times over.

    Args:
        cuts: the masks for an ROI's cuts with the first view's slices; None: no user drew the
            region around the object.
        fit: what else the prompts say of the object: added to a mask's score.
    """

    def __init__(
        self,
        views: Sequence[View],
        watch: Watch,
        previews: Previews,
        cuts: Slices | None = None,
        fit: Fit | None = None,
    ) -> None:
        self._views = views
        self._inside = views[0].native_inside
        self._scorer = Scorer(views, cuts, fit)
        self._watch, self._previews = watch, previews

    def objects(self, seeds: Sequence[Seed], seen: Choices) -> list[Candidate]:
        """3D masks of what may be meant, the likeliest first.

        Args:
            seen: masks that every slice may fall back on.

        Raises:
            Cancelled: if the user asked to stop.
        """
        return self.agreed(self.tracks(seeds), seen)

    def tracks(self, seeds: Sequence[Seed]) -> list[Candidate]:
        """What is found by following the seeds, each along its own axis, the likeliest first.

        Raises:
            Cancelled: if the user asked to stop.
        """
        tracks: list[Candidate] = []
        followed: list[Selection] = []
        for number, seed in enumerate(seeds):
            if len(followed) == MOST_TRACKS:
                break
            self._watch.step(number, len(seeds), "Following objects from slice to slice")
            if any(_meets(selection, seed) for selection in followed):
                continue
            track = self._track(seed)
            followed.append(track.selection)
            # A 3D mask of a large region takes much memory: only the best are kept.
            tracks = candidates.distinct([*tracks, track], MOST_CANDIDATES)
            self._previews.whole(self._views, tracks[0].logits)
        return tracks

    def agreed(self, tracks: Sequence[Candidate], seen: Choices) -> list[Candidate]:
        """The likeliest tracks, made to agree with all axes, then the others.

        Raises:
            Cancelled: if the user asked to stop.
        """
        results: list[Candidate] = []
        others = list(tracks)
        # Different tracks may come to agree on one object; then the next one is tried.
        while others and len(results) < FINALISTS:
            done = len(tracks) - len(others)
            self._watch.step(done, len(tracks), "Comparing slices of all directions")
            result = self._agreed(others.pop(0), seen)
            results = candidates.distinct([*results, result], FINALISTS)
            self._previews.whole(self._views, results[0].logits)
        return [*results, *(c for c in others if all(candidates.unlike(c, r) for r in results))]

    def _track(self, seed: Seed) -> Candidate:
        """One view's masks as a 3D mask, whatever the other views show."""
        view = self._views[seed.view]
        masks = follow(view, seed.key, seed.mask, partial(self._previews.slices, view))
        logits = view.native(
            view.between({key: fusion.bounded(mask.logits) for key, mask in masks.items()})
        ).copy()
        logits[~self._inside] = -fusion.SURE_LOGIT
        selection: Selection = [{} for _ in self._views]
        selection[seed.view] = masks
        return self._scorer.candidate(selection, logits)

    def _agreed(self, track: Candidate, seen: Choices) -> Candidate:
        choices = [
            {key: [*masks, *([own[key]] if key in own else [])] for key, masks in of_view.items()}
            for of_view, own in zip(seen, track.selection, strict=True)
        ]
        logits = track.logits
        for _ in range(ROUNDS):
            selection = fusion.agree(self._views, choices, logits)
            before, logits = logits, fusion.fuse(self._views, selection, self._inside)
            if np.array_equal(before > 0, logits > 0):
                break
        return self._scorer.candidate(selection, logits)


def _meets(selection: Selection, seed: Seed) -> bool:
    """Whether a track along the same axis holds a seed's section already."""
    section = selection[seed.view].get(seed.key)
    return section is not None and dice(section.mask, seed.mask.mask) >= MET
