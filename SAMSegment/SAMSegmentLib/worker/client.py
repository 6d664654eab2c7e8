"""The side that asks for predictions; it does not import torch itself."""

from __future__ import annotations

import importlib
from pathlib import Path

from ..core.checks import check_prompts_in_volume
from ..core.errors import MissingPackageError, reason_of
from ..core.image import Image
from ..core.interrupts import interrupted_afterwards
from ..core.paths import existing_working_folder
from ..core.prediction import Prediction
from ..core.progress import CancelFlag, ProgressCallback, Watch
from ..core.prompts import Prompts
from ..core.voxel_prompts import VoxelPrompts
from ..weights.catalogue import ModelEntry


class InProcessClient:
    """Runs models in this process; the first prediction imports torch and loads the weights.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
    """

    def __init__(self, device: str = "auto") -> None:
        self._device = device
        self._predictor = None

    def predict(
        self,
        model: ModelEntry,
        image: Image,
        prompts: Prompts,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
        intensity_range: tuple[float, float] | None = None,
        voxels: VoxelPrompts | None = None,
    ) -> Prediction:
        """The mask that the model proposes; prompts are in the image's RAS, voxels on its grid.

        Raises:
            InputError: if image, prompts and model do not go together.
            Cancelled, OutOfMemoryError, WeightsError, MissingPackageError: nothing was changed.
        """
        check_request(model, image, prompts)
        model.check_installed()
        predictor = self._start()
        return predictor.predict(
            model.architecture,
            prepared_weights(model),
            image,
            prompts,
            Watch(progress, cancel),
            intensity_range,
            voxels,
        )

    def close(self) -> None:
        """Gives the models and their memory up."""
        if self._predictor is not None:
            self._predictor.close()
            self._predictor = None

    def _start(self):
        if self._predictor is None:
            self._predictor = start_predictor(self._device)
        return self._predictor


def start_predictor(device: str, engines: str | None = None):
    """The server's Predictor; imports torch.

    Args:
        device: "auto", "cpu", "cuda" or "mps".
        engines: for tests, "module:attribute": a table of engines to use instead of the server's.

    Raises:
        MissingPackageError: if torch is not installed.
        InputError: if this computer has no such device.
    """
    server = _server()
    if engines is not None:
        module, _, attribute = engines.partition(":")
        server.ENGINES = getattr(importlib.import_module(module), attribute)
    return server.Predictor(device)


def prepared_weights(model: ModelEntry) -> Path:
    """A model's weights, verified, and converted to safetensors where that can be; imports torch.

    Raises:
        WeightsError: if they are missing, damaged, or carry more than plain tensors.
    """
    with existing_working_folder():
        conversion = importlib.import_module("..engines.tensor_files.conversion", __package__)
    return conversion.prepared(model)


def check_request(model: ModelEntry, image: Image, prompts: Prompts) -> None:
    """Finds bad input before torch is imported and a model loaded.

    Raises:
        InputError: if image, prompts and model do not go together.
    """
    model.check_prompts(prompts)
    model.check_grid(image.geometry)
    check_prompts_in_volume(prompts, image.geometry)
    _ = image.value_range


def _server():
    """The server's module, by name: whoever predicts pays for torch, nobody else."""
    try:
        with interrupted_afterwards(), existing_working_folder():
            return importlib.import_module(".server", __package__)
    except (ImportError, OSError) as error:
        if (missing := getattr(error, "name", None) or "").startswith(__package__.split(".")[0]):
            raise
        raise MissingPackageError(_why_not(missing, error)) from error


def _why_not(missing: str, error: Exception) -> str:
    """What is wrong with the packages that a model needs."""
    if missing == "torch" and isinstance(error, ModuleNotFoundError):
        return (
            "PyTorch is not installed. In Slicer, install the PyTorch extension and let it "
            "install PyTorch; elsewhere: pip install torch."
        )
    if isinstance(error, ModuleNotFoundError):
        package = missing.split(".")[0]
        return f"The Python package {package} is not installed: pip install {package}."
    # Such as a library that the system lacks, or has no memory for.
    return (
        f"PyTorch cannot be loaded: {reason_of(error)} Close other programs if memory is short; "
        "else install PyTorch again."
    )
