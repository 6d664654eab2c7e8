"""Small good files of every kind, and some that carry code, for the fuzzer to change."""

from __future__ import annotations

import argparse
import io
import os
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import torch
from safetensors.torch import save

TENSORS = OrderedDict(
    [
        ("encoder.pos", torch.arange(6.0).reshape(1, 2, 3)),
        ("encoder.weight", torch.linspace(-1, 1, 5).half()),
        ("decoder.scale", torch.tensor(0.25)),
    ]
)
KINDS = {
    str(kind): torch.ones(3, dtype=kind)
    for kind in (torch.float64, torch.bfloat16, torch.int64, torch.int8, torch.uint8, torch.bool)
}


class _RunsACommand:
    """Read by a reader that runs what files say, it makes a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def safetensors_files() -> list[bytes]:
    """As the library writes them."""
    return [
        save(dict(TENSORS)),
        save({**TENSORS, **KINDS}, {"format": "pt", "by": "é"}),
        save({"empty": torch.empty(0, 3), "one": torch.ones(1)}),
        save({f"layer{number}.weight": torch.ones(1, 2) for number in range(40)}),
    ]


def checkpoints(trace: str) -> list[bytes]:
    """As torch.save and others write them.

    Args:
        trace: the folder that code in some of them would make.
    """
    base = torch.arange(24.0)
    views = {"a": base[4:10], "b": base.reshape(4, 6).T, "c": base, "empty": torch.empty(0, 2)}
    module = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.BatchNorm1d(2))
    code = _RunsACommand(trace)
    contents = [
        TENSORS,
        {**TENSORS, **KINDS},
        {"model_state_dict": {f"module.{name}": value for name, value in TENSORS.items()}},
        {"model_state_dict": TENSORS, **_notes()},
        views,
        module.state_dict(),
        dict(module.named_parameters()),
        {"s": torch.eye(2).to_sparse(), "w": torch.ones(1)},
        {"model_state_dict": TENSORS, "args": code},
        {**TENSORS, "encoder.pos": code},
    ]
    files = [_saved(content) for content in contents]
    files += [
        _by_zipfile(files[0], method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    ]
    return [*files, _saved(TENSORS, _use_new_zipfile_serialization=False)]


def _notes() -> dict:
    """What training scripts keep beside the weights."""
    options = argparse.Namespace(lr=8e-4, gpu_ids=[0, 1], where=torch.device("cuda:0"))
    return {
        "epoch": 7,
        "losses": [np.float64(0.5), 0.125, np.linspace(0, 1, 3)],
        "milestones": Counter([120, 180]),
        "args": options,
        "kind": torch.float32,
        "names": {"a", "b"},
        "shape": torch.Size((1, 2)),
    }


def _saved(content: object, **options: object) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **options)
    return file.getvalue()


def _by_zipfile(data: bytes, method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(file, "w", method) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return file.getvalue()
