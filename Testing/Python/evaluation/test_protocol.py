"""Protocols: what is asked step by step, and what each step is said to have cost."""

import time
from itertools import pairwise

import numpy as np
import pytest

from SAMSegmentLib.core.answer import Answer, Cost
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.evaluation import protocol as protocols
from SAMSegmentLib.evaluation.protocol import (
    CLICKS_ALONE,
    PROTOCOLS,
    ROI_ALONE,
    ROI_THEN_CLICKS,
    SHAKEN_CLICKS_ALONE,
    SHAKEN_ROI_THEN_CLICKS,
    EncoderClock,
    Step,
    area_under_clicks,
    run,
    score_mask,
    scores,
)
from SAMSegmentLib.evaluation.simulated_user import next_click, roi_around
from TestSupport.phantoms import ball, ct_with_ball, grid

GEOMETRY = grid((16, 32, 32))
CENTER, RADIUS = (24.0, 24.0, 24.0), 12.0
IMAGE = ct_with_ball(GEOMETRY, CENTER, RADIUS)
TRUTH = ball(GEOMETRY, CENTER, RADIUS)
NO_COST = Cost()


class Model:
    """Answers with balls whose radius grows with each click; notes what it was asked."""

    def __init__(self, radii=(6, 7, 8, 9, 10, 11), cost=NO_COST):
        self.radii = radii
        self.cost = cost
        self.asked = []

    def __call__(self, prompts):
        mask = ball(GEOMETRY, CENTER, self.radii[len(self.asked)])
        self.asked.append(prompts)
        cost = self.cost(len(self.asked)) if callable(self.cost) else self.cost
        return prediction_of(mask, cost)


def prediction_of(mask, cost=NO_COST):
    logits = np.where(mask, 4, -4).astype(np.float32)
    return Answer.of(Patch(logits, (0, 0, 0)), GEOMETRY, cost=cost)


def test_an_roi_is_followed_by_five_clicks_and_everything_is_said_again_each_time():
    model = Model()
    steps = run(model, IMAGE, TRUTH, ROI_THEN_CLICKS)
    names = ["roi", "click 1", "click 2", "click 3", "click 4", "click 5"]
    assert [step.interaction for step in steps] == names
    assert [len(prompts.points) for prompts in model.asked] == [0, 1, 2, 3, 4, 5]
    assert all(prompts.roi is model.asked[0].roi for prompts in model.asked)
    assert all(a.prompts is b for a, b in zip(steps, model.asked, strict=True))
    for earlier, later in pairwise(steps):
        assert later.prompts.points[:-1] == earlier.prompts.points
        # Each click corrects what the mask before it got wrong.
        assert later.prompts.points[-1] == next_click(TRUTH, earlier.mask, GEOMETRY)


def test_the_roi_is_that_around_the_truth():
    model = Model()
    (step,) = run(model, IMAGE, TRUTH, ROI_ALONE)
    expected = roi_around(TRUTH, GEOMETRY)
    assert np.allclose(step.prompts.roi.box_to_ras, expected.box_to_ras)
    assert step.prompts.points == ()


def test_clicks_alone_begin_in_the_middle_of_the_object():
    model = Model()
    steps = run(model, IMAGE, TRUTH, CLICKS_ALONE)
    assert [step.interaction for step in steps] == [f"click {n}" for n in range(1, 6)]
    assert all(prompts.roi is None for prompts in model.asked)
    first = model.asked[0].points[0]
    assert first.positive and np.allclose(first.ras, CENTER, atol=1.6)


def test_scores_are_those_of_the_mask_after_each_step():
    steps = run(Model(), IMAGE, TRUTH, ROI_THEN_CLICKS)
    for step in steps:
        assert (step.dsc, step.nsd) == score_mask(TRUTH, step.mask, GEOMETRY.spacing)
    dscs = [step.dsc for step in steps]
    assert dscs == sorted(dscs) and dscs[0] < 0.5 < dscs[-1]


def test_once_the_mask_is_perfect_the_rest_repeats_it_for_nothing():
    model = Model(radii=(6, RADIUS))
    steps = run(model, IMAGE, TRUTH, ROI_THEN_CLICKS)
    assert len(model.asked) == 2 and len(steps) == 6
    for step in steps[2:]:
        assert (step.dsc, step.nsd) == (1, 1)
        assert (step.seconds, step.encoder_passes) == (0, 0)
        assert step.repeated and step.prompts is steps[1].prompts
    assert [step.interaction for step in steps[2:]] == [f"click {n}" for n in range(2, 6)]


def test_the_surface_counts_nothing_while_the_dice_is_low():
    thin = np.zeros(GEOMETRY.shape, dtype=bool)
    thin[8, 10:20, 10:20] = True
    moved = np.roll(thin, 8, axis=2)
    assert 0 < protocols.dsc(thin, moved) <= 0.2 < protocols.nsd(thin, moved, GEOMETRY.spacing)
    assert score_mask(thin, moved, GEOMETRY.spacing)[1] == 0


