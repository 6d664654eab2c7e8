"""When the second model's border replaces the first one's mask."""

from __future__ import annotations

from ..slicewise.outlining import Outline

#: The second model must expect this mean IoU of its sections, and they must be this much like the
#: first one's: else it does not know the object, or has found another. Measured on 127 masks of 49
#: structures that nothing was tuned on: Dice +0.03 in the mean, 28 better, 4 worse by over 0.05.
LEAST_QUALITY, LEAST_LIKENESS = 0.85, 0.5


def is_surer(outline: Outline) -> bool:
    """Whether an outline is taken, for the whole object."""
    return outline.quality >= LEAST_QUALITY and outline.likeness >= LEAST_LIKENESS
