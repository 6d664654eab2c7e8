"""Clicks: what they do and cost, and that they can be taken back."""

import numpy as np
import pytest

from SAMSegmentLib.core.errors import Cancelled, InputError
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.models.slicewise.slicewise_engine import SlicewiseEngine
from TestSupport.bright_network import bright_engine
from TestSupport.phantoms import ball, dice, grid

GEOMETRY = grid((12, 48, 48))
CENTER, RADIUS = (36.0, 36.0, 16.5), 12.0
BALL = ball(GEOMETRY, CENTER, RADIUS)
ROI = Roi.from_box(CENTER, (30, 30, 30))
ON_BALL, ON_RIM = Point((38, 34, 17.5)), Point((36, 36 + RADIUS + 2, 16.5))
BESIDE, IN_BALL = Point((22.5, 36, 16.5), False), Point((36, 28, 16.5), False)


def tissue_with_ball() -> Image:
    """A CT within the body: nothing but tissue, and the ball in it."""
    noise = np.random.default_rng(0).normal(0, 8, GEOMETRY.shape)
    return Image((np.where(BALL, 180, 20) + noise).astype(np.int16), GEOMETRY, modality="CT")


IMAGE = tissue_with_ball()


@pytest.fixture(scope="module")
def engine():
    return bright_engine()


def predict(engine, *points, roi=None, image=IMAGE, watch=None):
    return engine.predict(image, Prompts(roi, tuple(points)), watch or Watch())


def at(point):
    return tuple(np.rint(GEOMETRY.to_ijk(np.array(point.ras))[::-1]).astype(int))


def test_a_point_on_a_ball_is_enough(engine):
    assert dice(predict(engine, ON_BALL).mask(), BALL) > 0.85


def test_an_roi_finds_the_whole_ball(engine):
    assert dice(predict(engine, roi=ROI).mask(), BALL) > 0.85


def test_a_click_after_an_roi_costs_its_own_correction_only(engine):
    predict(engine, roi=ROI)
    corrected = predict(engine, ON_RIM, roi=ROI)
    assert corrected.cost.encoded == 0
    told = []
    predict(engine, ON_RIM, roi=ROI, watch=Watch(lambda *what: told.append(what)))
    assert told == [(1, 1, "Done")]


def test_every_click_holds_and_the_mask_changes_near_it_only(engine):
    clicks, before = [], predict(engine, roi=ROI).mask()
    for click in (ON_RIM, IN_BALL, BESIDE, ON_BALL):
        clicks.append(click)
        after = predict(engine, *clicks, roi=ROI).mask()
        changed = after != before
        assert all(after[at(each)] == each.positive for each in clicks)
        assert (after[changed] == click.positive).all()
        before = after


def test_a_click_taken_back_gives_exactly_the_mask_before_it(engine):
    first = predict(engine, ON_RIM, roi=ROI)
    second = predict(engine, ON_RIM, IN_BALL, roi=ROI)
    assert not np.array_equal(second.mask(), first.mask())
    undone = predict(engine, ON_RIM, roi=ROI)
    assert np.array_equal(undone.logits, first.logits) and undone.start == first.start
    assert undone.cost.encoded == 0


def test_clicks_given_at_once_do_what_they_do_one_after_the_other(engine):
    for count in range(3):
        step_by_step = predict(engine, *(ON_RIM, IN_BALL)[:count], roi=ROI)
    at_once = predict(bright_engine(), ON_RIM, IN_BALL, roi=ROI)
    assert np.array_equal(at_once.logits, step_by_step.logits)


def test_a_negative_point_before_the_first_positive_one_still_holds(engine):
    one = predict(engine, IN_BALL, ON_BALL).mask()
    other = predict(engine, ON_BALL, IN_BALL).mask()
    assert np.array_equal(one, other)
    assert one[at(ON_BALL)] and not one[at(IN_BALL)]


def test_an_roi_is_taken_first_and_a_point_outside_it_may_leave_it(engine):
    outside = Point((36, 58, 16.5))
    assert not ROI.contains_voxels(GEOMETRY)[at(outside)]
    mask = predict(engine, outside, roi=ROI).mask()
    assert dice(mask & BALL, BALL) > 0.85
    assert mask[at(outside)]


def test_negative_points_alone_are_refused(engine):
    with pytest.raises(InputError, match="needs an ROI around the object or a positive point"):
        predict(engine, BESIDE, IN_BALL)


def test_two_signs_in_one_voxel_are_refused_and_the_earlier_answer_stays(engine):
    before = predict(engine, ON_BALL, roi=ROI)
    with pytest.raises(InputError, match="same voxel"):
        predict(engine, ON_BALL, Point(ON_BALL.ras, False), roi=ROI)
    assert np.array_equal(predict(engine, ON_BALL, roi=ROI).logits, before.logits)


class After:
    """A flag that is set when it was looked at a number of times."""

    def __init__(self, looks):
        self.left = looks

    def is_set(self):
        self.left -= 1
        return self.left < 0


def test_cancelled_in_the_middle_the_next_answer_is_the_right_one(engine):
    expected = predict(engine, roi=ROI)
    # Another key: nothing of it is known.
    again = tissue_with_ball()
    with pytest.raises(Cancelled):
        predict(engine, roi=ROI, image=again, watch=Watch(cancel=After(3)))
    assert np.array_equal(predict(engine, roi=ROI, image=again).logits, expected.logits)


def test_a_click_that_was_cancelled_can_be_made_again(engine):
    before = predict(engine, ON_RIM, roi=ROI)
    with pytest.raises(Cancelled):
        predict(engine, ON_RIM, IN_BALL, BESIDE, roi=ROI, watch=Watch(cancel=After(0)))
    assert np.array_equal(predict(engine, ON_RIM, roi=ROI).logits, before.logits)
    after = predict(engine, ON_RIM, IN_BALL, BESIDE, roi=ROI).mask()
    assert all(after[at(point)] == point.positive for point in (ON_RIM, IN_BALL, BESIDE))


def test_an_answer_is_not_changed_by_whoever_got_it(engine):
    first = predict(engine, roi=ROI)
    expected = first.logits.copy()
    mask = first.mask()
    mask[:] = 0
    predict(engine, IN_BALL, roi=ROI)
    assert np.array_equal(predict(engine, roi=ROI).logits, expected)


def test_more_clicks_than_answers_are_kept_give_the_same_mask(monkeypatch):
    monkeypatch.setattr(SlicewiseEngine, "KEPT_ANSWERS", 2)
    engine = bright_engine()
    rim = [Point((36 + 3 * n, 36 + RADIUS + 2, 16.5)) for n in range(4)]
    for count in range(1, len(rim) + 1):
        last = predict(engine, *rim[:count], roi=ROI)
    assert all(last.mask()[at(point)] for point in rim)
    predict(engine, IN_BALL, roi=ROI)
    predict(engine, BESIDE, roi=ROI)
    assert np.array_equal(predict(engine, *rim, roi=ROI).logits, last.logits)
