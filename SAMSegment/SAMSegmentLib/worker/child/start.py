"""Imports torch and what stands on it, in whichever process predicts."""

from __future__ import annotations

import importlib

from ...core.errors import MissingPackageError, reason_of
from ...core.process_state import delayed_interrupts, existing_working_folder


def start_predictor(device: str):
    """The server's Predictor.

    Args:
        device: "auto", "cpu", "cuda", "cuda:1" and so on, or "mps".

    Raises:
        MissingPackageError: if torch is not installed, or cannot be loaded.
        InputError: if this computer has no such device.
    """
    try:
        with delayed_interrupts(), existing_working_folder():
            server = importlib.import_module("SAMSegmentLib.worker.child.predictor")
    except (ImportError, OSError) as error:
        if (missing := getattr(error, "name", None) or "").startswith(__package__.split(".")[0]):
            raise
        raise MissingPackageError(_why_not(missing, error)) from error
    return server.Predictor(device)


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
