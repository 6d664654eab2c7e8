"""The training's user says what is meant, and corrects what is wrong."""

import pytest
import torch
from hypothesis import assume, given, settings

from SAMSegmentLib.models.samsegment3d.prompt_maps import DRAWN_MAPS
from TestSupport.objects import N, box, boxes, seeded, seeds
from TestSupport.properties import examples
from Training import prompts
from Training.clicks import values_at
from Training.prompts import FIRST, first_prompts, next_prompts

BALL = box((4, 4, 4), (12, 12, 12))


@pytest.fixture(autouse=True)
def steady(monkeypatch):
    """A hand that neither shakes nor clicks where nothing was asked for."""
    for name in ("BESIDE_FIRST", "BESIDE_LATER", "SCRIBBLES"):
        monkeypatch.setattr(prompts, name, 0.0)
    monkeypatch.setattr("Training.clicks.UNSTEADY", 0.0)


def first(kind, truth, seed=0):
    return first_prompts(truth, {kind: 1.0}, seeded(seed))


@settings(max_examples=examples(30))
@given(boxes(), seeds)
def test_the_first_click_lies_on_the_object(truth, seed):
    told = first("click", truth, seed)
    assert told.signs.tolist() == [[1]] and values_at(truth, told.clicks[:, -1]).all()
    assert not any(maps.any() for maps in (told.roi, told.ramp, told.mask, told.drawn))


@pytest.mark.parametrize("kind", FIRST)
def test_each_kind_tells_what_its_name_says_and_nothing_else(kind):
    for seed in range(3):
        told, parts = first(kind, BALL.expand(2, -1, -1, -1), seed), kind.split("+")
        assert told.roi.any() == told.ramp.any() == ("roi" in parts)
        assert told.mask.any() == ("mask" in parts)
        assert told.signs.any() == bool({"click", "scribble"} & set(parts))
        channels = told.drawn.flatten(2).any(2)
        expected = {"scribble": [1, 0, 0, 0], "line": [0, 0, 1, 1]}.get(kind, [0] * DRAWN_MAPS)
        assert channels.int().tolist() == [expected] * 2


def test_shares_say_how_often_each_is_told():
    shares = {"click": 0.5, "roi+click": 0.3, "mask": 0.2}
    told = first_prompts(BALL.expand(300, -1, -1, -1), shares, seeded(3))
    boxed, masked = (maps.flatten(1).any(1) for maps in (told.roi, told.mask))
    assert boxed.float().mean() == pytest.approx(0.3, abs=0.1)
    assert masked.float().mean() == pytest.approx(0.2, abs=0.1)
    assert torch.equal(told.signs[:, -1] == 1, ~masked) and not (boxed & masked).any()


