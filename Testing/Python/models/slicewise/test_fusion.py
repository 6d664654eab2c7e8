"""Masks along several axes become one, of which each slice is then asked for its part."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.models.slicewise.fusion import agree, bounded, fuse, similarity
from SAMSegmentLib.models.slicewise.tracking import nothing
from SAMSegmentLib.models.slicewise.views import SURE_LOGIT
from TestSupport.oracle_network import OracleNetwork
from TestSupport.phantoms import ball, dice, grid
from TestSupport.sections import slice_mask, views_on

GEOMETRY = grid((22, 40, 44), (2, 2, 2.5))
BALL = ball(GEOMETRY, (44, 40, 26), 15)
OTHER = ball(GEOMETRY, (50, 44, 26), 8)


def views_of_ball(objects=(BALL,)):
    return views_on(BALL, GEOMETRY, OracleNetwork(list(objects)))


def native_truth(views, truth=BALL):
    """The truth in the region, (k, j, i)."""
    view = views[0]
    return view.native(view.stack.orientation.apply(truth)[view.region.box])


def selection_of(views, truth=BALL, quality=0.95):
    return [
        {key: slice_mask(view.own(native_truth(views, truth))[key], quality) for key in view.keys}
        for view in views
    ]


def test_where_all_views_say_the_same_that_is_the_mask():
    views = views_of_ball()
    assert len(views) == 3
    fused = fuse(views, selection_of(views), views[0].native_inside)
    assert fused.dtype == np.float32 and fused.shape == views[0].native_inside.shape
    assert np.abs(fused).max() <= SURE_LOGIT + 1e-5
    assert dice(fused > 0, native_truth(views)) > 0.97


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_view_that_expects_to_be_wrong_has_no_say(number):
    views = views_of_ball()
    selection = selection_of(views)
    selection[number] = selection_of(views, ~BALL, quality=0.3)[number]
    fused = fuse(views, selection, views[0].native_inside)
    assert dice(fused > 0, native_truth(views)) > 0.95


@pytest.mark.parametrize("number", [0, 1, 2])
def test_one_view_against_two_as_good_ones_is_outvoted(number):
    views = views_of_ball()
    selection = selection_of(views)
    selection[number] = {key: nothing(views[number], 0.95) for key in views[number].keys}
    fused = fuse(views, selection, views[0].native_inside)
    assert dice(fused > 0, native_truth(views)) > 0.8


def test_a_single_slice_decides_where_nobody_else_says_anything():
    views = views_of_ball()[:1]
    key = views[0].nearest_key((views[0].shape[0] - 1) / 2)
    only = selection_of(views)[0][key]
    fused = fuse(views, [{key: only}], views[0].native_inside)
    own = views[0].own(fused)
    assert all(np.array_equal(part > 0, only.mask) for part in own)


def test_nothing_lies_outside_of_where_the_object_may_be():
    views = views_of_ball()
    inside = views[0].native_inside.copy()
    inside[::2] = False
    fused = fuse(views, selection_of(views), inside)
    assert (fused[~inside] == -SURE_LOGIT).all()
    assert (fused[inside] > 0).any()


def test_each_slice_takes_the_mask_that_agrees_with_the_common_one():
    views = views_of_ball([BALL, OTHER])
    good, poor = selection_of(views), selection_of(views, OTHER)
    choices = [
        {key: [poor[number][key], good[number][key]] for key in view.keys}
        for number, view in enumerate(views)
    ]
    fused = np.where(native_truth(views), 4.0, -4.0).astype(np.float32)
    chosen = agree(views, choices, fused)
    for view, masks in zip(views, chosen, strict=True):
        assert list(masks) == view.keys
        truth = view.own(native_truth(views))
        for key, mask in masks.items():
            if truth[key].sum() > 20:
                assert dice(mask.mask, truth[key]) > 0.9


def test_a_slice_with_only_bad_masks_is_asked_again_for_its_section():
    views = views_of_ball()
    choices = [{key: [] for key in view.keys} for view in views]
    fused = np.where(native_truth(views), 4.0, -4.0).astype(np.float32)
    chosen = agree(views, choices, fused)
    for view, masks in zip(views, chosen, strict=True):
        truth = view.own(native_truth(views))
        middle = view.nearest_key((view.shape[0] - 1) / 2)
        assert dice(masks[middle].mask, truth[middle]) > 0.9


def test_where_the_common_mask_has_nothing_a_slice_may_say_so():
    views = views_of_ball()
    leak = [{key: [slice_mask(np.ones(v.shape[1:], bool), 0.7)] for key in v.keys} for v in views]
    nowhere = np.full(views[0].native_inside.shape, -4.0, np.float32)
    chosen = agree(views, leak, nowhere)
    assert not any(mask.mask.any() for masks in chosen for mask in masks.values())


fields = st.lists(st.floats(-9, 9), min_size=8, max_size=8).map(
    lambda values: np.array(values, np.float32)
)


@given(fields, fields)
def test_similarity_is_a_dice_of_probabilities(one, other):
    value = similarity(one, other)
    assert 0 <= value <= 1 + 1e-6
    assert value == pytest.approx(similarity(other, one))
    assert similarity(one, one) == pytest.approx(1, abs=1e-4)
    assert value <= similarity(one, one) + 1e-6


def test_similarity_of_sure_masks_is_nearly_their_dice():
    one, other = (slice_mask(m[10], sure=9).logits for m in (BALL, OTHER))
    assert similarity(one, other) == pytest.approx(dice(one > 0, other > 0), abs=0.05)


@given(fields)
def test_bounded_logits_keep_their_sign_and_never_outvote(logits):
    limited = bounded(logits)
    assert np.array_equal(limited > 0, logits > 0)
    assert np.abs(limited).max() <= SURE_LOGIT
    modest = np.abs(logits) <= SURE_LOGIT
    assert np.array_equal(limited[modest], logits[modest])
