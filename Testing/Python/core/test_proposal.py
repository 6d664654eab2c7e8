"""Answers as levels of a byte: the same masks as from logits, on any grid, at any threshold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from SAMSegmentLib.core.answer import Answer, LabelledMask, logit
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT, Patch
from SAMSegmentLib.core.placement import logits_on, place, voxel_shift
from SAMSegmentLib.core.proposal import (
    HIGHEST_THRESHOLD,
    LEVELS_PER_LOGIT,
    LOWEST_THRESHOLD,
    Proposal,
    level_of,
    levels_of,
    propose,
)
from TestSupport.geometries import geometries, reorientations
from TestSupport.phantoms import dice, ellipsoid, grid, middle_of, voxel_positions
from TestSupport.properties import examples

thresholds = st.floats(LOWEST_THRESHOLD, HIGHEST_THRESHOLD)
some_logits = arrays(np.float32, (3, 4, 5), elements=st.floats(-40, 40, width=32))
any_grid = geometries(st.just((14, 16, 18)), st.tuples(*[st.floats(0.8, 3)] * 3))


def blob(geometry, middle=None, share=0.35) -> Answer:
    """Logits that fall off smoothly around a position, on a box of a grid."""
    middle = middle_of(geometry) if middle is None else middle
    radius = share * (geometry.spacing * geometry.shape[::-1]).min()
    start, shape = (2, 3, 1), (10, 11, 15)
    distance = np.linalg.norm(voxel_positions(geometry.crop(start, shape)) - middle, axis=-1)
    logits = np.clip(8 * (1 - distance / radius), BACKGROUND_LOGIT, 8).astype(np.float32)
    return Answer.of(Patch(logits, start), geometry)


def whole(patch, geometry):
    return (
        np.zeros(geometry.shape, bool) if patch is None else patch.on_box((0, 0, 0), geometry.shape)
    )


@given(arrays(np.float32, 50, elements=st.floats(-(2.0**100), 2.0**100, width=32)))
def test_what_is_likelier_than_not_stays_so_to_the_last_bit(logits):
    levels = levels_of(logits)
    assert levels.dtype == np.int8
    assert np.array_equal(levels > 0, logits > 0)
    assert np.array_equal(levels < 0, logits < 0)


@given(
    arrays(
        np.float32,
        array_shapes(min_dims=3, max_dims=3, min_side=0, max_side=5),
        elements=st.floats(-(2.0**100), 2.0**100, width=32)
        | st.floats(-9, 9, width=32)
        | st.integers(-140, 140).map(lambda level: level / LEVELS_PER_LOGIT),
    ),
    st.permutations(range(3)),
)
def test_levels_are_logits_in_steps_rounded_away_from_zero(logits, axes):
    logits = logits.transpose(axes)  # however they lie in memory
    scaled = np.clip(logits * LEVELS_PER_LOGIT, -127, 127)
    expected = np.where(scaled > 0, np.ceil(scaled), np.floor(scaled)).astype(np.int8)
    before = logits.copy()
    assert np.array_equal(levels_of(logits), expected)
    assert np.array_equal(logits, before)


@given(arrays(np.float32, 50, elements=st.floats(-30, 30, width=32)))
def test_levels_keep_the_order_of_logits(logits):
    ordered = levels_of(np.sort(logits)).astype(int)
    assert (np.diff(ordered) >= 0).all()


@given(some_logits, thresholds)
def test_any_threshold_is_met_to_within_a_level(logits, threshold):
    proposal = Proposal(Patch(levels_of(logits), (0, 0, 0)), grid((3, 4, 5)))
    wrong = proposal.box_mask(threshold) != (logits > logit(threshold))
    assert (np.abs(logits[wrong] - logit(threshold)) <= 1.5 / LEVELS_PER_LOGIT).all()


def test_the_threshold_of_one_half_is_level_zero_and_both_ends_can_be_told_from_certainty():
    assert level_of(0.5) == 0
    assert -127 < level_of(LOWEST_THRESHOLD) < level_of(HIGHEST_THRESHOLD) < 127


@pytest.mark.parametrize("threshold", [0.0, 0.009, 0.991, 1.0, -1.0, np.nan])
def test_a_threshold_that_cannot_be_chosen_is_refused(threshold):
    with pytest.raises(ValueError, match="threshold"):
        level_of(threshold)


@given(any_grid)
def test_on_its_own_grid_a_proposal_is_the_prediction(geometry):
    prediction = blob(geometry)
    proposal = propose(prediction, geometry)[0]
    assert np.array_equal(whole(proposal.patch(), geometry), prediction.mask().astype(bool))
    assert proposal.cut == 0.0


@settings(max_examples=examples(30))
@given(any_grid, st.tuples(*[st.integers(-6, 9)] * 3), st.tuples(*[st.integers(3, 20)] * 3))
def test_on_a_part_of_its_grid_or_a_larger_one_voxels_are_copied(geometry, start, shape):
    prediction = blob(geometry)
    target = geometry.crop(start, shape)
    assert voxel_shift(geometry, target) == tuple(-n for n in start)
    mask = whole(propose(prediction, target)[0].patch(), target)
    source = prediction.mask().astype(bool)
    inside = [
        range(max(a, 0), min(a + n, m)) for a, n, m in zip(start, shape, source.shape, strict=True)
    ]
    expected = np.zeros(shape, bool)
    there = tuple(
        slice(r.start - a, max(r.stop - a, 0)) for r, a in zip(inside, start, strict=True)
    )
    here = tuple(slice(r.start, max(r.stop, 0)) for r in inside)
    if all(len(r) for r in inside):
        expected[there] = source[here]
    assert np.array_equal(mask, expected)


@settings(max_examples=examples(30))
@given(any_grid, reorientations())
def test_stored_flipped_or_permuted_the_mask_is_the_same(geometry, storage):
    prediction = blob(geometry)
    target = storage.apply_to_geometry(geometry)
    stored = whole(propose(prediction, target)[0].patch(), target)
    wrong = storage.undo(stored) != prediction.mask().astype(bool)
    # Interpolated at voxel centres, to within rounding.
    assert (np.abs(_volume(prediction)[wrong]) < 1e-3).all()


@settings(max_examples=examples(30))
@given(any_grid, any_grid, thresholds)
def test_on_any_grid_a_proposal_has_the_mask_that_placing_the_prediction_gives(
    geometry, target, threshold
):
    # The target lies over the prediction, turned and stretched any way.
    offset = middle_of(geometry) - middle_of(target)
    shift = np.eye(4)
    shift[:3, 3] = offset
    target = target.transformed(shift)
    prediction = blob(geometry)
    proposed = whole(propose(prediction, target)[0].patch(threshold), target)
    placed = whole(
        place(prediction.masks[0].logits, prediction.geometry, target, threshold), target
    )
    doubtful = np.abs(prediction.on_grid(target) - logit(threshold)) < 2 / LEVELS_PER_LOGIT
    assert np.array_equal(proposed[~doubtful], placed[~doubtful])
    half = propose(prediction, target)[0].patch()
    unsure = np.abs(prediction.on_grid(target)) < 1e-3
    expected = whole(place(prediction.masks[0].logits, prediction.geometry, target), target)
    assert np.array_equal(whole(half, target)[~unsure], expected[~unsure])


@settings(max_examples=examples(30))
@given(any_grid, any_grid, thresholds)
def test_the_logits_on_a_grid_hold_all_that_exceeds_the_threshold(geometry, target, threshold):
    shift = np.eye(4)
    shift[:3, 3] = middle_of(geometry) - middle_of(target)
    target = target.transformed(shift)
    prediction = blob(geometry)
    there = prediction.on_grid(target)
    found = logits_on(prediction.masks[0].logits, prediction.geometry, target, threshold)
    held = np.full(target.shape, BACKGROUND_LOGIT, np.float32)
    if found is not None:
        held[found.box] = found.values
    clearly = np.abs(there - logit(threshold)) > 1e-3
    assert np.array_equal((held > logit(threshold))[clearly], (there > logit(threshold))[clearly])


@given(any_grid, thresholds, thresholds)
def test_a_higher_threshold_never_gives_more(geometry, one, other):
    proposal = propose(blob(geometry), geometry)[0]
    low, high = sorted((one, other))
    assert not (proposal.box_mask(high) & ~proposal.box_mask(low)).any()


def test_an_object_lies_where_it_is_on_an_oblique_grid():
    geometry = grid((30, 40, 40), (1, 1, 1))
    prediction = Answer.of(
        Patch(
            np.where(ellipsoid(geometry, (20, 18, 14), (9, 7, 6)), 5, -5).astype(np.float32),
            (0, 0, 0),
        ),
        geometry,
    )
    turn = np.eye(4)
    angle = np.radians(25)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    target = grid((40, 60, 60), (0.8, 0.9, 0.7), (-5, -12, 1)).transformed(turn)
    truth = ellipsoid(target, (20, 18, 14), (9, 7, 6))
    assert dice(whole(propose(prediction, target)[0].patch(), target), truth) > 0.9


def test_a_proposal_beside_the_grid_is_empty_and_all_of_it_is_cut():
    geometry = grid((14, 16, 18), (2, 2, 2))
    far = grid((14, 16, 18), (2, 2, 2), (1000, 0, 0))
    proposal = propose(blob(geometry), far)[0]
    assert proposal.patch() is None and proposal.cut == 1.0


def test_half_a_mask_beside_the_grid_is_told():
    geometry = grid((14, 16, 18), (2, 2, 2))
    prediction = blob(geometry)
    columns = np.argwhere(prediction.mask())[:, 2]
    middle = int(np.median(columns))
    target = geometry.crop((0, 0, 0), (14, 16, middle))
    proposal = propose(prediction, target)[0]
    assert proposal.cut == pytest.approx((columns >= middle).mean())
    assert proposal.patch().cut == proposal.cut


def test_an_empty_prediction_is_an_empty_proposal():
    geometry = grid((6, 7, 8))
    nothing = Answer.of(
        Patch(np.full((2, 3, 4), BACKGROUND_LOGIT, np.float32), (1, 1, 1)), geometry
    )
    proposal = propose(nothing, geometry)[0]
    assert proposal.patch() is None and proposal.is_empty


def test_warnings_and_the_number_of_other_answers_come_along():
    geometry = grid((14, 16, 18), (2, 2, 2))
    prediction = blob(geometry)
    prediction = Answer.of(
        prediction.masks[0].logits,
        geometry,
        *[prediction.masks[0].logits] * 2,
        warnings=("Look.",),
    )
    proposal = propose(prediction, geometry)[0]
    assert proposal.warnings == ("Look.",) and proposal.candidates == 3


def test_each_structure_is_a_proposal_with_its_own_name_and_warnings():
    geometry = grid((14, 16, 18), (2, 2, 2))
    mask = blob(geometry).masks[0].logits
    nothing = Patch(np.full((2, 3, 4), BACKGROUND_LOGIT, np.float32), (1, 1, 1))
    masks = (
        LabelledMask(mask, Label("Body"), warnings=("Thin.",)),
        LabelledMask(nothing, Label("Air")),
    )
    body, air = propose(Answer(masks, geometry, ("Dark.",)), geometry)
    assert (body.label, air.label) == (Label("Body"), Label("Air"))
    assert (body.warnings, air.warnings) == (("Dark.", "Thin."), ("Dark.",))
    assert body.patch() is not None and air.is_empty
    assert body.candidates == air.candidates == 1


def _volume(prediction):
    logits = np.full(prediction.geometry.shape, BACKGROUND_LOGIT, np.float32)
    logits[prediction.box] = prediction.logits
    return logits
