"""The imagined user clicks where a real one would."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from TestSupport.properties import examples
from Training.clicks import FirstPrompts, click_in, corrupted, first_prompts, next_prompts, rois

N = 16
CLICK = FirstPrompts(roi=0.0, mask=0.0)


def box(low, high, n=N):
    mask = torch.zeros(1, n, n, n, dtype=torch.bool)
    mask[0, low[0] : high[0], low[1] : high[1], low[2] : high[2]] = True
    return mask


@st.composite
def boxes(draw):
    low = [draw(st.integers(0, N - 1)) for _ in range(3)]
    return box(low, [draw(st.integers(a + 1, N)) for a in low])


def value_at(masks, click):
    return bool(masks[0][tuple(int(c) for c in click[0])])


@settings(max_examples=examples(60))
@given(boxes(), st.integers(0, 2**31))
def test_the_first_click_lies_on_the_object(truth, seed):
    prompts = first_prompts(truth, CLICK, torch.Generator().manual_seed(seed))
    assert value_at(truth, prompts.clicks[:, -1])
    assert prompts.signs.tolist() == [[1]]
    assert not prompts.mask.any() and not prompts.roi.any()


@settings(max_examples=examples(60))
@given(boxes(), boxes(), st.integers(0, 2**31))
def test_the_next_click_lies_in_an_error_and_says_which(truth, mask, seed):
    random = torch.Generator().manual_seed(seed)
    prompts = first_prompts(truth, CLICK, random)
    logits = torch.where(mask, 3.0, -3.0)
    after = next_prompts(prompts, truth, logits, random)
    click = after.clicks[:, -1]
    on_object = value_at(truth, click)
    assert after.signs[0, -1] == (1 if on_object else -1)
    if (mask != truth).any():
        assert value_at(mask, click) != on_object
    else:
        assert on_object
    assert after.clicks.shape == (1, 2, 3)
    assert after.mask.any()


def test_most_clicks_fall_deep_into_the_largest_error():
    large, small = box((1, 1, 1), (10, 10, 10)), box((13, 13, 13), (15, 15, 15))
    random = torch.Generator().manual_seed(1)
    clicks = torch.stack([click_in(large | small, random)[0] for _ in range(60)])
    deep = ((clicks >= 3) & (clicks < 8)).all(1)
    assert 0.4 < deep.float().mean() < 1  # the rest falls anywhere
    assert (clicks < 12).all(1).float().mean() > 0.9


def test_an_roi_encloses_the_object_but_for_a_twentieth():
    truth = box((4, 2, 6), (14, 12, 16), 32)
    for seed in range(20):
        inside = rois(truth, torch.Generator().manual_seed(seed)) > 0
        doubled = inside[:, 0].repeat_interleave(2, 1).repeat_interleave(2, 2)
        doubled = doubled.repeat_interleave(2, 3)
        assert (truth & doubled).sum() >= 0.6 * truth.sum()
        assert inside.sum() * 8 <= 2 * truth.sum()


def test_first_prompts_are_of_all_kinds():
    truth = box((4, 4, 4), (12, 12, 12)).expand(400, -1, -1, -1)
    prompts = first_prompts(truth, FirstPrompts(0.2, 0.1), torch.Generator().manual_seed(3))
    with_roi = prompts.roi.flatten(1).any(1)
    with_mask = prompts.mask.flatten(1).any(1)
    clicked = prompts.signs[:, 0] == 1
    assert with_roi.float().mean() == pytest.approx(0.3, abs=0.07)
    assert with_mask.float().mean() == pytest.approx(0.1, abs=0.05)
    assert not (with_roi & with_mask).any()
    # Whoever is not told anything cannot know what is meant.
    assert (clicked | with_roi | with_mask).all()
    assert (with_roi & clicked).any() and (with_roi & ~clicked).any()


def test_a_spoilt_mask_is_nearly_right():
    truth = box((4, 4, 4), (24, 24, 24), 32).expand(20, -1, -1, -1)
    masks = corrupted(truth, torch.Generator().manual_seed(2)) > 0
    half = truth[:, None, ::2, ::2, ::2]
    dice = 2 * (masks & half).flatten(1).sum(1) / (masks.flatten(1).sum(1) + half[0].sum())
    assert (dice > 0.5).all() and (dice < 1).any()
