"""A region along one axis: what is asked, never twice, and where the answers lie."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.orientation import all_planes, slices_first
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.models.regions import RoiOnGrid
from SAMSegmentLib.models.slicewise.montage import SLICES_PER_PICTURE
from SAMSegmentLib.models.slicewise.slices import SliceStack, stacks_of
from SAMSegmentLib.models.slicewise.views import View, intersect, spread, views_of
from TestSupport.geometries import geometries, rotations
from TestSupport.oracle_network import OracleNetwork
from TestSupport.phantoms import ball, dice, ellipsoid, grid, image_of, middle_of
from TestSupport.properties import examples
from TestSupport.sections import GREY, PICTURES, roi_round, stacks_around, views_on

GEOMETRY = grid((20, 40, 44), (2, 2, 2))
BALL = ball(GEOMETRY, (44, 40, 20), 14)

boxes = st.tuples(*[st.integers(-20, 150)] * 4).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)


def view_on(mask, geometry, network=None, plane=0, keys=None) -> View:
    stack = SliceStack(image_of(mask, geometry), GREY, PICTURES, all_planes(geometry)[plane])
    region = RoiOnGrid(roi_round(mask, geometry), stack.geometry)
    keys = range(len(region.slices)) if keys is None else keys
    return View(stack, region, keys, network or OracleNetwork([mask]))


def same(one, other) -> bool:
    return one.quality == other.quality and np.array_equal(one.logits, other.logits)


@settings(max_examples=examples(25))
@given(
    geometries(st.just((18, 20, 22)), st.tuples(*[st.floats(1, 3)] * 3)),
    st.sampled_from((0, 1, 2)),
)
def test_what_the_network_marks_comes_back_at_the_voxels_where_it_is(geometry, plane):
    extent = (geometry.spacing * geometry.shape[::-1]).min()
    truth = ellipsoid(geometry, middle_of(geometry), extent * np.array([0.3, 0.35, 0.4]))
    view = view_on(truth, geometry, plane=plane)
    key = view.nearest_key((view.shape[0] - 1) / 2)
    (mask,) = view.ask(key, [view.limit(key)])
    expected = view.stack.orientation.apply(truth)[view.region.box][key]
    assert mask.logits.shape == view.shape[1:] == expected.shape
    assert dice(mask.mask, expected) > 0.95


def test_the_network_is_never_asked_twice_for_the_same():
    network = OracleNetwork([BALL])
    view = view_on(BALL, GEOMETRY, network)
    limit, other = view.limit(5), (10, 10, 60, 60)
    first = view.ask(5, [limit, other, limit])
    assert same(first[0], first[2]) and not same(first[0], first[1])
    assert len(network.asked) == 2
    again = view.ask(5, [other, limit])
    assert same(again[0], first[1]) and same(again[1], first[0])
    assert len(network.asked) == 2
    view.ask(6, [limit])
    assert len(network.asked) == 3


def test_the_network_is_asked_about_the_slice_that_is_meant():
    network = OracleNetwork([BALL])
    view = view_on(BALL, GEOMETRY, network)
    view.ask(4, [(1, 2, 30, 40)])
    ((orientation, index, box),) = network.asked
    assert orientation == view.stack.orientation
    assert index == view.region.start[0] + 4
    assert box == (1, 2, 30, 40)


def test_a_limited_view_shares_what_is_known_and_leaves_the_other_as_it_was():
    network = OracleNetwork([BALL])
    view = view_on(BALL, GEOMETRY, network)
    keys = list(view.keys)
    few = view.limited([3, 4])
    box = few.limit(3)
    assert few.keys == [3, 4] and view.keys == keys
    assert same(few.ask(3, [box])[0], view.ask(3, [box])[0])
    assert len(network.asked) == 1


def test_four_neighbouring_key_slices_share_a_picture():
    shown = {}

    def decode(montage, index, prompts):
        shown[index] = montage.key
        assert index in montage.indices
        side = montage.tile.side
        shape = (len(prompts.boxes), 1)
        return np.zeros((*shape, side, side), np.float32), np.zeros(shape)

    view = view_on(BALL, GEOMETRY, decode, keys=[0, 2, 4, 6, 8, 10])
    for key in view.keys:
        view.ask(key, [view.limit(key)])
    keys = list(shown.values())
    assert len(set(keys[:4])) == 1 and keys[4] == keys[5] != keys[0]


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_a_box_around_a_mask_holds_it_and_no_more(plane):
    view = view_on(BALL, GEOMETRY, plane=plane)
    key = view.nearest_key((view.shape[0] - 1) / 2)
    (mask,) = view.ask(key, [view.limit(key)])
    left, top, right, bottom = view.box_of(mask.mask, 0, key)
    rows, columns = np.flatnonzero(mask.mask.any(1)), np.flatnonzero(mask.mask.any(0))
    scale = np.array(view.tile.scale)
    height, width = scale * (np.ptp(rows), np.ptp(columns))
    assert abs((bottom - top) - height) <= 2 and abs((right - left) - width) <= 2
    larger = view.box_of(mask.mask, 3 / 256, key)
    assert larger == (left - 3, top - 3, right + 3, bottom + 3)


def test_a_box_around_a_mask_stays_in_the_region():
    view = view_on(BALL, GEOMETRY)
    everything = np.ones(view.shape[1:], bool)
    assert view.box_of(everything, 0.2, 3) == view.limit(3)


def test_around_an_empty_mask_there_is_no_box():
    view = view_on(BALL, GEOMETRY)
    assert view.box_of(np.zeros(view.shape[1:], bool), 0.01, 0) is None


def test_between_key_slices_values_change_evenly_and_hold_beyond_the_last():
    view = view_on(BALL, GEOMETRY, keys=[2, 4, 8])
    fields = {2: np.full((3, 2), 1.0), 8: np.full((3, 2), -2.0), 4: np.full((3, 2), 2.0)}
    line = view.between(fields)
    assert line.shape == (view.shape[0], 3, 2)
    assert np.allclose(line[:9, 0, 0], [1, 1, 1, 1.5, 2, 1, 0, -1, -2])
    assert (line[9:] == -2).all()
    single = view.between({4: np.float32(3.0)})
    assert single.shape == (view.shape[0],) and (single == 3).all()


def test_the_distance_to_a_key_slice_is_in_mm():
    geometry = grid((20, 40, 44), (1, 1, 2.5))
    view = view_on(ball(geometry, (22, 20, 25), 8), geometry, keys=[1, 3])
    assert np.allclose(view.distance_to_key()[:6], np.array([1, 0, 1, 0, 1, 2]) * 2.5)
    assert view.nearest_key(2.6) == 3 and view.nearest_key(-4) == 1


def test_native_and_own_order_undo_each_other():
    for view in views_on(BALL, GEOMETRY, OracleNetwork([BALL])):
        array = np.random.default_rng(0).normal(size=view.shape)
        assert np.array_equal(view.own(view.native(array)), array)


@given(boxes, boxes)
def test_the_part_of_a_box_in_another_lies_in_it(box, limit):
    x0, y0, x1, y1 = intersect(box, limit)
    assert limit[0] <= x0 <= x1 <= limit[2] and limit[1] <= y0 <= y1 <= limit[3]
    overlapping = (
        box[0] <= limit[2] and limit[0] <= box[2] and box[1] <= limit[3] and limit[1] <= box[3]
    )
    if overlapping:
        expected = [*np.maximum(box[:2], limit[:2]), *np.minimum(box[2:], limit[2:])]
        assert [x0, y0, x1, y1] == expected


@given(st.integers(1, 200), st.integers(-2, 250), st.integers(0, 20))
def test_numbers_are_spread_evenly_without_the_rim(count, wanted, edge):
    numbers = spread(count, wanted, edge)
    assert numbers == sorted(set(numbers)) and numbers
    assert numbers[0] >= 0 and numbers[-1] < count
    assert len(numbers) <= max(wanted, 1)
    if len(numbers) > 1:
        left_out = min(edge, (count - 1) // 2)
        assert numbers[0] == left_out and numbers[-1] == count - 1 - left_out
        assert np.ptp(np.diff(numbers)) <= 1
    else:
        assert abs(numbers[0] - (count - 1) / 2) <= 0.5


def test_a_key_slice_that_the_roi_does_not_reach_still_has_a_box():
    turned = Roi.from_box((44, 40, 20), (30, 20, 20), ball_axes())
    stack = SliceStack(image_of(BALL, GEOMETRY), GREY, PICTURES, all_planes(GEOMETRY)[0])
    region = RoiOnGrid(turned, stack.geometry)
    view = View(stack, region, range(len(region.slices)), OracleNetwork([BALL]))
    for key in view.keys:
        left, top, right, bottom = view.limit(key)
        assert 0 <= left <= right <= view.tile.side and 0 <= top <= bottom <= view.tile.side


def ball_axes() -> np.ndarray:
    """Axes turned by 40 degrees about R."""
    c, s = np.cos(np.radians(40)), np.sin(np.radians(40))
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


shapes = st.tuples(*[st.integers(6, 24)] * 3)


def stacks_in(geometry):
    mask = np.zeros(geometry.shape, bool)
    mask[0, 0, 0] = True
    return stacks_of(image_of(mask, geometry), GREY, PICTURES)


def views_in(geometry, roi):
    return views_of(stacks_in(geometry), roi, OracleNetwork([np.zeros(geometry.shape, bool)]))


@settings(max_examples=examples(40))
@given(geometries(shapes))
def test_the_scans_own_slices_come_first_and_no_axis_twice(geometry):
    stacks = stacks_in(geometry)
    assert stacks[0].orientation == slices_first(geometry)
    axes = [stack.orientation.axes[0] for stack in stacks]
    assert len(set(axes)) == len(axes)


@pytest.mark.parametrize(
    ("spacing", "count"), [((1, 1, 1), 3), ((0.8, 0.8, 2), 3), ((0.7, 0.7, 5), 1), ((9, 1, 1), 1)]
)
def test_across_thick_slices_the_network_does_not_look(spacing, count):
    assert len(stacks_in(grid((20, 30, 30), spacing))) == count


@settings(max_examples=examples(40))
@given(geometries(shapes), rotations, st.tuples(*[st.floats(0.1, 0.9)] * 3))
def test_every_view_covers_the_same_voxels_of_any_roi(geometry, axes, shares):
    extent = np.ptp(geometry.corners(), axis=0)
    roi = Roi.from_box(middle_of(geometry), np.array(shares) * extent, axes)
    step = geometry.ras_to_ijk[:3, :3] @ (roi.axes * roi.size)
    assume(np.abs(step).max(0).min() > 1)
    expected = roi.contains_voxels(geometry)
    assume(expected.any())
    views = views_in(geometry, roi)
    start, inside = views[0].native_start, views[0].native_inside
    whole = np.zeros(geometry.shape, bool)
    whole[tuple(slice(a, a + n) for a, n in zip(start, inside.shape, strict=True))] = inside
    assert np.array_equal(whole, expected)
    for view in views:
        assert view.native_start == start
        assert np.array_equal(view.native(view.region.inside), inside)


@settings(max_examples=examples(40))
@given(geometries(shapes), st.tuples(*[st.floats(0.2, 1.1)] * 3))
def test_every_view_has_key_slices_of_its_own_and_their_number_is_bounded(geometry, shares):
    middle = middle_of(geometry)
    box = np.eye(4)
    box[:3, :3] = geometry.directions * (np.array(shares) * geometry.spacing * geometry.shape[::-1])
    box[:3, 3] = middle
    views = views_in(geometry, Roi(box))
    for view in views:
        assert view.keys and view.keys == sorted(set(view.keys))
        assert view.keys[0] >= 0 and view.keys[-1] < view.shape[0]

    def pictures(view):
        return -(-len(view.keys) // SLICES_PER_PICTURE)

    # What the ROI costs: no more pictures than slices, but for the least that each view needs.
    assert sum(pictures(view) for view in views) <= max(views[0].shape[0], len(views))


def test_thick_slices_are_all_shown():
    geometry = grid((30, 40, 40), (1, 1, 5))
    (view,) = views_in(geometry, Roi.from_box(middle_of(geometry), (30, 30, 100)))
    assert view.keys == list(range(view.shape[0]))


def test_of_thin_slices_some_are_left_out():
    geometry = grid((90, 40, 40), (0.7, 0.7, 0.7))
    views = views_in(geometry, Roi.from_box(middle_of(geometry), (20, 20, 50)))
    for view in views:
        assert 1 < len(view.keys) <= -(-view.shape[0] // 2)


def test_an_roi_of_one_slice_is_seen():
    geometry = grid((20, 40, 40), (2, 2, 2))
    views = views_in(geometry, Roi.from_box((40, 40, 20), (30, 30, 0.1)))
    assert views[0].shape[0] == 1
    assert all(view.keys for view in views)


def test_an_roi_beside_the_volume_is_refused():
    truth = ball(grid(), (48, 48, 30), 10)
    with pytest.raises(InputError, match="outside the volume"):
        views_of(stacks_around(truth, grid()), Roi.from_box((-99, 0, 0), (9, 9, 9)), None)
