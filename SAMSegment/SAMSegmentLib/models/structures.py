"""Whether weights fit the network that they are said to be of: by names and shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from ..weights.catalogue import ModelEntry
from .litemedsam.network import LiteMedSAM
from .sammed3d.network import SAMMed3D
from .samsegment3d.model import sizes_of
from .samsegment3d.network import SAMSegment3D
from .tensor_files.checkpoints import check_network, load_tensors

Tensors = Mapping[str, torch.Tensor]

#: By architecture: a network without values, for weights of that variant.
NETWORKS: dict[str, Callable[[Tensors], torch.nn.Module]] = {
    "litemedsam": lambda tensors: LiteMedSAM(),
    "samsegment3d": lambda tensors: SAMSegment3D(**sizes_of(tensors)),
    "sammed3d": SAMMed3D.empty,
}


def check_structure(entry: ModelEntry, path: Path) -> None:
    """Finds out whether a file holds the tensors of a model's network, whatever their values.

    Raises:
        WeightsError: if it does not, or cannot be read.
    """
    tensors = load_tensors(path)
    with torch.device("meta"):
        expected = NETWORKS[entry.architecture](tensors).state_dict()
    # Counters of batches, that only training reads, are whole numbers.
    counters = {name for name, value in expected.items() if not value.is_floating_point()}
    found = {name: value for name, value in tensors.items() if name not in counters}
    wanted = {name: value.shape for name, value in expected.items() if name not in counters}
    check_network(found, wanted, entry.title)
