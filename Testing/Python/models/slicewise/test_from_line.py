"""A measured diameter tells where the object is and how large."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.prompts import Line, Roi
from SAMSegmentLib.models.regions import voxel_of
from SAMSegmentLib.models.slicewise.from_line import AGREEMENT, LineFit, at_line
from SAMSegmentLib.models.slicewise.sections import Section, search
from SAMSegmentLib.models.slicewise.slices import Limits, SliceStack, stacks_of
from TestSupport.geometries import geometries, rotations
from TestSupport.oracle_network import box_around
from TestSupport.phantoms import (
    ball,
    dice,
    ellipsoid,
    grid,
    image_of,
    middle_of,
    voxel_positions,
)
from TestSupport.properties import examples
from TestSupport.sections import GREY, PICTURES, finder_of, slice_mask

GEOMETRY = grid((30, 44, 60), (2, 2, 2))
any_volume = geometries(st.just((26, 28, 30)), st.tuples(*[st.floats(1, 2)] * 3))
directions = rotations.map(lambda axes: axes[:, 0])


def extent(geometry) -> float:
    return float((geometry.spacing * geometry.shape[::-1]).min())


def line_through(middle, direction, length) -> Line:
    half = np.asarray(direction) * length / 2
    return Line(tuple(middle - half), tuple(middle + half))


def measured(line, objects, geometry, roi=None):
    """The mask that a line gives with a network that knows the objects, and the answer."""
    fit = LineFit(line, geometry)
    finder = finder_of(objects, geometry, limits=Limits(roi=roi), fit=fit.of_mask)
    offers = []
    for stack in finder.stacks:
        index, row, column = (int(n) for n in voxel_of(stack.geometry, line.middle))
        sections = [stack.orientation.apply(one)[index] for one in objects]
        judged = [fit.judged(slice_mask(one), stack, index) for one in sections if one[row, column]]
        judged.sort(key=lambda mask: -mask.quality)
        offers.append([Section(stack.orientation, (row, column), mask) for mask in judged])
    found = at_line(finder, offers, line)
    return Answer.of(found[0].mask, geometry).mask().astype(bool), found


@settings(max_examples=examples(10))
@given(any_volume, directions)
def test_a_diameter_in_any_direction_finds_the_ball_in_any_volume(geometry, direction):
    radius = 0.25 * extent(geometry)
    truth = ball(geometry, middle_of(geometry), radius)
    mask, _ = measured(line_through(middle_of(geometry), direction, 2 * radius), [truth], geometry)
    assert dice(mask, truth) > 0.9


def test_of_an_organ_and_the_lesion_in_it_the_line_means_the_one_across_which_it_lies():
    middle = np.array((60.0, 44.0, 30.0))
    organ, lesion = ball(GEOMETRY, middle, 24), ball(GEOMETRY, middle, 9)
    for truth, length in ((lesion, 18), (organ, 48)):
        mask, _ = measured(line_through(middle, (1, 0, 0), length), [organ, lesion], GEOMETRY)
        assert dice(mask, truth) > 0.9


def test_an_object_higher_than_the_line_is_long_is_found_up_to_its_ends():
    middle = np.array((60.0, 44.0, 30.0))
    truth = ellipsoid(GEOMETRY, middle, (11, 9, 17))
    mask, _ = measured(line_through(middle, (1, 0, 0), 22), [truth], GEOMETRY)
    assert dice(mask, truth) > 0.9


def test_with_an_roi_no_mask_leaves_it():
    middle = np.array((60.0, 44.0, 30.0))
    truth = ball(GEOMETRY, middle, 16)
    roi = Roi.from_box((68, 44, 30), (32, 40, 40))
    mask, answer = measured(line_through(middle, (0, 1, 0), 32), [truth], GEOMETRY, roi)
    inside = roi.contains_voxels(GEOMETRY)
    assert dice(mask, truth & inside) > 0.9
    for each in answer:
        assert not (Answer.of(each.mask, GEOMETRY).mask().astype(bool) & ~inside).any()


def test_where_the_network_sees_nothing_the_lines_middle_is_in_the_mask_all_the_same():
    nothing = np.zeros(GEOMETRY.shape, bool)
    middle = np.array((60.0, 44.0, 30.0))
    mask, _ = measured(line_through(middle, (1, 0, 0), 20), [nothing], GEOMETRY)
    assert mask[tuple(voxel_of(GEOMETRY, middle))]


@settings(max_examples=examples(30))
@given(any_volume, directions)
def test_a_mask_fits_best_that_ends_where_the_line_does(geometry, direction):
    radius = 0.25 * extent(geometry)
    middle = middle_of(geometry)
    fit = LineFit(line_through(middle, direction, 2 * radius), geometry)
    exact, small, large = (
        fit.of_mask(ball(geometry, middle, radius * size), (0, 0, 0)) for size in (1, 0.5, 1.8)
    )
    assert 0.75 * AGREEMENT < exact <= AGREEMENT
    assert small < exact and large < exact
    assert fit.of_mask(np.zeros(geometry.shape, bool), (0, 0, 0)) == 0


@settings(max_examples=examples(30))
@given(any_volume, directions, st.integers(0, 2**32 - 1))
def test_a_part_of_a_mask_fits_as_the_whole_does(geometry, direction, seed):
    line = line_through(middle_of(geometry), direction, 0.5 * extent(geometry))
    mask = ball(geometry, middle_of(geometry), 0.3 * extent(geometry))
    start = np.random.default_rng(seed).integers(0, 4, 3)
    kept = mask.copy()
    box = tuple(slice(a, None) for a in start)
    kept[box] = False
    fit = LineFit(line, geometry)
    assert fit.of_mask(mask[box], tuple(start)) == fit.of_mask(mask & ~kept, (0, 0, 0))


@settings(max_examples=examples(30))
@given(any_volume, st.sampled_from((0, 1, 2)), st.floats(0, np.pi))
def test_in_its_own_plane_a_line_judges_sections_and_across_it_does_not(geometry, plane, angle):
    stacks = stacks_of(image_of(np.ones(geometry.shape, bool), geometry), GREY, PICTURES)
    assume(len(stacks) == 3 and abs(np.linalg.det(geometry.directions)) > 0.999)
    stack = stacks[plane]
    right, down, across = stack.geometry.directions.T
    middle = stack.geometry.to_ras(np.array(stack.geometry.shape[::-1]) // 2)
    radius = 0.25 * extent(geometry)
    fit = LineFit(
        line_through(middle, np.cos(angle) * right + np.sin(angle) * down, 2 * radius), geometry
    )
    index = stack.geometry.shape[0] // 2
    exact, large = (
        slice_mask(stack.orientation.apply(ball(geometry, middle, radius * size))[index])
        for size in (1, 1.8)
    )
    assert fit.judged(exact, stack, index).quality > fit.judged(large, stack, index).quality
    assert fit.judged(exact, stack, index + 2).quality == exact.quality
    across_line = LineFit(line_through(middle, across, 2 * radius), geometry)
    assert across_line.judged(exact, stack, index).quality == exact.quality
    assert across_line.judged(large, stack, index).quality < large.quality


@settings(max_examples=examples(30))
@given(any_volume, st.sampled_from((0, 1, 2)), directions)
def test_the_first_box_holds_the_disc_with_the_line_as_diameter(geometry, plane, direction):
    assume(abs(np.linalg.det(geometry.directions)) > 0.999)
    stacks = stacks_of(image_of(np.ones(geometry.shape, bool), geometry), GREY, PICTURES)
    assume(len(stacks) == 3)
    stack = stacks[plane]
    middle = stack.geometry.to_ras(np.array(stack.geometry.shape[::-1]) // 2)
    radius = 0.2 * extent(geometry)
    _, row, column = (int(n) for n in voxel_of(stack.geometry, middle))
    centre = (np.array((row, column)) + 0.5) * stack.grid.scale
    pixels_per_mm = stack.grid.scale / stack.geometry.spacing[1::-1]
    limit = (0, 0, stack.grid.fitted[1], stack.grid.fitted[0])
    fit = LineFit(line_through(middle, direction, 2 * radius), geometry)
    round_, narrow = fit.boxes(tuple(centre[::-1]), tuple(pixels_per_mm[::-1]), stack, limit)
    reach = (radius * pixels_per_mm)[::-1]
    low, high = np.maximum(centre[::-1] - reach, 0), np.minimum(centre[::-1] + reach, limit[2:])
    assert (np.array(round_[:2]) <= low).all() and (np.array(round_[2:]) >= high - 1).all()
    assert (low - round_[:2] <= 4).all() and (round_[2:] - high <= 4).all()
    assert all(a <= b for a, b in zip(round_[:2], narrow[:2], strict=True))
    assert all(a >= b for a, b in zip(round_[2:], narrow[2:], strict=True))


def test_a_line_across_a_picture_of_discs_finds_the_one_it_measures():
    geometry = grid((4, 128, 128), (1, 1, 1))
    positions = voxel_positions(geometry)[..., :2]
    discs = [np.linalg.norm(positions - (60, 64), axis=-1) <= r for r in (8, 20, 45)]
    stack = SliceStack(image_of(discs[-1], geometry), GREY, PICTURES)
    index = 2
    row, column = (int(n) for n in voxel_of(stack.geometry, np.array((60, 64, 2)))[1:])
    pictures = [stack.orientation.apply(one)[index] for one in discs]

    def ask(boxes, fit):
        masks = []
        for box in boxes:
            # It likes the largest best, as networks like organs.
            fits = [
                abs((box[2] - box[0]) - (box_around(p)[2] - box_around(p)[0])) for p in pictures
            ]
            best = int(np.argmin(fits))
            masks.append(fit.judged(slice_mask(pictures[best], 0.9 + 0.02 * best), stack, index))
        return masks

    for truth, radius in zip(pictures, (8, 20, 45), strict=True):
        fit = LineFit(line_through(np.array((60, 64, 2.0)), (1, 0, 0), 2 * radius), geometry)
        boxes = fit.boxes((column + 0.5, row + 0.5), (1, 1), stack, (0, 0, 128, 128))
        boxes += [(column - r, row - r, column + r, row + r) for r in (8, 20, 45)]
        found = search(lambda b, fit=fit: ask(b, fit), lambda mask: None, boxes, (row, column))
        assert dice(found[0].mask, truth) == pytest.approx(1)
