"""With a network that knows the object, the object is what comes out, wherever it lies."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.errors import Cancelled, InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Roi
from SAMSegmentLib.models.regions import voxel_of
from SAMSegmentLib.models.slicewise.object_finder import (
    ObjectFinder,
    corrected,
    without_small_pieces,
)
from TestSupport.geometries import geometries, reorientations, rotations
from TestSupport.oracle_network import OracleNetwork
from TestSupport.phantoms import ball, dice, ellipsoid, grid, image_of, middle_of
from TestSupport.properties import examples
from TestSupport.sections import finder_of, offers_of, roi_round, stacks_around

SHAPE = (26, 28, 30)
# Up to the thickest slices that are still looked at from all sides, and beyond.
volumes = geometries(st.just(SHAPE), st.tuples(st.floats(1, 2), st.floats(1, 2), st.floats(1, 5)))
half_axes = st.tuples(*[st.floats(0.2, 0.35)] * 3).map(np.array)


def extent(geometry) -> float:
    return float((geometry.spacing * geometry.shape[::-1]).min())


def found_in(roi, objects, geometry, watch=None):
    """The mask (k, j, i) that an ROI gives, and all that it gives."""
    found = finder_of(objects, geometry, watch).in_roi(roi)
    return Answer.of(found[0].mask, geometry).mask().astype(bool), found


def clicked(ras, objects, geometry):
    """The mask that a click gives, and all that it gives."""
    finder = finder_of(objects, geometry)
    found = finder.at_click(offers_of(objects, finder.stacks, ras), np.array(ras))
    return Answer.of(found[0].mask, geometry).mask().astype(bool), found


@settings(max_examples=examples(20))
@given(volumes, half_axes, rotations)
def test_an_ellipsoid_is_found_in_any_volume(geometry, shares, axes):
    truth = ellipsoid(geometry, middle_of(geometry), shares * extent(geometry), axes)
    mask, _ = found_in(roi_round(truth, geometry), [truth], geometry)
    assert dice(mask, truth) > 0.92


@settings(max_examples=examples(15))
@given(volumes, half_axes, rotations, reorientations())
def test_stored_flipped_or_permuted_the_object_is_the_same(geometry, shares, axes, storage):
    # Where two axes are as close to an anatomical one, the slices may lie the other way.
    assume(np.diff(np.sort(np.abs(geometry.directions), axis=None)).min() > 1e-3)
    spacing = np.sort(geometry.spacing)
    assume(np.abs(spacing[1:] / spacing[:-1] - 1.3).min() > 1e-3)
    truth = ellipsoid(geometry, middle_of(geometry), shares * extent(geometry), axes)
    roi = roi_round(truth, geometry)
    mask, _ = found_in(roi, [truth], geometry)
    stored, _ = found_in(roi, [storage.apply(truth)], storage.apply_to_geometry(geometry))
    assert dice(storage.undo(stored), mask) > 0.99


@settings(max_examples=examples(15))
@given(volumes, rotations, st.tuples(*[st.floats(0.25, 0.9)] * 3))
def test_nothing_leaves_an_roi_however_it_is_turned(geometry, axes, shares):
    truth = ellipsoid(geometry, middle_of(geometry), np.full(3, 0.45) * extent(geometry))
    roi = Roi.from_box(middle_of(geometry), np.array(shares) * extent(geometry), axes)
    mask, found = found_in(roi, [truth], geometry)
    assert not (mask & ~roi.contains_voxels(geometry)).any()
    for each in found:
        there = Answer.of(each.mask, geometry)
        outside = ~roi.contains_voxels(there.box_geometry)
        assert (each.mask.values[outside] == BACKGROUND_LOGIT).all()


def test_an_object_that_fills_its_roi_is_cut_by_it():
    geometry = grid((24, 40, 40), (2, 2, 2))
    truth = ball(geometry, (40, 40, 24), 20)
    roi = Roi.from_box((40, 40, 24), (24, 24, 24))
    mask, _ = found_in(roi, [truth], geometry)
    assert dice(mask, truth & roi.contains_voxels(geometry)) > 0.95


def test_of_two_balls_the_one_is_found_that_the_roi_is_drawn_around():
    geometry = grid((30, 50, 70), (1.5, 1.5, 2))
    one, other = ball(geometry, (30, 36, 30), 14), ball(geometry, (66, 40, 32), 12)
    for truth, neighbour in ((one, other), (other, one)):
        mask, _ = found_in(roi_round(truth, geometry, 4), [neighbour, truth], geometry)
        assert dice(mask, truth) > 0.95


def test_an_object_at_the_volumes_border_is_found_up_to_the_border():
    geometry = grid((20, 40, 40), (2, 2, 2))
    truth = ball(geometry, (4, 40, 6), 18)
    assert truth[0].any() and truth[:, :, 0].any()
    mask, _ = found_in(roi_round(truth, geometry), [truth], geometry)
    assert dice(mask, truth) > 0.95


def test_where_the_network_sees_nothing_the_mask_is_small_not_an_error():
    geometry = grid((12, 30, 30), (2, 2, 2))
    nothing = np.zeros(geometry.shape, bool)
    network = OracleNetwork([nothing])
    stacks = stacks_around(ball(geometry, (30, 30, 12), 8), geometry)
    roi = Roi.from_box((30, 30, 12), (20, 20, 14))
    (found,) = ObjectFinder(stacks, network, Watch()).in_roi(roi)
    assert not (found.mask.values > 0).any()


def test_an_roi_beside_the_volume_is_refused():
    geometry = grid((12, 30, 30), (2, 2, 2))
    truth = ball(geometry, (30, 30, 12), 8)
    with pytest.raises(InputError, match="outside the volume"):
        found_in(Roi.from_box((300, 30, 12), (20, 20, 14)), [truth], geometry)


def test_progress_only_goes_on_while_slices_are_seen_and_a_cancel_stops_it():
    geometry = grid((20, 40, 40), (2, 2, 2))
    truth = ball(geometry, (40, 40, 20), 14)
    told = []
    found_in(roi_round(truth, geometry), [truth], geometry, Watch(lambda *what: told.append(what)))
    seen = [(done, total) for done, total, message in told if message.startswith("Slice")]
    assert [done for done, _ in seen] == list(range(seen[0][1]))
    assert all(0 <= done <= total and message for done, total, message in told)

    class Later:
        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 3

    with pytest.raises(Cancelled):
        found_in(roi_round(truth, geometry), [truth], geometry, Watch(cancel=Later()))


@settings(max_examples=examples(12))
@given(volumes, st.tuples(*[st.floats(-0.4, 0.4)] * 3))
def test_a_click_anywhere_on_a_ball_finds_the_ball(geometry, off):
    radius = 0.3 * extent(geometry)
    truth = ball(geometry, middle_of(geometry), radius)
    click = middle_of(geometry) + radius * np.array(off)
    nearest = np.rint(geometry.to_ijk(click)[::-1]).astype(int)
    assume(truth[tuple(nearest)])
    mask, _ = clicked(click, [truth], geometry)
    assert dice(mask, truth) > 0.95


def test_a_click_finds_the_ball_under_it_and_not_its_neighbour():
    geometry = grid((30, 50, 70), (1.5, 1.5, 2))
    one, other = ball(geometry, (30, 36, 30), 14), ball(geometry, (66, 40, 32), 12)
    for click, truth, neighbour in (((34, 38, 28), one, other), ((64, 44, 34), other, one)):
        mask, _ = clicked(click, [neighbour, truth], geometry)
        assert dice(mask, truth) > 0.95
        assert not (mask & neighbour).any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_region_grows_along_an_object_of_which_the_click_shows_only_a_section(axis):
    shape = [28, 28, 28]
    shape[axis] = 90
    geometry = grid(tuple(shape), (2, 2, 2))
    click = middle_of(geometry)
    radii = np.full(3, 12.0)
    radii[2 - axis] = 80
    truth = ellipsoid(geometry, click, radii)
    finder = finder_of([truth], geometry)
    across_only = [
        offers if stack.orientation.axes[0] == axis else []
        for stack, offers in zip(
            finder.stacks, offers_of([truth], finder.stacks, click), strict=True
        )
    ]
    found = finder.at_click(across_only, click)
    mask = Answer.of(found[0].mask, geometry).mask()
    assert dice(mask, truth) > 0.95 > dice(truth & ball(geometry, click, 40), truth)


def test_a_click_under_which_nothing_is_found_still_lies_in_the_mask():
    geometry = grid((20, 40, 40), (2, 2, 2))
    truth = ball(geometry, (40, 40, 20), 8)
    mask, _ = clicked((70, 70, 34), [truth], geometry)
    assert mask[17, 35, 35] and not mask[truth].any()


def bent_correction(click, positive, earlier=(), objects=None, roi=None, radii=(12, 10)):
    """A ball, found; then a click. The truth, the mask before and after, and the geometry."""
    geometry = grid((24, 50, 60), (1.5, 1.5, 2))
    one, other = ball(geometry, (30, 36, 24), radii[0]), ball(geometry, (62, 36, 24), radii[1])
    image = image_of(one | other, geometry)
    network = OracleNetwork(objects(one, other) if objects else [one, other])
    finder = ObjectFinder(stacks_around(one | other, geometry), network, Watch())
    answer = finder.in_roi(roi or roi_round(one, geometry))[0]
    after = corrected(
        image,
        answer,
        Point(click, positive),
        [Point(*point) for point in earlier],
        lambda ras: clicked(ras, [one, other], geometry)[1],
        Watch(),
    )
    masks = [Answer.of(a.mask, geometry).mask().astype(bool) for a in (answer, after)]
    return one, other, *masks, geometry


def test_a_positive_click_on_another_object_adds_it():
    one, other, before, after, _ = bent_correction((62, 36, 24), True)
    assert dice(before, one) > 0.95
    assert dice(after, one | other) > 0.9
    assert not (before & ~after).any()


def test_a_positive_click_adds_no_object_beside_which_the_mask_is_nothing():
    one, other, before, after, geometry = bent_correction((62, 36, 24), True, radii=(9, 21))
    assert dice(before, one) > 0.9
    assert after[tuple(voxel_of(geometry, np.array((62, 36, 24))))]
    assert np.count_nonzero(after & other) < 0.5 * np.count_nonzero(other)


def test_a_mask_too_small_to_be_the_object_may_grow_to_any_size():
    one, other, before, after, _ = bent_correction((62, 36, 24), True, radii=(5, 14))
    assert 0 < np.count_nonzero(before) * 4.5 < 1000
    assert dice(after, one | other) > 0.9


def test_small_pieces_around_an_object_are_left_out_and_its_parts_stay():
    logits = np.full((20, 20, 20), -2, np.float32)
    logits[2:10, 2:10, 2:10] = 2
    logits[12:17, 12:17, 12:17] = 1
    logits[1:3, 15:17, 1:3] = 1
    left = without_small_pieces(logits)
    assert np.array_equal(left[2:10, 2:10, 2:10], logits[2:10, 2:10, 2:10])
    assert np.array_equal(left[12:17, 12:17, 12:17], logits[12:17, 12:17, 12:17])
    assert not (left[1:3, 15:17, 1:3] > 0).any()
    assert np.array_equal(without_small_pieces(left), left)
    assert np.array_equal(without_small_pieces(np.full((3, 3, 3), -1.0)), np.full((3, 3, 3), -1.0))


def test_a_negative_click_takes_the_piece_away_that_the_network_sees_there():
    roi = Roi.from_box((46, 36, 24), (64, 40, 40))
    one, other, before, after, _ = bent_correction(
        (62, 36, 24), False, objects=lambda a, b: [a | b, b], roi=roi
    )
    assert dice(before, one | other) > 0.95
    assert dice(after, one) > 0.9
    assert not (after & ~before).any()


def test_a_click_outside_everything_holds_at_its_voxel():
    *_, before, after, geometry = bent_correction((80, 66, 40), True)
    voxel = tuple(np.rint(geometry.to_ijk((80, 66, 40))[::-1]).astype(int))
    assert after[voxel] and not before[voxel]


def test_an_earlier_negative_click_stays_outside():
    *_, after, geometry = bent_correction((62, 36, 24), True, earlier=[((66, 36, 24), False)])
    at = tuple(np.rint(geometry.to_ijk((66, 36, 24))[::-1]).astype(int))
    assert not after[at]


def test_a_correction_leaves_the_answer_that_it_corrects_as_it_was():
    geometry = Geometry(np.diag([1.5, 1.5, 2, 1]), (24, 50, 60))
    truth = ball(geometry, (30, 36, 24), 12)
    answer = found_in(roi_round(truth, geometry), [truth], geometry)[1][0]
    before = answer.mask.values.copy()
    image = Image(image_of(truth, geometry).voxels, geometry)
    corrected(image, answer, Point((30, 36, 24), False), [], lambda ras: None, Watch())
    assert np.array_equal(answer.mask.values, before)
