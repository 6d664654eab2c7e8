"""A stand-in for a slice-wise network that knows the truth, so that what is made of it is tested.

What comes out is then exact, quick and without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from SAMSegmentLib.models.slicewise.model import Box, SlicePrompts
from SAMSegmentLib.models.slicewise.montage import Montage

SURE = 6.0
# As of a good and of a bad mask of LiteMedSAM.
WORST_QUALITY, BEST_QUALITY = 0.6, 0.98


@dataclass
class OracleNetwork:
    """Gives, for a box on a tile, the object whose section fits the box best.

    Its expected IoU tells how well the section fills the box. Where no object is in the box, the
    mask is empty and the expected IoU low.

    Attributes:
        objects: boolean masks (k, j, i) of the whole volume.
        best_quality: the expected IoU of a section that fills its box.
        asked: of which slice it was asked which box, as (orientation, index, box).
    """

    objects: Sequence[np.ndarray]
    best_quality: float = BEST_QUALITY
    asked: list = field(default_factory=list)

    def __call__(
        self, montage: Montage, index: int, prompts: SlicePrompts
    ) -> tuple[np.ndarray, np.ndarray]:
        """See views.DecodeTile."""
        boxes = [tuple(int(n) for n in box) for box in prompts.boxes]
        sections = [
            montage.tile.picture(
                255 * montage.stack.orientation.apply(truth)[index].astype(np.uint8)
            )
            / 255
            for truth in self.objects
        ]
        self.asked += [(montage.stack.orientation, index, box) for box in boxes]
        answers = [self._for_box(sections, box) for box in boxes]
        logits, quality = zip(*answers, strict=True)
        return np.stack(logits)[:, None], np.array(quality, dtype=np.float32)[:, None]

    def _for_box(self, sections: list[np.ndarray], box: Box) -> tuple[np.ndarray, float]:
        fits = [box_overlap(box_around(section > 0.5), box) for section in sections]
        best = int(np.argmax(fits))
        if fits[best] == 0:
            return np.full(sections[0].shape, -SURE, dtype=np.float32), WORST_QUALITY
        logits = (2 * SURE * (sections[best] - 0.5)).astype(np.float32)
        return logits, WORST_QUALITY + (self.best_quality - WORST_QUALITY) * fits[best]


def box_around(mask: np.ndarray) -> Box | None:
    """xyxy around a mask, its last row and column included."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def box_overlap(one: Box | None, other: Box) -> float:
    """Intersection over union of two boxes."""
    if one is None:
        return 0.0
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / max(sum(areas) - shared, 1e-9)
