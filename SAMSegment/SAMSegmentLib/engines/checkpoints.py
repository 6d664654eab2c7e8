"""Reads weights files into torch tensors, without ever running what a file may carry."""

from __future__ import annotations

import argparse
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch

from ..core.errors import MissingPackageError, WeightsError

# Under this name, training scripts keep the tensors beside their own notes.
_WEIGHTS_KEY = "model_state_dict"
# What DistributedDataParallel puts before each name.
_PARALLEL_PREFIX = "module."
_NOT_A_CHECKPOINT = (
    "{path} is not a weights file that can be read: {reason}. Get it again from its source; a web "
    "page may have been saved in its place."
)
# Of many differences, so many are named.
_NAMED = 3


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


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """A network's tensors by name, from a safetensors file or a torch checkpoint.

    A checkpoint may hold the tensors alone, or under "model_state_dict" beside a training script's
    notes; a prefix "module." is taken off all names.

    Raises:
        MissingPackageError: as `load_safetensors`.
        WeightsError: if the file is neither, is damaged, or carries anything but plain data: code
            is never run.
    """
    content = _torch_content(path) if zipfile.is_zipfile(path) else _other_content(path)
    if isinstance(content, Mapping) and isinstance(content.get(_WEIGHTS_KEY), Mapping):
        content = content[_WEIGHTS_KEY]
    if not (
        isinstance(content, Mapping)
        and content
        and all(isinstance(name, str) for name in content)
        and all(isinstance(value, torch.Tensor) for value in content.values())
    ):
        raise WeightsError(_NOT_A_CHECKPOINT.format(path=path, reason="it holds no named tensors"))
    if all(name.startswith(_PARALLEL_PREFIX) for name in content):
        return {name.removeprefix(_PARALLEL_PREFIX): value for name, value in content.items()}
    return dict(content)


def check_network(
    tensors: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Size], title: str
) -> None:
    """Finds out whether tensors are those of a network, by name and shape.

    Raises:
        WeightsError: if not; it names the first differences.
    """
    differences = [f"{name} is missing" for name in expected if name not in tensors]
    differences += [f"{name} is not known" for name in tensors if name not in expected]
    differences += [
        f"{name} is {_sides(tensors[name].shape)} instead of {_sides(shape)}"
        for name, shape in expected.items()
        if name in tensors and tensors[name].shape != shape
    ]
    differences += [
        f"{name} holds {str(value.dtype).removeprefix('torch.')} numbers"
        for name, value in tensors.items()
        if name in expected and not value.is_floating_point()
    ]
    if differences:
        more = len(differences) - _NAMED
        raise WeightsError(
            f"These are not the weights of {title}: {', '.join(differences[:_NAMED])}"
            + (f", and {more} more differences" if more > 0 else "")
            + ". Get the file that the catalogue names."
        )


def _torch_content(path: Path) -> object:
    try:
        # A namespace of plain values is how training scripts note their options.
        with torch.serialization.safe_globals([argparse.Namespace]):
            # Mapped, so that a large file is not held in memory twice.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except pickle.UnpicklingError as error:
        reason = "it carries more than plain data, which was not run"
        raise WeightsError(_NOT_A_CHECKPOINT.format(path=path, reason=reason)) from error
    except MemoryError:
        raise
    except Exception as error:  # whatever torch meets in a damaged file
        raise WeightsError(
            _NOT_A_CHECKPOINT.format(path=path, reason=_first_line(error))
        ) from error


def _other_content(path: Path) -> object:
    with path.open("rb") as file:
        head = file.read(9)
    # A safetensors file begins with the length of its header, and that is JSON.
    if head[8:] == b"{":
        return load_safetensors(path)
    if head[:2] in (b"\x80\x02", b"\x80\x04", b"\x80\x05"):
        reason = "it is a pickle, which may carry code, and was not opened"
    elif head[:4] == b"PK\x03\x04":
        reason = "it is cut off"
    else:
        reason = "it is neither a safetensors file nor a PyTorch checkpoint"
    raise WeightsError(_NOT_A_CHECKPOINT.format(path=path, reason=reason))


def _sides(shape: torch.Size) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].rstrip(".")