def test_a_picture_costs_a_pass_when_this_object_first_needs_it():
    def cost(call):
        return Cost(pictures=frozenset(range(call + 2)))

    steps = run(Model(cost=cost), IMAGE, TRUTH, ROI_THEN_CLICKS)
    assert [step.encoder_passes for step in steps] == [3, 1, 1, 1, 1, 1]
    steps = run(Model(cost=cost), IMAGE, TRUTH, ROI_THEN_CLICKS)
    assert steps[0].encoder_passes == 3


def test_kept_pictures_count_with_the_encoders_mean_time():
    clock = EncoderClock()

    def encodes(call):
        return Cost(frozenset({"a", "b"}), encoded=2, encoder_seconds=8.0)

    def finds_kept(call):
        return Cost(frozenset({"a", "b", "c"}))

    model = Model(cost=encodes)
    started = time.perf_counter()
    (measured,) = run(model, IMAGE, TRUTH, ROI_ALONE, clock=clock)
    overhead = time.perf_counter() - started
    # Eight seconds that were measured are replaced by two pictures of four seconds.
    assert 0 <= measured.seconds <= overhead
    assert clock.seconds_per_picture == 4
    (kept,) = run(Model(cost=finds_kept), IMAGE, TRUTH, ROI_ALONE, clock=clock)
    assert kept.encoder_passes == 3
    assert kept.seconds == pytest.approx(12, abs=1)
    assert clock.seconds_per_picture == 4


def test_a_clock_without_measurements_counts_nothing():
    assert EncoderClock().seconds_per_picture == 0


@pytest.mark.parametrize("protocol", [SHAKEN_ROI_THEN_CLICKS, SHAKEN_CLICKS_ALONE])
def test_a_shaking_hand_is_the_same_for_the_same_seed_only(protocol):
    def asked(seed):
        model = Model()
        run(model, IMAGE, TRUTH, protocol, seed)
        return model.asked[-1].to_json()

    assert asked(3) == asked(3)
    assert asked(3) != asked(4)


def test_a_shaking_hand_moves_what_a_steady_one_places():
    steady, shaking = Model(), Model()
    run(steady, IMAGE, TRUTH, ROI_THEN_CLICKS)
    run(shaking, IMAGE, TRUTH, SHAKEN_ROI_THEN_CLICKS)
    for a, b in zip(steady.asked[-1].points, shaking.asked[-1].points, strict=True):
        assert 0 < np.linalg.norm(np.subtract(a.ras, b.ras)) <= 3
        assert a.positive == b.positive
    assert not np.allclose(steady.asked[0].roi.size, shaking.asked[0].roi.size)


def test_what_the_model_refuses_is_told_as_it_is():
    def refuse(prompts):
        raise InputError("no points, please")

    with pytest.raises(InputError, match="no points, please"):
        run(refuse, IMAGE, TRUTH, CLICKS_ALONE)


@pytest.mark.parametrize(
    ("truth", "says"), [(np.zeros_like(TRUTH), "empty"), (TRUTH[1:], "not on the image's grid")]
)
def test_a_truth_that_cannot_be_used_is_told(truth, says):
    with pytest.raises(InputError, match=says):
        run(Model(), IMAGE, truth, ROI_ALONE)


def test_protocols_are_found_by_name_and_know_which_prompts_they_need():
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())
    kinds = {name: set(protocol.kinds) for name, protocol in PROTOCOLS.items()}
    assert kinds == {
        "roi": {"roi"},
        "roi_then_clicks": {"roi", "points"},
        "shaken_roi_then_clicks": {"roi", "points"},
        "clicks_alone": {"points"},
        "shaken_clicks_alone": {"points"},
    }


MASK = np.ones((1, 1, 1), dtype=bool)


def step(name, dsc, nsd=0.5, seconds=1.0, passes=0, repeated=False):
    return Step(name, Prompts(), dsc, nsd, seconds, passes, MASK, repeated)


def test_the_area_under_five_perfect_clicks_is_4():
    assert area_under_clicks([1, 1, 1, 1, 1]) == 4


def test_the_area_is_that_of_trapezoids():
    assert area_under_clicks([0, 1, 0, 1, 0]) == 2
    values = [0.1, 0.5, 0.7, 0.75, 0.9]
    assert area_under_clicks(values) == pytest.approx(np.trapezoid(values))


@pytest.mark.parametrize("values", [[], [0.9]])
def test_fewer_than_two_clicks_have_no_area(values):
    assert area_under_clicks(values) is None


def test_the_rois_step_is_left_out_of_the_area_but_costs_what_it_costs():
    steps = [step("roi", 0.0, 0.0, 9.0, 7)]
    steps += [step(f"click {n}", 1.0, 0.5, float(n), 1) for n in range(1, 6)]
    total = scores(steps)
    assert (total.dsc_auc, total.nsd_auc) == (4, 2)
    assert (total.final_dsc, total.final_nsd) == (1, 0.5)
    assert total.seconds == 3.5
    assert total.encoder_passes == 12


def test_steps_in_which_nothing_was_done_do_not_make_the_others_faster():
    steps = [step("click 1", 1.0, seconds=4.0)]
    steps += [step(f"click {n}", 1.0, seconds=0.0, repeated=True) for n in range(2, 6)]
    assert scores(steps).seconds == 4


def test_an_roi_alone_has_no_area():
    total = scores([step("roi", 0.8)])
    assert total.dsc_auc is None and total.nsd_auc is None
    assert total.final_dsc == 0.8
