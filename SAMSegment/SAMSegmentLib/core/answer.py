"""What a model answers: a list of masks, each as logits on a part of the volume's own grid."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from . import arguments
from .errors import InputError
from .geometry import Geometry
from .label import Label
from .patch import Box, Index, Patch
from .resample import resample_linear

NOTHING_FOUND = "The model found nothing here: add a positive point or change the ROI."
#: Of a click that says what is so already, and changes nothing.
UNCHANGED = "The mask was like that at your last point already, and stays: click where it is wrong."


@dataclass(frozen=True)
class Cost:
    """What an answer took beside its decoding.

    Attributes:
        pictures: names of all pictures whose embeddings were used, encoded now or earlier.
        encoded: how many were encoded now.
        encoder_seconds: time spent on encoding them.
    """

    pictures: frozenset[Hashable] = frozenset()
    encoded: int = 0
    encoder_seconds: float = 0.0


@dataclass(frozen=True, eq=False)
class LabelledMask:
    """One mask of an answer.

    Attributes:
        logits: float32, on a box of the volume's grid; background outside it.
        label: the structure, of an automatic model; None for the object that prompts mean.
        score: how good the network thinks it is, 0 to 1; None if it was not trained to say so.
        warnings: what the user should know about this mask alone, in full sentences.
    """

    logits: Patch
    label: Label | None = None
    score: float | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Answer:
    """What a model found in a volume.

    An interactive model gives the masks that the same prompts may mean, the likeliest first; an
    automatic one gives one labelled mask for each structure that it was asked for, empty if the
    structure is not there. `logits`, `start`, `mask` and the like speak of the first mask, which is
    the answer to prompts.

    Attributes:
        masks: at least one.
        geometry: grid of the whole volume.
        warnings: what the user should know about all of them, in full sentences.
        cost: what the encoder had to do for it.

    Raises:
        ValueError: if there is no mask.
    """

    masks: tuple[LabelledMask, ...]
    geometry: Geometry
    warnings: tuple[str, ...] = ()
    cost: Cost = Cost()

    def __post_init__(self) -> None:
        if not self.masks:
            raise ValueError("An answer has at least one mask, if only an empty one.")

    @classmethod
    def of(
        cls,
        mask: Patch,
        geometry: Geometry,
        *others: Patch,
        warnings: tuple[str, ...] = (),
        cost: Cost = Cost(),
    ) -> Answer:
        """The answer to prompts: logits of the best mask, and of other candidates in turn."""
        masks = tuple(LabelledMask(patch) for patch in (mask, *others))
        return cls(masks, geometry, warnings, cost)

    @property
    def is_labelled(self) -> bool:
        """Whether its masks are structures, and not candidates for one object."""
        return self.masks[0].label is not None

    @property
    def alternatives(self) -> tuple[Answer, ...]:
        """What else the prompts may mean, the likeliest first."""
        others = () if self.is_labelled else self.masks[1:]
        return tuple(replace(self, masks=(mask,)) for mask in others)

    def choice(self, number: int) -> Answer:
        """This answer for 0, else that alternative.

        Raises:
            InputError: if there are not so many.
        """
        number = arguments.whole_number(number, "alternative")
        others = self.alternatives
        if number > len(others):
            raise InputError(
                f"There is no alternative {number}: these prompts have {len(others)} "
                "(0 is the mask itself)."
            )
        return others[number - 1] if number else self

    def structure(self, name: str) -> Answer:
        """The answer's mask of one structure.

        Raises:
            InputError: if it has none of that name.
        """
        names = [mask.label.name for mask in self.masks if mask.label is not None]
        if name not in names:
            there = f"it has {', '.join(names)}" if names else "its masks have no names"
            raise InputError(f"This answer has no structure {name!r}: {there}.")
        return replace(self, masks=(self.masks[names.index(name)],))

    def with_warnings(self, *warnings: str) -> Answer:
        """This answer with these warnings before its own."""
        return replace(self, warnings=(*warnings, *self.warnings))

    @property
    def logits(self) -> np.ndarray:
        """Logits of the mask, float32, (k, j, i) of its box."""
        return self._patch.values

    @property
    def start(self) -> Index:
        """First voxel (k, j, i) of the mask's box in the volume."""
        return self._patch.start

    @property
    def box(self) -> Box:
        """Where the logits lie in the volume's array."""
        return self._patch.box

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
        return on_grid(self._patch, self.geometry, target)

    @property
    def _patch(self) -> Patch:
        """The logits of the first mask, if it is the answer."""
        if self.is_labelled and len(self.masks) > 1:
            names = ", ".join(mask.label.name for mask in self.masks)
            raise InputError(f"This answer has several structures ({names}): name one.")
        return self.masks[0].logits


def on_grid(logits: Patch, source: Geometry, target: Geometry) -> np.ndarray:
    """Logits on a box of one grid at the voxels of another in the same RAS, float32."""
    box = source.crop(logits.start, logits.values.shape)
    return resample_linear(logits.values, box, target, logits.outside)


def logit(probability: float) -> float:
    """The logit of a probability.

    Raises:
        InputError: if it is not a number between 0 and 1, both excluded.
    """
    probability = arguments.probability(probability, "threshold")
    return float(np.log(probability / (1 - probability)))
