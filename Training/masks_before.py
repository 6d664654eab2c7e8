"""Masks before, as the network gets them: of a coarser window, of a segment, of its last answer."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .clicks import halved

#: A coarser window's voxels, in those of this one.
COARSER = (2, 4, 6, 8)
# The most by which a mask is shifted, at half the resolution.
_SHIFT = 2


def corrupted(truth: Tensor, random: torch.Generator) -> Tensor:
    """Incorrect masks (B, 1, D/2, H/2, W/2), -1 to 1, of objects (B, D, H, W).

    Grown, shrunken, shifted, ragged, seen coarsely, with a part missing or a part too many.
    """
    one_by_one = [_spoilt(mask[None], random) for mask in halved(truth)]
    # Never all 0, which would mean that there is no mask.
    return (2 * torch.cat(one_by_one) - 1).clamp(-0.999, 0.999)


def _spoilt(x: Tensor, random: torch.Generator) -> Tensor:
    kind = _KINDS[int(torch.randint(len(_KINDS), (1,), generator=random))]
    spoilt = kind(x, random)
    # Of what is small nothing may be left; then nobody could know what is meant.
    return spoilt if spoilt.max() > 0.5 * x.max() else _grown(x)


def _ragged(x: Tensor, random: torch.Generator) -> Tensor:
    noise = _smooth_noise(x, int(torch.randint(2, 6, (1,), generator=random)), random)
    return torch.where(noise > 0.5, _grown(x), _shrunken(x))


def _shifted(x: Tensor, random: torch.Generator) -> Tensor:
    wider = F.pad(x, (_SHIFT,) * 6, mode="replicate")
    starts = torch.randint(0, 2 * _SHIFT + 1, (3,), generator=random).tolist()
    for axis, start in enumerate(starts, 2):
        wider = wider.narrow(axis, start, x.shape[axis])
    return wider


def _coarse(x: Tensor, random: torch.Generator) -> Tensor:
    size = COARSER[int(torch.randint(len(COARSER), (1,), generator=random))]
    size = max(1, min(size // 2, x.shape[2] // 4))
    small = F.avg_pool3d(_shifted(x, random) if size > 1 else x, size, ceil_mode=True)
    noise = 0.5 * (torch.rand(small.shape, generator=random).to(x.device) - 0.5)
    small = torch.sigmoid(8 * (small + noise * 4 * small * (1 - small) - 0.5))
    return F.interpolate(small, size=x.shape[2:], mode="trilinear", align_corners=False)


def _partial(x: Tensor, random: torch.Generator) -> Tensor:
    return x * (_smooth_noise(x, 3, random) < 0.55)


def _surplus(x: Tensor, random: torch.Generator) -> Tensor:
    near = _grown(x, 2 * int(torch.randint(1, 5, (1,), generator=random)) + 1)
    return torch.maximum(x, near * (_smooth_noise(x, 4, random) > 0.6))


def _smooth_noise(x: Tensor, cells: int, random: torch.Generator) -> Tensor:
    values = torch.rand(x.shape[0], 1, cells, cells, cells, generator=random).to(x.device)
    return F.interpolate(values, size=x.shape[2:], mode="trilinear")


def _grown(x: Tensor, size: int = 3) -> Tensor:
    return F.max_pool3d(x, size, 1, size // 2)


def _shrunken(x: Tensor) -> Tensor:
    return -_grown(-x)


_KINDS = (
    lambda x, random: _grown(x),
    lambda x, random: _shrunken(x),
    _shifted,
    _ragged,
    _coarse,
    _coarse,
    _partial,
    _surplus,
)
