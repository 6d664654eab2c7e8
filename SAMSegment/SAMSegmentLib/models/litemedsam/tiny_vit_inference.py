"""Exact fast forward pass of `TinyViT` on a CPU, in plain torch.

The readable module is bound by memory, not by arithmetic: its first stage makes 67 MB activations
that the allocator maps and unmaps at every operator. This pass computes the same function, to
float32 rounding, but

- folds the batch normalisations into the convolutions;
- keeps every activation as rows of pixels by channels, so that linear layers and 1x1 convolutions
  are matrix products that write into buffers kept between calls;
- works in strips of rows, bands of windows and chunks of tokens that stay in the cache;
- replaces the padding of a window by one token (see `window_bands`);
- looks up, for images of at most 256 values, what depends on a single pixel.
"""

import threading
from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from .inference_ops import Affine, Norm, Workspace, gelu_
from .tiny_vit import STAGE_SIZES, FeedForward, TinyViT, TinyViTBlock, WindowAttention
from .tiny_vit_strips import FastMBConv, FastPatchEmbed, FastPatchMerging
from .window_bands import Band, cut_into_bands

_MLP_CHUNK = 512  # tokens; level with 1024 and 2048, and needs the smallest cache


class TinyViTInference:
    """Callable that maps (B, 1 or 3, 256, 256) float32 CPU images to (B, 256, 64, 64).

    One input channel stands for three equal ones. The weights are copied at construction: build a
    new object after changing them. Calls from several threads are safe and take turns, since
    they share the buffers; the result is a new tensor each time, channels last in memory.
    """

    def __init__(self, encoder: TinyViT):
        self._lock = threading.Lock()
        work = Workspace()
        self._patch_embed = FastPatchEmbed(encoder.patch_embed, work)
        first, *stages = encoder.layers
        self._first_block, *self._steps = (FastMBConv(block, work) for block in first.blocks)
        self._steps.append(FastPatchMerging(first.downsample, work))
        for stage, size in zip(stages, STAGE_SIZES[1:], strict=True):
            self._steps += [FastBlock(block, size, work) for block in stage.blocks]
            if stage.downsample is not None:
                self._steps.append(FastPatchMerging(stage.downsample, work))
        self._neck = FastNeck(encoder.neck)

    @torch.no_grad()
    def __call__(
        self, images: torch.Tensor, between_blocks: Callable[[], None] | None = None
    ) -> torch.Tensor:
        # Images one by one: a batch would only push the strips out of the cache.
        with self._lock:
            return torch.cat([self._encode(image, between_blocks) for image in images])

    def _encode(
        self, image: torch.Tensor, between_blocks: Callable[[], None] | None
    ) -> torch.Tensor:
        x, palette = self._patch_embed(image)
        x = self._first_block(x, palette)
        for step in self._steps:
            # What it raises ends the pass; the next one overwrites whatever the buffers hold.
            if between_blocks is not None:
                between_blocks()
            x = step(x)
        return self._neck(x)


class FastBlock:
    """Window attention, local convolution and MLP on a grid (H, W, C)."""

    def __init__(self, module: TinyViTBlock, size: int, work: Workspace):
        self._attention = FastAttention(module.attn, size, work)
        self._local_conv = module.local_conv.folded()
        self._mlp = FastFeedForward(module.mlp, work)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        self._attention(x)
        x = _as_grid(F.conv2d(_as_nchw(x), *self._local_conv, padding=1, groups=x.shape[2]))
        self._mlp(x.view(-1, x.shape[2]))
        return x


class FastAttention:
    """Window attention, a band of windows at a time, added to its input in place."""

    def __init__(self, module: WindowAttention, size: int, work: Workspace):
        self._work = work
        self._heads = module.heads
        self._norm = Norm.of(module.norm)
        self._qkv = Affine.of(module.qkv)
        self._proj = Affine.of(module.proj)
        self._bands = cut_into_bands(size, module.window)
        bias = module.bias().detach()
        groups = {group for band in self._bands for group in band.groups}
        self._bias = {group: group.collapse_bias(bias) for group in groups}

    def __call__(self, x: torch.Tensor) -> None:
        for band in self._bands:
            attended = self._attend(band, self._gather(band, x))
            for group in band.groups:
                group.in_grid(x, band.row).add_(group.in_band(attended))

    def _gather(self, band: Band, x: torch.Tensor) -> torch.Tensor:
        """The band's tokens in window order; its padding tokens stay zero, as in a new buffer."""
        tokens = self._work.get(f"band of {band.groups}", band.tokens, x.shape[2])
        for group in band.groups:
            group.in_band(tokens).copy_(group.in_grid(x, band.row))
        return tokens

    def _attend(self, band: Band, tokens: torch.Tensor) -> torch.Tensor:
        channels = tokens.shape[1]
        qkv = self._work.get("qkv", len(tokens), 3 * channels)
        self._qkv.apply(self._norm.apply(tokens), qkv)
        attended = self._work.get("attended", len(tokens), channels)
        for group in band.groups:
            part = slice(group.offset, group.stop)
            windows = qkv[part].view(group.count, group.tokens, self._heads, 3, -1)
            query, key, value = windows.permute(3, 0, 2, 1, 4)
            out = F.scaled_dot_product_attention(query, key, value, attn_mask=self._bias[group])
            self._proj.apply(out.transpose(1, 2).reshape(-1, channels), attended[part])
        return attended


class FastFeedForward:
    """The MLP, a chunk of tokens at a time, added to its input in place."""

    def __init__(self, module: FeedForward, work: Workspace):
        self._work = work
        self._norm = Norm.of(module.norm)
        self._fc1 = Affine.of(module.fc1)
        self._fc2 = Affine.of(module.fc2)

    def __call__(self, tokens: torch.Tensor) -> None:
        for chunk in tokens.split(_MLP_CHUNK):
            hidden = self._work.get("mlp", len(chunk), self._fc1.bias.numel())
            gelu_(self._fc1.apply(self._norm.apply(chunk), hidden))
            chunk += self._fc2.apply(hidden, self._work.get("mlp out", *chunk.shape))


class FastNeck:
    """(H, W, C) to the embedding (1, 256, H, W)."""

    def __init__(self, module: nn.Sequential):
        reduce, norm1, conv, norm2 = module
        self._reduce = reduce.weight.detach().flatten(1).clone()
        self._conv = conv.weight.detach().clone()
        self._norm1, self._norm2 = Norm.of(norm1), Norm.of(norm2)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        x = self._norm1.apply(F.linear(x, self._reduce))
        x = _as_grid(F.conv2d(_as_nchw(x), self._conv, padding=1))
        return _as_nchw(self._norm2.apply(x))


def _as_nchw(grid: torch.Tensor) -> torch.Tensor:
    """(H, W, C) as (1, C, H, W), channels last in memory."""
    return grid[None].permute(0, 3, 1, 2)


def _as_grid(nchw: torch.Tensor) -> torch.Tensor:
    """Inverse of `_as_nchw`."""
    return nchw.permute(0, 2, 3, 1)[0]
