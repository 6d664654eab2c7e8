"""What masks cost: Dice and cross-entropy of the best of three, and how well that was foreseen."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import Tensor

#: Share of the loss that all masks have, so that none is given up.
ALL_MASKS = 0.1
QUALITY = 0.05
#: Of each 2 x 2 x 2 voxels, so many are counted.
CORNERS = 2

_dice = DiceLoss(sigmoid=True, squared_pred=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0)


def mask_losses(logits: Tensor, truth: Tensor) -> Tensor:
    """Dice loss and cross-entropy (B, M) of logits (B, M, ...) against (B, ...)."""
    b, m = logits.shape[:2]
    flat = logits.reshape(b * m, 1, -1)
    target = truth.reshape(b, 1, -1).expand(b, m, -1).reshape(b * m, 1, -1).float()
    entropy = F.binary_cross_entropy_with_logits(flat, target, reduction="none")
    return (_dice(flat, target).flatten() + entropy.flatten(1).mean(1)).reshape(b, m)


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """Dice (B, M) of masks (B, M, ...) against (B, ...)."""
    mask = (logits > 0).flatten(2)
    target = truth.flatten(1)[:, None].bool()
    both = (mask & target).sum(2).float()
    return (2 * both + 1e-6) / (mask.sum(2) + target.sum(2) + 1e-6)


def total_loss(
    masks: Tensor, quality: Tensor, truth: Tensor, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """The loss to be minimised, and Dice (B, M), on some of the voxels: others each time.

    Args:
        masks: logits (B, M, 8, D/2, H/2, W/2), as the network gives them.
        quality: logits (B, M).
        truth: boolean (B, 8, D/2, H/2, W/2).
    """
    some = torch.randperm(8, generator=random)[:CORNERS].to(truth.device)
    logits, truth = masks[:, :, some], truth[:, some]
    losses = mask_losses(logits, truth)
    with torch.no_grad():
        reached = dice(logits, truth)
    foreseen = F.binary_cross_entropy_with_logits(quality, reached)
    loss = (1 - ALL_MASKS) * losses.amin(1) + ALL_MASKS * losses.mean(1)
    return loss.mean() + QUALITY * foreseen, reached
