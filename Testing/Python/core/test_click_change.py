"""Of what a network decides again after a click, what follows from the click is left."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.click_change import ENDS_MM, MOST_TAKEN, after_click
from TestSupport.properties import examples

SHAPE = (14, 18, 20)
WITH_CORNERS = np.ones((3, 3, 3), bool)
voxels = st.tuples(*[st.integers(0, n - 1) for n in SHAPE])
spacings = st.tuples(*[st.floats(0.5, 4)] * 3).map(np.array)
seeds = st.integers(0, 1000)
MM = np.ones(3)


def clouds(seed, bias=0.0):
    """Smooth random logits, float32."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=SHAPE), 2)
    return (4 * smooth / smooth.std() + bias).astype(np.float32)


def box(*ranges, value=5.0):
    logits = np.full((20, 60, 60), -value, np.float32)
    logits[tuple(slice(*each) for each in ranges)] = value
    return logits


@settings(max_examples=examples(60))
@given(seeds, seeds, voxels, st.booleans(), spacings, st.booleans(), st.floats(-3, 3))
def test_a_change_holds_the_click_or_lies_next_to_it_and_nothing_else_moves(
    seed, other, voxel, positive, spacing, sees, bias
):
    before, proposed = clouds(seed, bias), clouds(other)
    kept = before.copy()
    grey = clouds(seed + 5) if sees else None
    after = after_click(before, proposed, voxel, positive, spacing, grey)
    assert np.array_equal(before, kept)
    assert ((after == before) | (after == proposed)).all()
    changed = (after > 0) != (before > 0)
    assert not changed[(proposed > 0) == (before > 0)].any()
    distance = np.linalg.norm((np.stack(np.indices(SHAPE), -1) - voxel) * spacing, axis=-1)
    if (before[voxel] > 0) == positive:
        assert not changed[distance > ENDS_MM + 1e-3].any()
        taken = np.count_nonzero(changed & (before > 0))
        assert taken <= MOST_TAKEN * np.count_nonzero(before > 0)
    elif changed[voxel]:
        assert ndimage.label(changed, WITH_CORNERS)[1] == 1
    elif changed.any():
        pieces, _ = ndimage.label(changed, WITH_CORNERS)
        for piece in range(1, pieces.max() + 1):
            assert distance[pieces == piece].min() <= 3 * spacing.max() + 1e-3


@given(seeds, voxels, st.booleans())
def test_where_the_network_agrees_with_the_mask_its_own_logits_are_taken(seed, voxel, positive):
    before = clouds(seed)
    after = after_click(before, 2 * before, voxel, positive, MM)
    assert np.array_equal(after, 2 * before)


def test_a_sure_decision_about_the_whole_object_is_left_as_it_is():
    before = box((5, 15), (5, 55), (5, 55), value=3.0)
    half = box((5, 15), (5, 55), (5, 30), value=8.0)
    after = after_click(before, half, (10, 30, 50), False, MM)
    assert np.array_equal(after > 0, half > 0)
    grown = after_click(half, before, (10, 30, 50), True, MM, np.zeros_like(before))
    assert np.array_equal(grown > 0, before > 0)


def test_a_doubtful_one_takes_away_only_what_lies_near_a_negative_click():
    before = box((5, 15), (5, 55), (5, 55))
    nothing = np.full_like(before, -1.0)
    after = after_click(before, nothing, (10, 30, 52), False, MM)
    assert after[10, 30, 52] < 0
    assert np.array_equal(after[:, :, 5:35] > 0, before[:, :, 5:35] > 0)


def test_a_negative_click_beside_an_object_does_not_delete_it():
    before = box((5, 15), (20, 40), (20, 40))
    nothing = np.full_like(before, -9.0)
    for beside in ((10, 30, 43), (10, 30, 50), (10, 44, 30)):
        after = after_click(before, nothing, beside, False, MM)
        assert np.count_nonzero(after > 0) >= (1 - MOST_TAKEN) * np.count_nonzero(before > 0)


@pytest.mark.parametrize("positive", [True, False])
def test_what_changes_elsewhere_at_the_same_time_stays_as_it_was(positive):
    sign = 1 if positive else -1
    before = np.full((20, 60, 60), -5.0 * sign, np.float32)
    before[:, :, :3] = 5.0 * sign
    proposed = before.copy()
    proposed[5:15, 20:30, 5:15] = proposed[5:15, 40:50, 40:50] = 8.0 * sign
    after = after_click(before, proposed, (10, 25, 10), positive, MM)
    assert after[10, 25, 10] * sign > 0
    assert (after[:, 40:50, 40:50] * sign < 0).all()


def test_what_is_added_does_not_leak_into_tissue_that_is_like_neither_mask_nor_click():
    before = box((5, 15), (5, 55), (5, 20))
    leaking = box((5, 15), (5, 55), (5, 55))
    grey = np.zeros_like(before)
    grey[:, :, 40:] = 1.0
    after = after_click(before, leaking, (10, 30, 28), True, MM, grey) > 0
    assert after[10, 30, 20:38].all() and not after[:, :, 42:].any()
    # A click into the other tissue means that, too.
    after = after_click(before, leaking, (10, 30, 48), True, MM, grey) > 0
    assert after[10, 30, 20:55].all()


def test_a_click_that_says_what_is_so_reaches_farther_each_time_it_is_repeated():
    before = box((5, 15), (5, 55), (5, 30))
    more = box((5, 15), (5, 55), (5, 55))
    added = [
        np.count_nonzero(after_click(before, more, (10, 30, 27), True, MM, None, times) > 0)
        for times in range(3)
    ]
    start = np.count_nonzero(before > 0)
    assert start < added[0] < added[1] < added[2]
    deep = after_click(before, more, (10, 30, 8), True, MM)
    assert np.array_equal(deep, before * 1.0)
