"""What every model offers, whatever its network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..core.image import Image
from ..core.prediction import Prediction
from ..core.progress import Watch
from ..core.prompts import Prompts
from ..core.voxel_prompts import VoxelPrompts


class Window(Protocol):
    """The part of a volume that a network sees at once."""

    @property
    def key(self) -> Hashable:
        """Names what the network gets to see of a given image."""

    def picture(self) -> np.ndarray:
        """What it gets to see, float32."""


@dataclass(frozen=True, eq=False)
class Embedding:
    """What the encoder made of a window; the input of every click on it.

    Attributes:
        features: the network's own; `nbytes` says how much memory it takes.
    """

    window: Window
    features: Any
    nbytes: int


class Engine(ABC):
    """A model that proposes masks.

    `encode` is slow and its result is kept; `decode` is what a click costs. `predict` combines
    them into a mask of the whole object, over as many windows as that takes.
    """

    @abstractmethod
    def encode(self, image: Image, window: Window) -> Embedding:
        """What the network sees in a window."""

    @abstractmethod
    def decode(
        self, embedding: Embedding, prompts: Prompts, previous: np.ndarray | None = None
    ) -> np.ndarray:
        """Logits on the window's grid, float32.

        Args:
            prompts: in the image's RAS.
            previous: logits of an earlier answer on the same grid, for models that refine them.
        """

    @abstractmethod
    def predict(
        self,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
        voxels: VoxelPrompts | None = None,
    ) -> Prediction:
        """The mask of the object that the prompts mean.

        Args:
            prompts: in the image's RAS.
            watch: is told the progress, asked whether to stop, and shown what there is so far.
            intensity_range: what is shown to the network from black to white; None: chosen.
            voxels: what the segment holds, and what other segments do, on the image's grid.

        Raises:
            InputError: if image or prompts cannot be used.
            Cancelled: if the user asked to stop.
        """

    @abstractmethod
    def forget_answers(self) -> None:
        """Gives up what is kept of earlier prompts, and with it their images' voxels.

        The network stays loaded; embeddings are the cache's.
        """

    @abstractmethod
    def prepare(
        self,
        image: Image,
        ras: np.ndarray,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
    ) -> None:
        """Encodes ahead what a click would need, one picture at a time; changes no answer.

        Args:
            ras: where the user may click, RAS in mm; outside the volume there is nothing to do.
            watch: asked whether to stop, also within a picture.
            intensity_range: as for `predict`.

        Raises:
            InputError: if the image cannot be used.
            Cancelled: if the user asked to stop; what was encoded stays.
        """
