"""What an engine knows about an object so far: its mask, and all it takes to correct it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ...core.geometry import Geometry
from ...core.patch import Patch, values_at
from ...core.prediction import BACKGROUND_LOGIT, Prediction
from .views import View


@dataclass(frozen=True, eq=False)
class Field:
    """Logits on a box of a volume; beyond it, background.

    Attributes:
        logits: float32, (k, j, i).
        start: first voxel (k, j, i) of the box.
    """

    logits: np.ndarray
    start: tuple[int, int, int]

    @property
    def stop(self) -> np.ndarray:
        return np.array(self.start) + self.logits.shape

    def on(self, start: Sequence[int], shape: Sequence[int]) -> np.ndarray:
        """A copy of the logits on another box."""
        result = np.full(tuple(shape), BACKGROUND_LOGIT, dtype=np.float32)
        low = np.maximum(start, self.start)
        high = np.minimum(np.array(start) + shape, self.stop)
        if (low < high).all():
            there = tuple(slice(a, b) for a, b in zip(low - start, high - start, strict=True))
            here = tuple(
                slice(a, b) for a, b in zip(low - self.start, high - self.start, strict=True)
            )
            result[there] = self.logits[here]
        return result

    def at(self, voxels: np.ndarray) -> np.ndarray:
        """The logits at voxels (N, 3) by k, j, i of the volume, (N,)."""
        return values_at(self.logits, voxels - np.array(self.start), BACKGROUND_LOGIT)

    def enlarged(self, start: Sequence[int], stop: Sequence[int]) -> Field:
        """A copy on the box that also holds another box."""
        low, high = np.minimum(start, self.start), np.maximum(stop, self.stop)
        return Field(self.on(low, high - low), tuple(int(n) for n in low))

    def without(self, patch: Patch) -> Field:
        """These logits with certain background in a patch."""
        there = patch.on_box(self.start, self.logits.shape)
        if not there.any():
            return self
        return Field(np.where(there, np.float32(BACKGROUND_LOGIT), self.logits), self.start)

    def only(self, patch: Patch) -> Field:
        """These logits with certain background outside a patch."""
        there = patch.on_box(self.start, self.logits.shape)
        if there.all():
            return self
        return Field(np.where(there, self.logits, np.float32(BACKGROUND_LOGIT)), self.start)

    def prediction(self, geometry: Geometry) -> Prediction:
        return Prediction(self.logits, self.start, geometry)


@dataclass(frozen=True, eq=False)
class Answer:
    """An object's mask, the views on which it rests, and what else could have been meant."""

    mask: Field
    views: Sequence[View]
    alternatives: tuple[Field, ...] = ()

    @property
    def nbytes(self) -> int:
        """Memory that its masks take."""
        return sum(field.logits.nbytes for field in (self.mask, *self.alternatives))

    def read_as(self, reading: int) -> Answer:
        """This answer with another of its readings as its mask; after the last comes the first."""
        masks = [self.mask, *self.alternatives]
        mask = masks.pop(reading % len(masks))
        return replace(self, mask=mask, alternatives=tuple(masks))

    def without(self, patch: Patch | None) -> Answer:
        """This answer, none of whose masks has a voxel in a patch."""
        if patch is None:
            return self
        others = tuple(field.without(patch) for field in self.alternatives)
        return replace(self, mask=self.mask.without(patch), alternatives=others)
