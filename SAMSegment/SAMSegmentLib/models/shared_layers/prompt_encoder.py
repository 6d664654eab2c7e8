"""SAM's prompt encoder: points, boxes and masks become embeddings.

Source: "Segment Anything" (Kirillov et al. 2023), section 3 and appendix A; positional features
after Tancik et al. 2020 ("Fourier Features Let Networks Learn High Frequency Functions").
Attribute names follow the published weight files.
"""

import math

import torch
from torch import nn

from .layers import ChannelNorm

NEGATIVE, POSITIVE, NOT_A_POINT = 0, 1, -1
_BOX_CORNERS = (2, 3)  # rows of the point embeddings that mark the two corners of a box


class FourierPositions(nn.Module):
    """Sine and cosine of random projections of a position."""

    def __init__(self, features: int, dimensions: int = 2):
        super().__init__()
        matrix = torch.randn(dimensions, features)
        self.register_buffer("positional_encoding_gaussian_matrix", matrix)

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        """Encode (..., dimensions) positions in 0..1 as (..., 2 * features)."""
        phase = 2 * math.pi * ((2 * positions - 1) @ self.positional_encoding_gaussian_matrix)
        return torch.cat([phase.sin(), phase.cos()], dim=-1)


class PromptEncoder(nn.Module):
    """Encodes prompts given in pixels of the (square) network input, or in voxels of a cube.

    Coordinates are (x, y), x along a row, or in the order of the cube's axes; an integer is the
    centre of its pixel.

    Args:
        channels: of a token.
        image_size: pixels along a side of the input.
        embedding_size: of the image embedding.
        mask_channels: between the convolutions of a mask.
        positions: encodes coordinates; None: FourierPositions of two dimensions.
        dimensions: of the input.
        takes_boxes: whether the weights have embeddings for the corners of a box.
    """

    def __init__(
        self,
        channels: int,
        image_size: int,
        embedding_size: int,
        mask_channels: int,
        positions: nn.Module | None = None,
        dimensions: int = 2,
        takes_boxes: bool = True,
    ):
        super().__init__()
        self.channels = channels
        self.image_size = image_size
        self.embedding_size = embedding_size
        self.takes_boxes = takes_boxes
        self.pe_layer = positions or FourierPositions(channels // 2)
        self.point_embeddings = nn.ModuleList(
            nn.Embedding(1, channels) for _ in range(4 if takes_boxes else 2)
        )
        self.not_a_point_embed = nn.Embedding(1, channels)
        self.no_mask_embed = nn.Embedding(1, channels)
        convolution = {2: nn.Conv2d, 3: nn.Conv3d}[dimensions]
        self.mask_downscaling = nn.Sequential(
            convolution(1, mask_channels // 4, kernel_size=2, stride=2),
            ChannelNorm(mask_channels // 4),
            nn.GELU(),
            convolution(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            ChannelNorm(mask_channels),
            nn.GELU(),
            convolution(mask_channels, channels, kernel_size=1),
        )

    def grid_positions(self) -> torch.Tensor:
        """Positional encoding of the embedding's pixels, (embedding_size^2, channels), by rows."""
        matrix = self.pe_layer.positional_encoding_gaussian_matrix
        centres = torch.arange(self.embedding_size, device=matrix.device, dtype=matrix.dtype)
        centres = (centres + 0.5) / self.embedding_size
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        return self.pe_layer(torch.stack([x, y], dim=-1).flatten(0, 1))

    def forward(
        self,
        boxes: torch.Tensor | None = None,
        points: tuple[torch.Tensor, torch.Tensor] | None = None,
        mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Encode N prompts; each one is a box, a set of P points, a mask, or any combination.

        Args:
            boxes: (N, 4) corners x0, y0, x1, y1; (N, 6) in a cube.
            points: coordinates (N, P, 2 or 3), and labels (N, P): 1 inside the object, 0 outside,
                -1 padding.
            mask: logits (N, 1, ...), 4 * embedding_size along each side, as the decoder returns.

        Returns:
            Sparse embeddings (N, tokens, channels), and the dense embedding that is added to
            every pixel of the image embedding, (N, pixels, channels) for a mask or
            (1, 1, channels) for "no mask".

        Raises:
            ValueError: for a box, if the weights know none.
        """
        sparse = []
        if points is not None:
            # Without a box, training always appended one padding point.
            sparse.append(self._embed_points(*points, padded=boxes is None))
        if boxes is not None:
            sparse.append(self._embed_boxes(boxes))
        if not sparse:
            count = 1 if mask is None else mask.shape[0]
            sparse.append(self.no_mask_embed.weight.new_empty(count, 0, self.channels))
        return torch.cat(sparse, dim=1), self._embed_mask(mask)

    def _embed_points(
        self, coordinates: torch.Tensor, labels: torch.Tensor, padded: bool
    ) -> torch.Tensor:
        if padded:
            coordinates = torch.cat(
                [coordinates, coordinates.new_zeros(len(labels), 1, coordinates.shape[-1])], dim=1
            )
            labels = torch.cat([labels, labels.new_full((len(labels), 1), NOT_A_POINT)], dim=1)
        labels = labels[..., None]
        embedding = self._encode_pixels(coordinates)
        embedding = torch.where(labels == NOT_A_POINT, self.not_a_point_embed.weight, embedding)
        for label in (NEGATIVE, POSITIVE):
            embedding = embedding + (labels == label) * self.point_embeddings[label].weight
        return embedding

    def _embed_boxes(self, boxes: torch.Tensor) -> torch.Tensor:
        if not self.takes_boxes:
            raise ValueError("These weights were not trained with boxes.")
        kinds = torch.cat([self.point_embeddings[corner].weight for corner in _BOX_CORNERS])
        return self._encode_pixels(boxes.reshape(len(boxes), 2, -1)) + kinds

    def _embed_mask(self, mask: torch.Tensor | None) -> torch.Tensor:
        if mask is None:
            return self.no_mask_embed.weight[None]
        return self.mask_downscaling(mask).flatten(2).transpose(1, 2)

    def _encode_pixels(self, coordinates: torch.Tensor) -> torch.Tensor:
        return self.pe_layer((coordinates.float() + 0.5) / self.image_size)
