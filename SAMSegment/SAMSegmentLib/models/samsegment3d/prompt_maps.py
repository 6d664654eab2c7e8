"""Prompts as maps of a window, and how alike each place is to those clicked on.

At half the window's resolution, as the decoder's last levels are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: Maps of what is drawn: positive scribbles, negative ones, a line across the object, its ends.
DRAWN_MAPS = 4
#: Maps that prompts become, by edition: see `prompt_maps`.
PROMPT_MAPS = {1: 8, 2: 9 + DRAWN_MAPS}
# Voxels within which a click's narrow map falls off, and the same for its wide one.
NARROW, WIDE = 2.0, 12.0
# Voxels in one channel group of which likeness to a click is told.
HEAD = 8


@dataclass(frozen=True)
class PromptTensors:
    """What the decoder is told of a window.

    Attributes:
        clicks: (B, N, 3), voxels along the window's three axes, the newest last; fractions are
            allowed.
        signs: (B, N), 1 on the object, -1 beside it, 0 where there is no click.
        roi: (B, 1, D/2, H/2, W/2), 1 inside, -1 outside, 0 everywhere if there is none.
        mask: (B, 1, D/2, H/2, W/2), the mask before, -1 to 1; 0 everywhere if there is none.
        ramp: (B, 1, D/2, H/2, W/2), 1 in the middle of the ROI, 0 on its faces, -1 from twice its
            size on; 0 everywhere if there is none.
        drawn: (B, DRAWN_MAPS, D/2, H/2, W/2), 0 to 1; None if nothing is drawn.
    """

    clicks: Tensor
    signs: Tensor
    roi: Tensor
    mask: Tensor
    ramp: Tensor | None = None
    drawn: Tensor | None = None


def prompt_maps(prompts: PromptTensors, edition: int = 1) -> Tensor:
    """Prompts as (B, PROMPT_MAPS[edition], D/2, H/2, W/2).

    Narrow and wide maps of positive and of negative clicks, of the newest click with its sign, the
    ROI, the mask before, and whether there is one; from the second edition on the ROI's ramp and
    what is drawn, too.
    """
    shape, numbers = prompts.mask.shape[2:], prompts.mask.dtype
    narrow, wide = (_profiles(prompts.clicks, shape, reach) for reach in (NARROW, WIDE))
    maps = [
        _highest(profiles, prompts.signs == sign) for sign in (1, -1) for profiles in (narrow, wide)
    ]
    newest = _bump(narrow, -1) * prompts.signs[:, -1, None, None, None]
    present = prompts.mask.abs().amax((2, 3, 4), keepdim=True) > 0
    maps += [newest, prompts.roi[:, 0], prompts.mask[:, 0]]
    maps.append(present[:, 0].expand_as(prompts.mask[:, 0]))
    if edition > 1:
        for given, count in ((prompts.ramp, 1), (prompts.drawn, DRAWN_MAPS)):
            nothing = prompts.mask.new_zeros(prompts.mask[:, 0].shape)
            maps += [nothing] * count if given is None else given.unbind(1)
    stacked = torch.stack([each.to(numbers) for each in maps], 1)
    return stacked.contiguous(memory_format=torch.channels_last_3d)


def _profiles(clicks: Tensor, shape, reach: float) -> list[Tensor]:
    """Gaussians around clicks along each axis: (B, N, D/2), (B, N, H/2), ...; `reach` in voxels."""
    profiles = []
    for axis, n in enumerate(shape):
        # The middle of the n-th pair of voxels.
        middles = 2.0 * torch.arange(n, device=clicks.device, dtype=torch.float32) + 0.5
        distance = (middles - clicks[..., axis, None].float()) / reach
        profiles.append(torch.exp(-0.5 * distance.square()))
    return profiles


def _bump(profiles: list[Tensor], number: int) -> Tensor:
    """A Gaussian around a click (B, D/2, H/2, W/2), 1 at its middle."""
    d, h, w = (along[:, number] for along in profiles)
    return d[:, :, None, None] * h[:, None, :, None] * w[:, None, None, :]


def _highest(profiles: list[Tensor], chosen: Tensor) -> Tensor:
    """The highest of the chosen clicks' Gaussians; 0 without any. `chosen` is (B, N)."""
    # One at a time: all at once, they would fill the memory.
    highest = torch.zeros_like(_bump(profiles, 0))
    for number in torch.nonzero(chosen.any(0))[:, 0].tolist():
        bump = _bump(profiles, number) * chosen[:, number, None, None, None]
        highest = torch.maximum(highest, bump)
    return highest


def likeness_to_clicks(vectors: Tensor, prompts: PromptTensors, size: int) -> Tensor:
    """How alike each place is to the most alike click: (B, 2 heads, ...), positive ones first.

    Args:
        vectors: unit vectors (B, heads * HEAD, D/size, ...).
    """
    b, c, d, h, w = vectors.shape
    limit = torch.tensor([d, h, w], device=vectors.device) - 1
    place = torch.minimum((prompts.clicks / size).long().clamp(min=0), limit)
    index = (place[..., 0] * h + place[..., 1]) * w + place[..., 2]
    places = vectors.movedim(1, -1).reshape(b, -1, c)
    found = [
        _most_alike(one, at[signs == sign])
        for one, at, signs in zip(places, index, prompts.signs, strict=True)
        for sign in (1, -1)
    ]
    return torch.stack(found).reshape(b, -1, d, h, w)


def _most_alike(places: Tensor, clicked: Tensor) -> Tensor:
    """(heads, V): the largest product with places that were clicked on, -1 to 1, of (V, C)."""
    heads = places.unflatten(1, (-1, HEAD)).movedim(1, 0)
    if not clicked.numel():
        # The least that unit vectors have in common: as if nothing there is meant.
        return heads.new_full(heads.shape[:2], -1.0)
    return torch.bmm(heads, heads[:, clicked].transpose(1, 2)).amax(2)


def unit_vectors(x: Tensor) -> Tensor:
    """Each HEAD channels of (B, heads * HEAD, D, H, W) as a vector of length 1."""
    vectors = x.unflatten(1, (-1, HEAD))
    return (
        (vectors * (vectors.float().square().sum(2, keepdim=True) + 1e-4).rsqrt())
        .to(x.dtype)
        .flatten(1, 2)
    )
