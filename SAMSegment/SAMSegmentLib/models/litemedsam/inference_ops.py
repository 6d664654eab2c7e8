"""What the pieces of the fast CPU forward pass share: buffers, and weights laid out for them."""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from ..shared_layers.layers import ChannelNorm, ConvBatchNorm

gelu_ = torch.ops.aten.gelu_  # torch.nn.functional has no in-place form


class Workspace:
    """Buffers by name and shape, made of zeros on first use and then kept."""

    def __init__(self):
        self._buffers: dict[tuple, torch.Tensor] = {}

    def get(self, name: str, *shape: int) -> torch.Tensor:
        """The buffer of that name and shape, with whatever was last written into it."""
        key = (name, *shape)
        if key not in self._buffers:
            # A buffer made in inference mode could not be written to outside of it.
            with torch.inference_mode(False):
                self._buffers[key] = torch.zeros(shape)
        return self._buffers[key]


class Affine(NamedTuple):
    """A linear layer or 1x1 convolution, as weight (in, out) and bias (out,)."""

    weight: torch.Tensor
    bias: torch.Tensor

    @classmethod
    def of(cls, module: nn.Linear | ConvBatchNorm) -> "Affine":
        """Copy the weights of a module, with its batch normalisation folded in."""
        if isinstance(module, ConvBatchNorm):
            weight, bias = module.folded()
            return cls(weight.flatten(1).t().contiguous(), bias)
        return cls(module.weight.detach().t().contiguous(), module.bias.detach().clone())

    def apply(self, x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """Write the result for x (..., in) into out (..., out) and return it."""
        inputs, outputs = self.weight.shape
        torch.addmm(self.bias, x.reshape(-1, inputs), self.weight, out=out.view(-1, outputs))
        return out


class Norm(NamedTuple):
    """A layer normalisation over the last axis."""

    weight: torch.Tensor
    bias: torch.Tensor
    eps: float

    @classmethod
    def of(cls, module: nn.LayerNorm | ChannelNorm) -> "Norm":
        """Copy the weights of a module."""
        return cls(module.weight.detach().clone(), module.bias.detach().clone(), module.eps)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise (..., channels) into a new tensor."""
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)