@settings(max_examples=examples(30))
@given(boxes(), seeds)
def test_points_of_a_scribble_lie_on_it_and_on_the_object_the_start_last(truth, seed):
    told = first("scribble", truth, seed)
    given_ = told.clicks[told.signs == 1]
    assert 1 <= len(given_) <= prompts.POINTS
    for place in given_.round().long():
        assert truth[0][tuple(place)]
        assert told.drawn[0, 0][tuple(place // 2)] == 1
    blocks = torch.argwhere(told.drawn[0, 0] > 0)
    within = truth[0].unflatten(0, (-1, 2)).unflatten(2, (-1, 2)).unflatten(4, (-1, 2)).any(5)
    assert within.any(3).any(1)[tuple(blocks.T)].all()


def test_the_newest_is_in_the_last_column_and_where_there_is_none_its_sign_is_nothing():
    places, signs = prompts._columns(
        [[], [((1, 2, 3), 1.0)], [((4, 5, 6), 1.0), ((7, 8, 9), -1.0)]], torch.device("cpu")
    )
    assert signs.tolist() == [[0, 0], [0, 1], [1, -1]]
    assert places[1].tolist() == [[0, 0, 0], [1, 2, 3]]
    assert places[2].tolist() == [[4, 5, 6], [7, 8, 9]]
    places, signs = prompts._columns([[], []], torch.device("cpu"))
    assert places.shape == (2, 1, 3) and not signs.any()


def test_a_negative_click_is_beside_the_object_if_there_is_room(monkeypatch):
    monkeypatch.setattr(prompts, "BESIDE_FIRST", 1.0)
    truth = torch.cat([BALL, box((0,) * 3, (N,) * 3), box((3, 3, 3), (4, 4, 4))])
    for kind in ("click", "roi"):
        told = first(kind, truth, 5)
        assert told.signs[:, -1].tolist() == [-1, float(kind == "click"), -1]
        negative = told.signs[:, -1] == -1
        assert not values_at(truth, told.clicks[:, -1])[negative].any()


# --- corrections ----------------------------------------------------------------------------------


def corrected(told, truth, mask, seed=1):
    return next_prompts(told, truth, torch.where(mask, 3.0, -3.0), seeded(seed))


@settings(max_examples=examples(40))
@given(boxes(), boxes(), seeds)
def test_the_next_click_lies_in_an_error_and_says_which(truth, mask, seed):
    told = first("click", truth, seed)
    after = corrected(told, truth, mask, seed)
    click, sign = after.clicks[:, -1], after.signs[0, -1]
    assert sign == (1 if values_at(truth, click) else -1)
    if (mask != truth).any():
        assert values_at(mask, click) != values_at(truth, click)


@pytest.mark.parametrize("kind", FIRST)
def test_a_correction_keeps_what_was_told_before(kind):
    truth, told = BALL.expand(3, -1, -1, -1), first(kind, BALL.expand(3, -1, -1, -1))
    count = told.signs.shape[1]
    after = corrected(told, truth, truth.roll(2, 1))
    assert torch.equal(after.clicks[:, :count], told.clicks)
    assert torch.equal(after.signs[:, :count], told.signs)
    assert after.signs.shape[1] == count + 1 and after.signs[:, -1].all()
    assert torch.equal(after.roi, told.roi) and torch.equal(after.ramp, told.ramp)
    assert torch.equal(after.drawn, told.drawn)


def test_a_scribble_of_a_correction_is_drawn_besides_those_before_and_changes_none(monkeypatch):
    told = first("scribble", BALL)
    before = told.drawn.clone()
    monkeypatch.setattr(prompts, "SCRIBBLES", 1.0)
    after = corrected(told, BALL, torch.zeros_like(BALL))
    assert torch.equal(told.drawn, before)
    assert (after.drawn >= before).all() and not after.drawn[0, 1].any()
    assert after.signs.shape[1] > told.signs.shape[1]


@settings(max_examples=examples(40))
@given(boxes(), boxes(), seeds)
def test_a_scribble_does_not_cross_from_what_is_missed_to_what_is_too_much(truth, mask, seed):
    assume((mask != truth).any())
    kept, prompts.SCRIBBLES = prompts.SCRIBBLES, 1.0
    try:
        after = corrected(first("roi", truth, seed), truth, mask, seed)
    finally:
        prompts.SCRIBBLES = kept
    for place, sign in zip(after.clicks[0].round(), after.signs[0], strict=True):
        if sign:
            assert values_at(truth, place[None]).item() == (sign > 0)
            assert values_at(mask, place[None]).item() == (sign < 0)
    drawn_ = after.drawn[0].flatten(1).any(1)
    assert drawn_[:2].sum() == 1 and drawn_[0] == (after.signs[0, -1] > 0)


def test_where_a_mask_fills_the_window_no_click_says_that_the_object_is_not_there(monkeypatch):
    monkeypatch.setattr(prompts, "BESIDE_LATER", 1.0)
    everything = torch.ones_like(BALL)
    for truth in (everything, BALL, box((0, 0, 0), (8, 8, 8))):
        for seed in range(4):
            after = corrected(first("roi", truth, seed), truth, everything, seed)
            on_object = values_at(truth, after.clicks[:, -1]).item()
            assert after.signs[0, -1] == (1 if on_object else -1)


def test_the_mask_before_is_the_last_answer_unless_it_is_forgotten(monkeypatch):
    truth = BALL.expand(100, -1, -1, -1)
    logits = torch.linspace(-2, 2, N).expand(truth.shape)
    told = first("click", truth)

    def remembered():
        return next_prompts(told, truth, logits, seeded(4)).mask

    masks = remembered()
    forgotten = ~masks.flatten(1).any(1)
    hard = (masks.abs() > 0.99).flatten(1).all(1)
    assert 0 < forgotten.float().mean() < 0.3 and 0 < hard.float().mean() < 0.4
    rest = masks[~forgotten & ~hard]
    soft = 2 * torch.sigmoid(torch.linspace(-2, 2, N)).unflatten(0, (-1, 2)).mean(1) - 1
    assert torch.allclose(rest, soft.expand_as(rest), atol=1e-5)
    assert torch.equal(masks[hard] > 0, (soft > 0).expand_as(masks[hard]))
    monkeypatch.setattr(prompts, "FORGOTTEN", 0.0)
    assert remembered().flatten(1).any(1).all()
