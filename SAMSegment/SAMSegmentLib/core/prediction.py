"""A model's answer: logits on a part of the volume's own grid."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from . import arguments
from .errors import InputError
from .geometry import Geometry
from .patch import BACKGROUND_LOGIT, Patch
from .resample import resample_linear

NOTHING_FOUND = "The model found nothing here: add a positive point or change the ROI."


@dataclass(frozen=True)
class Cost:
    """What a prediction took beside its decoding.

    Attributes:
        pictures: names of all pictures whose embeddings were used, encoded now or earlier.
        encoded: how many were encoded now.
        encoder_seconds: time spent on encoding them.
    """

    pictures: frozenset[Hashable] = frozenset()
    encoded: int = 0
    encoder_seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class Prediction:
    """Logits on a box of the volume's grid; everything outside it is background.

    Attributes:
        logits: float32, (k, j, i) of the box.
        start: first voxel (k, j, i) of the box in the volume.
        geometry: grid of the whole volume.
        warnings: what the user should know about this result, in full sentences.
        cost: what the encoder had to do for it.
        alternatives: what else the prompts may mean, the likeliest first.
    """

    logits: np.ndarray
    start: tuple[int, int, int]
    geometry: Geometry
    warnings: tuple[str, ...] = ()
    cost: Cost = Cost()
    alternatives: tuple[Prediction, ...] = ()

    @classmethod
    def of(cls, patch: Patch, geometry: Geometry) -> Prediction:
        """Logits on a box of a volume's grid as an answer."""
        return cls(patch.values, patch.start, geometry)

    def choice(self, number: int) -> Prediction:
        """This prediction for 0, else that alternative.

        Raises:
            InputError: if there are not so many.
        """
        number = arguments.whole_number(number, "alternative")
        if number > len(self.alternatives):
            raise InputError(
                f"There is no alternative {number}: these prompts have {len(self.alternatives)} "
                "(0 is the mask itself)."
            )
        return self.alternatives[number - 1] if number else self

    def with_warnings(self, *warnings: str) -> Prediction:
        """This prediction and its alternatives, each with these warnings before its own."""
        others = tuple(other.with_warnings(*warnings) for other in self.alternatives)
        return replace(self, warnings=(*warnings, *self.warnings), alternatives=others)

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Where the logits lie in the volume's array."""
        return tuple(
            slice(first, first + n) for first, n in zip(self.start, self.logits.shape, strict=True)
        )

    @property
    def box_geometry(self) -> Geometry:
        """Grid of the logits."""
        return self.geometry.crop(self.start, self.logits.shape)

    def box_mask(self, threshold: float = 0.5) -> np.ndarray:
        """Boolean mask of the box: where the probability exceeds `threshold` (0 to 1)."""
        return self.logits > logit(threshold)

    def mask(self, threshold: float = 0.5) -> np.ndarray:
        """uint8 mask (0 or 1) of the whole volume, (k, j, i)."""
        mask = np.zeros(self.geometry.shape, dtype=np.uint8)
        mask[self.box] = self.box_mask(threshold)
        return mask

    def probability(self) -> np.ndarray:
        """float32 probability (0 to 1) of the whole volume, (k, j, i)."""
        probability = np.zeros(self.geometry.shape, dtype=np.float32)
        probability[self.box] = 1 / (1 + np.exp(-self.logits))
        return probability

    def on_grid(self, target: Geometry) -> np.ndarray:
        """Logits at the voxels of another grid in the same RAS, float32, its shape."""
        return resample_linear(self.logits, self.box_geometry, target, BACKGROUND_LOGIT)


def logit(probability: float) -> float:
    """The logit of a probability.

    Raises:
        InputError: if it is not a number between 0 and 1, both excluded.
    """
    probability = arguments.probability(probability, "threshold")
    return float(np.log(probability / (1 - probability)))
