"""The side that holds torch, the engines and their embeddings."""

from __future__ import annotations

from pathlib import Path

import torch

from ..core.errors import InputError, OutOfMemoryError
from ..core.image import Image
from ..core.prediction import Prediction
from ..core.progress import Watch
from ..core.prompts import Prompts
from ..engines.base import Engine
from ..engines.cache import EmbeddingCache
from ..engines.litemedsam import LiteMedSAMEngine

ENGINES = {"litemedsam": LiteMedSAMEngine}
# 128 slices of LiteMedSAM: an organ can be prompted again without encoding it again.
CACHE_BYTES = 512 * 2**20
# How PyTorch says on the CPU that memory ran out: its allocators, and oneDNN, without room for the
# machine code that it makes.
OUT_OF_MEMORY = (
    "not enough memory",
    "can't allocate memory",
    "could not create a primitive",
    "could not create a memory",
)


class Predictor:
    """Engines kept warm on one device."""

    def __init__(self, device: str = "auto", cache_bytes: int = CACHE_BYTES) -> None:
        self.device = choose_device(device)
        self._cache = EmbeddingCache(cache_bytes)
        self._engines: dict[tuple[str, Path], Engine] = {}

    def predict(
        self,
        architecture: str,
        weights: Path,
        image: Image,
        prompts: Prompts,
        watch: Watch,
        intensity_range: tuple[float, float] | None = None,
    ) -> Prediction:
        """The model's answer; see Engine.predict.

        Raises:
            OutOfMemoryError: if memory ran out; the embeddings kept so far are given up.
        """
        try:
            engine = self._engine(architecture, weights)
            return engine.predict(image, prompts, watch, intensity_range)
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            self.close()
            raise OutOfMemoryError(
                "There is not enough memory for this prediction. Nothing was changed. Close other "
                "programs or volumes, make the ROI smaller, or choose the device cpu."
            ) from error

    def close(self) -> None:
        """Gives models and embeddings up."""
        self._engines.clear()
        self._cache.clear()

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
