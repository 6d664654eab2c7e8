"""Weight standardisation, which replaces normalisation layers in training.

Source: Brock et al., High-Performance Large-Scale Image Recognition Without Normalization,
arXiv:2102.06171 (2021), equation 1. The included weights are the standardised ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from SAMSegmentLib.models.samsegment3d.network import GAIN, Conv1, Conv3, SAMSegment3D

# Standard deviation of the weights before standardisation. It does not change what the network
# computes, but the effect of a step of Adam, which has a fixed size.
START = 0.04
#: Initial logit of all masks: most voxels are background.
BACKGROUND = -2.0


class Standardised(nn.Module):
    """Standardised weights: mean 0 and a variance that preserves that of activations, with a gain.

    Args:
        outputs: number of output channels, each with a learned gain.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.full((outputs,), GAIN))

    def forward(self, weight: Tensor) -> Tensor:
        flat = weight.flatten(1)
        variance, mean = torch.var_mean(flat, 1, keepdim=True)
        scale = self.gain[:, None] * torch.rsqrt(variance * flat.shape[1] + 1e-5)
        return ((flat - mean) * scale).reshape(weight.shape)


def standardise(network: SAMSegment3D) -> SAMSegment3D:
    """Standardises a network's convolutions, except the last one, with new random weights."""
    for module in network.modules():
        if isinstance(module, Conv1 | Conv3) and module not in _last_layers(network):
            nn.init.normal_(module.weight, std=START)
            nn.init.zeros_(module.bias)
            parametrize.register_parametrization(
                module, "weight", Standardised(module.weight.shape[0])
            )
    nn.init.constant_(network.decoder.masks.bias, BACKGROUND)
    if network.decoder.border is not None:
        nn.init.zeros_(network.decoder.border.last.bias)
    return network


def _last_layers(network: SAMSegment3D) -> list[nn.Module]:
    border = network.decoder.border
    return [network.decoder.masks, *([] if border is None else [border.last])]


def plain_tensors(network: SAMSegment3D) -> dict[str, Tensor]:
    """The state of a network with its standardised weights under their usual names."""
    tensors = {
        name: value
        for name, value in network.state_dict().items()
        if "parametrizations" not in name
    }
    for name, module in network.named_modules():
        if parametrize.is_parametrized(module):
            tensors[f"{name}.weight"] = module.weight.detach()
    return tensors


@torch.no_grad()
def start_from(network: SAMSegment3D, tensors: Mapping[str, Tensor]) -> None:
    """Sets a standardised network's weights to those of `plain_tensors`, such as the included ones.

    Raises:
        RuntimeError: if they are those of another network.
    """
    own = {}
    for name, value in tensors.items():
        module, _, kind = name.rpartition(".")
        if kind == "weight" and parametrize.is_parametrized(network.get_submodule(module)):
            weight = value.float()
            deviation = weight.flatten(1).std(1) + 1e-8
            own[f"{module}.parametrizations.weight.0.gain"] = (
                deviation * weight.flatten(1).shape[1] ** 0.5
            )
            per_output = deviation.reshape(-1, *[1] * (weight.ndim - 1))
            own[f"{module}.parametrizations.weight.original"] = weight / per_output * START
        else:
            own[name] = value.float()
    network.load_state_dict(own)
