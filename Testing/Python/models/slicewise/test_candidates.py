"""Of several 3D masks, the one that is meant scores highest."""

import numpy as np
import pytest

from SAMSegmentLib.core.overlap import dice
from SAMSegmentLib.models.slicewise.candidates import (
    CLEAR,
    MARGIN_MM,
    Candidate,
    Scorer,
    contrast,
    distinct,
    touching,
)
from SAMSegmentLib.models.slicewise.fusion import fuse
from SAMSegmentLib.models.slicewise.views import views_of
from TestSupport.oracle_network import OracleNetwork
from TestSupport.phantoms import ball, grid
from TestSupport.sections import roi_round, slice_mask, stacks_around, views_on

GEOMETRY = grid((30, 40, 40), (2, 2, 2))
BALL = ball(GEOMETRY, (40, 40, 30), 16)


def region(mask, views):
    """The part of a mask in the region, (k, j, i)."""
    view = views[0]
    return view.native(view.stack.orientation.apply(mask)[view.region.box])


def cuts_of(views, mask):
    """What the network says of an ROI's cuts that it takes for a mask."""
    own = views[0].own(region(mask, views))
    return {key: slice_mask(own[key], 0.9) for key in views[0].keys}


def scored(views, mask, quality=0.9, cuts=BALL, sure=6.0):
    """Score of a mask in an ROI, for whose cuts the network takes `cuts`; None: no ROI."""
    cuts = None if cuts is None else cuts_of(views, cuts)
    native = region(mask, views)
    selection = [
        {key: slice_mask(view.own(native)[key], quality, sure) for key in view.keys}
        for view in views
    ]
    logits = fuse(views, selection, views[0].native_inside)
    return Scorer(views, cuts).score(selection, logits)


@pytest.fixture(scope="module")
def views():
    return views_on(BALL, GEOMETRY, OracleNetwork([BALL]))


@pytest.mark.parametrize("cuts", [BALL, None], ids=["in an ROI", "under a click"])
def test_the_better_the_network_expects_a_mask_to_be_the_higher_it_scores(views, cuts):
    values = [scored(views, BALL, quality, cuts) for quality in (0.6, 0.75, 0.9, 0.95)]
    assert values == sorted(values) and len(set(values)) == 4


@pytest.mark.parametrize("cuts", [BALL, None], ids=["in an ROI", "under a click"])
def test_a_sure_mask_scores_higher_than_an_unsure_one(views, cuts):
    assert scored(views, BALL, cuts=cuts) > scored(views, BALL, cuts=cuts, sure=0.5)


def test_of_two_masks_that_fit_the_roi_alike_the_one_that_its_cuts_show_is_meant(views):
    right, left = ball(GEOMETRY, (46, 40, 30), 10), ball(GEOMETRY, (34, 40, 30), 10)
    assert scored(views, right, cuts=right) > scored(views, left, cuts=right)
    assert scored(views, left, cuts=left) > scored(views, right, cuts=left)


def test_cuts_of_which_the_network_thinks_nothing_say_nothing(views):
    native = region(BALL, views)
    selection = [
        {key: slice_mask(view.own(native)[key], 0.9) for key in view.keys} for view in views
    ]
    logits = fuse(views, selection, views[0].native_inside)
    other = region(ball(GEOMETRY, (40, 40, 30), 6), views)
    scores = [
        Scorer(
            views, {key: slice_mask(views[0].own(mask)[key], 0.0) for key in views[0].keys}
        ).score(selection, logits)
        for mask in (native, other)
    ]
    assert scores[0] == scores[1]


def test_in_an_roi_the_mask_that_fills_it_is_meant(views):
    small = ball(GEOMETRY, (40, 40, 30), 7)
    aside = ball(GEOMETRY, (48, 48, 38), 7)
    assert scored(views, BALL) > scored(views, small) > scored(views, aside)


def test_in_an_roi_drawn_with_a_margin_the_core_is_meant_and_not_the_shell_around_it():
    core = ball(GEOMETRY, (40, 40, 30), 8)
    with_shell = ball(GEOMETRY, (40, 40, 30), 12)
    views = views_on(core, GEOMETRY, OracleNetwork([core]), margin=MARGIN_MM)
    for cuts in (core, with_shell):
        assert scored(views, core, cuts=cuts) > scored(views, with_shell, cuts=cuts)


def test_in_an_roi_a_mask_that_runs_out_of_it_is_not_meant(views):
    everything = np.ones(GEOMETRY.shape, bool)
    leak = BALL.copy()
    leak[:, 18:23] = True
    assert scored(views, BALL) > scored(views, leak)
    assert scored(views, BALL) > scored(views, everything)


def test_an_empty_mask_is_never_meant(views):
    assert scored(views, np.zeros(GEOMETRY.shape, bool)) == -np.inf


