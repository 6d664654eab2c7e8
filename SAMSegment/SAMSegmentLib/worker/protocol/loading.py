"""Loads torch and what stands on it, in whichever process predicts."""

from __future__ import annotations

import importlib
from pathlib import Path

from ...core.errors import MissingPackageError, reason_of
from ...core.process_state import delayed_interrupts, existing_working_folder
from ...weights.catalogue import ModelEntry


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
        conversion = importlib.import_module("SAMSegmentLib.models.tensor_files.conversion")
    return conversion.prepared(model)


def _server():
    """The server's module, by name: whoever predicts pays for torch, nobody else."""
    try:
        with delayed_interrupts(), existing_working_folder():
            return importlib.import_module("SAMSegmentLib.worker.child.server")
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
