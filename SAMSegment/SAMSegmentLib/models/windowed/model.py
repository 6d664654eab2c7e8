"""What a 3D network has to offer to segment a volume window by window, and its engine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np

from ...core.geometry import Geometry
from ...core.image import Image
from ..embedding_cache import EmbeddingCache, Sized
from ..interactive import InteractiveEngine, Request
from ..replay import Candidate
from .masks import WindowMask
from .windows import Window

Prompt = TypeVar("Prompt", contravariant=True)


class WindowModel(Protocol[Prompt]):
    """A 3D network that sees a volume window by window, on one device.

    Its sizes, spacings, normalisation and form of prompts are its own: nobody else knows them.

    Attributes:
        steps: into so many its encoder's work is divided.
        further: what the user reads while a further window is encoded, with "{}" for its number.
    """

    steps: int
    further: str

    def first_window(self, geometry: Geometry, ras: np.ndarray) -> Window:
        """The window of a volume that is encoded first for a click at a position, RAS mm."""

    def intensities(
        self, image: Image, intensity_range: tuple[float, float] | None
    ) -> tuple[float, float] | None:
        """The intensities to which an image is clipped; None: none are.

        Args:
            intensity_range: those that the user set; None: the model chooses.
        """

    def picture(self, image: Image, window: Window, clip: tuple[float, float] | None) -> np.ndarray:
        """What the network gets to see of a window of an image, float32.

        Raises:
            InputError: if the window holds one intensity only, or NaN or infinite voxels.
        """

    def encode(self, picture: np.ndarray, between_steps: Callable[[], None]) -> Sized:
        """What is seen in a picture.

        Args:
            between_steps: called before each step; what it raises ends the work.
        """

    def decode(
        self, features: Any, window: Window, prompt: Prompt, check: Callable[[], None]
    ) -> Sequence[np.ndarray]:
        """Masks in a window, the best first: logits, float32 (x, y, z) or coarser.

        Args:
            check: called on the way; what it raises ends the work.
        """


@dataclass(frozen=True, eq=False)
class ImageWindow:
    """A window of an image, as a model gets to see it; see base.Window."""

    model: WindowModel
    image: Image
    window: Window
    clip: tuple[float, float] | None

    @property
    def key(self) -> Hashable:
        return self.window.key, self.clip

    def picture(self) -> np.ndarray:
        return self.model.picture(self.image, self.window, self.clip)


class WindowEngine(InteractiveEngine[Candidate], Generic[Candidate]):
    """A prompted engine of a WindowModel.

    Args:
        name: names weights and numbers in the cache.
    """

    def __init__(self, model: WindowModel, name: Hashable, cache: EmbeddingCache) -> None:
        super().__init__(name, cache)
        self._model = model

    @abstractmethod
    def windows_of(self, candidate: Candidate) -> Sequence[Window]:
        """The windows in which a click corrects a candidate."""

    def covers(self, candidate: Candidate, ras: np.ndarray) -> bool:
        """See InteractiveEngine."""
        return any(window.holds(ras) for window in self.windows_of(candidate))

    def windows_ahead(self, request: Request, ras: np.ndarray) -> Sequence[ImageWindow]:
        """See InteractiveEngine."""
        window = self._model.first_window(request.image.geometry, ras)
        return [self._image_window(request, window)]

    def encode(self, window: ImageWindow) -> Sized:
        """See InteractiveEngine."""
        total, number = self._model.steps + 1, self.encoded + 1
        message = "Looking at the volume" if number == 1 else self._model.further.format(number)
        self.watch.step(0, total, message)
        picture, steps = window.picture(), iter(range(1, total))
        return self._model.encode(picture, lambda: self.watch.step(next(steps), total, message))

    def ask(self, request: Request, window: Window, prompt: Any) -> list[WindowMask]:
        """The model's masks for a prompt in a window of the image, the best first."""
        features = self.embedding(request.image, self._image_window(request, window))
        self.watch.check()
        masks = self._model.decode(features, window, prompt, self.watch.check)
        return [WindowMask(window, logits) for logits in masks]

    def _image_window(self, request: Request, window: Window) -> ImageWindow:
        clip = self._model.intensities(request.image, request.intensity_range)
        return ImageWindow(self._model, request.image, window, clip)
