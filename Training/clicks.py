"""The simulated user of the training: first prompts, and clicks into errors.

Source: the rules of SAM-Med3D's training and of the CVPR 2025 challenge on interactive
segmentation: a click is placed deep in the largest error, or anywhere in an error. Depth is
measured here by the share of errors in neighbourhoods of several sizes, which is fast on a GPU.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from SAMSegmentLib.models.samsegment3d.prompt_maps import PromptTensors

#: Edges of the neighbourhoods, as shares of the window's edge.
SURROUNDINGS = (0.1, 0.2, 0.4)


@dataclass(frozen=True)
class FirstPrompts:
    """The shares of the kinds of first prompt; the rest are clicks.

    Attributes:
        roi: an ROI around the object without a click; half as many again with a click.
        mask: an incorrect mask, half of them with a click.
    """

    roi: float = 0.2
    mask: float = 0.1


def first_prompts(truth: Tensor, chances: FirstPrompts, random: torch.Generator) -> PromptTensors:
    """Prompts for objects (B, D, H, W), boolean."""
    b = truth.shape[0]
    chance = torch.rand(b, generator=random).to(truth.device)
    with_roi = chance < 1.5 * chances.roi
    without_click = chance < chances.roi
    with_mask = (chance > 1 - chances.mask) & ~with_roi
    without_click |= chance > 1 - 0.5 * chances.mask
    clicks = click_in(truth, random)[:, None]
    signs = torch.ones(b, 1, device=truth.device).masked_fill(without_click[:, None], 0)
    roi = torch.zeros(b, 1, *(n // 2 for n in truth.shape[1:]), device=truth.device)
    mask = roi.clone()
    if with_roi.any():
        roi[with_roi] = rois(truth[with_roi], random)
    if with_mask.any():
        mask[with_mask] = corrupted(truth[with_mask], random)
    return PromptTensors(clicks, signs, roi, mask)


def next_prompts(
    prompts: PromptTensors, truth: Tensor, logits: Tensor, random: torch.Generator
) -> PromptTensors:
    """Prompts after one more click into an error of logits (B, D, H, W)."""
    wrong = (logits > 0) != truth
    right = ~wrong.flatten(1).any(1)
    if right.any():  # without an error, the click is placed in the object
        wrong[right] = truth[right]
    click = click_in(wrong, random)
    sign = torch.where(_at(truth, click), 1.0, -1.0)
    return replace(
        prompts,
        clicks=torch.cat([prompts.clicks, click[:, None]], 1),
        signs=torch.cat([prompts.signs, sign[:, None]], 1),
        mask=halved(2 * torch.sigmoid(logits.float()) - 1),
    )


def click_in(region: Tensor, random: torch.Generator) -> Tensor:
    """A voxel (B, 3) of each region (B, D, H, W): deep in its largest component, or anywhere."""
    b, *shape = region.shape
    inside = halved(region.float())
    depth = inside.clone()
    for share in SURROUNDINGS:
        pooled, size = inside, max(1, round(share * shape[0] / 6))
        if size > 1:
            pooled = F.avg_pool3d(inside, size, ceil_mode=True)
        full = F.avg_pool3d(pooled, 3, 1, 1)
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


def rois(truth: Tensor, random: torch.Generator) -> Tensor:
    """Inexact boxes around objects (B, 1, D/2, H/2, W/2): 1 inside, -1 outside."""
    b, *shape = truth.shape
    within = []
    for axis, n in enumerate(shape, 1):
        others = [other for other in (1, 2, 3) if other != axis]
        found = truth.any(others[1]).any(others[0])
        low = found.float().argmax(1)
        high = n - found.flip(1).float().argmax(1)
        chance = torch.rand(b, 2, generator=random).to(truth.device)
        off = (0.15 * chance - 0.05) * (high - low)[:, None]
        place = 2 * torch.arange(n // 2, device=truth.device) + 1
        inside = (place > (low - off[:, 0])[:, None]) & (place < (high + off[:, 1])[:, None])
        view = [b, 1, 1, 1, 1]
        view[axis + 1] = n // 2
        within.append(inside.reshape(view))
    return torch.where(within[0] & within[1] & within[2], 1.0, -1.0)


def corrupted(truth: Tensor, random: torch.Generator) -> Tensor:
    """Incorrect masks (B, 1, D/2, H/2, W/2), -1 to 1: grown, shrunken, shifted or ragged."""
    x = halved(truth.float())
    b, shape = x.shape[0], x.shape[2:]
    grown = F.max_pool3d(x, 3, 1, 1)
    shrunken = -F.max_pool3d(-x, 3, 1, 1)
    shift = tuple(int(n) for n in torch.randint(-2, 3, (3,), generator=random))
    cells = torch.rand(b, 1, *(max(2, n // 4) for n in shape), generator=random).to(x.device)
    noise = F.interpolate(cells, size=shape, mode="trilinear")
    kinds = torch.stack(
        [
            grown,
            shrunken,
            torch.roll(x, shift, (2, 3, 4)),
            torch.where(noise > 0.5, grown, shrunken),
        ]
    )
    choice = torch.randint(4, (b,), generator=random).to(x.device)
    # Never all 0, which would mean that there is no mask.
    return (2 * kinds[choice, torch.arange(b, device=x.device)] - 1).clamp(-0.999, 0.999)


def halved(maps: Tensor) -> Tensor:
    """Maps (B, D, H, W) at half the resolution, (B, 1, D/2, H/2, W/2)."""
    return F.avg_pool3d(maps[:, None], 2)


def _at(masks: Tensor, places: Tensor) -> Tensor:
    """The values (B,) of masks (B, D, H, W) at voxels (B, 3)."""
    return masks[torch.arange(masks.shape[0], device=masks.device), *places.long().unbind(1)]
