"""Sections through a click: the boxes of what lies under it, matched where planes cross."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.orientation import all_planes
from SAMSegmentLib.models.slicewise.sections import (
    MOST_MASKS,
    SIZES_MM,
    Section,
    boxes_around,
    matching,
    piece_at,
    search,
    sections_in_view,
)
from TestSupport.geometries import geometries
from TestSupport.oracle_network import OracleNetwork, box_around, box_overlap
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
    for view in views_on(BALL, GEOMETRY, OracleNetwork([BALL])):
        sections = sections_in_view(view, np.array(click, float))
        key = view.nearest_key(view.voxel_at(np.array(click))[0])
        truth = view.stack.orientation.apply(BALL)[view.region.box][key]
        assert dice(sections[0].mask.mask, truth) > 0.9
        assert sections[0].orientation == view.stack.orientation


def test_beside_the_object_no_section_of_it_is_found():
    for view in views_on(BALL, GEOMETRY, OracleNetwork([BALL]), margin=8):
        assert sections_in_view(view, np.array((36.0, 20.0, 6.0))) == []


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
    for view in views_on(truth, geometry, OracleNetwork([truth])):
        slice_, row, column = (int(n) for n in view.voxel_at(ras) + view.region.start)
        away = view.stack.geometry.to_ijk(ras) - (column, row, slice_)
        assert np.abs(away).max() <= 0.5 + 1e-6


def test_a_position_outside_the_region_is_moved_to_its_border():
    view = views_on(BALL, GEOMETRY, OracleNetwork([BALL]))[0]
    for ras in ((-500.0, 44.0, 30.0), (500.0, 900.0, -400.0)):
        voxel = view.voxel_at(np.array(ras))
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


SIDE = 128


def disc(row, column, radius):
    rows, columns = np.ogrid[:SIDE, :SIDE]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


class Picture:
    """Discs on a slice; for a box, the one that fits it best, and how well."""

    def __init__(self, *objects):
        self.objects = objects
        self.asked = []

    def __call__(self, boxes):
        self.asked += boxes
        return [self.for_box(box) for box in boxes]

    def for_box(self, box):
        fits = [box_overlap(box_around(one), box) for one in self.objects]
        best = int(np.argmax(fits))
        there = self.objects[best] if fits[best] > 0 else np.zeros((SIDE, SIDE), bool)
        return slice_mask(there, 0.6 + 0.38 * fits[best])


def box_of(mask):
    box = box_around(mask)
    return None if box is None else (box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2)


def found(picture, row, column, pixels_per_mm=1.0):
    boxes = boxes_around((column, row), (pixels_per_mm,) * 2, (0, 0, SIDE, SIDE), 2)
    return search(picture, box_of, boxes, (row, column))


@pytest.mark.parametrize("radius", [5, 11, 20, 40])
@pytest.mark.parametrize("off", [(0, 0), (0.6, 0), (-0.4, 0.5)])
def test_an_object_of_any_size_is_found_from_a_click_anywhere_on_it(radius, off):
    truth = disc(64, 60, radius)
    row, column = int(64 + off[0] * radius), int(60 + off[1] * radius)
    assert dice(found(Picture(truth), row, column)[0].mask, truth) == 1


def test_the_object_under_the_click_is_found_and_not_its_neighbour():
    one, other = disc(40, 40, 18), disc(80, 84, 24)
    for row, column, truth in ((44, 46, one), (72, 76, other)):
        masks = found(Picture(one, other), row, column)
        assert masks and all(dice(mask.mask, truth) == 1 for mask in masks)


def test_an_organ_and_the_vessel_in_it_are_both_offered_the_best_fit_first():
    organ, vessel = disc(64, 64, 40), disc(60, 66, 7)
    masks = found(Picture(organ, vessel), 60, 66)
    assert [mask.quality for mask in masks] == sorted(
        (mask.quality for mask in masks), reverse=True
    )
    for truth in (organ, vessel):
        assert any(dice(mask.mask, truth) > 0.95 for mask in masks)


def test_offers_are_few_and_no_two_nearly_alike():
    nested = [disc(64, 64, radius) for radius in range(4, 60, 4)]
    masks = found(Picture(*nested), 64, 64)
    assert 1 < len(masks) <= MOST_MASKS
    for number, one in enumerate(masks):
        assert all(dice(one.mask, other.mask) < 0.9 for other in masks[number + 1 :])


def test_where_nothing_is_under_the_click_nothing_is_offered():
    assert found(Picture(disc(30, 30, 10)), 100, 100) == []


def test_no_box_is_asked_twice():
    picture = Picture(disc(64, 60, 20))
    found(picture, 60, 60)
    assert len(picture.asked) == len(set(picture.asked))


def test_of_a_mask_in_pieces_the_one_under_the_click_is_taken():
    both = disc(40, 40, 10) | disc(90, 90, 12)
    piece = piece_at(slice_mask(both, 0.8), (92, 88))
    assert np.array_equal(piece.mask, disc(90, 90, 12))
    assert piece.quality == 0.8
    assert (piece.logits[~both] == slice_mask(both).logits[~both]).all()


def test_a_click_just_beside_a_piece_still_means_it():
    mask = slice_mask(disc(40, 40, 10))
    assert np.array_equal(piece_at(mask, (51, 40)).mask, mask.mask)
    assert piece_at(mask, (53, 40)) is None


def test_a_click_in_the_corner_is_not_beside_the_opposite_edge():
    mask = slice_mask(disc(127, 127, 8))
    assert piece_at(mask, (0, 0)) is None


def test_an_empty_mask_has_no_piece():
    assert piece_at(slice_mask(np.zeros((SIDE, SIDE), bool)), (3, 4)) is None


@given(
    st.tuples(st.floats(10, 110), st.floats(20, 90)),
    st.tuples(st.floats(0.2, 4), st.floats(0.2, 4)),
)
def test_boxes_of_several_sizes_lie_around_the_point_and_in_the_limit(centre, pixels_per_mm):
    limit = (10, 20, 110, 90)
    boxes = boxes_around(centre, pixels_per_mm, limit, 2)
    assert boxes
    for x0, y0, x1, y1 in boxes:
        assert limit[0] <= x0 <= x1 <= limit[2] and limit[1] <= y0 <= y1 <= limit[3]
        assert x0 <= centre[0] <= x1 + 1 and y0 <= centre[1] <= y1 + 1
    areas = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in boxes]
    assert areas == sorted(areas)


def test_of_the_boxes_only_those_of_the_sizes_asked_for_are_tried():
    limit = (0, 0, 128, 128)
    whole = boxes_around((64, 64), (1, 1), limit, 2)
    some = boxes_around((64, 64), (1, 1), limit, 2, SIZES_MM[1:3])
    assert set(some) < set(whole)
    assert [x1 - x0 for x0, _, x1, _ in some] == list(SIZES_MM[1:3])


def test_where_all_sizes_are_too_large_or_too_small_the_limit_is_the_box():
    limit = (0, 0, 128, 128)
    assert boxes_around((64, 64), (0.01, 0.01), limit, 2) == [limit]
    assert boxes_around((64, 64), (100, 100), limit, 2) == [limit]
