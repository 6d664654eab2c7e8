"""An object is looked at in the window that suits it, whatever its size and the volume's axes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from TestSupport.properties import examples

torch = pytest.importorskip("torch")

from SAMSegmentLib.core.patch import Patch  # noqa: E402
from SAMSegmentLib.models.samsegment3d.session import (  # noqa: E402
    FILLED,
    MARGIN,
    MOST_CHANGES,
    WindowSession,
)
from SAMSegmentLib.models.samsegment3d.windows import MOST, ROOM, allowed_spacing  # noqa: E402
from SAMSegmentLib.models.windowed.masks import WindowMask, on_volume  # noqa: E402
from TestSupport.geometries import rotations  # noqa: E402
from TestSupport.phantoms import dice, grid, middle_of, voxel_positions  # noqa: E402
from TestSupport.true_network import Truth, ball_at  # noqa: E402

LARGE = grid((200, 200, 200), (2, 2, 2))  # 400 mm
MIDDLE = middle_of(LARGE)


def oblique(turn, spacing, extent=320.0, tilt=0.0, flips=(1, 1, 1)):
    """An oblique, anisotropic, flipped, tilted volume of about `extent` mm along each axis."""
    shear = np.eye(3)
    shear[1, 2] = tilt
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ shear @ np.diag(spacing) @ np.diag(flips)
    matrix[:3, 3] = (40.0, -300.0, 700.0)
    return Geometry(matrix, tuple(int(np.ceil(extent / s)) for s in spacing[::-1]))


def clicked(truth, geometry, *points, **more):
    """The session's answer to clicks, one after the other."""
    session = WindowSession(geometry, truth, **more)
    mask = session.first(Prompts(points=points[:1]))[0]
    for count in range(2, len(points) + 1):
        mask = session.corrected(mask, None, points[:count])
    return mask


def agreement(mask, geometry, inside, around):
    """Dice on the volume's own grid, in a box of it around a position (all of it would be slow)."""
    reach = 140 if around is None else around[1]
    middle = np.rint(geometry.to_ijk(around[0])[::-1])
    low = np.clip(middle - np.ceil(reach / geometry.spacing[::-1]), 0, geometry.shape).astype(int)
    high = np.clip(middle + np.ceil(reach / geometry.spacing[::-1]) + 1, 0, geometry.shape)
    shape = tuple(int(n) for n in high - low)
    start = tuple(int(n) for n in low)
    found = on_volume([mask], geometry).on_box(start, shape) > 0
    return dice(found, inside(voxel_positions(geometry.crop(start, shape))))


@settings(max_examples=examples(10))
@given(
    st.floats(6, 250),
    rotations,
    st.sampled_from(((0.8, 0.8, 1.5), (1.0, 0.7, 2.0), (2.0, 1.0, 1.0))),
    st.sampled_from((0.0, 0.2)),
    st.tuples(*[st.sampled_from((-1.0, 1.0))] * 3),
    st.tuples(*[st.floats(-0.5, 0.5)] * 3),
)
def test_a_ball_of_any_size_is_found_whole_from_a_click_anywhere_in_it(
    diameter, turn, spacing, tilt, flips, off
):
    geometry = oblique(turn, spacing, tilt=tilt, flips=flips)
    center = middle_of(geometry)
    inside = ball_at(center, diameter / 2)
    truth = Truth(inside)
    mask = clicked(truth, geometry, Point(tuple(center + np.array(off) * diameter / 2)))
    assert agreement(mask, geometry, inside, (center, diameter / 2 + 8)) > 0.9
    assert len(truth.asked) <= MOST_CHANGES + 1
    assert not mask.faces


@pytest.mark.parametrize("diameter", [6, 9, 12, 16, 24])
def test_a_small_object_is_predicted_again_in_a_window_of_which_it_fills_half(diameter):
    geometry = grid((600, 400, 400), (0.5, 0.5, 0.5))
    center = middle_of(geometry)
    truth = Truth(ball_at(center, diameter / 2))
    mask = clicked(truth, geometry, Point(tuple(center)))
    (first, _), (second, given) = truth.asked
    assert first.spacing == first.frame.first and second is mask.window
    finest = second.frame.finest
    assert second.spacing == max(finest, allowed_spacing(diameter / FILLED / MOST))
    # As nearly half as the ladder of spacings allows.
    filled = mask.extent.max() / second.side.max()
    assert filled < 1.1 * FILLED and (filled > FILLED / 1.6 or second.spacing == finest)
    assert given.before is not None and given.before.max() > 0.9


