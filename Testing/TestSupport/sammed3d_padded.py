"""SAM-Med3D's encoder as it was published: windows padded, all scores computed. Slow on purpose.

Written from the published code's description and held against that code (see record_sammed3d.py);
it stands in for it where that is missing. The same operations, so it costs about the same.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch.nn import functional as F

Tensors = Mapping[str, torch.Tensor]
_HEADS, _WINDOW, _DEPTH, _GLOBAL_BLOCKS, _EPSILON = 12, 14, 12, (2, 5, 8, 11), 1e-6


def encode(tensors: Tensors, images: torch.Tensor) -> torch.Tensor:
    """Embeddings (B, 384, 8, 8, 8) of (B, 1, 128, 128, 128)."""
    own = {
        name.removeprefix("image_encoder."): tensor
        for name, tensor in tensors.items()
        if name.startswith("image_encoder.")
    }
    cube = F.conv3d(images, own["patch_embed.proj.weight"], own["patch_embed.proj.bias"], stride=16)
    cube = cube.permute(0, 2, 3, 4, 1) + own["pos_embed"]
    for index in range(_DEPTH):
        block = {
            name.removeprefix(f"blocks.{index}."): tensor
            for name, tensor in own.items()
            if name.startswith(f"blocks.{index}.")
        }
        window = cube.shape[1] if index in _GLOBAL_BLOCKS else _WINDOW
        normal = _layer_norm(cube, block, "norm1")
        cube = cube + attention(_part(block, "attn."), normal, _HEADS, window)
        hidden = F.linear(
            _layer_norm(cube, block, "norm2"), block["mlp.lin1.weight"], block["mlp.lin1.bias"]
        )
        cube = cube + F.linear(F.gelu(hidden), block["mlp.lin2.weight"], block["mlp.lin2.bias"])
    features = F.conv3d(cube.permute(0, 4, 1, 2, 3), own["neck.0.weight"])
    features = F.conv3d(_channel_norm(features, own, "neck.1"), own["neck.2.weight"], padding=1)
    return _channel_norm(features, own, "neck.3")


def attention(
    tensors: Tensors, cube: torch.Tensor, heads: int, window: int, textbook: bool = False
) -> torch.Tensor:
    """Attention among the tokens of a cube (B, g, g, g, C), padded to a window; same shape.

    Args:
        tensors: qkv.weight, qkv.bias, proj.weight, proj.bias, rel_pos_d, rel_pos_h, rel_pos_w.
        textbook: the formula of ViTDet instead of the published one, which puts the place of the
            key along the last axis in all three terms.
    """
    grid = cube.shape[1]
    padded = F.pad(cube, (0, 0) + (0, window - grid) * 3)
    count = window**3
    qkv = F.linear(padded, tensors["qkv.weight"], tensors["qkv.bias"])
    q, k, v = qkv.view(len(cube), count, 3, heads, -1).permute(2, 0, 3, 1, 4)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)
    scores = scores.view(len(cube), heads, *(window,) * 6)
    places = torch.arange(window)
    index = places[:, None] - places + window - 1
    d, h, w = (tensors[f"rel_pos_{axis}"][index] for axis in "dhw")
    of_query = q.view(len(cube), heads, *(window,) * 3, -1)
    by_d = torch.einsum("xnabcw,asw->xnabcs", of_query, d)
    by_h = torch.einsum("xnabcw,bsw->xnabcs", of_query, h)
    by_w = torch.einsum("xnabcw,csw->xnabcs", of_query, w)
    if textbook:
        scores = scores + by_d[..., :, None, None] + by_h[..., None, :, None]
        scores = scores + by_w[..., None, None, :]
    else:
        scores = scores + by_d[..., None, None, :]
        scores = scores + by_h[:, :, :, :, None, :, None, :]
        scores = scores + by_w[:, :, :, :, None, None, :, :]
    attended = scores.view(len(cube), heads, count, count).softmax(-1) @ v
    attended = attended.transpose(1, 2).reshape(padded.shape)
    attended = F.linear(attended, tensors["proj.weight"], tensors["proj.bias"])
    return attended[:, :grid, :grid, :grid]


def _part(tensors: Tensors, prefix: str) -> Tensors:
    return {n.removeprefix(prefix): value for n, value in tensors.items() if n.startswith(prefix)}


def _layer_norm(x: torch.Tensor, tensors: Tensors, name: str) -> torch.Tensor:
    weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
    return F.layer_norm(x, weight.shape, weight, bias, _EPSILON)


def _channel_norm(x: torch.Tensor, tensors: Tensors, name: str) -> torch.Tensor:
    return _layer_norm(x.movedim(1, -1), tensors, name).movedim(-1, 1)
