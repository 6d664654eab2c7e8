"""SAM-Med3D with a narrow encoder of two blocks, one of each kind."""

from __future__ import annotations

import torch

from ..precision import computing_in
from ..self_check import made_of_seed, numbers
from ..shared_layers.low_precision import compute_in
from .image_encoder import IMAGE_SIZE, SAMMed3DEncoder
from .network import MASK_SIZE, SAMMed3D


def self_check(device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """See Engine."""
    encoder = SAMMed3DEncoder(width=96, heads=3, depth=2, global_blocks=(1,))
    network = made_of_seed(SAMMed3D(takes_boxes=True, encoder=encoder), device)
    compute_in(network.image_encoder, dtype)
    picture = numbers(1, 1, IMAGE_SIZE, IMAGE_SIZE, IMAGE_SIZE).to(device)
    with computing_in(dtype, device):
        features = network.encode(picture)
    features = features.float()
    mask = numbers(1, 1, MASK_SIZE, MASK_SIZE, MASK_SIZE).to(device)
    point = torch.tensor([[[30.0, 64.0, 100.0]]]).to(device), torch.ones(1, 1).to(device)
    box = torch.tensor([[10.0, 20.0, 30.0, 90.0, 100.0, 120.0]]).to(device)
    return (
        features,
        network.decode(features, mask, point),
        network.decode(features, mask, None, box),
    )
