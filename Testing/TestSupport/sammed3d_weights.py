"""Random weights for SAM-Med3D, by name and shape those of the published file, always the same."""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch.nn import functional as F

SHAPES: dict[str, list[int]] = json.loads(
    (Path(__file__).parent / "sammed3d_tensors.json").read_text(encoding="utf-8")
)
#: What the variant with boxes has beside these (branch CVPR25_3DFM).
BOX_SHAPES = {f"prompt_encoder.point_embeddings.{n}.weight": [1, 384] for n in (2, 3)}


def random_weights(seed: int, boxes: bool = False) -> dict[str, torch.Tensor]:
    """Tensors in which nothing is degenerate: biases and position tables are not zero."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {**SHAPES, **(BOX_SHAPES if boxes else {})}
    return {name: _random(name, shape, generator) for name, shape in shapes.items()}


def random_picture(seed: int) -> torch.Tensor:
    """Something like a normalised volume, (1, 1, 128, 128, 128): smooth shapes and noise."""
    generator = torch.Generator().manual_seed(seed)
    shapes = torch.randn(1, 1, 9, 9, 9, generator=generator)
    smooth = F.interpolate(shapes, size=(128,) * 3, mode="trilinear", align_corners=False)
    return 1.5 * smooth + 0.3 * torch.randn(smooth.shape, generator=generator)


def _random(name: str, shape: list[int], generator: torch.Generator) -> torch.Tensor:
    values = torch.randn(shape, generator=generator)
    if "norm" in name or name in _NORMS:
        return 1 + 0.1 * values if name.endswith("weight") else 0.1 * values
    if name.endswith("bias"):
        return 0.1 * values
    if "rel_pos" in name:
        return 0.2 * values
    if "pos_embed" in name:
        return 0.5 * values
    if "token" in name.split(".")[-2] or "embed" in name.split(".")[-2] or "gaussian" in name:
        return values
    # As wide as keeps a layer's output as large as its input.
    return values / math.sqrt(values[0].numel())


# Norms that are a number in a sequence of layers.
_NORMS = {
    f"{layer}.{kind}"
    for layer in (
        "image_encoder.neck.1",
        "image_encoder.neck.3",
        "prompt_encoder.mask_downscaling.1",
        "prompt_encoder.mask_downscaling.4",
        "mask_decoder.output_upscaling.1",
    )
    for kind in ("weight", "bias")
}
