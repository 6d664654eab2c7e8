"""SAM-Med3D's prompt encoder: SAM's with a third axis, and the ways in which its training differs.

Source: SAM-Med3D (Wang et al. 2023); boxes from its branch CVPR25_3DFM. Attribute names follow the
published weight files. Positions are voxels of the network's input in the order of its axes; an
integer is the centre of its voxel.
"""

import torch

from ..shared_layers.prompt_encoder import FourierPositions, PromptEncoder
from .image_encoder import EMBEDDING_CHANNELS, GRID, IMAGE_SIZE

_MASK_CHANNELS = 16


class FourierPositions3D(FourierPositions):
    """Sine and cosine of random projections of a position."""

    def __init__(self, features: int):
        super().__init__(features, dimensions=3)

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        """Encode (..., 3) positions in 0..1 as (..., 3 * features)."""
        sine, cosine = super().forward(positions).chunk(2, dim=-1)
        # The third part repeats the first: the weights were trained so.
        return torch.cat([sine, cosine, sine], dim=-1)


class PromptEncoder3D(PromptEncoder):
    """Encodes prompts given in voxels of the network's input.

    There always is a mask, if only one of zeros: training knew nothing else.

    Args:
        takes_boxes: whether the weights have embeddings for the corners of a box.
    """

    def __init__(self, takes_boxes: bool):
        super().__init__(
            EMBEDDING_CHANNELS,
            IMAGE_SIZE,
            GRID,
            _MASK_CHANNELS,
            FourierPositions3D(EMBEDDING_CHANNELS // 3),
            dimensions=3,
            takes_boxes=takes_boxes,
        )

    def grid_positions(self) -> torch.Tensor:
        """Positional encoding of the embedding's voxels, (8^3, channels), by the axes' order."""
        matrix = self.pe_layer.positional_encoding_gaussian_matrix
        centres = (torch.arange(GRID, device=matrix.device, dtype=matrix.dtype) + 0.5) / GRID
        first, second, third = torch.meshgrid(centres, centres, centres, indexing="ij")
        # First and second axis are swapped here, not so for points: the weights were trained so.
        return self.pe_layer(torch.stack([second, first, third], dim=-1).flatten(0, 2))
