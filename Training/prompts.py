"""The simulated user of the training: first prompts, and corrections of the network's errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from SAMSegmentLib.models.samsegment3d.prompt_maps import DRAWN_MAPS, PromptTensors

from .clicks import click_beside, click_in, halved, shaken, values_at
from .drawings import POINTS, drawn, longest_line, scribble
from .masks_before import corrupted
from .rois import drawn_rois

#: Kinds of first prompt. "mask" is a mask before, incorrect, alone or with another prompt.
FIRST = ("click", "roi", "roi+click", "scribble", "line", "mask", "mask+click", "mask+roi")
#: Share of first prompts with a negative click beside the object, too.
BESIDE_FIRST = 0.08
#: Shares of corrections that are scribbles, and clicks beside the object where nothing is wrong.
SCRIBBLES, BESIDE_LATER = 0.1, 0.1
#: Shares of masks before that are forgotten, and that are told without doubt, as a segment's.
FORGOTTEN, HARD = 0.1, 0.15
# Channels of what is drawn.
_LINE, _ENDS = 2, 3


def first_prompts(
    truth: Tensor, shares: Mapping[str, float], random: torch.Generator
) -> PromptTensors:
    """Prompts for objects (B, D, H, W), boolean.

    Args:
        shares: of the kinds in FIRST; their sum is 1.
    """
    b, shape = truth.shape[0], tuple(truth.shape[1:])
    chances = torch.tensor([shares.get(kind, 0.0) for kind in FIRST])
    kinds = [FIRST[n] for n in torch.multinomial(chances, b, True, generator=random).tolist()]
    having = {
        what: torch.tensor([what in kind.split("+") for kind in kinds], device=truth.device)
        for what in ("click", "roi", "scribble", "line", "mask")
    }
    maps = torch.zeros(b, 3 + DRAWN_MAPS, *(n // 2 for n in shape), device=truth.device)
    roi, ramp, mask, drawing = maps.split([1, 1, 1, DRAWN_MAPS], 1)
    if (which := having["roi"]).any():
        roi[which], ramp[which] = drawn_rois(truth[which], random)
    if (which := having["mask"]).any():
        mask[which] = corrupted(truth[which], random)
    numbers = _numpy_random(random)
    click = torch.zeros(b, 3, device=truth.device)
    if (which := having["click"] | having["scribble"]).any():
        click[which] = click_in(truth[which], random)
    also = torch.rand(b, generator=random).to(truth.device) < BESIDE_FIRST
    beside = torch.zeros_like(click)
    if also.any():
        beside[also] = click_beside(truth[also], random)
        also &= ~values_at(truth, beside)  # of an object that fills its window
    given = []
    for n in range(b):
        points: list[tuple[np.ndarray, float]] = []
        if having["click"][n]:
            points = [(click[n].cpu().numpy(), 1.0)]
        elif having["scribble"][n]:
            points = _scribble(truth[n], click[n], 1.0, drawing[n], numbers)
        elif having["line"][n]:
            _line(truth[n], drawing[n], numbers)
        if also[n]:
            points.append((beside[n].cpu().numpy(), -1.0))
        given.append(points)
    clicks, signs = _columns(given, truth.device)
    return PromptTensors(clicks, signs, roi, mask, ramp, drawing)


def next_prompts(
    prompts: PromptTensors, truth: Tensor, logits: Tensor, random: torch.Generator
) -> PromptTensors:
    """Prompts after one more correction of logits (B, D, H, W); now and then of what is right."""
    mask = logits > 0
    wrong = mask != truth
    numbers = _numpy_random(random)
    right = ~wrong.flatten(1).any(1)
    wrong[right] = truth[right]
    click = click_in(wrong, random)
    beside = torch.rand(truth.shape[0], generator=random).to(truth.device) < torch.where(
        right, 0.5, BESIDE_LATER
    )
    if beside.any():
        click[beside] = click_beside((truth | mask)[beside], random)
    signs = torch.where(values_at(truth, click), 1.0, -1.0)
    steady = click
    click = shaken(click, tuple(truth.shape[1:]), random)
    drawing, given = prompts.drawn.clone(), []
    for n, sign in enumerate(signs.tolist()):
        if numbers.random() < SCRIBBLES and not beside[n]:
            region = wrong[n] & (truth[n] if sign > 0 else ~truth[n])
            given.append(_scribble(region, steady[n], sign, drawing[n], numbers))
        else:
            given.append([(click[n].cpu().numpy(), sign)])
    clicks, signs = _columns(given, truth.device)
    return replace(
        prompts,
        clicks=torch.cat([prompts.clicks, clicks], 1),
        signs=torch.cat([prompts.signs, signs], 1),
        mask=_remembered(logits, random),
        drawn=drawing,
    )


def _remembered(logits: Tensor, random: torch.Generator) -> Tensor:
    """The mask before: the last answer; sometimes without its doubts, or forgotten."""
    chance = torch.rand(logits.shape[0], generator=random).to(logits.device)
    inside = torch.sigmoid(logits.float())
    hard = (chance >= FORGOTTEN) & (chance < FORGOTTEN + HARD)
    inside[hard] = torch.where(logits[hard] > 0, 0.9995, 0.0005)
    mask = 2 * halved(inside) - 1
    mask[chance < FORGOTTEN] = 0
    return mask


def _scribble(
    region: Tensor,
    start: Tensor,
    sign: float,
    drawing: Tensor,
    random: np.random.Generator,
) -> list[tuple[np.ndarray, float]]:
    """Draws a scribble; returns some of its points as clicks, its start last."""
    line = scribble(region.cpu().numpy(), start.cpu().numpy(), random)
    channel = 0 if sign > 0 else 1
    path = torch.from_numpy(drawn(line, tuple(region.shape))).to(drawing)
    drawing[channel] = torch.maximum(drawing[channel], path)
    chosen = line[random.choice(len(line), min(len(line), POINTS - 1), replace=False)]
    return [(point, sign) for point in (*chosen, start.cpu().numpy())]


def _line(mask: Tensor, drawing: Tensor, random: np.random.Generator) -> None:
    ends, shape = longest_line(mask.cpu().numpy(), random), tuple(mask.shape)
    drawing[_LINE] = torch.from_numpy(drawn(ends, shape)).to(drawing)
    both = np.maximum(drawn(ends[:1], shape), drawn(ends[1:], shape))
    drawing[_ENDS] = torch.from_numpy(both).to(drawing)


def _columns(
    given: list[list[tuple[np.ndarray, float]]], device: torch.device
) -> tuple[Tensor, Tensor]:
    """Points and signs, the newest of each object in the last column; sign 0: there is none."""
    width = max(1, *(len(points) for points in given))
    clicks, signs = torch.zeros(len(given), width, 3), torch.zeros(len(given), width)
    for row, points in enumerate(given):
        for column, (place, sign) in enumerate(points, width - len(points)):
            clicks[row, column] = torch.from_numpy(np.asarray(place, dtype=np.float32))
            signs[row, column] = sign
    return clicks.to(device), signs.to(device)


def _numpy_random(random: torch.Generator) -> np.random.Generator:
    return np.random.default_rng(int(torch.randint(2**31, (1,), generator=random)))
