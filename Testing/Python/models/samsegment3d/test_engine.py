"""SAMSegment 3D from prompts to a mask on the volume's grid, with a network that knows the truth.

With the real network and random weights: test_model.py.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.errors import Cancelled, InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from TestSupport.phantoms import ball, dice, grid, image_of, middle_of, voxel_positions
from TestSupport.properties import examples

torch = pytest.importorskip("torch")

from SAMSegmentLib.models.interactive import (  # noqa: E402
    CUT_OFF,
    LEAST_LEFT,
    MOSTLY_GONE,
    UNCHANGED,
)
from SAMSegmentLib.models.samsegment3d.session import MOST_CLICKS  # noqa: E402
from SAMSegmentLib.models.samsegment3d.windows import COARSEST_MM, MOST  # noqa: E402
from TestSupport.true_network import TrueEngine, Truth, ball_at  # noqa: E402

GEOMETRY = grid((50, 90, 90), (2, 2, 5))
CENTER = middle_of(GEOMETRY)
OTHER_CENTER = np.add(CENTER, (0, 55, 0))
BALL, OTHER = ball(GEOMETRY, CENTER, 30), ball(GEOMETRY, OTHER_CENTER, 12)
IMAGE = image_of(BALL | OTHER, GEOMETRY)


def near(x=0.0, y=0.0, z=0.0, positive=True):
    return Point(tuple(np.add(CENTER, (x, y, z))), positive)


ON_BALL, ON_OTHER = near(5, 5, 4), near(0, 57, 0)


def at(point, geometry=GEOMETRY):
    return tuple(np.rint(geometry.to_ijk(np.array(point.ras))[::-1]).astype(int))


def predict(engine, image, *points, roi=None, watch=None, voxels=None, **more):
    return engine.predict(image, Prompts(roi, points, **more), watch or Watch(), voxels=voxels)


@pytest.fixture
def truth():
    return Truth(ball_at(CENTER, 30), ball_at(OTHER_CENTER, 12), candidates=True)


@pytest.fixture
def engine(truth):
    return TrueEngine(truth)


# --- where the mask lies --------------------------------------------------------------------------


@pytest.mark.parametrize("diameter", [10, 60, 200])
@pytest.mark.parametrize("tilt", [0.0, 0.3])
def test_an_object_of_any_size_is_found_in_an_oblique_flipped_anisotropic_volume(diameter, tilt):
    turn = Rotation.from_euler("xyz", (25, -10, 160), degrees=True).as_matrix()
    matrix, shear = np.eye(4), np.eye(3)
    shear[1, 2] = tilt
    matrix[:3, :3] = turn @ shear @ np.diag((-1.0, 1.3, -2.0))
    geometry = Geometry(matrix, (120, 190, 250))
    center = np.add(middle_of(geometry), (10, -5, 3))
    mask = ball(geometry, center, diameter / 2)
    engine = TrueEngine(Truth(ball_at(center, diameter / 2)))
    prediction = predict(engine, image_of(mask, geometry), Point(tuple(center + diameter / 8)))
    assert prediction.geometry is geometry and prediction.logits.dtype == np.float32
    assert dice(prediction.mask(), mask) > 0.9
    assert prediction.warnings == ()


def test_what_continues_beyond_the_coarsest_window_gives_a_warning_unless_an_roi_ends_it():
    huge = grid((40, 120, 120), (4, 4, 12))
    assert (huge.spacing * huge.shape[::-1] > COARSEST_MM * MOST).all()
    truth = Truth(lambda ras: np.ones(ras.shape[:-1], bool))
    image = image_of(ball(huge, middle_of(huge), 100), huge)
    click = Point(tuple(middle_of(huge)))
    assert predict(TrueEngine(truth), image, click).warnings == (CUT_OFF,)
    roi = Roi.from_box(middle_of(huge), (200, 200, 200))
    assert predict(TrueEngine(truth), image, click, roi=roi).warnings == ()


# --- clicks ---------------------------------------------------------------------------------------


def test_each_click_decodes_once_in_what_was_encoded(engine, truth):
    clicks = ON_BALL, ON_OTHER, Point(ON_BALL.ras, False)
    masks = [predict(engine, IMAGE, *clicks[:n]).mask() for n in (1, 2)]
    assert dice(masks[0], BALL) > 0.95 and dice(masks[1], BALL | OTHER) > 0.95
    assert len(truth.asked) == 2 and len(engine.encoded_windows) == 1


def test_undo_gives_the_earlier_mask_and_asks_nothing(engine, truth):
    first = predict(engine, IMAGE, ON_BALL)
    predict(engine, IMAGE, ON_BALL, ON_OTHER)
    count = len(truth.asked)
    undone = predict(engine, IMAGE, ON_BALL)
    assert undone.start == first.start and np.array_equal(undone.logits, first.logits)
    assert len(truth.asked) == count and undone.cost.encoded == 0


def test_clicks_given_at_once_do_what_they_do_one_after_the_other(engine, truth):
    clicks = ON_BALL, ON_OTHER, near(25, 0, 0, positive=False)
    for count in (1, 2, 3):
        one_by_one = predict(engine, IMAGE, *clicks[:count])
    at_once = predict(TrueEngine(truth), IMAGE, *clicks)
    assert np.array_equal(at_once.logits, one_by_one.logits)


def test_the_fortieth_click_asks_the_network_as_often_and_as_much_as_a_few_do(engine, truth):
    rng = np.random.default_rng(0)
    clicks = [ON_BALL, *(near(*place) for place in rng.uniform(-12, 12, (39, 3)))]
    for count in (38, 39, 40):
        before = len(truth.asked)
        predict(engine, IMAGE, *clicks[:count])
    assert len(truth.asked) == before + 1 and len(engine.encoded_windows) == 1
    assert truth.asked[-1][1].points == tuple(clicks[-MOST_CLICKS:])
    assert len(engine._answers) <= engine.KEPT_ANSWERS


@pytest.mark.parametrize("positive", [True, False])
def test_no_click_is_ignored_though_the_network_does(positive):
    engine = TrueEngine(Truth(ball_at(CENTER, 30), deaf=True))
    click = near(50, 0, 0) if positive else near(20, 0, 0, positive=False)
    before = predict(engine, IMAGE, ON_BALL).mask()
    after = predict(engine, IMAGE, ON_BALL, click).mask()
    assert before[at(click)] != positive and after[at(click)] == positive
    changed = np.linalg.norm(
        voxel_positions(GEOMETRY)[after != before] - np.array(click.ras), axis=-1
    )
    assert changed.size and changed.max() < 60
    # Nor is it forgotten with the next one.
    more = predict(engine, IMAGE, ON_BALL, click, near(0, 0, 45)).mask()
    assert more[at(click)] == positive and more[at(near(0, 0, 45))] and more[at(ON_BALL)]


def test_what_a_click_changed_goes_in_with_the_next():
    truth = Truth(ball_at(CENTER, 30), deaf=True)
    engine = TrueEngine(truth)
    predict(engine, IMAGE, ON_BALL, near(50, 0, 0), near(0, 0, 45))
    window, given = truth.asked[-1]
    there = tuple(n // 2 for n in tuple(window.voxels(np.add(CENTER, (50, 0, 0)))))
    assert given.before[there] > 0


def test_two_clicks_in_one_voxel_that_say_the_opposite_are_refused(engine):
    with pytest.raises(InputError, match="same voxel"):
        predict(engine, IMAGE, ON_BALL, Point(ON_BALL.ras, False))


@pytest.mark.parametrize("points", [(), (Point(ON_BALL.ras, False),)])
def test_without_anything_positive_the_error_names_what_to_add(engine, points):
    with pytest.raises(InputError, match="needs a positive point on the object or an ROI"):
        predict(engine, IMAGE, *points)
    assert engine.encoded_windows == []


# --- candidates -----------------------------------------------------------------------------------


def test_one_click_has_further_candidates_if_they_differ(engine):
    prediction = predict(engine, IMAGE, ON_BALL)
    assert len(prediction.alternatives) == 2
    smaller, larger = sorted(other.mask().sum() for other in prediction.alternatives)
    assert smaller < 0.9 * prediction.mask().sum() and larger > 1.4 * prediction.mask().sum()
    assert all(other.mask()[at(ON_BALL)] for other in prediction.alternatives)
    assert predict(engine, IMAGE, ON_BALL, near(-5)).alternatives == ()


def test_another_reading_is_the_alternative_of_that_number_and_is_what_clicks_correct(engine):
    first = predict(engine, IMAGE, ON_BALL)
    second = predict(engine, IMAGE, ON_BALL, candidate=2)
    assert np.array_equal(second.mask(), first.alternatives[1].mask())
    assert np.array_equal(second.alternatives[0].mask(), first.mask())
    again = predict(engine, IMAGE, ON_BALL, candidate=3)
    assert np.array_equal(again.mask(), first.mask())
    before = engine.truth.asked[-1]
    larger = 1 + int(np.argmax([other.mask().sum() for other in first.alternatives]))
    predict(engine, IMAGE, ON_BALL, near(3, 0, 0), candidate=larger)
    assert engine.truth.asked[-1] is not before
    window, given = engine.truth.asked[-1]
    given_mm3 = 8 * (given.before > 0).sum() * window.spacing**3
    assert given_mm3 > 1.4 * first.mask().sum() * GEOMETRY.voxel_volume


def test_of_what_a_click_may_mean_that_comes_first_whose_border_is_to_be_seen(engine, truth):
    expected = predict(engine, IMAGE, ON_BALL)
    engine.forget_answers()
    engine.truth = lambda *asked: truth(*asked)[::-1]
    found = predict(engine, IMAGE, ON_BALL)
    assert dice(found.mask(), BALL) > 0.95 and np.array_equal(found.mask(), expected.mask())
    assert len(found.alternatives) == 2


# --- ROI ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, -30, 40)])
def test_an_roi_alone_is_enough_and_a_limit_to_the_voxel(engine, truth, angles):
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    roi = Roi.from_box(CENTER, (40, 80, 50), turn)
    mask = predict(engine, IMAGE, roi=roi).mask().astype(bool)
    within = roi.contains_voxels(GEOMETRY)
    assert not mask[~within].any()
    assert dice(mask, BALL & within) > 0.97
    ((_, given),) = truth.asked
    assert given.points == () and given.before is None and given.roi is not None


def test_a_positive_point_outside_the_roi_lifts_the_limit_and_taken_back_restores_it(engine):
    roi, image = Roi.from_box(CENTER, (50, 50, 50)), IMAGE
    within = roi.contains_voxels(GEOMETRY)
    before = predict(engine, image, near(3, 3, 3), roi=roi)
    assert not before.mask()[~within].any()
    lifted = predict(engine, image, near(3, 3, 3), ON_OTHER, roi=roi).mask()
    assert lifted[at(ON_OTHER)] and lifted[at(ON_BALL)] and lifted[~within].any()
    assert np.array_equal(predict(engine, image, near(3, 3, 3), roi=roi).logits, before.logits)


def test_an_roi_beside_the_volume_is_refused(engine):
    with pytest.raises(InputError, match="ROI lies outside"):
        predict(engine, IMAGE, roi=Roi.from_box((-500, 0, 0), (50, 50, 50)))


# --- voxels that are there already ----------------------------------------------------------------


def test_content_stays_as_it_is_until_a_click_corrects_it_nearby(engine):
    half = BALL & (voxel_positions(GEOMETRY)[..., 0] < CENTER[0])
    voxels = VoxelPrompts(Patch(half, (0, 0, 0)))
    alone = predict(engine, IMAGE, voxels=voxels)
    assert np.array_equal(alone.mask(), half) and engine.encoded_windows == []
    click = near(15)
    after = predict(engine, IMAGE, click, voxels=voxels).mask()
    assert after[at(click)] and after[half].all() and not after[OTHER].any()
    assert dice(after, BALL) > dice(half, BALL)


def test_a_negative_click_on_content_takes_away_what_the_network_leaves_out(engine):
    leak = ball(GEOMETRY, np.add(CENTER, (38, 0, 0)), 15) & ~BALL
    voxels = VoxelPrompts(Patch(BALL | leak, (0, 0, 0)))
    click = near(42, positive=False)
    after = predict(engine, IMAGE, click, voxels=voxels).mask().astype(bool)
    assert not after[at(click)] and (after & leak).sum() < 0.3 * leak.sum()
    assert (after & BALL).sum() > 0.95 * BALL.sum()


def test_content_that_is_refined_becomes_the_object_that_it_means(engine, truth):
    rough = ball(GEOMETRY, np.add(CENTER, (6, 4, 0)), 25)
    voxels = VoxelPrompts(Patch(rough, (0, 0, 0)), refine=True)
    refined = predict(engine, IMAGE, voxels=voxels)
    assert dice(refined.mask(), BALL) > 0.95
    ((_, given),) = truth.asked
    assert given.points == () and given.before.max() > 0.9
    more = predict(engine, IMAGE, ON_OTHER, voxels=voxels)
    assert dice(more.mask(), BALL | OTHER) > 0.9


def test_voxels_of_other_segments_are_left_out_and_a_click_on_them_gives_a_warning(engine):
    occupied = voxel_positions(GEOMETRY)[..., 0] > CENTER[0]
    voxels = VoxelPrompts(occupied=Patch(occupied, (0, 0, 0)))
    prediction = predict(engine, IMAGE, near(-5), voxels=voxels)
    assert dice(prediction.mask(), BALL & ~occupied) > 0.95
    assert not any(other.mask()[occupied].any() for other in prediction.alternatives)
    assert prediction.warnings == ()
    given = predict(engine, IMAGE, near(5), voxels=voxels)
    assert any("another segment" in warning for warning in given.warnings)


# --- while it works -------------------------------------------------------------------------------


class After:
    """A flag that is set when it was looked at a number of times."""

    def __init__(self, looks):
        self.left = looks
        self.looks = 0

    def is_set(self):
        self.left -= 1
        self.looks += 1
        return self.left < 0


LARGE = grid((90, 90, 90), (4, 4, 4))
LARGE_BALL = image_of(ball(LARGE, middle_of(LARGE), 150), LARGE)


def test_cancelled_anywhere_the_next_answer_is_the_right_one():
    click, truth = Point(tuple(middle_of(LARGE))), Truth(ball_at(middle_of(LARGE), 140))
    counting = After(10**9)
    expected = predict(TrueEngine(truth), LARGE_BALL, click, watch=Watch(cancel=counting))
    engine = TrueEngine(truth)
    assert counting.looks >= 4
    for looks in range(counting.looks):
        with pytest.raises(Cancelled):
            predict(engine, LARGE_BALL, click, watch=Watch(cancel=After(looks)))
        engine.forget_answers()
        engine._cache.clear()
    again = predict(engine, LARGE_BALL, click)
    assert np.array_equal(again.logits, expected.logits)


def test_a_click_that_is_cancelled_leaves_the_earlier_answers(engine):
    before = predict(engine, IMAGE, ON_BALL)
    with pytest.raises(Cancelled):
        predict(engine, IMAGE, ON_BALL, ON_OTHER, watch=Watch(cancel=After(0)))
    assert np.array_equal(predict(engine, IMAGE, ON_BALL).logits, before.logits)


def test_the_first_window_is_shown_before_the_second():
    seen = []
    click, truth = Point(tuple(middle_of(LARGE))), Truth(ball_at(middle_of(LARGE), 140))
    watch = Watch(preview=lambda make: seen.append(make().mask()))
    answer = predict(TrueEngine(truth), LARGE_BALL, click, watch=watch)
    assert len(seen) == 1 and 0 < seen[0].sum() < answer.mask().sum()


def test_progress_never_exceeds_its_end(engine):
    steps = []
    predict(engine, IMAGE, ON_BALL, watch=Watch(progress=lambda *what: steps.append(what)))
    assert steps[-1] == (1, 1, "Done") and all(done <= total for done, total, _ in steps)


def test_a_click_finds_ready_what_was_prepared(engine, truth):
    engine.prepare(IMAGE, np.array(ON_BALL.ras), Watch())
    assert len(engine.encoded_windows) == 1 and truth.asked == []
    assert predict(engine, IMAGE, ON_BALL).cost.encoded == 0
    # Where the answer looks already there is nothing to do, nor beside the volume.
    engine.prepare(IMAGE, np.add(CENTER, (20, 20, 0)), Watch())
    engine.prepare(IMAGE, np.add(CENTER, (1000, 0, 0)), Watch())
    assert len(engine.encoded_windows) == 1


# --- bad input ------------------------------------------------------------------------------------


def test_a_volume_smaller_than_the_least_window_is_segmented():
    small = grid((8, 12, 12), (2, 2, 2))
    mask = ball(small, middle_of(small), 6)
    engine = TrueEngine(Truth(ball_at(middle_of(small), 6)))
    found = predict(engine, image_of(mask, small), Point(tuple(middle_of(small)))).mask()
    assert dice(found, mask) > 0.85


@pytest.mark.parametrize("wrong", [(5, 5), (7, 3), (np.nan, 3)])
def test_an_intensity_range_that_is_none_is_refused(engine, wrong):
    with pytest.raises(InputError, match="not usable"):
        engine.predict(IMAGE, Prompts(points=(ON_BALL,)), Watch(), intensity_range=wrong)


# --- what the user is told of a click ---------------------------------------------------------


def test_a_click_that_changes_nothing_says_so(engine):
    assert predict(engine, IMAGE, ON_BALL).warnings == ()
    again = predict(engine, IMAGE, ON_BALL, ON_BALL)
    assert UNCHANGED in again.warnings
    assert np.array_equal(again.mask(), predict(engine, IMAGE, ON_BALL).mask())
    assert UNCHANGED in predict(engine, IMAGE, ON_BALL, near(0, 40, 0, positive=False)).warnings
    assert UNCHANGED not in predict(engine, IMAGE, ON_BALL, ON_OTHER).warnings
    assert UNCHANGED in predict(engine, IMAGE, ON_BALL, ON_OTHER, ON_OTHER).warnings


def test_a_click_that_makes_the_first_mask_is_none_that_changes_nothing(engine):
    aside = near(0, 40, 0, positive=False)
    assert UNCHANGED not in predict(engine, IMAGE, aside, ON_BALL).warnings
    assert UNCHANGED in predict(engine, IMAGE, ON_BALL, aside).warnings


def test_a_negative_click_that_takes_most_of_the_mask_away_says_so(engine):
    inside = near(-5, -5, -4, positive=False)
    gone = predict(engine, IMAGE, ON_BALL, inside)
    left = np.count_nonzero(gone.mask()) / np.count_nonzero(predict(engine, IMAGE, ON_BALL).mask())
    assert (MOSTLY_GONE in gone.warnings) == (left < LEAST_LEFT)
    assert MOSTLY_GONE not in predict(engine, IMAGE, ON_BALL, ON_OTHER).warnings


@settings(max_examples=examples(8), deadline=None)
@given(
    st.lists(st.tuples(st.tuples(*[st.floats(-45, 45)] * 3), st.booleans()), min_size=1, max_size=5)
)
def test_after_any_clicks_each_holds_and_replay_and_undo_give_the_same_masks(clicks):
    points, voxels = [ON_BALL], {at(ON_BALL)}
    for offset, positive in clicks:
        point = near(*offset, positive=positive)
        if at(point) not in voxels:
            points.append(point)
            voxels.add(at(point))
    engine = TrueEngine(Truth(ball_at(CENTER, 30), ball_at(OTHER_CENTER, 12)))
    masks = [predict(engine, IMAGE, *points[:n]).mask() for n in range(1, len(points) + 1)]
    for count, mask in enumerate(masks, 1):
        assert all(mask[at(point)] == point.positive for point in points[:count])
    # Undone, clicked again, and asked at once by another engine.
    assert np.array_equal(predict(engine, IMAGE, *points[:1]).mask(), masks[0])
    assert np.array_equal(predict(engine, IMAGE, *points).mask(), masks[-1])
    other = TrueEngine(Truth(ball_at(CENTER, 30), ball_at(OTHER_CENTER, 12)))
    assert np.array_equal(predict(other, IMAGE, *points).mask(), masks[-1])
