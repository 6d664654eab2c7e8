"""A mask as the user sees it before it is applied: on the segmentation's own grid.

Probabilities are kept in 255 levels, one byte a voxel: so they can be shared between processes, and
a new threshold costs milliseconds instead of the model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .answer import Answer, LabelledMask, logit
from .geometry import Geometry
from .label import Label
from .patch import Patch, bounding_box
from .placement import logits_on, share_outside
from .small_parts import SmallParts

#: Levels per logit: a threshold of 0.5 is exact, others to within 0.016 of a probability.
LEVELS_PER_LOGIT = 16
MOST = 127
#: Thresholds that can be chosen; what is less probable than the lowest is not kept.
LOWEST_THRESHOLD, HIGHEST_THRESHOLD = 0.01, 0.99
NO_LEVELS = Patch(np.zeros((0, 0, 0), dtype=np.int8), (0, 0, 0))


@dataclass(frozen=True, eq=False)
class Proposal:
    """How likely voxels belong to an object, on a box of a grid; none do outside it.

    Attributes:
        levels: int8, see `levels_of`.
        geometry: the whole grid, in the RAS of the image that the model saw.
        label: the structure, of an automatic model; None for the object that prompts mean.
        cut: share (0 to 1) of the mask that fell outside the grid, estimated.
        warnings: what the user should know about this result, in full sentences.
        candidates: how many masks the same prompts have, this one included.
        small_parts: says which small holes and crumbs its masks do not have; None: they have all.
    """

    levels: Patch
    geometry: Geometry
    label: Label | None = None
    cut: float = 0.0
    warnings: tuple[str, ...] = ()
    candidates: int = 1
    small_parts: SmallParts | None = None

    @property
    def is_empty(self) -> bool:
        """Whether no threshold could show anything."""
        return self.levels.values.size == 0

    def box_mask(self, threshold: float = 0.5) -> np.ndarray:
        """Boolean mask of the box: where the probability exceeds `threshold` (0.01 to 0.99).

        Holes and crumbs are in it as `small_parts` says.
        """
        mask = self.levels.values > level_of(threshold)
        for _ in self.tidying(mask):
            pass
        return mask

    def tidying(self, mask: np.ndarray) -> Iterator[None]:
        """Does it with a mask of the box, in place, in steps of about a millisecond."""
        if self.small_parts is not None:
            yield from self.small_parts.tidying(mask)

    def patch(self, threshold: float = 0.5) -> Patch | None:
        """The mask, cropped; None if it is empty."""
        return Patch(self.box_mask(threshold), self.levels.start, self.cut).cropped()


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


def propose(answer: Answer, target: Geometry, alternative: int = 0) -> tuple[Proposal, ...]:
    """An answer on another grid in the same RAS, cropped to what any threshold could show.

    Args:
        alternative: which candidate of prompts is meant, 0 being the best.

    Returns:
        One proposal; of a labelled answer, one for each structure.

    Raises:
        InputError: if there is no alternative of that number.
    """
    chosen, candidates = answer.choice(alternative), 1 + len(answer.alternatives)
    masks = chosen.masks if chosen.is_labelled else chosen.masks[:1]
    return tuple(_proposal(mask, chosen, target, candidates) for mask in masks)


def _proposal(mask: LabelledMask, answer: Answer, target: Geometry, candidates: int) -> Proposal:
    cut = share_outside(mask.logits, answer.geometry, target)
    warnings = (*answer.warnings, *mask.warnings)
    logits = logits_on(mask.logits, answer.geometry, target, LOWEST_THRESHOLD)
    return Proposal(
        NO_LEVELS if logits is None else _cropped_levels(logits),
        target,
        mask.label,
        cut,
        warnings,
        candidates,
    )


def _cropped_levels(logits: Patch) -> Patch:
    levels = levels_of(logits.values)
    box = bounding_box(levels > level_of(LOWEST_THRESHOLD)) or (slice(0, 0),) * 3
    start = tuple(first + part.start for first, part in zip(logits.start, box, strict=True))
    return Patch(np.ascontiguousarray(levels[box]), start)
