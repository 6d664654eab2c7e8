"""Sections through a click: found in every view, and matched where planes cross."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.orientation import all_planes
from SAMSegmentLib.models.slicewise.clicks import Section, matching, sections_in_view, voxel_at
from TestSupport.geometries import geometries
from TestSupport.knowing_network import KnowingNetwork
from TestSupport.phantoms import ball, dice, ellipsoid, grid
from TestSupport.properties import examples
from TestSupport.sections import offers_of, slice_mask, stacks_around, views_on

GEOMETRY = grid((30, 44, 60), (2, 2, 2))
BALL = ball(GEOMETRY, (60, 44, 30), 20)


@settings(max_examples=examples(30))
@given(geometries(st.just((6, 7, 8))), st.data())
def test_on_the_line_where_two_planes_cross_their_sections_are_the_same(geometry, data):
    truth = np.random.default_rng(0).random(geometry.shape) < 0.5
    voxel = tuple(data.draw(st.integers(0, n - 1)) for n in geometry.shape)
    truth[voxel] = True
    sections = {}
    for plane in all_planes(geometry):
        marked = np.zeros(geometry.shape, bool)
        marked[voxel] = True
        index, row, column = (int(n) for n in np.argwhere(plane.apply(marked))[0])
        mask = slice_mask(plane.apply(truth)[index])
        sections[plane.axes[0]] = Section(plane, (row, column), mask)
    for one in range(3):
        for other in range(3):
            if one == other:
                continue
            line = [slice(n, n + 1) for n in voxel]
            line[3 - one - other] = slice(None)
            expected = truth[tuple(line)].ravel()
            assert np.array_equal(sections[one].line_across(other), expected)


@pytest.mark.parametrize("click", [(60, 44, 30), (66, 38, 36), (47, 50, 24)])
def test_in_every_view_the_section_under_the_click_is_found(click):
    for view in views_on(BALL, GEOMETRY, KnowingNetwork([BALL])):
        key, sections = sections_in_view(view, np.array(click, float))
        truth = view.stack.orientation.apply(BALL)[view.region.box][key]
        assert abs(key - voxel_at(view, np.array(click))[0]) <= 2
        assert dice(sections[0].mask.mask, truth) > 0.9
        assert sections[0].orientation == view.stack.orientation


def test_beside_the_object_no_section_of_it_is_found():
    for view in views_on(BALL, GEOMETRY, KnowingNetwork([BALL]), margin=8):
        _, sections = sections_in_view(view, np.array((36.0, 20.0, 6.0)))
        assert sections == []


@settings(max_examples=examples(25))
@given(
    geometries(st.just((14, 15, 16)), st.tuples(*[st.floats(1, 2)] * 3)),
    st.tuples(*[st.floats(-0.3, 0.3)] * 3),
)
def test_the_voxel_at_a_position_is_the_nearest_one(geometry, off):
    extent = (geometry.spacing * geometry.shape[::-1]).min()
    center = geometry.to_ras((np.array(geometry.shape[::-1]) - 1) / 2)
    truth = ellipsoid(geometry, center, np.full(3, 0.4 * extent))
    ras = center + np.array(off) * extent
    for view in views_on(truth, geometry, KnowingNetwork([truth])):
        slice_, row, column = (int(n) for n in voxel_at(view, ras) + view.region.start)
        away = view.stack.geometry.to_ijk(ras) - (column, row, slice_)
        assert np.abs(away).max() <= 0.5 + 1e-6


def test_a_position_outside_the_region_is_moved_to_its_border():
    view = views_on(BALL, GEOMETRY, KnowingNetwork([BALL]))[0]
    for ras in ((-500.0, 44.0, 30.0), (500.0, 900.0, -400.0)):
        voxel = voxel_at(view, np.array(ras))
        assert all(0 <= n < size for n, size in zip(voxel, view.shape, strict=True))


def test_sections_of_one_object_go_together():
    wide = ellipsoid(GEOMETRY, (60, 44, 30), (40, 10, 10))
    tall = ellipsoid(GEOMETRY, (60, 44, 30), (10, 10, 28))
    stacks = stacks_around(wide | tall, GEOMETRY)
    offers = offers_of([wide, tall], stacks, (60, 44, 30))
    assert [len(of_plane) for of_plane in offers] == [2, 2, 2]
    best = matching(offers, 2)
    of_object = [
        {of_plane.index(section) for of_plane, section in zip(offers, sections, strict=True)}
        for sections in best
    ]
    assert sorted(of_object, key=min) == [{0}, {1}]


def test_among_alike_sections_the_better_ones_come_first():
    offers = offers_of([BALL], stacks_around(BALL, GEOMETRY), (60, 44, 30))
    poorer = [
        [Section(s.orientation, s.seed, slice_mask(s.mask.mask, 0.7)) for s in of_plane]
        for of_plane in offers
    ]
    both = [worse + good for worse, good in zip(poorer, offers, strict=True)]
    best = matching(both, 1)
    assert best == [tuple(of_plane[0] for of_plane in offers)]
    assert len(matching(both, 3)) == 3 and len(matching(both, 99)) == 8


def test_a_plane_without_an_offer_is_left_out_and_none_gives_nothing():
    offers = offers_of([BALL], stacks_around(BALL, GEOMETRY), (60, 44, 30))
    assert matching([offers[0], [], offers[2]], 5) == [(offers[0][0], offers[2][0])]
    assert matching([[], [], []], 5) == [] == matching([], 5)