def test_no_window_is_finer_than_half_the_volumes_voxels():
    geometry = grid((100, 200, 200), (1.2, 1.2, 3))
    truth = Truth(ball_at(middle_of(geometry), 4))
    clicked(truth, geometry, Point(tuple(middle_of(geometry))))
    assert [window.spacing for window, _ in truth.asked] == [1.0, 0.75]
    coarse = grid((60, 100, 100), (3, 3, 3))
    truth = Truth(ball_at(middle_of(coarse), 8))
    clicked(truth, coarse, Point(tuple(middle_of(coarse))))
    assert [window.spacing for window, _ in truth.asked] == [3.0, 1.5]


def test_an_object_of_middle_size_is_predicted_once():
    truth = Truth(ball_at(MIDDLE, 50))
    clicked(truth, LARGE, Point(tuple(MIDDLE)))
    assert len(truth.asked) == 1


def test_a_coarser_window_gets_nothing_of_a_mask_that_was_cut_off():
    truth = Truth(ball_at(MIDDLE, 110))
    mask = clicked(truth, LARGE, Point(tuple(MIDDLE)))
    assert [window.spacing for window, _ in truth.asked] == [1.5, 3.0]
    assert truth.asked[1][1].before is None
    assert not mask.faces


def test_what_is_larger_than_the_coarsest_window_reaches_its_faces():
    huge = grid((400, 400, 400), (2, 2, 2))
    truth = Truth(lambda ras: np.ones(ras.shape[:-1], bool))
    mask = clicked(truth, huge, Point(tuple(middle_of(huge))))
    assert [window.spacing for window, _ in truth.asked] == [1.5, 3.0, 4.0]
    assert mask.window.spacing == 4.0 and mask.faces


def test_an_object_that_ends_with_the_volume_is_no_larger_than_that():
    small = grid((56, 56, 56), (2, 2, 2))
    truth = Truth(lambda ras: np.ones(ras.shape[:-1], bool))
    mask = clicked(truth, small, Point(tuple(middle_of(small))))
    assert len(truth.asked) == 1 and not mask.faces
    assert (on_volume([mask], small).on_box((0, 0, 0), small.shape) > 0).all()


def test_only_what_is_connected_to_a_positive_click_is_left():
    other = np.add(MIDDLE, (50, 0, 0))
    one, two = ball_at(MIDDLE, 20), ball_at(other, 20)
    together = Truth(lambda ras: one(ras) | two(ras))
    mask = clicked(together, LARGE, Point(tuple(MIDDLE)))
    assert mask.logits[tuple(mask.window.voxels(MIDDLE))] > 0
    assert mask.logits[tuple(mask.window.voxels(other))] < 0
    both = clicked(together, LARGE, Point(tuple(MIDDLE)), Point(tuple(other)))
    assert both.logits[tuple(both.window.voxels(other))] > 0


def test_all_clicks_go_in_in_their_order_with_the_mask_before():
    other = np.add(MIDDLE, (40, 0, 0))
    truth = Truth(ball_at(MIDDLE, 22), ball_at(other, 12))
    points = (
        Point(tuple(MIDDLE)),
        Point(tuple(other)),
        Point(tuple(np.add(other, (1, 2, 3))), False),
    )
    mask = clicked(truth, LARGE, *points)
    assert [len(given.points) for _, given in truth.asked] == [1, 2, 3]
    assert truth.asked[-1][1].points == points
    assert [given.before is None for _, given in truth.asked] == [True, False, False]
    assert [given.wanted for _, given in truth.asked] == [3, 1, 1]
    assert (
        mask.logits[tuple(mask.window.voxels(other))]
        < 0
        < mask.logits[tuple(mask.window.voxels(MIDDLE))]
    )


@pytest.mark.parametrize("away", [100, 180])
def test_a_click_beyond_the_window_moves_it_so_that_it_holds_mask_and_clicks(away):
    other = np.add(MIDDLE, (away, 0, 0))
    truth = Truth(ball_at(MIDDLE, 30), ball_at(other, 15))
    first = clicked(truth, LARGE, Point(tuple(MIDDLE)))
    assert not first.window.holds(other, MARGIN)
    mask = clicked(truth, LARGE, Point(tuple(MIDDLE)), Point(tuple(other)))
    assert mask.window.holds(MIDDLE) and mask.window.holds(other, MARGIN)
    assert (
        mask.logits[tuple(mask.window.voxels(other))] > 0
        and mask.logits[tuple(mask.window.voxels(MIDDLE))] > 0
    )


