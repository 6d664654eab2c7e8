"""The loss: Dice and cross-entropy of the best of three masks, and of the predicted quality."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from monai.losses import DiceLoss
from torch import Tensor

from SAMSegmentLib.models.samsegment3d.network import folded

from .clicks import grown

#: Voxels on either side of a border that count as its surroundings.
BAND = 1

_dice = DiceLoss(sigmoid=True, squared_pred=True, reduction="none", smooth_nr=1.0, smooth_dr=1.0)


@dataclass(frozen=True)
class LossWeights:
    """The parts of the loss.

    Attributes:
        border: how much more the cross-entropy counts near the true border.
        kept: how much more it counts where the mask before was right: a correction that spoils
            what it was not asked about costs more than it gains.
        all_masks: of the mean over all masks, so that each of them gets gradients.
        quality: of the predicted Dice.
        corners: voxels of each 2 x 2 x 2 block that are evaluated, chosen at random.
    """

    border: float = 0.0
    kept: float = 0.0
    all_masks: float = 0.1
    quality: float = 0.3
    corners: int = 2


@dataclass(frozen=True)
class Target:
    """Objects as the loss needs them.

    Attributes:
        truth: boolean (B, 8, D/2, H/2, W/2), folded.
        border: boolean, the same shape: near the border.
    """

    truth: Tensor
    border: Tensor

    @classmethod
    def of(cls, objects: Tensor) -> Target:
        """Of boolean (B, D, H, W)."""
        border = grown(objects, BAND) & grown(~objects, BAND)
        return cls(*(folded(each[:, None].half()).bool() for each in (objects, border)))


def mask_losses(logits: Tensor, truth: Tensor, weights: Tensor | None = None) -> Tensor:
    """Dice loss and cross-entropy (B, M) of logits (B, M, ...) against (B, ...).

    The logits are channels last in memory and are not reordered, which would take longer than the
    loss itself.

    Args:
        weights: (B, ...), of the voxels in the cross-entropy; None: all count the same.
    """
    target = truth[:, None].float().expand_as(logits)
    voxels = tuple(range(2, logits.ndim))
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    if weights is None:
        entropy = entropy.mean(voxels)
    else:
        weights = weights[:, None]
        entropy = (entropy * weights).sum(voxels) / weights.sum(voxels)
    return _dice(logits, target).flatten(1) + entropy


def dice(logits: Tensor, truth: Tensor) -> Tensor:
    """Dice (B, M) of masks (B, M, ...) against (B, ...)."""
    mask, target = (logits > 0).float(), truth[:, None].float()
    voxels = tuple(range(2, logits.ndim))
    both = (mask * target).sum(voxels)
    return (2 * both + 1e-6) / (mask.sum(voxels) + target.sum(voxels) + 1e-6)


def total_loss(
    masks: Tensor,
    quality: Tensor,
    target: Target,
    random: torch.Generator,
    weights: LossWeights,
    before: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The loss to be minimised, and Dice (B, M), on a random part of the voxels.

    Args:
        masks: logits (B, M, 8, D/2, H/2, W/2), as returned by the network.
        quality: logits (B, M).
        target: the objects.
        random: chooses the voxels.
        before: logits (B, 8, D/2, H/2, W/2) before a correction; None: there is none.
    """
    some = torch.randperm(8, generator=random)[: weights.corners].to(masks.device)
    logits = _corners(masks, some).movedim(-2, 1)
    truth = _corners(target.truth[:, None], some).squeeze(-2)
    counts = None
    if weights.border or weights.kept:
        counts = 1 + weights.border * _corners(target.border[:, None], some).squeeze(-2).float()
        if before is not None and weights.kept:
            was = _corners(before[:, None], some).squeeze(-2) > 0
            counts = counts + weights.kept * (was == truth)
    losses = mask_losses(logits, truth, counts)
    with torch.no_grad():
        reached = dice(logits, truth)
    quality_loss = F.binary_cross_entropy_with_logits(quality, reached)
    loss = (1 - weights.all_masks) * losses.amin(1) + weights.all_masks * losses.mean(1)
    return loss.mean() + weights.quality * quality_loss, reached


def _corners(masks: Tensor, some: Tensor) -> Tensor:
    """Some of the eight voxels: (B, D/2, H/2, W/2, M, corners) of (B, M, 8, D/2, H/2, W/2)."""
    last = masks.flatten(1, 2).movedim(1, -1)
    columns = 8 * torch.arange(masks.shape[1], device=some.device)[:, None] + some
    return last.index_select(-1, columns.flatten()).unflatten(-1, (-1, some.numel()))
