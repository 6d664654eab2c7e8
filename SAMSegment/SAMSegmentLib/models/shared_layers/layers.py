"""Layers that the image encoder, the prompt encoder and the mask decoder share."""

from collections import OrderedDict
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each pixel or voxel of a (B, C, ...) tensor.

    Source: ConvNeXt (Liu et al. 2022), as used by SAM (Kirillov et al. 2023).
    """

    def __init__(self, channels: int, eps: float = 1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise (B, C, ...) over C."""
        tokens = x.movedim(1, -1)
        normalised = F.layer_norm(tokens, self.weight.shape, self.weight, self.bias, self.eps)
        return normalised.movedim(-1, 1)


class ConvBatchNorm(nn.Sequential):
    """Convolution without bias, "same" padding for odd kernels, then batch normalisation.

    The children are called ``c`` and ``bn`` because the published weight files name them so.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        groups: int = 1,
    ):
        padding = kernel_size // 2
        conv = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False
        )
        super().__init__(OrderedDict(c=conv, bn=nn.BatchNorm2d(out_channels)))

    @torch.no_grad()
    def folded(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Weight and bias of the one convolution that equals this pair in eval mode.

        Computed in double precision and rounded once, so folding adds no error of its own.
        """
        # On the CPU: Apple's graphics cards have no double precision.
        norm = self.bn
        kernel, gain, shift, mean, variance = (
            tensor.detach().cpu().double()
            for tensor in (
                self.c.weight,
                norm.weight,
                norm.bias,
                norm.running_mean,
                norm.running_var,
            )
        )
        scale = gain / (variance + norm.eps).sqrt()
        weight, bias = kernel * scale[:, None, None, None], shift - mean * scale
        return weight.to(self.c.weight), bias.to(self.c.weight)

    def as_conv(self) -> nn.Conv2d:
        """The convolution with bias that equals this pair in eval mode."""
        conv = self.c
        weight, bias = self.folded()
        folded = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            groups=conv.groups,
            device=weight.device,
            dtype=weight.dtype,
        )
        folded.weight.data, folded.bias.data = weight, bias
        return folded


def fold_batch_norms(module: nn.Module) -> nn.Module:
    """Replace every `ConvBatchNorm` below a module by its convolution, in place; returns it."""
    for name, child in module.named_children():
        if isinstance(child, ConvBatchNorm):
            setattr(module, name, child.as_conv())
        else:
            fold_batch_norms(child)
    return module


class Mlp(nn.Module):
    """Fully connected layers with a ReLU between them (SAM's prediction heads)."""

    def __init__(self, in_features: int, hidden_features: int, out_features: int, depth: int):
        super().__init__()
        widths = [in_features] + [hidden_features] * (depth - 1) + [out_features]
        self.layers = nn.ModuleList(
            nn.Linear(width, next_width) for width, next_width in pairwise(widths)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., in_features) to (..., out_features)."""
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        return self.layers[-1](x)


class TwoLayerMlp(nn.Module):
    """Two fully connected layers on each token."""

    def __init__(
        self,
        channels: int,
        hidden: int,
        activation: Callable[[torch.Tensor], torch.Tensor] = F.relu,
    ):
        super().__init__()
        self.lin1 = nn.Linear(channels, hidden)
        self.lin2 = nn.Linear(hidden, channels)
        self.activation = activation

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (..., channels), same shape."""
        return self.lin2(self.activation(self.lin1(x)))
