"""The best mask counts; what is near the border and what was right counts more."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from monai.metrics import compute_dice

from SAMSegmentLib.models.samsegment3d.network import folded, unfolded
from TestSupport.objects import N, box, boxes, seeded
from TestSupport.properties import examples
from Training.losses import LossWeights, Target, dice, mask_losses, total_loss

OBJECT = box((4, 4, 4), (12, 12, 12))
TARGET = Target.of(OBJECT)
#: All voxels, so that the loss does not depend on chance.
PLAIN = LossWeights(corners=8)
QUALITY = torch.zeros(1, 3)


def logits_of(*masks, sure=9.0):
    """Three masks of the network (1, 3, 8, ...)."""
    return torch.stack([folded(torch.where(mask, sure, -sure)[:, None]) for mask in masks], 1)


def loss_of(masks, weights=PLAIN, before=None, target=TARGET, quality=QUALITY):
    return total_loss(masks, quality, target, seeded(1), weights, before)


RIGHT, EMPTY = OBJECT, torch.zeros_like(OBJECT)
SMALLER = box((4, 4, 4), (12, 12, 9))


def test_the_best_of_three_masks_is_what_counts():
    masks = logits_of(RIGHT, ~RIGHT, EMPTY)
    losses = mask_losses(masks, TARGET.truth)[0]
    assert losses[0] < 0.01 and losses[1] > 1
    one, reached = loss_of(masks)
    worst, _ = loss_of(logits_of(~RIGHT, ~RIGHT, ~RIGHT))
    assert one < 0.3 * worst
    assert reached[0].tolist() == pytest.approx([1, 0, 0], abs=1e-3)


def test_each_mask_gets_a_gradient_the_best_one_most():
    masks = logits_of(RIGHT, SMALLER, EMPTY, sure=0.5).requires_grad_()
    loss_of(masks)[0].backward()
    sizes = masks.grad.abs().flatten(2).sum(2)[0]
    assert sizes.min() > 0 and sizes[0] > 3 * sizes[1:].max()


def test_dice_is_monais():
    random = seeded(4)
    logits = torch.randn(3, 1, 8, 8, 8, generator=random)
    truth = torch.rand(3, 8, 8, 8, generator=random) > 0.6
    theirs = compute_dice(logits > 0, truth[:, None])
    assert torch.allclose(dice(logits, truth), theirs, atol=1e-5)


def test_cross_entropy_is_pytorchs_weighted_or_not():
    random = seeded(5)
    logits = torch.randn(2, 3, 4, 4, 4, generator=random)
    truth = torch.rand(2, 4, 4, 4, generator=random) > 0.6
    weights = torch.rand(2, 4, 4, 4, generator=random)
    plain, weighted = mask_losses(logits, truth), mask_losses(logits, truth, weights)
    uniform = mask_losses(logits, truth, torch.full_like(weights, 3.0))
    assert torch.allclose(uniform, plain, atol=1e-6)
    target = truth[:, None].float().expand_as(logits)
    entropies = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    own = (entropies * weights[:, None]).flatten(2).sum(2) / weights.flatten(1).sum(1)[:, None]
    assert torch.allclose(weighted - plain, own - entropies.flatten(2).mean(2), atol=1e-5)


@settings(max_examples=examples(30))
@given(boxes())
def test_a_target_is_folded_and_its_border_is_one_voxel_on_either_side(truth):
    target = Target.of(truth)
    assert torch.equal(unfolded(target.truth.float()) > 0, truth)
    padded = F.pad(truth[:, None].float(), (1,) * 6, mode="replicate")
    near = (F.max_pool3d(padded, 3, 1) > 0) & (-F.max_pool3d(-padded, 3, 1) <= 0)
    assert torch.equal(unfolded(target.border.float()) > 0, near[:, 0])


def test_an_error_at_the_border_costs_more_than_one_far_from_it():
    thick = box((3, 4, 4), (12, 12, 12))
    speck = OBJECT | box((0, 0, 0), (1, 8, 8))
    for weights, more in (
        (LossWeights(corners=8, all_masks=0), False),
        (LossWeights(4, 0, 0, 0, 8), True),
    ):
        near, _ = loss_of(logits_of(thick, thick, thick), weights)
        far, _ = loss_of(logits_of(speck, speck, speck), weights)
        assert (near > 1.5 * far) == more


def test_to_spoil_what_was_right_costs_more_than_to_leave_what_was_wrong():
    before = folded(torch.where(SMALLER, 5.0, -5.0)[:, None])
    unchanged = logits_of(SMALLER, SMALLER, SMALLER)
    lost = box((7, 4, 4), (12, 12, 12))
    spoilt = logits_of(lost, lost, lost)  # as many voxels wrong, but others
    weights = LossWeights(kept=2.0, corners=8, quality=0)
    without = LossWeights(corners=8, quality=0)
    assert (lost != OBJECT).sum() == (SMALLER != OBJECT).sum()
    assert loss_of(spoilt, without, before)[0] == pytest.approx(
        loss_of(unchanged, without, before)[0].item(), rel=1e-4
    )
    assert loss_of(spoilt, weights, before)[0] > 1.1 * loss_of(unchanged, weights, before)[0]
    # Of a first answer nothing is to be kept.
    assert loss_of(spoilt, weights)[0] == pytest.approx(
        loss_of(spoilt, without)[0].item(), rel=1e-4
    )


def test_quality_is_learned_from_dice():
    masks, surely = logits_of(RIGHT, ~RIGHT, EMPTY), torch.tensor([[9.0, -9.0, -9.0]])
    good, _ = loss_of(masks, quality=surely)
    bad, _ = loss_of(masks, quality=-surely)
    assert bad - good > 1


def test_some_corners_tell_nearly_what_all_do():
    masks = logits_of(SMALLER, OBJECT.roll(1, 2), EMPTY, sure=2.0)
    weights = LossWeights(border=4, kept=1)
    before = folded(torch.where(SMALLER, 5.0, -5.0)[:, None])
    losses = [
        total_loss(masks, QUALITY, TARGET, seeded(seed), weights, before)[0] for seed in range(30)
    ]
    whole, _ = loss_of(masks, LossWeights(border=4, kept=1, corners=8), before)
    assert torch.stack(losses).mean() == pytest.approx(whole.item(), rel=0.1)


def test_objects_in_one_batch_do_not_know_of_each_other():
    truth = torch.cat([OBJECT, box((0, 0, 0), (N, 3, N))])
    masks = torch.cat([logits_of(RIGHT, SMALLER, EMPTY)] * 2)
    both, _ = loss_of(masks, target=Target.of(truth), quality=QUALITY.expand(2, -1))
    alone = [loss_of(masks[:1], target=Target.of(truth[n : n + 1]))[0] for n in range(2)]
    assert torch.allclose(both, torch.stack(alone).mean(), atol=1e-5)
