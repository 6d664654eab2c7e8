"""The readers of files with tensors, and what converts them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import torch

from SAMSegmentLib.core.errors import WeightsError
from SAMSegmentLib.models.tensor_files.checkpoints import load_tensors
from SAMSegmentLib.models.tensor_files.conversion import prepared
from SAMSegmentLib.weights.catalogue import ModelEntry, model_entry
from SAMSegmentLib.weights.folder import VARIABLE, models_folder

from . import seeds
from .header_mutations import change_safetensors
from .target import READ, REFUSED, Target, reason_of
from .zip_mutations import change_checkpoint


def _judge_tensors(path: Path) -> tuple[str, str]:
    try:
        tensors = load_tensors(path)
    except WeightsError as error:
        return REFUSED, reason_of(error, path)
    _check(tensors, path.stat().st_size)
    return READ, ""


def _check(tensors: dict[str, torch.Tensor], file_bytes: int) -> None:
    assert tensors, "no tensors, and no error"
    for name, value in tensors.items():
        assert type(name) is str and name.isprintable(), f"the name {name!a}"
        assert type(value) is torch.Tensor, f"a {type(value).__name__}"
        assert value.layout == torch.strided and value.device.type == "cpu", "no plain tensor"
        assert not value.requires_grad and not value._backward_hooks, "more than numbers"
    total = sum(value.nbytes for value in tensors.values())
    assert total <= 2 * file_bytes, f"{total} bytes of tensors in a file of {file_bytes}"
    for value in tensors.values():
        value.clone().contiguous()  # all of it can be read


def _judge_conversion(path: Path) -> tuple[str, str]:
    data = path.read_bytes()
    os.environ[VARIABLE] = str(path.parent / "models")
    entry = dataclasses.replace(
        model_entry("sam-med3d-turbo"), sha256=hashlib.sha256(data).hexdigest()
    )
    for old in (entry.files.original, entry.files.converted, entry.files.receipt):
        old.unlink(missing_ok=True)
    models_folder().mkdir(exist_ok=True)
    entry.files.original.write_bytes(data)
    try:
        found = prepared(entry)
    except WeightsError as error:
        assert entry.files.original.read_bytes() == data, "the refused file is not as it was"
        assert not entry.path.name.endswith(".safetensors"), "a refused file was converted"
        return REFUSED, reason_of(error, entry.files.original)
    if not data_is_zip(path):
        assert found == entry.files.original, "another file than a checkpoint was converted"
        return _judge_tensors(found)
    _check_converted(entry, found, path)
    return READ, ""


def _check_converted(entry: ModelEntry, found: Path, path: Path) -> None:
    wanted = load_tensors(path)
    assert found == entry.files.converted, "a good checkpoint was not converted"
    assert not entry.files.original.exists(), "the checkpoint is still there"
    tensors = load_tensors(found)
    assert tensors.keys() == wanted.keys(), "other names"
    for name, value in wanted.items():
        same = _bits(tensors[name]) == _bits(value)
        assert tensors[name].dtype == value.dtype and same, "other numbers"


def _bits(tensor: torch.Tensor) -> bytes:
    return bytes(tensor.contiguous().reshape(-1).view(torch.uint8).tolist())


def data_is_zip(path: Path) -> bool:
    """Whether a file begins as a zip file does."""
    with path.open("rb") as file:
        return file.read(4) == b"PK\3\4"


def _without_trace(change: Callable[[Random, bytes, Sequence[bytes]], bytes]):
    return lambda random, data, others, _: change(random, data, others)


def _lengthened(random: Random, data: bytes, others: Sequence[bytes], trace: str) -> bytes:
    """As safetensors, or a checkpoint with a safetensors header before it, and the reverse."""
    changed = change_checkpoint(random, data, others, trace)
    if random.random() < 0.02:
        return struct.pack("<Q", len(changed)) + b"{" + changed
    return changed


TARGETS = {
    "safetensors": Target(
        "safetensors",
        "input.safetensors",
        lambda _: seeds.safetensors_files(),
        _without_trace(change_safetensors),
        _judge_tensors,
    ),
    "checkpoint": Target("checkpoint", "input.pth", seeds.checkpoints, _lengthened, _judge_tensors),
    "conversion": Target(
        "conversion",
        "input.pth",
        seeds.checkpoints,
        _lengthened,
        _judge_conversion,
        may_write=True,
    ),
}
