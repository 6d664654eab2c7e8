"""Writes the weights that are included: safetensors in half precision."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file

from SAMSegmentLib.models.samsegment3d.network import SAMSegment3D

#: Largest size of the file.
MOST_BYTES = 25_000_000


def export(network: SAMSegment3D, path: Path) -> None:
    """Writes the weights of a network without weight standardisation.

    Raises:
        ValueError: if the file would be too large to be included, or a weight is not finite in half
            precision.
    """
    tensors = {
        name: value.detach().half().contiguous() for name, value in network.state_dict().items()
    }
    wrong = [name for name, value in tensors.items() if not torch.isfinite(value).all()]
    if wrong:
        raise ValueError(f"Not finite: {', '.join(wrong)}.")
    if sum(value.nbytes for value in tensors.values()) > MOST_BYTES:
        raise ValueError("The network is too large to be included.")
    save_file(tensors, path)
