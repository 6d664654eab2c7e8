"""TinyViT image encoder, in the variant that LiteMedSAM trained.

Sources: TinyViT (Wu et al. 2022, "TinyViT: Fast Pretraining Distillation for Small Vision
Transformers"), its use as a SAM encoder in MobileSAM (Zhang et al. 2023), and the LiteMedSAM
branch of MedSAM (Ma et al. 2024), which differs in two places: the patch embedding has two 1x1
convolutions of stride 1, so the first stage sees every pixel, and the last merge keeps its
resolution. Attribute names follow the published weight file.

This module is the readable, differentiable form. `tiny_vit_inference` computes the same function
faster on a CPU.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ..shared_layers.layers import ChannelNorm, ConvBatchNorm

IMAGE_SIZE = 256
EMBEDDING_SIZE = 64
EMBEDDING_CHANNELS = 256
STAGE_CHANNELS = (64, 128, 160, 320)
STAGE_DEPTHS = (2, 2, 6, 2)
STAGE_HEADS = (2, 4, 5, 10)  # the first stage is convolutional: its entry is unused
STAGE_WINDOWS = (7, 7, 14, 7)
STAGE_SIZES = (256, 128, 64, 64)  # tokens along each side of the grid
MERGE_STRIDES = (2, 2, 1)
EXPANSION = 4


class PatchEmbed(nn.Module):
    """Two 1x1 convolutions: a feature vector for each pixel."""

    def __init__(self, in_channels: int, channels: int):
        super().__init__()
        self.seq = nn.Sequential(
            ConvBatchNorm(in_channels, channels // 2),
            nn.GELU(),
            ConvBatchNorm(channels // 2, channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.seq(x)


class MBConv(nn.Module):
    """Inverted residual block: expand 1x1, depthwise 3x3, project 1x1, add, GELU."""

    def __init__(self, channels: int, expansion: int = EXPANSION):
        super().__init__()
        hidden = channels * expansion
        self.conv1 = ConvBatchNorm(channels, hidden)
        self.conv2 = ConvBatchNorm(hidden, hidden, kernel_size=3, groups=hidden)
        self.conv3 = ConvBatchNorm(hidden, channels)
        # A fresh block starts as the identity, so that depth does not hurt early training.
        nn.init.zeros_(self.conv3.bn.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        hidden = F.gelu(self.conv1(x))
        hidden = F.gelu(self.conv2(hidden))
        return F.gelu(x + self.conv3(hidden))


class PatchMerging(nn.Module):
    """Changes the channel count between stages and, with stride 2, halves the grid."""

    def __init__(self, in_channels: int, out_channels: int, stride: int):
        super().__init__()
        self.conv1 = ConvBatchNorm(in_channels, out_channels)
        self.conv2 = ConvBatchNorm(
            out_channels, out_channels, kernel_size=3, stride=stride, groups=out_channels
        )
        self.conv3 = ConvBatchNorm(out_channels, out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.gelu(self.conv1(x))
        x = F.gelu(self.conv2(x))
        return self.conv3(x)


class WindowAttention(nn.Module):
    """Self-attention inside square windows with a learned bias per (|dy|, |dx|) offset."""

    def __init__(self, channels: int, heads: int, window: int):
        super().__init__()
        self.heads = heads
        self.window = window
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        self.register_buffer("offset_index", _offset_index(window), persistent=False)

    def bias(self) -> torch.Tensor:
        """Attention bias (heads, window^2, window^2), query by key."""
        return self.attention_biases[:, self.offset_index]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend within each window of (B, H, W, C); the grid is padded with zeros to fit.

        The padding happens before the normalisation, so padded tokens hold its bias and do take
        part in the softmax, as they did in training.
        """
        batch, height, width, channels = x.shape
        right, bottom = -width % self.window, -height % self.window
        windows = _split_windows(F.pad(x, (0, 0, 0, right, 0, bottom)), self.window)
        windows = self._attend(self.norm(windows))
        grid = (batch, height + bottom, width + right, channels)
        return _join_windows(windows, self.window, grid)[:, :height, :width]

    def _attend(self, windows: torch.Tensor) -> torch.Tensor:
        count, tokens, channels = windows.shape
        # Each head owns a run of [query, key, value] in the projection's output.
        qkv = self.qkv(windows).view(count, tokens, self.heads, 3, channels // self.heads)
        query, key, value = qkv.permute(3, 0, 2, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=self.bias()[None])
        return self.proj(attended.transpose(1, 2).reshape(count, tokens, channels))


class FeedForward(nn.Module):
    """Pre-normalised two-layer perceptron with GELU."""

    def __init__(self, channels: int, expansion: int = EXPANSION):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.fc1 = nn.Linear(channels, channels * expansion)
        self.fc2 = nn.Linear(channels * expansion, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class TinyViTBlock(nn.Module):
    """Window attention, a depthwise 3x3 convolution across window borders, then the MLP."""

    def __init__(self, channels: int, heads: int, window: int):
        super().__init__()
        self.attn = WindowAttention(channels, heads, window)
        self.mlp = FeedForward(channels)
        self.local_conv = ConvBatchNorm(channels, channels, kernel_size=3, groups=channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (B, C, H, W) to the same shape."""
        tokens = x.permute(0, 2, 3, 1)
        tokens = tokens + self.attn(tokens)
        tokens = self.local_conv(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        tokens = tokens + self.mlp(tokens)
        return tokens.permute(0, 3, 1, 2)


class Stage(nn.Module):
    """Blocks of one width, then the merge into the next stage (none after the last)."""

    def __init__(self, blocks: list[nn.Module], downsample: PatchMerging | None):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class TinyViT(nn.Module):
    """Image encoder: (B, 3, 256, 256) floats in 0..1 to an embedding (B, 256, 64, 64)."""

    def __init__(self):
        super().__init__()
        self.patch_embed = PatchEmbed(3, STAGE_CHANNELS[0])
        self.layers = nn.ModuleList(_build_stage(index) for index in range(len(STAGE_CHANNELS)))
        self.neck = nn.Sequential(
            nn.Conv2d(STAGE_CHANNELS[-1], EMBEDDING_CHANNELS, kernel_size=1, bias=False),
            ChannelNorm(EMBEDDING_CHANNELS),
            nn.Conv2d(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS, 3, padding=1, bias=False),
            ChannelNorm(EMBEDDING_CHANNELS),
        )
        self.apply(_initialise)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.patch_embed(images)
        for stage in self.layers:
            x = stage(x)
        return self.neck(x)


def _build_stage(index: int) -> Stage:
    channels = STAGE_CHANNELS[index]
    if index == 0:
        blocks = [MBConv(channels) for _ in range(STAGE_DEPTHS[index])]
    else:
        heads, window = STAGE_HEADS[index], STAGE_WINDOWS[index]
        blocks = [TinyViTBlock(channels, heads, window) for _ in range(STAGE_DEPTHS[index])]
    if index == len(STAGE_CHANNELS) - 1:
        return Stage(blocks, None)
    return Stage(blocks, PatchMerging(channels, STAGE_CHANNELS[index + 1], MERGE_STRIDES[index]))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        nn.init.zeros_(module.bias)


def _offset_index(window: int) -> torch.Tensor:
    """Index |dy| * window + |dx| for each (query, key) pair of a window, (window^2, window^2)."""
    steps = torch.arange(window)
    rows, columns = steps.repeat_interleave(window), steps.repeat(window)
    dy = (rows[:, None] - rows[None, :]).abs()
    dx = (columns[:, None] - columns[None, :]).abs()
    return dy * window + dx


def _split_windows(x: torch.Tensor, window: int) -> torch.Tensor:
    """Cut (B, H, W, C) into (B * windows, window^2, C)."""
    batch, height, width, channels = x.shape
    x = x.view(batch, height // window, window, width // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window * window, channels)


def _join_windows(windows: torch.Tensor, window: int, grid: tuple[int, ...]) -> torch.Tensor:
    """Inverse of `_split_windows` for a grid of shape (B, H, W, C)."""
    batch, height, width, channels = grid
    x = windows.view(batch, height // window, width // window, window, window, channels)
    return x.transpose(2, 3).reshape(grid)
