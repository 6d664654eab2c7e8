"""Clicks of the simulated user of the training, in a region and beside it.

Source: the rules of SAM-Med3D's training and of the CVPR 2025 challenge on interactive
segmentation: a click is placed deep in the largest error, or anywhere in an error. Depth is
measured here by the share of errors in neighbourhoods of several sizes, which is fast on a GPU.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Edges of the neighbourhoods, as shares of the window's edge.
SURROUNDINGS = (0.1, 0.2, 0.4)
#: Voxels between an object and a click beside it.
BESIDE = (2, 10)
#: Share of clicks of an unsteady hand, and its standard deviation in voxels.
UNSTEADY, SHAKE = 0.25, 1.5


def click_in(region: Tensor, random: torch.Generator) -> Tensor:
    """A voxel (B, 3) of each region (B, D, H, W): deep in its largest component, or anywhere."""
    b, *shape = region.shape
    inside = halved(region)
    depth = inside.clone()
    for share in SURROUNDINGS:
        pooled, size = inside, max(1, round(share * shape[0] / 6))
        if size > 1:
            pooled = F.avg_pool3d(inside, size, ceil_mode=True)
        full = _smoothed(pooled)
        depth += full if size == 1 else F.interpolate(full, size=depth.shape[2:], mode="trilinear")
    depth = depth.flatten(1)
    noise = torch.rand(depth.shape, generator=random).to(depth.device)
    anywhere = torch.rand(b, 1, generator=random).to(depth.device) < 0.35
    score = torch.where(anywhere, noise, depth + 0.3 * noise)
    pair = score.masked_fill(inside.flatten(1) == 0, -1.0).argmax(1)
    _, h, w = (n // 2 for n in shape)
    corner = 2 * torch.stack([pair // (h * w), pair // w % h, pair % w], 1)
    # One of the eight voxels there that is inside.
    steps = torch.cartesian_prod(*[torch.arange(2, device=region.device)] * 3)
    places = corner[:, None] + steps
    taken = region[torch.arange(b, device=region.device)[:, None], *places.unbind(2)]
    return places[torch.arange(b, device=region.device), taken.float().argmax(1)].float()


def click_beside(mask: Tensor, random: torch.Generator) -> Tensor:
    """A voxel (B, 3) within BESIDE of each mask (B, D, H, W); anywhere outside if there is none.

    A mask that fills its window has none outside: there it is a voxel of the mask.
    """
    outside = ~mask
    low, high = BESIDE
    reach = int(torch.randint(low, high + 1, (1,), generator=random))
    near = (grown(mask, reach) & ~grown(mask, low - 1)) & outside
    without = ~near.flatten(1).any(1)
    near[without] = outside[without]
    return click_in(near, random)


def grown(mask: Tensor, voxels: int) -> Tensor:
    """Masks (B, D, H, W) with all voxels at most so many away along each axis."""
    for axis in (1, 2, 3):
        done = 0
        while done < voxels:  # twice as far with each step, since shifts are cheaper than pooling
            step = min(done + 1, voxels - done)
            n = mask.shape[axis] - step
            wider = mask.clone()
            if n > 0:
                wider.narrow(axis, 0, n).logical_or_(mask.narrow(axis, step, n))
                wider.narrow(axis, step, n).logical_or_(mask.narrow(axis, 0, n))
            mask, done = wider, done + step
    return mask


def shaken(clicks: Tensor, shape: tuple[int, ...], random: torch.Generator) -> Tensor:
    """Clicks (B, 3), some of them by an unsteady hand: near a border, on its other side."""
    b = clicks.shape[0]
    unsteady = torch.rand(b, 1, generator=random) < UNSTEADY
    offset = SHAKE * torch.randn(b, 3, generator=random) * unsteady
    last = torch.tensor(shape, dtype=clicks.dtype, device=clicks.device) - 1
    return torch.minimum((clicks + offset.to(clicks)).clamp(min=0), last)


def halved(maps: Tensor) -> Tensor:
    """Maps (B, D, H, W) at half the resolution, (B, 1, D/2, H/2, W/2), float32."""
    if maps.dtype == torch.bool:
        maps = maps.view(torch.uint8)
    # Slices before rows before single voxels, which is much faster than pooling.
    for axis in (1, 2, 3):
        one, other = maps.unflatten(axis, (-1, 2)).unbind(axis + 1)
        maps = one + other
    return maps[:, None].float() / 8


def _smoothed(maps: Tensor) -> Tensor:
    """Means over 3 x 3 x 3 places of (B, 1, D, H, W), 0 beyond the window."""
    for axis in (2, 3, 4):
        n, total = maps.shape[axis] - 1, maps.clone()
        total.narrow(axis, 0, n).add_(maps.narrow(axis, 1, n))
        total.narrow(axis, 1, n).add_(maps.narrow(axis, 0, n))
        maps = total
    return maps / 27


def values_at(masks: Tensor, places: Tensor) -> Tensor:
    """The values (B,) of masks (B, D, H, W) at voxels (B, 3)."""
    return masks[torch.arange(masks.shape[0], device=masks.device), *places.long().unbind(1)]