def test_masks_that_disagree_with_the_common_one_make_it_unlikely(views):
    native = region(BALL, views)
    other = region(ball(GEOMETRY, (50, 40, 30), 10), views)
    agreeing, disagreeing = (
        [{key: slice_mask(view.own(m)[key], 0.9) for key in view.keys} for view in views]
        for m in (native, other)
    )
    logits = fuse(views, agreeing, views[0].native_inside)
    scorer = Scorer(views, cuts_of(views, BALL))
    assert scorer.score(agreeing, logits) > scorer.score(disagreeing, logits)


def test_of_two_masks_that_fit_the_roi_alike_the_one_with_a_border_is_meant(views):
    """Grey levels of BALL: the ball moved aside has a border on one side only."""
    left, right = (ball(GEOMETRY, (40 + x, 40, 30), 10) for x in (-6, 6))
    image = views_on(right, GEOMETRY, OracleNetwork([right]), margin=12.0)
    assert scored(image, right, cuts=BALL) > scored(image, left, cuts=BALL)


def test_only_a_mask_whose_border_is_that_of_a_tissue_stands_out():
    view = views_on(BALL, GEOMETRY, OracleNetwork([BALL]), margin=8.0)[0]
    steps = [
        contrast(view.own(region(mask, [view])), view)
        for mask in (BALL, ball(GEOMETRY, (40, 40, 30), 20), ball(GEOMETRY, (40, 40, 30), 10))
    ]
    own, larger, smaller = steps
    assert own > 5
    assert larger < 1
    assert smaller == 0


def test_a_mask_of_uneven_tissue_stands_out_less():
    view = views_on(BALL, GEOMETRY, OracleNetwork([BALL]))[0]
    own = view.own(region(BALL, [view]))
    even = contrast(own, view)
    rng = np.random.default_rng(1)
    for number in range(view.shape[0]):
        noise = rng.integers(0, 100, view.shape[1:]) * own[number]
        view._grey[number] = (view.grey(number) * 0.6 + noise).astype(np.uint8)
    assert contrast(own, view) < even / 2


def test_a_few_voxels_of_one_grey_level_are_not_meant_for_their_contrast():
    views = views_on(BALL, GEOMETRY, OracleNetwork([BALL]))
    view, speck = views[0], np.zeros(GEOMETRY.shape, bool)
    speck[15, 20, 20:22] = True
    for number in range(view.shape[0]):
        own, dot = (view.own(region(mask, views))[number] for mask in (BALL, speck))
        noise = np.random.default_rng(number).integers(0, 120, own.shape)
        view._grey[number] = np.where(dot, 255, own * (60 + noise)).astype(np.uint8)
    assert contrast(view.own(region(speck, views)), view) > 4 * CLEAR
    assert scored(views, BALL, cuts=BALL) > scored(views, speck, cuts=BALL)


def test_an_empty_mask_does_not_stand_out(views):
    assert contrast(np.zeros(views[0].shape, bool), views[0]) == 0


def test_a_mask_within_the_region_touches_no_face(views):
    view = views[0]
    own = view.own(region(BALL, views))
    assert touching(own, view) == 0


def test_a_mask_on_a_face_touches_it_more_the_more_of_it_lies_there(views):
    view = views[0]
    values = []
    for width in (2, 6, 12):
        mask = np.zeros(view.shape, bool)
        mask[: view.shape[0] // 2, 2 : 2 + width, 2:8] = True
        values.append(touching(mask, view))
    assert 0 < values[0] < values[1] < values[2]


def test_a_mask_that_fills_the_region_touches_all_its_faces(views):
    view = views[0]
    sides = np.array(view.shape) * view.spacing
    area = 2 * (sides[0] * sides[1] + sides[1] * sides[2] + sides[0] * sides[2])
    full = touching(np.ones(view.shape, bool), view)
    assert full == pytest.approx(area / (6 * np.prod(sides) ** (2 / 3)))


def test_at_the_volumes_border_nothing_is_touched():
    cut = ball(GEOMETRY, (0, 40, 30), 16)
    stacks = stacks_around(cut, GEOMETRY)
    views = views_of(stacks, roi_round(cut, GEOMETRY), OracleNetwork([cut]))
    view = views[0]
    own = view.own(region(cut, views))
    assert own[:, :, 0].any() or own[:, :, -1].any()
    assert touching(own, view) == 0


def candidate_of(mask, value):
    return Candidate([], np.where(mask, 4.0, -4.0).astype(np.float32), value)


def test_the_best_come_first_and_what_is_nearly_the_same_comes_once():
    small, apart = ball(GEOMETRY, (40, 40, 30), 8), ball(GEOMETRY, (60, 60, 50), 8)
    nearly = BALL.copy()
    nearly[np.nonzero(BALL)[0][0]] = False
    offered = [
        candidate_of(small, 1.0),
        candidate_of(nearly, 2.9),
        candidate_of(BALL, 3.0),
        candidate_of(apart, 2.0),
    ]
    assert dice(nearly, BALL) > 0.9
    assert [c.score for c in distinct(offered, 4)] == [3.0, 2.0, 1.0]
    assert [c.score for c in distinct(offered, 2)] == [3.0, 2.0]
    assert distinct([], 3) == []
