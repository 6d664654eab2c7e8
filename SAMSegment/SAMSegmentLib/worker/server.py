"""The side that holds torch, the engines and their embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ..core.errors import InputError, OutOfMemoryError
from ..core.image import Image
from ..core.prediction import Prediction
from ..core.progress import Watch
from ..core.prompts import Prompts
from ..core.voxel_prompts import VoxelPrompts
from ..engines.base import Engine
from ..engines.cache import EmbeddingCache
from ..engines.litemedsam import LiteMedSAMEngine
from ..engines.sammed3d import SAMMed3DEngine
from .memory import share_of_memory

ENGINES = {
    "litemedsam": LiteMedSAMEngine,
    "sam-med3d": SAMMed3DEngine,
    "sam-med3d-int8": partial(SAMMed3DEngine, numbers=torch.int8),
}
# 128 slices of LiteMedSAM, or some hundred cubes of SAM-Med3D: an organ can be prompted again
# without encoding it again. Less where there is little memory.
CACHE_BYTES = 512 * 2**20
CACHE_SHARE = 1 / 8
# How PyTorch says on the CPU that memory ran out: its allocators, and oneDNN, without room for the
# machine code that it makes.
OUT_OF_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "could not create a primitive",
    "could not create a memory",
)


class Predictor:
    """Engines kept warm on one device.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        cache_bytes: memory for embeddings; by default CACHE_BYTES or an eighth of the computer's.

    Raises:
        InputError: if this computer has no such device.
    """

    def __init__(self, device: str = "auto", cache_bytes: int | None = None) -> None:
        self.device = choose_device(device)
        if cache_bytes is None:
            cache_bytes = share_of_memory(CACHE_SHARE, CACHE_BYTES)
        self.cache_bytes = cache_bytes
        self._cache = EmbeddingCache(cache_bytes)
        self._engines: dict[tuple[str, Path], Engine] = {}

    def load(self, architecture: str, weights: Path) -> None:
        """Loads a model, if it is not loaded yet.

        Raises:
            OutOfMemoryError: if memory ran out.
        """
        with self._out_of_memory():
            self._engine(architecture, weights)

    def predict(
        self,
        architecture: str,
        weights: Path,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
        voxels: VoxelPrompts | None = None,
    ) -> Prediction:
        """The model's answer; see Engine.predict.

        Raises:
            OutOfMemoryError: if memory ran out; the embeddings kept so far are given up.
        """
        _ = image.value_range
        more = () if voxels is None else (voxels,)
        with self._out_of_memory():
            engine = self._engine(architecture, weights)
            return engine.predict(image, prompts, watch, intensity_range, *more)

    def prepare(
        self,
        architecture: str,
        weights: Path,
        image: Image,
        ras: Sequence[float],
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
    ) -> None:
        """Does ahead what a click at `ras` (mm, the image's RAS) will need; see Engine.prepare.

        Raises:
            OutOfMemoryError: as `predict`.
        """
        _ = image.value_range
        with self._out_of_memory():
            engine = self._engine(architecture, weights)
            engine.prepare(image, np.asarray(ras, dtype=float), watch, intensity_range)

    def forget_answers(self) -> None:
        """Gives up the engines' answers, and with them the voxels that those hold."""
        for engine in self._engines.values():
            engine.forget_answers()

    def close(self) -> None:
        """Gives models and embeddings up."""
        self._engines.clear()
        self._cache.clear()

    @contextmanager
    def _out_of_memory(self) -> Iterator[None]:
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            self.close()
            raise OutOfMemoryError(
                "There is not enough memory for this prediction. Nothing was changed. Close other "
                "programs or volumes, make the ROI smaller, or choose the device cpu."
            ) from error

    def _engine(self, architecture: str, weights: Path) -> Engine:
        key = (architecture, weights)
        if key not in self._engines:
            self._engines[key] = ENGINES[architecture](weights, self.device, self._cache)
        return self._engines[key]


def choose_device(name: str) -> torch.device:
    """The torch device of that name; "auto" is CUDA where there is one, else the CPU.

    Raises:
        InputError: if this computer has no such device.
    """
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if name == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")
    if not available.get(name.split(":")[0], False):
        there = ", ".join(device for device, is_there in available.items() if is_there)
        raise InputError(f"There is no device {name!r} here: choose auto, {there}.")
    return torch.device(name)


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return any(message in str(error) for message in OUT_OF_MEMORY)
