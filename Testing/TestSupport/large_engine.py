"""An engine that answers at once and at any size: what remains is what the panel costs."""

from __future__ import annotations

import numpy as np

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.patch import Patch

from .quick_engine import WithoutNetwork

#: mm around the first point that are looked at.
REACH_MM = 75.0
BRIGHT = 120.0


class LargeEngine(WithoutNetwork):
    """Takes what is bright around the first point; each further point takes or adds a ball."""

    def predict(self, image, prompts, watch, intensity_range=None, voxels=None) -> Answer:
        """See Engine.predict."""
        watch.step(0, 1, "Looking")
        geometry = image.geometry
        middle = geometry.to_ijk(np.array(prompts.points[0].ras))[::-1]
        reach = REACH_MM / geometry.spacing[::-1]
        low = np.clip(np.floor(middle - reach), 0, geometry.shape).astype(int)
        high = np.clip(np.ceil(middle + reach) + 1, 0, geometry.shape).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        logits = (image.voxels[box].astype(np.float32) - BRIGHT) / 8
        for point in prompts.points[1:]:
            index = np.rint(geometry.to_ijk(np.array(point.ras))[::-1]).astype(int) - low
            ball = tuple(slice(max(n - 6, 0), n + 7) for n in index)
            logits[ball] = 30 if point.positive else -30
        return Answer.of(Patch(logits, tuple(int(n) for n in low)), geometry)
