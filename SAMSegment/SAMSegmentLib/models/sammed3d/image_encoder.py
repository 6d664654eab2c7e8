"""SAM-Med3D's image encoder: a vision transformer on a cube of 8^3 tokens.

Source: SAM-Med3D (Wang et al. 2023), `vit_b_ori`, the variant of all published weights. Attribute
names follow the published weight files.
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional as F

from ..shared_layers.layers import ChannelNorm, TwoLayerMlp
from .attention import CubeAttention

IMAGE_SIZE = 128
PATCH_SIZE = 16
GRID = IMAGE_SIZE // PATCH_SIZE
EMBEDDING_CHANNELS = 384
_WINDOW = 14
_EPSILON = 1e-6


class SAMMed3DEncoder(nn.Module):
    """Turns a volume into an embedding of one vector for 16^3 voxels.

    Args:
        width: channels of a token.
        global_blocks: numbers of the blocks that the publication did not pad.
    """

    def __init__(
        self,
        width: int = 768,
        heads: int = 12,
        depth: int = 12,
        global_blocks: tuple[int, ...] = (2, 5, 8, 11),
    ):
        super().__init__()
        self.patch_embed = PatchEmbedding(width)
        self.pos_embed = nn.Parameter(torch.zeros(1, GRID, GRID, GRID, width))
        self.blocks = nn.ModuleList(
            Block(width, heads, GRID if index in global_blocks else _WINDOW)
            for index in range(depth)
        )
        self.neck = nn.Sequential(
            nn.Conv3d(width, EMBEDDING_CHANNELS, kernel_size=1, bias=False),
            ChannelNorm(EMBEDDING_CHANNELS),
            nn.Conv3d(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS, kernel_size=3, padding=1, bias=False),
            ChannelNorm(EMBEDDING_CHANNELS),
        )

    def forward(
        self, images: torch.Tensor, between_blocks: Callable[[], None] = lambda: None
    ) -> torch.Tensor:
        """Embeddings (B, 384, 8, 8, 8) of (B, 1, 128, 128, 128).

        Args:
            between_blocks: called before each block; what it raises ends the pass.
        """
        tokens = self.patch_embed(images) + self.pos_embed.flatten(1, 3)
        for block in self.blocks:
            between_blocks()
            tokens = block(tokens)
        between_blocks()
        return self.neck(tokens.transpose(1, 2).unflatten(2, (GRID,) * 3))


class PatchEmbedding(nn.Module):
    """A token for each cube of 16^3 voxels."""

    def __init__(self, width: int):
        super().__init__()
        self.proj = nn.Conv3d(1, width, kernel_size=PATCH_SIZE, stride=PATCH_SIZE)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Tokens (B, 8^3, width) of (B, 1, 128, 128, 128)."""
        # The kernel equals the stride: a plain matrix product, several times as fast as conv3d.
        cubes = images.view(-1, *(GRID, PATCH_SIZE) * 3).permute(0, 1, 3, 5, 2, 4, 6)
        cubes = cubes.reshape(len(images), GRID**3, PATCH_SIZE**3)
        return F.linear(cubes, self.proj.weight.flatten(1), self.proj.bias)


class Block(nn.Module):
    """Attention, then a perceptron; each adds to its normalised input."""

    def __init__(self, width: int, heads: int, window: int):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=_EPSILON)
        self.attn = CubeAttention(width, heads, GRID, window)
        self.norm2 = nn.LayerNorm(width, eps=_EPSILON)
        self.mlp = TwoLayerMlp(width, 4 * width, F.gelu)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """(B, tokens, width), same shape."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))
