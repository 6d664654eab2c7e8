"""Reads weights files into torch tensors."""

from __future__ import annotations

from pathlib import Path

import torch

from ..core.errors import MissingPackageError, WeightsError


def load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name, on the CPU, as they are stored.

    Raises:
        MissingPackageError: without the safetensors package.
        WeightsError: if the file is not a safetensors file.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingPackageError(
            "The Python package safetensors is not installed. In Slicer's Python console: "
            "slicer.packaging.pip_install('safetensors'); elsewhere: pip install safetensors."
        ) from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path} is not a weights file that can be read: {error}.") from error
