"""Whether a device computes what the CPU does, tried with a small network of an architecture.

PyTorch does not have every operator on every device, least of all on Apple's; and a card, a driver
and a PyTorch that do not fit together may fail, or give wrong numbers. To wait for a moment is
better than an error in the middle of the work, or a wrong mask.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import nn

from .base import Engine
from .precision import encoder_type

#: Largest difference from the CPU, as a part of the largest number. Cards may round factors of
#: float32 to 10 bits (TF32): what is beyond this is wrong, not inexact.
TOLERANCE = 1e-2
#: The same for networks that compute in 16 bits.
HALF_TOLERANCE = 5e-2
_SEED = 7
_Network = TypeVar("_Network", bound=nn.Module)


def reference(engine: type[Engine]) -> tuple[torch.Tensor, ...]:
    """What the CPU computes, in float32."""
    return _outputs(engine, torch.device("cpu"), torch.float32)


def check_device(
    engine: type[Engine], device: torch.device, expected: Sequence[torch.Tensor]
) -> None:
    """Compares what a device computes with what the CPU does.

    Args:
        expected: see `reference`.

    Raises:
        RuntimeError: if a number is wrong.
        Exception: what PyTorch says if it cannot compute there.
    """
    numbers = encoder_type(device)
    limit = TOLERANCE if numbers == torch.float32 else HALF_TOLERANCE
    found = _outputs(engine, device, numbers)
    if not all(_are_alike(*pair, limit) for pair in zip(found, expected, strict=True)):
        raise RuntimeError("a network gives wrong numbers there")


def made_of_seed(network: _Network, device: torch.device) -> _Network:
    """A network, made on the CPU, for inference: with the same random weights each time."""
    generator = torch.Generator().manual_seed(_SEED)
    for name, value in network.state_dict().items():
        if not value.is_floating_point():  # counters of training
            continue
        # By the number of inputs, so that numbers neither vanish nor grow from layer to layer.
        inputs = value[0].numel() if value.ndim > 1 else 1
        value.normal_(0, 1 / math.sqrt(max(inputs, 25)), generator=generator)
        if value.ndim == 1 and name.endswith(("weight", "running_var")):
            value.abs_().add_(0.5)
    return network.eval().requires_grad_(False).to(device)


def numbers(*shape: int) -> torch.Tensor:
    """Normally distributed numbers on the CPU, the same each time."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(_SEED))


@torch.inference_mode()
def _outputs(
    engine: type[Engine], device: torch.device, dtype: torch.dtype
) -> tuple[torch.Tensor, ...]:
    return tuple(output.float().cpu() for output in engine.self_check(device, dtype))


def _are_alike(found: torch.Tensor, expected: torch.Tensor, limit: float) -> bool:
    largest = expected.abs().max().clamp_min(1.0)
    # Written so that "not a number" is wrong, too.
    return found.shape == expected.shape and bool((found - expected).abs().max() / largest <= limit)
