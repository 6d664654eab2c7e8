"""Where an object cannot be, no mask is: in a slice, in a region, in an answer."""

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.orientation import all_planes
from SAMSegmentLib.core.patch import Patch, bounding_box
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Roi
from SAMSegmentLib.models.slicewise.object_finder import FoundObject, corrected
from SAMSegmentLib.models.slicewise.slices import Limits, SliceStack
from SAMSegmentLib.models.slicewise.views import MOST_FORBIDDEN, views_of
from TestSupport.geometries import geometries, rotations
from TestSupport.oracle_network import OracleNetwork
from TestSupport.phantoms import ball, dice, ellipsoid, grid, image_of, middle_of
from TestSupport.properties import examples
from TestSupport.sections import (
    GREY,
    PICTURES,
    finder_of,
    offers_of,
    roi_round,
    slice_mask,
    stacks_around,
)

GEOMETRY = grid((30, 44, 60), (2, 2, 2))
#: A large organ, and a smaller one in its hollow.
ORGAN = ball(GEOMETRY, (44, 44, 30), 26)
LESION = ball(GEOMETRY, (72, 44, 30), 13)
LARGE = ORGAN & ~LESION
any_volume = geometries(st.just((14, 15, 16)), st.tuples(*[st.floats(1, 2)] * 3))


def patch_of(mask):
    return Patch(mask, (0, 0, 0)).cropped()


@settings(max_examples=examples(30))
@given(any_volume, st.integers(0, 2), st.integers(0, 2**32 - 1))
def test_along_any_axis_the_voxels_that_are_free_are_those_that_are_free(geometry, plane, seed):
    rng = np.random.default_rng(seed)
    occupied = rng.random(geometry.shape) < 0.5
    image = image_of(occupied, geometry)
    stack = SliceStack(
        image, GREY, PICTURES, all_planes(geometry)[plane], Limits(patch_of(occupied))
    )
    start = rng.integers(0, 8, 3)
    shape = rng.integers(2, 6, 3)
    box = tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))
    expected = ~stack.orientation.apply(occupied)[box]
    allowed = stack.allowed(start, shape)
    assert np.array_equal(np.ones(shape, bool) if allowed is None else allowed, expected)


@settings(max_examples=examples(30))
@given(any_volume, rotations, st.tuples(*[st.floats(0.3, 0.9)] * 3))
def test_of_an_roi_however_it_is_turned_only_the_inside_is_free(geometry, axes, shares):
    extent = float((geometry.spacing * geometry.shape[::-1]).min())
    roi = Roi.from_box(middle_of(geometry), np.array(shares) * extent, axes)
    occupied = ball(geometry, middle_of(geometry), 0.2 * extent)
    whole = Roi.from_box(middle_of(geometry), [10 * extent] * 3)
    views = views_of(
        stacks_around(occupied, geometry, Limits(patch_of(occupied), roi)), whole, lambda *_: None
    )
    expected = roi.contains_voxels(geometry) & ~occupied
    assert views[0].native_start == (0, 0, 0)
    for view in views:
        assert np.array_equal(view.native(view.inside), expected)
    assert np.array_equal(views[0].native_inside, expected)


def test_without_limits_there_are_none():
    for limits in (None, Limits()):
        stack = stacks_around(ORGAN, GEOMETRY, limits)[0]
        assert stack.allowed((0, 0, 0), (3, 3, 3)) is None
    mask = slice_mask(np.eye(5, dtype=bool))
    assert mask.within(None) is mask


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_a_section_keeps_what_is_free_and_is_thought_less_of_the_more_it_loses(seed, share):
    rng = np.random.default_rng(seed)
    section, allowed = rng.random((2, 12, 12)) < np.array([0.5, share]).reshape(2, 1, 1)
    assume(section.any())
    mask = slice_mask(section, 0.9)
    within = mask.within(allowed)
    lost = np.count_nonzero(section & ~allowed) / np.count_nonzero(section)
    if lost > MOST_FORBIDDEN:
        assert not within.mask.any() and within.quality == 0
    else:
        assert np.array_equal(within.mask, section & allowed)
        assert within.quality == pytest.approx(0.9 * (1 - lost))


def test_a_section_that_is_empty_by_itself_stays_as_it_is():
    mask = slice_mask(np.zeros((4, 4), bool), 0.7)
    within = mask.within(np.zeros((4, 4), bool))
    assert not within.mask.any() and within.quality == 0.7


def test_a_slices_limit_is_the_box_around_what_is_free_of_it():
    left = np.zeros(GEOMETRY.shape, bool)
    left[:, :, :20] = True
    roi = Roi.from_box(middle_of(GEOMETRY), (60, 40, 30))
    free, cut = (
        views_of(stacks_around(ORGAN, GEOMETRY, limits), roi, lambda *_: None)[0]
        for limits in (None, Limits(patch_of(left)))
    )
    key = free.keys[0]
    whole, part = free.limit(key), cut.limit(key)
    # Columns run to the patient's left, from large i to small.
    assert part != whole and part[:2] == whole[:2] and part[3] == whole[3] and part[2] < whole[2]


