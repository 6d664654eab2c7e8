"""What every model offers, whatever its network."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from ..core.answer import Answer
from ..core.image import Image
from ..core.label import Label
from ..core.progress import Watch
from ..core.prompts import Prompts
from ..core.voxel_prompts import VoxelPrompts

if TYPE_CHECKING:
    import torch


class Window(Protocol):
    """The part of a volume that a network sees at once."""

    @property
    def key(self) -> Hashable:
        """Names what the network gets to see of a given image."""

    def picture(self) -> np.ndarray:
        """What it gets to see, float32."""


@dataclass(frozen=True)
class Capabilities:
    """What an architecture can do, whatever the weights.

    Attributes:
        prompts: the kinds of prompt that it takes: "roi", "points", "line"; none if automatic.
        task: "interactive": it answers prompts; "automatic": it segments a volume by itself.
        candidates: whether an answer may have other masks that the same prompts may mean.
        single_slices: whether it takes images of one slice, such as X-rays, too.
        parameters: what a model's entry may choose: by name, the values that it may give, each
            with what the engine's own argument of that name then is.
        parts: of an architecture that is made of other models, what it uses each for; the entry
            says which these are.
    """

    prompts: frozenset[str]
    task: str = "interactive"
    candidates: bool = False
    single_slices: bool = False
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parts: tuple[str, ...] = ()


#: Of a model that is made of others, by what it uses them for: calls that load them.
Parts = Mapping[str, Callable[[], "Engine"]]


class Engine(ABC):
    """A model that proposes masks, on one device.

    Made as `engine(weights, device, cache, **parameters)`: the path of its weights, a torch device,
    an EmbeddingCache, and what `capabilities.parameters` lets a model's entry choose. One that is
    made of other models gets, instead of a path, Parts.
    """

    capabilities: ClassVar[Capabilities]

    @staticmethod
    @abstractmethod
    def self_check(device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
        """What a small network of this architecture, always with the same weights, computes.

        It runs all that the engine lets a device do, in a fraction of a second; before an engine
        is trusted with a device, this is compared with what the CPU computes (`models.self_check`).

        Args:
            dtype: in which a large transformer computes there, see `models.precision`.
        """

    @staticmethod
    def empty_network(tensors: Mapping[str, torch.Tensor]) -> torch.nn.Module | None:
        """A network without values, of the variant that such weights are for.

        What was converted on this computer is compared with it, by names and shapes. None: there is
        nothing to compare with. Called with meta as torch's default device.
        """
        return None

    @abstractmethod
    def predict(
        self,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
        voxels: VoxelPrompts | None = None,
    ) -> Answer:
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
    def prepare(self, image: Image, ras: np.ndarray, watch: Watch) -> None:
        """Encodes ahead what a click would need, one picture at a time; changes no answer.

        Args:
            ras: where the user may click, RAS in mm; outside the volume there is nothing to do.
            watch: asked whether to stop, also within a picture.

        Raises:
            InputError: if the image cannot be used.
            Cancelled: if the user asked to stop; what was encoded stays.
        """


class AutomaticEngine(Engine):
    """A model that finds structures in a volume, without prompts; a new one writes `segment`.

    Made as any engine, and with `structures`: what the model's entry says that it finds, in the
    order of its network's channels.
    """

    structures: tuple[Label, ...]

    @abstractmethod
    def segment(
        self,
        image: Image,
        structures: Sequence[Label],
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
    ) -> Answer:
        """One mask with its label for each structure asked for, empty if it is not there.

        Args:
            structures: some of the model's own, in any order.
            watch, intensity_range: as for `predict`.

        Raises:
            InputError: if the image cannot be used.
            Cancelled: if the user asked to stop.
        """

    def predict(
        self,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
        voxels: VoxelPrompts | None = None,
    ) -> Answer:
        """All structures; prompts and voxels change nothing."""
        return self.segment(image, self.structures, watch, intensity_range)

    def prepare(
        self,
        image: Image,
        ras: np.ndarray,
        watch: Watch,
    ) -> None:
        """Nothing: no click will come."""

    def forget_answers(self) -> None:
        """Nothing is kept."""
