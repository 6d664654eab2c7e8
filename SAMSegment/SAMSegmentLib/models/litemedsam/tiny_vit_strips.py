"""The convolutional parts of `TinyViT`, computed in strips of rows that stay in the cache.

Activations are (H, W, C). At full size one expanded activation of the first stage is 67 MB; a
strip of it is 2 MB.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ..shared_layers.layers import ConvBatchNorm
from .inference_ops import Affine, Workspace, gelu_
from .tiny_vit import MBConv, PatchEmbed, PatchMerging

_STRIP_ROWS = 8  # fastest, or level with the fastest, of 4, 8, 16 and 32; even, for stride 2
_PALETTE_SIZE = 256


@dataclass(frozen=True)
class Palette:
    """An image with few distinct values: what depends on one pixel is computed once per value.

    Attributes:
        index: value number of each pixel, (H * W,).
        features: embedded values, (values, C).
    """

    index: torch.Tensor
    features: torch.Tensor


class FastPatchEmbed:
    """(1 or 3, H, W) image to (H, W, C) features, with their palette if there is one."""

    def __init__(self, module: PatchEmbed, work: Workspace):
        self._work = work
        self._first = Affine.of(module.seq[0])
        self._second = Affine.of(module.seq[2])

    def __call__(self, image: torch.Tensor) -> tuple[torch.Tensor, Palette | None]:
        channels, height, width = image.shape
        x = self._work.get("embedded", height, width, self._second.bias.numel())
        if channels == 1:
            # A slice quantised to 8 bits, as preprocessing makes it, has at most 256 values.
            values, index = image.flatten().unique(return_inverse=True)
            if len(values) <= _PALETTE_SIZE:
                features = x.new_empty(len(values), x.shape[2])
                self._embed(values[:, None], features)
                torch.index_select(features, 0, index, out=x.view(-1, x.shape[2]))
                return x, Palette(index, features)
        for start in range(0, height, _STRIP_ROWS):
            strip = slice(start, start + _STRIP_ROWS)
            self._embed(image[:, strip].flatten(1).t(), x[strip])
        return x, None

    def _embed(self, pixels: torch.Tensor, out: torch.Tensor) -> None:
        """Embed pixels (P, 1 or 3); one channel stands for three equal ones."""
        first = self._first
        if pixels.shape[1] == 1:
            first = Affine(first.weight.sum(0, keepdim=True), first.bias)
        hidden = self._work.get("patch", len(pixels), first.bias.numel())
        self._second.apply(gelu_(first.apply(pixels, hidden)), out)


class FastMBConv:
    """Inverted residual block, in place."""

    def __init__(self, module: MBConv, work: Workspace):
        self._work = work
        self._strips = _ExpandedStrips(module.conv1, module.conv2, work)
        self._project = Affine.of(module.conv3)

    def __call__(self, x: torch.Tensor, palette: Palette | None = None) -> torch.Tensor:
        """Update x (H, W, C); a palette says that x holds nothing but its features."""
        for start, hidden in self._strips(x, palette):
            strip = x[start : start + _STRIP_ROWS]
            strip += self._project.apply(hidden, self._work.get("projected", *strip.shape))
            gelu_(strip)
        return x


class FastPatchMerging:
    """Merge of (H, W, C) into the next stage's grid."""

    def __init__(self, module: PatchMerging, work: Workspace):
        self._work = work
        self._strips = _ExpandedStrips(module.conv1, module.conv2, work)
        self._project = Affine.of(module.conv3)
        self._stride = module.conv2.c.stride[0]

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[0] // self._stride, x.shape[1] // self._stride
        merged = self._work.get("merged", height, width, self._project.bias.numel())
        rows = _STRIP_ROWS // self._stride
        for start, hidden in self._strips(x):
            first = start // self._stride
            self._project.apply(hidden, merged[first : first + rows])
        return merged


class _ExpandedStrips:
    """1x1 convolution, GELU, depthwise 3x3 convolution, GELU, one strip after the other."""

    def __init__(self, expand: ConvBatchNorm, depthwise: ConvBatchNorm, work: Workspace):
        self._work = work
        self._expand = Affine.of(expand)
        self._weight, self._bias = depthwise.folded()
        self._stride = depthwise.c.stride
        self._channels = self._bias.numel()

    def __call__(
        self, x: torch.Tensor, palette: Palette | None = None
    ) -> Iterator[tuple[int, torch.Tensor]]:
        """Yield the first input row of each strip and its result (pixels, channels).

        The rows of x that belong to a strip may be overwritten once it was yielded.
        """
        height, width, _ = x.shape
        table = self._table(palette)
        # The expanded rows of the strip and one neighbour on either side, zero outside the grid.
        hidden = self._work.get("hidden", 1, _STRIP_ROWS + 2, width, self._channels)
        rows = hidden[0]
        done = 0
        for start in range(0, height, _STRIP_ROWS):
            if start == 0:
                rows[0] = 0
            else:
                rows[:2] = rows[_STRIP_ROWS:]
            stop = min(start + _STRIP_ROWS + 1, height)
            fresh = rows[done - start + 1 : stop - start + 1]
            if palette is None:
                gelu_(self._expand.apply(x[done:stop], fresh))
            else:
                pixels = palette.index[done * width : stop * width]
                torch.index_select(table, 0, pixels, out=fresh.view(-1, self._channels))
            if stop == height:
                rows[height - start + 1 :] = 0
            done = stop
            yield start, self._convolve(hidden)

    def _table(self, palette: Palette | None) -> torch.Tensor | None:
        if palette is None:
            return None
        values = palette.features
        return gelu_(self._expand.apply(values, values.new_empty(len(values), self._channels)))

    def _convolve(self, hidden: torch.Tensor) -> torch.Tensor:
        # The channels-last view of a 4-D buffer: anything else is reordered, ten times slower.
        nchw = hidden.permute(0, 3, 1, 2)
        out = F.conv2d(nchw, self._weight, self._bias, self._stride, (0, 1), groups=self._channels)
        return gelu_(out.permute(0, 2, 3, 1).reshape(-1, self._channels))
