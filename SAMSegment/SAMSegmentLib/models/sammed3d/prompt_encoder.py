"""SAM-Med3D's prompt encoder: points, boxes and masks become embeddings.

Source: SAM-Med3D (Wang et al. 2023); boxes from its branch CVPR25_3DFM. Attribute names follow the
published weight files. Positions are voxels of the network's input in the order of its axes; an
integer is the centre of its voxel.
"""

import math

import torch
from torch import nn

from ..shared_layers.layers import ChannelNorm
from ..shared_layers.prompt_encoder import NEGATIVE, NOT_A_POINT, POSITIVE
from .image_encoder import EMBEDDING_CHANNELS, GRID, IMAGE_SIZE

_MASK_CHANNELS = 16
_BOX_CORNERS = (2, 3)  # rows of the point embeddings that mark the two corners of a box


class FourierPositions3D(nn.Module):
    """Sine and cosine of random projections of a position."""

    def __init__(self, features: int):
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(3, features))

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        """Encode (..., 3) positions in 0..1 as (..., 3 * features)."""
        phase = 2 * math.pi * ((2 * positions - 1) @ self.positional_encoding_gaussian_matrix)
        # The third part repeats the first: the weights were trained so.
        return torch.cat([phase.sin(), phase.cos(), phase.sin()], dim=-1)


class PromptEncoder3D(nn.Module):
    """Encodes prompts given in voxels of the network's input.

    Args:
        takes_boxes: whether the weights have embeddings for the corners of a box.
    """

    def __init__(self, takes_boxes: bool):
        super().__init__()
        channels = EMBEDDING_CHANNELS
        self.takes_boxes = takes_boxes
        self.pe_layer = FourierPositions3D(channels // 3)
        self.point_embeddings = nn.ModuleList(
            nn.Embedding(1, channels) for _ in range(4 if takes_boxes else 2)
        )
        self.not_a_point_embed = nn.Embedding(1, channels)
        # In the files, but never trained: there always was a mask, if only one of zeros.
        self.no_mask_embed = nn.Embedding(1, channels)
        self.mask_downscaling = nn.Sequential(
            nn.Conv3d(1, _MASK_CHANNELS // 4, kernel_size=2, stride=2),
            ChannelNorm(_MASK_CHANNELS // 4),
            nn.GELU(),
            nn.Conv3d(_MASK_CHANNELS // 4, _MASK_CHANNELS, kernel_size=2, stride=2),
            ChannelNorm(_MASK_CHANNELS),
            nn.GELU(),
            nn.Conv3d(_MASK_CHANNELS, channels, kernel_size=1),
        )

    def grid_positions(self) -> torch.Tensor:
        """Positional encoding of the embedding's voxels, (8^3, channels), by the axes' order."""
        matrix = self.pe_layer.positional_encoding_gaussian_matrix
        centres = (torch.arange(GRID, device=matrix.device, dtype=matrix.dtype) + 0.5) / GRID
        first, second, third = torch.meshgrid(centres, centres, centres, indexing="ij")
        # First and second axis are swapped here, not so for points: the weights were trained so.
        return self.pe_layer(torch.stack([second, first, third], dim=-1).flatten(0, 2))

    def forward(
        self,
        mask: torch.Tensor,
        points: tuple[torch.Tensor, torch.Tensor] | None = None,
        boxes: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode N prompts on one volume.

        Args:
            mask: logits (N, 1, 32, 32, 32) of the answer before; zeros if there is none.
            points: positions (N, P, 3), and labels (N, P): 1 on the object, 0 beside it.
            boxes: (N, 6), a corner and the opposite one.

        Returns:
            Sparse embeddings (N, tokens, channels) and dense ones (N, 8^3, channels).

        Raises:
            ValueError: for a box, if the weights know none.
        """
        sparse = [mask.new_empty(len(mask), 0, EMBEDDING_CHANNELS)]
        if points is not None:
            # Without a box, training always appended one padding point.
            sparse.append(self._embed_points(*points, padded=boxes is None))
        if boxes is not None:
            sparse.append(self._embed_boxes(boxes))
        dense = self.mask_downscaling(mask).flatten(2).transpose(1, 2)
        return torch.cat(sparse, dim=1), dense

    def _embed_points(
        self, positions: torch.Tensor, labels: torch.Tensor, padded: bool
    ) -> torch.Tensor:
        if padded:
            positions = torch.cat([positions, positions.new_zeros(len(labels), 1, 3)], dim=1)
            labels = torch.cat([labels, labels.new_full((len(labels), 1), NOT_A_POINT)], dim=1)
        labels = labels[..., None]
        embedding = self._encode(positions)
        embedding = torch.where(labels == NOT_A_POINT, self.not_a_point_embed.weight, embedding)
        for label in (NEGATIVE, POSITIVE):
            embedding = embedding + (labels == label) * self.point_embeddings[label].weight
        return embedding

    def _embed_boxes(self, boxes: torch.Tensor) -> torch.Tensor:
        if not self.takes_boxes:
            raise ValueError("These weights were not trained with boxes.")
        kinds = torch.cat([self.point_embeddings[corner].weight for corner in _BOX_CORNERS])
        return self._encode(boxes.reshape(-1, 2, 3)) + kinds

    def _encode(self, positions: torch.Tensor) -> torch.Tensor:
        return self.pe_layer((positions.float() + 0.5) / IMAGE_SIZE)
