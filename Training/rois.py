"""ROIs as users draw them: tight, generous, too small, with a face that cuts the object."""

from __future__ import annotations

import torch
from torch import Tensor

#: How an ROI is drawn, and how often.
KINDS = {"tight": 0.3, "generous": 0.5, "inner": 0.08, "cut": 0.12}
# Least edge, voxels.
_LEAST = 3.0


def drawn_rois(truth: Tensor, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """ROIs around objects (B, D, H, W): their inside (1, outside -1) and ramp (see PromptTensors).

    Where an object reaches a face of the window, the ROI goes on beyond it.

    Returns:
        twice (B, 1, D/2, H/2, W/2).
    """
    low, high = extents(truth)
    low, high = _moved_faces(low, high, torch.tensor(truth.shape[1:]), random)
    return box_maps(low.to(truth.device), high.to(truth.device), truth.shape[1:])


def extents(truth: Tensor) -> tuple[Tensor, Tensor]:
    """Where objects (B, D, H, W) begin and end, (B, 3), in voxels."""
    low, high = [], []
    for axis, n in enumerate(truth.shape[1:], 1):
        others = [other for other in (1, 2, 3) if other != axis]
        found = truth.any(others[1]).any(others[0]).int()
        low.append(found.argmax(1))
        high.append(n - found.flip(1).argmax(1))
    return torch.stack(low, 1).float().cpu(), torch.stack(high, 1).float().cpu()


def box_maps(low: Tensor, high: Tensor, shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Boxes from low to high (B, 3), in voxels, as the network gets ROIs."""
    b, ramp = low.shape[0], None
    for axis, n in enumerate(shape):
        # Between the two voxels of a pair.
        place = 2 * torch.arange(n // 2, device=low.device) + 1
        middle, half = (low + high)[:, axis, None] / 2, (high - low)[:, axis, None] / 2
        view = [b, 1, 1, 1, 1]
        view[axis + 2] = n // 2
        along = (1 - (place - middle).abs() / half).reshape(view)
        ramp = along if ramp is None else torch.minimum(ramp, along)
    return torch.where(ramp > 0, 1.0, -1.0), ramp.clamp(min=-1)


def _moved_faces(
    low: Tensor, high: Tensor, shape: Tensor, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The faces of objects' boxes, moved as a hand would."""
    b = low.shape[0]
    extent = (high - low)[:, None]

    def chance() -> Tensor:
        return torch.rand(b, 2, 3, generator=random)

    kind = torch.multinomial(torch.tensor([*KINDS.values()]), b, True, generator=random)
    tight = 0.03 * extent * torch.randn(b, 2, 3, generator=random)
    # About 5 mm in windows of many scales.
    margin = 8 * torch.rand(b, 1, 1, generator=random) ** 2
    generous = margin + chance() ** 2 * 0.2 * extent
    inner = -0.2 * chance() * extent
    face = torch.zeros(b, 6).scatter_(1, torch.randint(6, (b, 1), generator=random), 1.0)
    cut = tight - (0.1 + 0.3 * chance()) * extent * face.reshape(b, 2, 3)
    outwards = torch.stack([tight, generous, inner, cut], 1)[torch.arange(b), kind]
    beyond = shape * chance()
    goes_on = torch.stack([low <= 0, high >= shape], 1)
    outwards = torch.where(goes_on, beyond, outwards)
    low, high = low - outwards[:, 0], high + outwards[:, 1]
    short = (_LEAST - (high - low)).clamp(min=0) / 2
    return low - short, high + short
