"""A model's answer as the user sees it before it is applied: on the segmentation's own grid.

Probabilities are kept in 255 levels, one byte a voxel: so they can be shared between processes, and
a new threshold costs milliseconds instead of the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .geometry import Geometry
from .holes import SmallHoles
from .patch import Patch, bounding_box
from .placement import logits_on, share_outside
from .prediction import Prediction, logit

#: Levels per logit: a threshold of 0.5 is exact, others to within 0.016 of a probability.
LEVELS_PER_LOGIT = 16
MOST = 127
#: Thresholds that can be chosen; what is less probable than the lowest is not kept.
LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.01, 0.99


@dataclass(frozen=True, eq=False)
class Proposal:
    """How likely voxels belong to the object, on a box of a grid; none do outside it.

    Attributes:
        levels: int8, (k, j, i); see `levels_of`.
        start: first voxel (k, j, i) of the box in the grid.
        geometry: the whole grid, in the RAS of the image that the model saw.
        cut: share (0 to 1) of the mask that fell outside the grid, estimated.
        warnings: what the user should know about this result, in full sentences.
        alternatives: how many other answers the same prompts have.
        holes: says which holes of its masks are filled; None: none are.
    """

    levels: np.ndarray
    start: tuple[int, int, int]
    geometry: Geometry
    cut: float = 0.0
    warnings: tuple[str, ...] = ()
    alternatives: int = 0
    holes: SmallHoles | None = None

    def box_mask(self, threshold: float = 0.5) -> np.ndarray:
        """Boolean mask of the box: where the probability exceeds `threshold` (0.01 to 0.99).

        Holes are filled as `holes` says.
        """
        mask = self.levels > level_of(threshold)
        for _ in self.filling(mask):
            pass
        return mask

    def filling(self, mask: np.ndarray) -> Iterator[None]:
        """Fills the holes of a mask of the box in place, in steps of about a millisecond."""
        if self.holes is not None:
            yield from self.holes.filling(mask)

    def patch(self, threshold: float = 0.5) -> Patch | None:
        """The mask, cropped; None if it is empty."""
        return Patch(self.box_mask(threshold), self.start, self.cut).cropped()


def levels_of(logits: np.ndarray) -> np.ndarray:
    """int8 levels of logits, rounded away from zero: what is more likely than not stays so."""
    levels = np.empty(logits.shape, dtype=np.int8)
    scaled = np.empty(logits.shape[1:], dtype=np.float32)
    rounded = np.empty_like(scaled)
    # Slice by slice, so that what is in between stays in the processor's cache.
    for index, one_slice in enumerate(logits):
        np.multiply(one_slice, np.float32(LEVELS_PER_LOGIT), out=scaled)
        np.clip(scaled, -MOST, MOST, out=scaled)
        np.ceil(np.abs(scaled, out=rounded), out=rounded)
        np.copysign(rounded, scaled, out=rounded)
        levels[index] = rounded
    return levels


def level_of(threshold: float) -> int:
    """The level that a voxel of the mask exceeds; 0 for a threshold of 0.5."""
    if not LOWEST_THRESHOLD <= threshold <= HIGHEST_THRESHOLD:
        raise ValueError(f"A threshold lies between 0.01 and 0.99, not at {threshold}.")
    return round(logit(threshold) * LEVELS_PER_LOGIT)


def propose(prediction: Prediction, target: Geometry, alternative: int = 0) -> Proposal:
    """A prediction on another grid in the same RAS, cropped to what any threshold could show.

    Raises:
        InputError: if there is no alternative of that number; 0 is the prediction itself.
    """
    chosen = prediction.choice(alternative)
    others = len(prediction.alternatives)
    cut = share_outside(chosen, target)
    field = logits_on(chosen, target, LOWEST_THRESHOLD)
    if field is None:
        nothing = np.zeros((0, 0, 0), dtype=np.int8)
        return Proposal(nothing, (0, 0, 0), target, cut, chosen.warnings, others)
    start, logits = field
    levels = levels_of(logits)
    box = bounding_box(levels > level_of(LOWEST_THRESHOLD)) or (slice(0, 0),) * 3
    start = tuple(first + part.start for first, part in zip(start, box, strict=True))
    levels = np.ascontiguousarray(levels[box])
    return Proposal(levels, start, target, cut, chosen.warnings, others)
