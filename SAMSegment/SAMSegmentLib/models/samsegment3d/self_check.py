"""SAMSegment 3D with few channels, from a picture and prompts to masks."""

from __future__ import annotations

import torch

from ..self_check import made_of_seed, numbers
from .network import PICTURE_CHANNELS, SAMSegment3D, unfolded
from .prompt_maps import DRAWN_MAPS, PROMPT_MAPS, PromptTensors

SHAPE = (16, 16, 32)


def self_check(device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """See Engine. Weights of either edition may be installed."""
    return tuple(output for edition in PROMPT_MAPS for output in _outputs(edition, device, dtype))


def _outputs(edition: int, device: torch.device, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    network = made_of_seed(_narrow(edition), device)
    network = network.to(dtype, memory_format=torch.channels_last_3d)
    features = network.encode(numbers(1, PICTURE_CHANNELS, *SHAPE).to(device, dtype))
    signs = torch.tensor([[1.0, -1.0, 1.0]]).to(device)
    clicks = torch.tensor([[[3.5, 10.25, 9.0], [12.0, 4.0, 30.0], [0.0, 15.0, 16.0]]]).to(device)
    half = tuple(n // 2 for n in SHAPE)
    roi, before = numbers(2, 1, 1, *half).clamp(-1, 1).to(device)
    drawn = numbers(1, DRAWN_MAPS, *half).clamp(0, 1).to(device)
    masks, quality = network.decode(
        features, PromptTensors(clicks, signs, roi, before, ramp=roi, drawn=drawn)
    )
    # As if there were no prompt.
    nothing = torch.zeros_like(roi)
    none = PromptTensors(clicks[:, :1], 0 * signs[:, :1], nothing, nothing)
    others, _ = network.decode(features, none)
    order = quality[0].argsort(descending=True)
    return unfolded(masks[0, 1]), unfolded(others[0, 0]), quality, quality[0][order]


def _narrow(edition: int) -> SAMSegment3D:
    return SAMSegment3D((16, 16, 24, 24), (8, 16, 16, 24), (1, 2), edition)
