"""The loss: Dice and cross-entropy of the best of three masks, and of the predicted quality."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import Tensor

#: Weight of the mean over all masks, so that each of them gets gradients.
ALL_MASKS = 0.1
QUALITY = 0.3
#: Number of voxels in each 2 x 2 x 2 block that are evaluated.
CORNERS = 2

_dice = DiceLoss(sigmoid=True, squared_pred=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0)


def _corners(masks: Tensor, some: Tensor) -> Tensor:
    """Some of the eight voxels: (B, D/2, H/2, W/2, M, corners) of (B, M, 8, D/2, H/2, W/2)."""
    last = masks.flatten(1, 2).movedim(1, -1)
    columns = 8 * torch.arange(masks.shape[1], device=some.device)[:, None] + some
    return last.index_select(-1, columns.flatten()).unflatten(-1, (-1, some.numel()))


def mask_losses(logits: Tensor, truth: Tensor) -> Tensor:
    """Dice loss and cross-entropy (B, M) of logits (B, M, ...) against (B, ...).

    The logits are channels last in memory and are not reordered, which would take longer than the
    loss itself.
    """
    target = truth[:, None].float().expand_as(logits)
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    overlap = _dice(logits, target).flatten(1)
    return overlap + entropy.mean(tuple(range(2, logits.ndim)))


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """Dice (B, M) of masks (B, M, ...) against (B, ...)."""
    mask, target = (logits > 0).float(), truth[:, None].float()
    voxels = tuple(range(2, logits.ndim))
    both = (mask * target).sum(voxels)
    return (2 * both + 1e-6) / (mask.sum(voxels) + target.sum(voxels) + 1e-6)


def total_loss(
    masks: Tensor, quality: Tensor, truth: Tensor, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The loss to be minimised, and Dice (B, M), on a random part of the voxels.

    Args:
        masks: logits (B, M, 8, D/2, H/2, W/2), as returned by the network.
        quality: logits (B, M).
        truth: boolean (B, 8, D/2, H/2, W/2).
        random: chooses the voxels.
    """
    some = torch.randperm(8, generator=random)[:CORNERS].to(truth.device)
    logits = _corners(masks, some).movedim(-2, 1)
    truth = _corners(truth[:, None], some).squeeze(-2)
    losses = mask_losses(logits, truth)
    with torch.no_grad():
        reached = dice(logits, truth)
    quality_loss = F.binary_cross_entropy_with_logits(quality, reached)
    loss = (1 - ALL_MASKS) * losses.amin(1) + ALL_MASKS * losses.mean(1)
    return loss.mean() + QUALITY * quality_loss, reached
