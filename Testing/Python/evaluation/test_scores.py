"""What the steps of one object come to."""

import numpy as np
import pytest

from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.evaluation.protocol import Step
from SAMSegmentLib.evaluation.scores import area_under_clicks, scores

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
