"""Masks before are incorrect, but say what is meant."""

import pytest
import torch
from hypothesis import given, settings

from TestSupport.objects import box, boxes, seeded, seeds
from TestSupport.properties import examples
from Training import masks_before
from Training.clicks import halved
from Training.masks_before import corrupted


@settings(max_examples=examples(60))
@given(boxes(), seeds)
def test_a_mask_before_says_something_of_any_object(truth, seed):
    mask = corrupted(truth, seeded(seed))
    assert mask.shape == (1, 1, 8, 8, 8) and mask.dtype == torch.float32
    assert mask.abs().max() <= 0.999 and mask.any()
    own = halved(truth)
    assert (mask + 1).max() > own.max() * 0.99


def test_most_are_nearly_right_and_hardly_any_is_the_truth():
    truth = box((4, 4, 4), (24, 24, 24), 32).expand(40, -1, -1, -1)
    masks = corrupted(truth, seeded(2)) > 0
    half = truth[:, None, ::2, ::2, ::2]
    dice = 2 * (masks & half).flatten(1).sum(1) / (masks.flatten(1).sum(1) + half[0].sum())
    assert dice.median() > 0.6 and (dice > 0.3).all() and (dice < 1).float().mean() > 0.8


def only(monkeypatch, kind, truth, seed=0):
    monkeypatch.setattr(masks_before, "_KINDS", (kind,))
    return corrupted(truth, seeded(seed)) > 0


OBJECT = box((8, 8, 8), (24, 20, 22), 32)
HALF = OBJECT[:, None, ::2, ::2, ::2]


def test_a_surplus_adds_only_and_a_missing_part_takes_away_only(monkeypatch):
    for seed in range(5):
        more = only(monkeypatch, masks_before._surplus, OBJECT, seed)
        assert (more | HALF).equal(more)
        less = only(monkeypatch, masks_before._partial, OBJECT, seed)
        assert (less & HALF).equal(less)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_shifted_at_a_face_does_not_come_back_at_the_other(monkeypatch, seed):
    mask = only(monkeypatch, masks_before._shifted, box((0, 8, 8), (8, 24, 24), 32), seed)
    assert mask.any() and not mask[:, :, 8:].any()


def test_nothing_that_is_left_of_a_small_object_counts_as_a_mask(monkeypatch):
    small = box((8, 8, 8), (10, 10, 10), 32)
    for kind in (
        lambda x, random: torch.zeros_like(x),
        lambda x, random: masks_before._shrunken(x),
    ):
        mask = only(monkeypatch, kind, small)
        assert mask[..., 4, 4, 4].all()