def test_a_slice_without_a_free_voxel_is_as_before():
    everything = np.ones(GEOMETRY.shape, bool)
    roi = Roi.from_box(middle_of(GEOMETRY), (60, 40, 30))
    free, full = (
        views_of(stacks_around(ORGAN, GEOMETRY, limits), roi, lambda *_: None)[0]
        for limits in (None, Limits(patch_of(everything)))
    )
    assert full.limit(full.keys[0]) == free.limit(free.keys[0])
    assert full.nearest_allowed(full.keys[0], 3, 4) == (3, 4)


def test_the_nearest_free_pixel_is_counted_in_millimetres():
    geometry = grid((8, 30, 30), (1, 3, 2))
    occupied = np.zeros(geometry.shape, bool)
    occupied[:, 10:21, 8:23] = True
    roi = Roi.from_box(middle_of(geometry), (1000, 1000, 1000))
    view = views_of(stacks_around(occupied, geometry, Limits(patch_of(occupied))), roi, None)[0]
    own = view.own(occupied)[0]
    row, column = view.nearest_allowed(view.keys[0], 15, 14)
    assert not own[row, column]
    free = np.argwhere(~own)
    nearest = (((free - (15, 14)) * view.spacing[1:]) ** 2).sum(1).min()
    assert (((np.array([row, column]) - (15, 14)) * view.spacing[1:]) ** 2).sum() == nearest


def found_in_roi(objects, roi, occupied, geometry=GEOMETRY):
    limits = Limits(None if occupied is None else patch_of(occupied))
    found = finder_of(objects, geometry, limits=limits).in_roi(roi)
    return Answer.of(found[0].mask, geometry).mask().astype(bool), found


def test_an_object_is_found_beside_the_neighbour_that_fills_its_roi():
    roi = roi_round(LARGE | LESION, GEOMETRY, 2)
    before, _ = found_in_roi([LARGE, LESION], roi, None)
    assert dice(before, LARGE) > 0.9
    after, answer = found_in_roi([LARGE, LESION], roi, LARGE)
    assert dice(after, LESION) > 0.9
    for each in answer:
        assert not (Answer.of(each.mask, GEOMETRY).mask() & LARGE).any()


@settings(max_examples=examples(10))
@given(geometries(st.just((26, 28, 30)), st.tuples(*[st.floats(1, 2)] * 3)), st.integers(0, 99))
# The object is hollowed from its middle, and left in five parts.
@example(Geometry(np.diag([-1.0, -1.0, -1.0, 1.0]), (26, 28, 30)), 39)
@example(Geometry(np.diag([-1.0, -1.0, -2.0, 1.0]), (26, 28, 30)), 7)
def test_no_mask_holds_an_occupied_voxel_in_any_volume(geometry, seed):
    extent = float((geometry.spacing * geometry.shape[::-1]).min())
    truth = ellipsoid(geometry, middle_of(geometry), np.array([0.3, 0.35, 0.25]) * extent)
    off = 0.3 * extent * np.random.default_rng(seed).normal(size=3)
    occupied = ball(geometry, middle_of(geometry) + off, 0.2 * extent)
    assume(bounding_box(occupied) is not None)
    mask, answer = found_in_roi([truth], roi_round(truth, geometry), occupied, geometry)
    assert not (mask & occupied).any()
    assert not any((Answer.of(each.mask, geometry).mask() & occupied).any() for each in answer)
    if np.count_nonzero(truth & ~occupied) > 0.6 * np.count_nonzero(truth):
        # Slices of which others hold a large part hardly count, and what lies between the few that
        # are left is wide on objects of eight voxels: of 140 volumes, 116 reach 0.94, all 0.69.
        assert dice(mask, truth & ~occupied) > 0.65


def clicked(ras, objects, occupied):
    finder = finder_of(objects, GEOMETRY, limits=Limits(patch_of(occupied)))
    return finder.at_click(offers_of(objects, finder.stacks, ras), np.array(ras))[0]


def test_what_is_followed_from_a_click_stops_where_others_begin():
    everything = LARGE | LESION
    answer = clicked((74, 44, 30), [everything, LESION], LARGE)
    mask = Answer.of(answer.mask, GEOMETRY).mask().astype(bool)
    assert not (mask & LARGE).any()
    assert dice(mask, LESION) > 0.85


def test_a_correction_takes_nothing_from_others():
    stacks = stacks_around(LARGE | LESION, GEOMETRY, Limits(patch_of(LARGE)))
    small = ball(GEOMETRY, (76, 44, 30), 6)
    views = views_of(stacks, roi_round(LESION, GEOMETRY, 8), OracleNetwork([LARGE, LESION]))
    start = views[0].native_start
    shape = views[0].native_inside.shape
    there = small[tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))]
    answer = FoundObject(Patch(np.where(there, 5, -5).astype(np.float32), start), views)
    after = corrected(stacks[0].image, answer, Point((64, 44, 30)), [], lambda ras: None, Watch())
    mask = Answer.of(after.mask.without(patch_of(LARGE)), GEOMETRY).mask().astype(bool)
    assert not (mask & LARGE).any()
    assert dice(mask, LESION) > dice(small, LESION) + 0.1
