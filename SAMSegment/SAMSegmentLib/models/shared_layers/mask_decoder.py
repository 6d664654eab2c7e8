"""SAM's mask decoder: a two-way transformer between prompt tokens and image, then upscaling.

Source: "Segment Anything" (Kirillov et al. 2023), section 3 and appendix A. Attribute names
follow the published weight files.

The image is kept as a list of pixels (N, pixels, channels) throughout, so the transposed
convolutions of the upscaling, whose kernel equals their stride, are plain matrix products. Of a
volume, pixels are voxels: SAM-Med3D (Wang et al. 2023) has the same decoder in three dimensions.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from .layers import ChannelNorm, Mlp, TwoLayerMlp

Affine = tuple[torch.Tensor, torch.Tensor]
_UPSCALED_AT_ONCE = 2**18  # values


class CrossAttention(nn.Module):
    """Multi-head attention whose inner width may be smaller than its channels.

    An image has thousands of pixels, a prompt a handful of tokens. `tokens_to_pixels` and
    `add_tokens_to_pixels` therefore never project the pixels: q . (W k) = (W^T q) . k, so the
    projection moves to the side of the tokens. It is the same function, with less arithmetic as
    long as tokens * heads is below the inner width.
    """

    def __init__(self, channels: int, heads: int, downsample_rate: int = 1):
        super().__init__()
        self.heads = heads
        self.inner = channels // downsample_rate
        self.q_proj = nn.Linear(channels, self.inner)
        self.k_proj = nn.Linear(channels, self.inner)
        self.v_proj = nn.Linear(channels, self.inner)
        self.out_proj = nn.Linear(self.inner, channels)

    def forward(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Attend from (N, Q, C) to (N, K, C); returns (N, Q, C)."""
        attended = F.scaled_dot_product_attention(
            self._split(self.q_proj(query)),
            self._split(self.k_proj(key)),
            self._split(self.v_proj(value)),
        )
        return self.out_proj(attended.transpose(1, 2).flatten(2))

    def tokens_to_pixels(
        self, tokens: torch.Tensor, keys: torch.Tensor, values: torch.Tensor
    ) -> torch.Tensor:
        """`forward` for few queries (N, T, C) over many keys and values (N or 1, pixels, C)."""
        count, length, _ = tokens.shape
        if length * self.heads > self.inner:
            return self(tokens, keys.expand(count, -1, -1), values.expand(count, -1, -1))
        # The key bias shifts all scores of a query alike, and softmax ignores that.
        queries = self._split(self.q_proj(tokens)) @ self._per_head(self.k_proj.weight)
        scores = queries.flatten(1, 2) @ keys.transpose(1, 2)
        attention = (scores * self._scale).softmax(-1)
        context = (attention @ values).unflatten(1, (self.heads, length))
        attended = context @ self._per_head(self.v_proj.weight).transpose(1, 2)
        return self.out_proj(attended.transpose(1, 2).flatten(2) + self.v_proj.bias)

    def add_tokens_to_pixels(
        self,
        pixels: torch.Tensor,
        placed_pixels: torch.Tensor,
        keys: torch.Tensor,
        values: torch.Tensor,
    ) -> torch.Tensor:
        """`pixels + forward(placed_pixels, keys, values)` for many pixels and few keys.

        Shapes: pixels (N or 1, pixels, C), keys and values (N, T, C).
        """
        count, length, _ = keys.shape
        if length * self.heads > self.inner:
            return pixels + self(placed_pixels.expand(count, -1, -1), keys, values)
        keys = self._split(self.k_proj(keys)) * self._scale
        shift = keys @ self._per_head(self.q_proj.bias)[..., None]
        keys = (keys @ self._per_head(self.q_proj.weight)).flatten(1, 2)
        # Tokens by pixels, so that the softmax over the tokens runs along contiguous pixels.
        scores = (keys @ placed_pixels.transpose(1, 2)).unflatten(1, (self.heads, length))
        attention = (scores + shift).softmax(2).flatten(1, 2).transpose(1, 2)
        values = self._split(self.v_proj(values)) @ self._per_head(self.out_proj.weight.t())
        # Each head's attention sums to one, so the heads can share the output bias.
        values = (values + self.out_proj.bias / self.heads).flatten(1, 2)
        return torch.baddbmm(pixels.expand(count, -1, -1), attention, values)

    @property
    def _scale(self) -> float:
        return (self.inner // self.heads) ** -0.5

    def _split(self, x: torch.Tensor) -> torch.Tensor:
        """(N, T, inner) to (N, heads, T, inner / heads)."""
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def _per_head(self, parameter: torch.Tensor) -> torch.Tensor:
        """(inner, ...) to (heads, inner / heads, ...)."""
        return parameter.unflatten(0, (self.heads, -1))


class TwoWayBlock(nn.Module):
    """Tokens attend to themselves and to the image, then the image attends to the tokens."""

    def __init__(self, channels: int, heads: int, mlp_hidden: int, first: bool):
        super().__init__()
        self.first = first
        self.self_attn = CrossAttention(channels, heads)
        self.cross_attn_token_to_image = CrossAttention(channels, heads, downsample_rate=2)
        self.cross_attn_image_to_token = CrossAttention(channels, heads, downsample_rate=2)
        self.mlp = TwoLayerMlp(channels, mlp_hidden)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)
        self.norm4 = nn.LayerNorm(channels)

    def forward(
        self,
        tokens: torch.Tensor,
        pixels: torch.Tensor,
        token_positions: torch.Tensor,
        pixel_positions: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        tokens = self.norm1(self._attend_to_self(tokens, token_positions))
        placed_pixels = pixels + pixel_positions
        tokens = self.norm2(
            tokens
            + self.cross_attn_token_to_image.tokens_to_pixels(
                tokens + token_positions, placed_pixels, pixels
            )
        )
        tokens = self.norm3(tokens + self.mlp(tokens))
        pixels = self.norm4(
            self.cross_attn_image_to_token.add_tokens_to_pixels(
                pixels, placed_pixels, tokens + token_positions, tokens
            )
        )
        return tokens, pixels

    def _attend_to_self(self, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        if self.first:  # the tokens are their own positions here, and there is no residual
            return self.self_attn(tokens, tokens, tokens)
        placed = tokens + positions
        return tokens + self.self_attn(placed, placed, tokens)


class TwoWayTransformer(nn.Module):
    """Blocks of two-way attention and a last look of the tokens at the image."""

    def __init__(self, depth: int, channels: int, heads: int, mlp_hidden: int):
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayBlock(channels, heads, mlp_hidden, first=index == 0) for index in range(depth)
        )
        self.final_attn_token_to_image = CrossAttention(channels, heads, downsample_rate=2)
        self.norm_final_attn = nn.LayerNorm(channels)

    def forward(
        self,
        tokens: torch.Tensor,
        pixels: torch.Tensor,
        pixel_positions: torch.Tensor,
        between_blocks: Callable[[], None] = lambda: None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Update tokens (N, T, C) and pixels (N or 1, P, C); returns both with batch N."""
        token_positions = tokens
        for layer in self.layers:
            tokens, pixels = layer(tokens, pixels, token_positions, pixel_positions)
            between_blocks()
        tokens = tokens + self.final_attn_token_to_image.tokens_to_pixels(
            tokens + token_positions, pixels + pixel_positions, pixels
        )
        return self.norm_final_attn(tokens), pixels


class MaskDecoder(nn.Module):
    """Predicts mask logits, and an estimate of their IoU, from image and prompt embeddings.

    Args:
        dimensions: 2 for an image of size^2 pixels, 3 for a volume of size^3 voxels.
    """

    def __init__(
        self,
        channels: int,
        heads: int = 8,
        depth: int = 2,
        multimasks: int = 3,
        dimensions: int = 2,
    ):
        super().__init__()
        self.dimensions = dimensions
        upscale = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[dimensions]
        self.transformer = TwoWayTransformer(depth, channels, heads, mlp_hidden=2048)
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(multimasks + 1, channels)
        self.output_upscaling = nn.Sequential(
            upscale(channels, channels // 4, kernel_size=2, stride=2),
            ChannelNorm(channels // 4),
            nn.GELU(),
            upscale(channels // 4, channels // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            Mlp(channels, channels, channels // 8, depth=3) for _ in range(multimasks + 1)
        )
        self.iou_prediction_head = Mlp(channels, 256, multimasks + 1, depth=3)

    def forward(
        self,
        pixels: torch.Tensor,
        pixel_positions: torch.Tensor,
        sparse: torch.Tensor,
        dense: torch.Tensor,
        multimask: bool = False,
        between_blocks: Callable[[], None] = lambda: None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Decode N prompts on one image of P pixels (P = size^2, or size^3 of a volume).

        Args:
            pixels: image embedding (1, P, C), by rows.
            pixel_positions: their positional encoding (P, C).
            sparse: prompt tokens (N, T, C).
            dense: mask embedding (N, P, C), or (1, 1, C) where there is no mask.
            multimask: three candidate masks for an ambiguous prompt, instead of one.
            between_blocks: called between the parts of the work; what it raises ends it.

        Returns:
            Logits (N, M, 4 * size, 4 * size), of a volume with a third axis of that length, and
            predicted IoU (N, M), with M = 1 or 3.
        """
        output_tokens = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([output_tokens.expand(len(sparse), -1, -1), sparse], dim=1)
        tokens, pixels = self.transformer(tokens, pixels + dense, pixel_positions, between_blocks)

        selected = range(1, len(self.mask_tokens.weight)) if multimask else range(1)
        iou = self.iou_prediction_head(tokens[:, 0])[:, selected.start : selected.stop]
        kernels = [self.output_hypernetworks_mlps[i](tokens[:, 1 + i]) for i in selected]
        return self._masks(pixels, torch.stack(kernels, dim=1), between_blocks), iou

    def _masks(
        self, pixels: torch.Tensor, kernels: torch.Tensor, between_blocks: Callable[[], None]
    ) -> torch.Tensor:
        """Upscale (N, P, C) fourfold along each axis and project onto kernels (N, M, C / 8)."""
        count, pixel_count, _ = pixels.shape
        n = self.dimensions
        size = round(pixel_count ** (1 / n))
        up1, up2 = _as_linear(self.output_upscaling[0]), _as_linear(self.output_upscaling[3])
        # In chunks, because the upscaled features are far larger than the cache.
        chunk_size = max(_UPSCALED_AT_ONCE // (4**n * kernels.shape[-1]), 1)
        logits = []
        for chunk in pixels.split(chunk_size, dim=1):
            logits.append(self._upscale(chunk, up1, up2) @ kernels.transpose(1, 2))
            between_blocks()
        # Axes: those of the image, then the steps of the first upscaling, then of the second.
        logits = torch.cat(logits, dim=1).view(count, *[size] * n, *[2] * (2 * n), -1)
        together = [axis for own in range(1, n + 1) for axis in (own, own + n, own + 2 * n)]
        return logits.permute(0, 1 + 3 * n, *together).reshape(count, -1, *[4 * size] * n)

    def _upscale(self, pixels: torch.Tensor, up1: Affine, up2: Affine) -> torch.Tensor:
        """Features (N, P * 4^n, C / 8) of the 4^n subpixels of each pixel (N, P, C)."""
        norm = self.output_upscaling[1]
        x = F.linear(pixels, *up1).view(len(pixels), -1, *norm.weight.shape)
        x = F.gelu(F.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, norm.eps))
        return F.gelu(F.linear(x, *up2)).view(len(pixels), 4**self.dimensions * pixels.shape[1], -1)


def _as_linear(layer: nn.ConvTranspose2d | nn.ConvTranspose3d) -> Affine:
    """Weight and bias of the linear layer that equals a transposed convolution of 2 by stride 2.

    Its output holds the subpixels of a pixel, in the order (row step, column step), or three.
    """
    # To (steps ..., out, in).
    weight = layer.weight.movedim((0, 1), (-1, -2))
    subpixels = weight.shape[:-2].numel()
    return weight.flatten(0, -2), layer.bias.repeat(subpixels)
