"""Which of several 3D masks is meant.

The weights were fitted by ridge regression of Dice on these measures over candidates of the tuning
cases of the accuracy benchmark (Testing/Accuracy/structures.json), 23 structures of one CT; those
of the extents and of the ROI's cuts were chosen on all tuning cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.overlap import dice
from .fusion import Selection, Slices, similarity
from .tracking import best_unlike
from .views import View

# Weights of what the network gives for a mask.
QUALITY, AGREEMENT, STABILITY, CERTAINTY = 0.83, 0.43, 0.34, 0.63
# Against its being what the ROI was drawn around: it runs into the ROI's faces, is larger or
# smaller than the ROI less a margin, or lies off the middle. For it: it is like the masks for the
# ROI's cuts, and stands out. (Fat between organs has their extents, but its masks take in what it
# surrounds.)
TOUCHING, MISFIT, OFF_CENTRE = -0.64, -0.60, -0.70
LIKE_CUTS, CONTRAST = 0.15, 0.5
# A spread that every tissue has, of the grey levels' range; and the contrast beyond which a mask
# stands out well enough: a few voxels of one grey level would have any.
LEAST_SPREAD, CLEAR = 0.05, 0.75
# mm by which people draw an ROI larger than the object, on each side; and the least and largest
# share of its ROI that an object is taken for, along an axis.
MARGIN_MM = 5.0
LEAST_FULL, FULL = 0.25, 0.9
# Masks whose Dice reaches this are nearly the same.
ALIKE = 0.9

#: How well a mask (boolean, (k, j, i), and its first voxel) fits what else the prompts say.
Fit = Callable[[np.ndarray, tuple[int, int, int]], float]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A 3D mask that may be meant.

    Attributes:
        selection: the slices' masks behind it.
        logits: float32, native order.
        score: the higher, the likelier; comparable within one region only.
    """

    selection: Selection
    logits: np.ndarray
    score: float


@dataclass(frozen=True, eq=False)
class Scorer:
    """Says how likely a 3D mask of a region is meant.

    Attributes:
        cuts: the masks for an ROI's cuts with the first view's slices; None: the region is not an
            ROI that a user drew around the object.
        fit: what else the prompts say; added to the score.
    """

    views: Sequence[View]
    cuts: Slices | None = None
    fit: Fit | None = None

    def candidate(self, selection: Selection, logits: np.ndarray) -> Candidate:
        """A 3D mask (native logits), with its score."""
        return Candidate(selection, logits, self.score(selection, logits))

    def score(self, selection: Selection, logits: np.ndarray) -> float:
        """The higher, the likelier; minus infinity for an empty mask."""
        main = self.views[0]
        mask = main.own(logits) > 0
        value = -np.inf
        if mask.any():
            value = self._of_network(selection, logits)
            if self.cuts is not None:
                like_cuts = _like_cuts(mask, self.cuts)
                value += LIKE_CUTS * like_cuts + CONTRAST * min(contrast(mask, main), CLEAR)
                value += _fit_of_roi(mask, main)
        return value if self.fit is None else value + self.fit(logits > 0, main.native_start)

    def _of_network(self, selection: Selection, logits: np.ndarray) -> float:
        quality = agreement = stability = weights = 0.0
        for view, masks in zip(self.views, selection, strict=True):
            own = view.own(logits)
            for key, slice_mask in masks.items():
                area = np.count_nonzero(own[key] > 0)
                if area == 0 and not slice_mask.mask.any():
                    continue
                weight = np.sqrt(area) + 1e-3
                weights += weight
                quality += weight * slice_mask.quality
                agreement += weight * similarity(slice_mask.logits, own[key])
                stability += weight * _stability(slice_mask.logits)
        certainty = np.tanh(np.abs(logits[logits > 0]) / 2).mean()
        of_network = QUALITY * quality + AGREEMENT * agreement + STABILITY * stability
        return float(of_network / max(weights, 1e-6) + CERTAINTY * certainty)


def touching(mask: np.ndarray, view: View) -> float:
    """Share of a mask's surface (that of a cube as large) which lies on faces of the region.

    Faces at the volume's own border do not count: there, objects are cut by the field of view.
    """
    voxel = float(np.prod(view.spacing))
    area = 0.0
    for axis, (first, last) in enumerate(view.region.open_faces):
        face = voxel / view.spacing[axis]
        area += face * first * np.count_nonzero(np.take(mask, 0, axis))
        area += face * last * np.count_nonzero(np.take(mask, -1, axis))
    return area / max(6 * (np.count_nonzero(mask) * voxel) ** (2 / 3), 1e-6)


def contrast(mask: np.ndarray, view: View) -> float:
    """How much a mask stands out: the step of grey levels at its border against their spread in it.

    The step is the mean difference of neighbouring pixels of a view's slices across the border,
    less that of neighbours within; the spread is the standard deviation.

    Args:
        mask: (slice, row, column) of the view.
    """
    change, pairs = np.zeros(2), np.zeros(2)
    levels = [np.zeros(0)]
    for number in np.flatnonzero(mask.any((1, 2))):
        grey = view.grey(int(number)).astype(np.int16)
        levels.append(grey[mask[number]])
        for axis in (0, 1):
            difference = np.abs(np.diff(grey, axis=axis))
            here, there = _neighbours(mask[number], axis)
            for n, chosen in enumerate((here != there, here & there)):
                change[n] += difference[chosen].sum()
                pairs[n] += np.count_nonzero(chosen)
    across, within = change / np.maximum(pairs, 1)
    spread = np.concatenate(levels).std() if mask.any() else 0.0
    return float((across - within) / (spread + 255 * LEAST_SPREAD))


def _neighbours(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of a slice that have a next one along an axis, and those next ones."""
    return (array[:-1], array[1:]) if axis == 0 else (array[:, :-1], array[:, 1:])


def _fit_of_roi(mask: np.ndarray, view: View) -> float:
    """How well a mask (slice, row, column) fits the ROI drawn around it."""
    voxels = np.argwhere(mask)
    filling = (np.ptp(voxels, axis=0) + 1) / mask.shape
    size = mask.shape * view.spacing
    expected = np.clip((size - 2 * MARGIN_MM) / size, LEAST_FULL, FULL)
    off_centre = np.abs((voxels.mean(0) + 0.5) / mask.shape - 0.5).max()
    return float(
        TOUCHING * touching(mask, view)
        + MISFIT * np.abs(filling - expected).mean()
        + OFF_CENTRE * off_centre
    )


def _like_cuts(mask: np.ndarray, cuts: Slices) -> float:
    """Dice of a mask (slice, row, column) with those for the ROI's cuts, weighted by quality."""
    shared = total = 0.0
    for key, cut in cuts.items():
        shared += cut.quality * 2 * np.count_nonzero(cut.mask & mask[key])
        total += cut.quality * (np.count_nonzero(cut.mask) + np.count_nonzero(mask[key]))
    return shared / total if total > 0 else 0.0


def _stability(logits: np.ndarray) -> float:
    """How little the mask depends on the threshold (SAM, Kirillov et al. 2023, appendix B)."""
    loose = np.count_nonzero(logits > -1)
    return np.count_nonzero(logits > 1) / loose if loose else 0.0


def distinct(candidates: Sequence[Candidate], count: int) -> list[Candidate]:
    """The best `count` of the candidates, without those that are nearly the same."""
    return best_unlike(
        candidates, lambda other: other.score, lambda other: other.logits > 0, ALIKE, count
    )


def unlike(one: Candidate, other: Candidate) -> bool:
    """Whether two candidates are not nearly the same."""
    return dice(one.logits > 0, other.logits > 0) < ALIKE
