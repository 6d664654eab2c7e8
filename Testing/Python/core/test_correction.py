"""A click corrects a mask near it, in the direction that it says, and undoes no other click."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.correction import (
    apply_click,
    distance_to_right,
    geodesic_ball,
    radius_of,
)
from SAMSegmentLib.core.errors import InputError
from TestSupport.properties import examples

SHAPE = (9, 18, 20)
voxels = st.tuples(*[st.integers(0, n - 1) for n in SHAPE])
spacings = st.tuples(*[st.floats(0.5, 4)] * 3).map(np.array)
seeds = st.integers(0, 1000)


def clouds(seed: int, bias: float = 0.0) -> np.ndarray:
    """Smooth random logits, float32."""
    noise = np.random.default_rng(seed).normal(size=SHAPE)
    smooth = ndimage.gaussian_filter(noise, 2)
    return (3 * smooth / smooth.std() + bias).astype(np.float32)


def distances(voxel, spacing, shape=SHAPE) -> np.ndarray:
    """mm from a voxel to every other."""
    grid = np.stack(np.indices(shape), axis=-1)
    return np.linalg.norm((grid - voxel) * spacing, axis=-1)


def right_by_edt(mask, voxel, positive, spacing) -> float:
    wrong = ~mask if positive else mask
    return ndimage.distance_transform_edt(wrong, sampling=spacing)[voxel]


@st.composite
def clicks_in_turn(draw):
    """Up to six clicks in different voxels: (voxel, positive, what the model proposes)."""
    places = draw(st.lists(voxels, min_size=1, max_size=6, unique=True))
    proposals = st.none() | seeds.map(lambda seed: clouds(seed) > 0)
    return [(place, draw(st.booleans()), draw(proposals)) for place in places]


@settings(max_examples=examples(60))
@given(clicks_in_turn(), seeds, st.floats(-4, 4), spacings)
def test_after_any_clicks_all_of_them_hold_and_each_did_only_what_it_may(
    clicks, seed, bias, spacing
):
    logits, values = clouds(seed, bias), 100 * clouds(seed + 1)
    done = []
    for voxel, positive, proposed in clicks:
        before = logits.copy()
        opposite = [other for other, sign in done if sign != positive]
        after = apply_click(logits, voxel, positive, proposed, values, spacing, opposite)
        assert np.array_equal(logits, before), "the array given was changed"
        assert after.dtype == np.float32 and after.shape == SHAPE

        mask, new = before > 0, after > 0
        assert not (mask & ~new if positive else new & ~mask).any()
        as_wanted = mask == positive
        as_wanted[voxel] = False
        assert np.array_equal(after[as_wanted], before[as_wanted])
        radius = radius_of(distance_to_right(mask, voxel, positive, spacing))
        far = distances(voxel, spacing) > radius + 1e-6
        assert np.array_equal(after[far], before[far])

        done.append((voxel, positive))
        for other, sign in done:
            assert new[other] == sign
        logits = after


@given(voxels, seeds, spacings)
def test_a_click_where_all_is_right_changes_no_voxel_of_the_mask(voxel, seed, spacing):
    logits = clouds(seed)
    right = bool(logits[voxel] > 0)
    after = apply_click(logits, voxel, right, None, logits, spacing, [])
    assert np.array_equal(after > 0, logits > 0)


@given(voxels, seeds, spacings)
def test_what_a_click_adds_hangs_together_with_it(voxel, seed, spacing):
    logits = np.full(SHAPE, -5, np.float32)
    after = apply_click(logits, voxel, True, clouds(seed) > 0, clouds(seed), spacing, [])
    pieces, count = ndimage.label(after > 0)
    assert count == 1 and pieces[voxel] == 1


def test_what_the_model_proposes_near_the_click_is_taken():
    logits = np.full((20, 20, 20), -5, np.float32)
    logits[2] = 5
    proposed = distances((10, 10, 10), 1.0, logits.shape) <= 6
    values = np.where(proposed, 100.0, 0.0)
    after = apply_click(logits, (10, 10, 10), True, proposed, values, np.ones(3), [])
    assert ((after > 0) >= proposed).all()
    gone = apply_click(after, (10, 10, 9), False, proposed, values, np.ones(3), [])
    assert not (gone > 0)[proposed].any()


# Intensities that say: what is more than two voxels from (10, 10, 10) is something else.
ALIKE_HERE_ONLY = np.full((20, 20, 20), 1000.0)
ALIKE_HERE_ONLY[8:13, 8:13, 8:13] = 0


@pytest.mark.parametrize("positive", [True, False])
def test_what_the_model_doubted_as_much_follows_the_click(positive):
    sure = -5.0 if positive else 5.0
    logits = np.full((20, 20, 20), sure, np.float32)
    logits[2] = -sure
    doubted = np.zeros(logits.shape, bool)
    doubted[8:14, 6:16, 10] = True
    logits[doubted] = sure / 5
    apart = (10, 10, 15)
    logits[apart] = sure / 5
    after = apply_click(logits, (10, 10, 10), positive, None, ALIKE_HERE_ONLY, np.ones(3), [])
    assert ((after[doubted] > 0) == positive).all()
    assert (after[apart] > 0) != positive


def test_a_click_on_what_the_model_is_sure_of_says_nothing_about_the_rest():
    logits = np.full((20, 20, 20), -4, np.float32)
    logits[2] = 5
    after = apply_click(logits, (10, 10, 10), True, None, ALIKE_HERE_ONLY, np.ones(3), [])
    ball = distances((10, 10, 10), 1.0, logits.shape) <= 8
    assert np.count_nonzero(after[ball] > 0) < 0.1 * np.count_nonzero(ball)


def test_an_earlier_opposite_click_keeps_what_is_nearer_to_it():
    logits = np.full(SHAPE, -5, np.float32)
    everything, spacing = np.ones(SHAPE, bool), np.array([1.0, 1.0, 1.0])
    after = apply_click(logits, (4, 9, 6), True, everything, logits, spacing, [(4, 9, 14)])
    nearer = distances((4, 9, 6), spacing) < distances((4, 9, 14), spacing)
    assert after[4, 9, 9] > 0 and after[4, 9, 10] < 0
    assert not ((after > 0) & ~nearer).any()


def test_opposite_clicks_may_lie_outside_the_array():
    logits = np.full(SHAPE, -5, np.float32)
    near = apply_click(logits, (4, 9, 0), True, None, logits, np.ones(3), [(4, 9, -2)])
    assert near[4, 9, 0] > 0


@pytest.mark.parametrize("positive", [True, False])
def test_both_signs_in_one_voxel_are_refused(positive):
    logits = np.zeros(SHAPE, np.float32)
    with pytest.raises(InputError, match="same voxel"):
        apply_click(logits, (4, 9, 6), positive, None, logits, np.ones(3), [(1, 1, 1), (4, 9, 6)])


@given(voxels, seeds, st.floats(-9, 9), st.booleans(), spacings)
def test_the_distance_to_what_is_right_is_the_euclidean_one(voxel, seed, bias, positive, spacing):
    mask = clouds(seed, bias) > 0
    assume((mask if positive else ~mask).any())
    expected = right_by_edt(mask, voxel, positive, spacing)
    assert distance_to_right(mask, voxel, positive, spacing) == pytest.approx(expected, abs=1e-6)


@given(voxels, voxels, st.floats(5, 60))
def test_one_right_voxel_is_found_however_far_it_is(voxel, only, spacing):
    mask = np.zeros(SHAPE, bool)
    mask[only] = True
    expected = distances(voxel, spacing)[only]
    assert distance_to_right(mask, voxel, True, np.full(3, spacing)) == pytest.approx(expected)


def test_a_near_voxel_along_an_axis_is_found_before_one_in_a_corner():
    for spacing in (2.0, 4.0, 6.0):
        for steps in range(1, 9):
            right = np.zeros((19, 19, 19), bool)
            right[(9 - steps,) * 3] = True
            right[9, 9, min(9 + steps + 1, 18)] = True
            expected = right_by_edt(right, (9, 9, 9), True, np.full(3, spacing))
            found = distance_to_right(right, (9, 9, 9), True, np.full(3, spacing))
            assert found == pytest.approx(expected)


def test_without_anything_right_the_click_still_has_a_radius():
    nothing = np.zeros(SHAPE, bool)
    size = distance_to_right(nothing, (1, 2, 3), True, np.ones(3))
    assert 0 < size < np.inf and radius_of(size) >= size


@given(st.floats(0, 300), st.floats(0, 300))
def test_the_radius_grows_with_the_error_and_holds_it(size, larger):
    small, large = sorted((size, larger))
    assert 0 < radius_of(small) <= radius_of(large)
    assert radius_of(size) >= size


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (3.0, 1.0, 0.8)])
@pytest.mark.parametrize("grey", [0.0, 20.0, 1000.0, -1024.0])
def test_in_plain_tissue_the_geodesic_ball_is_a_ball(spacing, grey):
    values = np.random.default_rng(0).normal(grey, 5, (31, 31, 31))
    ball = geodesic_ball(values, (15, 15, 15), 8.0, np.array(spacing))
    distance = distances((15, 15, 15), np.array(spacing), values.shape)
    assert not ball[distance > 8.0].any()
    assert ball[distance <= 6.0].mean() > 0.95


@pytest.mark.parametrize("grey", [0, 20, 1000, -1024])
def test_where_every_voxel_is_the_same_the_geodesic_ball_is_a_ball(grey):
    values = np.full((31, 31, 31), grey, np.int16)
    ball = geodesic_ball(values, (15, 15, 15), 8.0, np.ones(3))
    distance = distances((15, 15, 15), 1.0, values.shape)
    assert ball[distance <= 6.5].all() and not ball[distance > 8.0].any()


def test_the_geodesic_ball_stops_at_an_intensity_step():
    values = np.random.default_rng(0).normal(50, 5, (21, 31, 31))
    values[:, :, 18:] += 200
    ball = geodesic_ball(values, (10, 15, 15), 8.0, np.ones(3))
    assert ball[10, 15, 10:17].all()
    assert not ball[:, :, 20:].any()
