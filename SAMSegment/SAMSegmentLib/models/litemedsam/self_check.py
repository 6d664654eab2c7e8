"""LiteMedSAM on a picture of a sixteenth of its size."""

from __future__ import annotations

import torch

from ..self_check import made_of_seed, numbers
from ..shared_layers.layers import fold_batch_norms
from .network import LiteMedSAM

SIDE = 64


def self_check(device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """See Engine."""
    network = made_of_seed(LiteMedSAM(), torch.device("cpu"))
    # As it runs on anything but a CPU, in float32 whatever other networks compute in.
    fold_batch_norms(network.image_encoder)
    network.to(device)
    picture = numbers(1, 3, SIDE, SIDE).sigmoid().to(device)
    features = network.image_encoder(picture)
    boxes = torch.tensor([[8.0, 16.0, 40.0, 50.0], [0.0, 3.5, 30.0, 63.0]]).to(device)
    logits, quality = network.decode(features, boxes, part=(0, 0, SIDE))
    return features, logits, quality