def test_a_negative_click_beyond_the_window_asks_nothing():
    truth = Truth(ball_at(MIDDLE, 30))
    mask = clicked(truth, LARGE, Point(tuple(MIDDLE)))
    count = len(truth.asked)
    points = Point(tuple(MIDDLE)), Point(tuple(np.add(MIDDLE, (180, 0, 0))), False)
    assert WindowSession(LARGE, truth).corrected(mask, None, points) is mask
    assert len(truth.asked) == count


@settings(max_examples=examples(15))
@given(
    rotations,
    st.tuples(*[st.floats(10, 500)] * 3),
    st.tuples(*[st.floats(-80, 80)] * 3),
)
def test_an_rois_window_holds_it_with_room_and_is_as_fine_as_that_allows(turn, size, off):
    geometry = oblique(turn, (1.0, 1.0, 2.0))
    roi = Roi.from_box(middle_of(geometry) + np.array(off), size)
    truth = Truth(lambda ras: np.ones(ras.shape[:-1], bool))
    WindowSession(geometry, truth, limit=roi).first(Prompts(roi))
    ((window, given),) = truth.asked
    inside = geometry.contains(roi.corners())
    assert all(window.holds(corner) for corner in roi.corners()[inside])
    low, high = (
        (roi.corners() @ window.frame.axes).min(0),
        (roi.corners() @ window.frame.axes).max(0),
    )
    extent = (np.minimum(high, window.frame.high) - np.maximum(low, window.frame.low)).max()
    assert ROOM * extent <= MOST * window.spacing * 1.0001
    # No next finer spacing of the ladder would do.
    finest = window.frame.finest
    assert window.spacing == finest or 1.5001 * ROOM * extent > MOST * window.spacing
    assert given.points == () and given.wanted == 1 and set(np.unique(given.roi)) <= {-1.0, 1.0}


def test_of_an_roi_the_largest_component_within_is_kept():
    big, small = ball_at(MIDDLE, 20), ball_at(np.add(MIDDLE, (40, 0, 0)), 8)
    outside = ball_at(np.subtract(MIDDLE, (60, 0, 0)), 28)
    truth = Truth(lambda ras: big(ras) | small(ras) | outside(ras))
    roi = Roi.from_box(np.add(MIDDLE, (10, 0, 0)), (90, 50, 50))

    def all_of_it(window, given):
        return truth(window, type(given)((Point(tuple(MIDDLE)),), given.roi))

    mask = WindowSession(LARGE, all_of_it, limit=roi).first(Prompts(roi))[0]
    assert mask.logits[tuple(mask.window.voxels(MIDDLE))] > 0
    assert mask.logits[tuple(mask.window.voxels(np.add(MIDDLE, (40, 0, 0))))] < 0


def test_content_is_the_mask_before_in_the_window_around_it():
    content = ball_at(np.add(MIDDLE, (3, 0, 0)), 25)(
        voxel_positions(LARGE.crop((80, 80, 80), (40,) * 3))
    )
    field = Patch(np.where(content, 30, -30).astype(np.float32), (80, 80, 80))
    truth = Truth(ball_at(MIDDLE, 30))
    session = WindowSession(LARGE, truth, content=field, keeps=True)
    mask = session.first(Prompts())[0]
    ((window, given),) = truth.asked
    assert given.points == () and window.spacing == allowed_spacing(40 * 2 / FILLED / MOST)
    voxel_ml = 8 * window.spacing**3
    assert (given.before + 1).sum() / 2 * voxel_ml == pytest.approx(content.sum() * 8, rel=0.02)
    assert agreement(mask, LARGE, ball_at(MIDDLE, 30), (MIDDLE, 50)) > 0.95


def test_what_there_is_so_far_is_shown_before_the_next_window():
    shown = []
    truth = Truth(ball_at(MIDDLE, 110))
    clicked(truth, LARGE, Point(tuple(MIDDLE)), show=shown.append)
    assert [mask.window for mask in shown] == [truth.asked[0][0]]


