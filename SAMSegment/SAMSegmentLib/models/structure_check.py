"""Whether weights fit the network that they are said to be of: by names and shapes alone."""

from __future__ import annotations

from pathlib import Path

import torch

from ..weights.entry import ModelEntry
from .registry import engine_of
from .tensor_files.checkpoints import check_fits, load_tensors


def check_structure(entry: ModelEntry, path: Path) -> None:
    """Finds out whether a file holds the tensors of a model's network, whatever their values.

    Raises:
        WeightsError: if it does not, or cannot be read.
        InputError: if the entry names no architecture that is known here.
    """
    tensors = load_tensors(path)
    engine, _ = engine_of(entry)
    with torch.device("meta"):
        network = engine.empty_network(tensors)
    if network is not None:
        check_fits(tensors, network, entry.title)
