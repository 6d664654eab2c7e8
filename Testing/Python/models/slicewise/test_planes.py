"""Which slices the network sees: enough of them, from all sides where that helps."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.orientation import slices_first
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.models.slicewise.montage import SLICES_PER_PICTURE
from SAMSegmentLib.models.slicewise.planes import inside_of, native_start, stacks_of, views_of
from TestSupport.geometries import geometries, rotations
from TestSupport.knowing_network import KnowingNetwork
from TestSupport.phantoms import ball, grid, image_of, middle_of
from TestSupport.properties import examples
from TestSupport.sections import GREY, PICTURE_SIZE, stacks_around

shapes = st.tuples(*[st.integers(6, 24)] * 3)


def stacks_in(geometry):
    mask = np.zeros(geometry.shape, bool)
    mask[0, 0, 0] = True
    return stacks_of(image_of(mask, geometry), GREY, PICTURE_SIZE)


def views_in(geometry, roi):
    return views_of(stacks_in(geometry), roi, KnowingNetwork([np.zeros(geometry.shape, bool)]))


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
    start, inside = native_start(views[0]), inside_of(views)
    whole = np.zeros(geometry.shape, bool)
    whole[tuple(slice(a, a + n) for a, n in zip(start, inside.shape, strict=True))] = inside
    assert np.array_equal(whole, expected)
    for view in views:
        assert native_start(view) == start
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