@settings(max_examples=examples(25))
@given(st.randoms(use_true_random=False), st.floats(0.3, 3), st.tuples(*[st.floats(-1, 1)] * 3))
def test_whatever_the_network_says_the_click_is_seen_and_it_ends(random, spacing, off):
    geometry = grid((150, 200, 200), (spacing, spacing, 2 * spacing))
    click = Point(tuple(middle_of(geometry) + np.array(off) * 70 * spacing))
    asked = []

    def anything(window, given):
        asked.append(window)
        logits = np.full(window.shape, -5, np.float32)
        low = [random.randint(0, n - 1) for n in window.shape]
        high = [random.randint(a, n) for a, n in zip(low, window.shape, strict=True)]
        at = tuple(window.voxels(click.ras))
        ends = zip(low, high, at, strict=True)
        logits[tuple(slice(min(a, c), max(b, c + 1)) for a, b, c in ends)] = 5
        return [WindowMask(window, logits)]

    mask = WindowSession(geometry, anything).first(Prompts(points=(click,)))[0]
    assert len(asked) == len(set(asked)) <= MOST_CHANGES + 1
    assert all(window.holds(click.ras) for window in asked)
    assert mask.window in asked and mask.logits[tuple(mask.window.voxels(click.ras))] > 0
    frame = mask.window.frame
    assert all(frame.finest <= window.spacing <= frame.coarsest for window in asked)


def test_a_mask_that_leaves_the_click_out_is_not_the_answer_if_another_holds_it():
    inside, beside = ball_at(MIDDLE, 30), ball_at(np.add(MIDDLE, (60, 0, 0)), 20)

    def best_is_beside(window, given):
        found = (there(voxel_positions(window.geometry)) for there in (beside, inside))
        return [WindowMask(window, np.where(mask, 5, -5).astype(np.float32)) for mask in found]

    masks = WindowSession(LARGE, best_is_beside).first(Prompts(points=(Point(tuple(MIDDLE)),)))
    assert masks[0].logits[tuple(masks[0].window.voxels(MIDDLE))] > 0 and masks[1].box is None


def test_of_the_masks_of_a_click_the_best_comes_first_but_one_that_leaves_it_out_stays_last():
    beside = ball_at(np.add(MIDDLE, (60, 0, 0)), 20)
    # The first and the last are of equal score.
    balls = [ball_at(MIDDLE, radius) for radius in (48, 40, 56)]

    def score(mask):
        if mask.box is None:
            return 9.0
        return 2.0 if mask.extent.max() < 90 else 1.0

    def offered(window, given):
        found = (there(voxel_positions(window.geometry)) for there in (beside, *balls))
        return [WindowMask(window, np.where(mask, 5, -5).astype(np.float32)) for mask in found]

    click = Prompts(points=(Point(tuple(MIDDLE)),))
    masks = WindowSession(LARGE, offered, score=score).first(click)
    assert masks[-1].box is None
    sizes = [mask.extent.max() for mask in masks[:-1]]
    assert np.abs(np.subtract(sizes, [80, 96, 112])).max() <= 3


def test_a_positive_click_at_the_very_edge_of_the_window_moves_it_a_negative_one_does_not():
    truth = Truth(ball_at(MIDDLE, 30))
    first = clicked(truth, LARGE, Point(tuple(MIDDLE)))
    end = first.window.start[0] + first.window.side[0]
    edge = (end - 2 * first.window.spacing, *MIDDLE[1:])
    assert first.window.holds(edge) and not first.window.holds(edge, MARGIN)
    points = Point(tuple(MIDDLE)), Point(edge)
    session = WindowSession(LARGE, truth)
    assert session.corrected(first, None, points).window.holds(edge, MARGIN)
    points = Point(tuple(MIDDLE)), Point(edge, False)
    assert session.corrected(first, None, points).window == first.window


@pytest.mark.parametrize("positive", [True, False])
def test_a_click_that_adds_takes_nothing_away_and_the_other_way_round(positive):
    masks = []

    def anything(window, given):
        logits = np.random.default_rng(len(masks)).normal(0, 4, window.shape).astype(np.float32)
        logits[:, :, ::2] = 5  # all of it is one piece ...
        inside = np.pad(logits[4:-4, 4:-4, 4:-4], 4, constant_values=-5)  # and ends in the window
        return [WindowMask(window, inside)]

    points = Point(tuple(MIDDLE)), Point(tuple(np.add(MIDDLE, (3, 4, 5))), positive)
    session = WindowSession(LARGE, anything)
    masks.append(session.first(Prompts(points=points[:1]))[0])
    after = session.corrected(masks[0], None, points)
    assert after.window == masks[0].window
    taken, added = masks[0].logits > after.logits, masks[0].logits < after.logits
    assert added.any() == positive and taken.any() == (not positive)
