"""From a section to the object: followed, checked from all sides, the likeliest first."""

import numpy as np
import pytest

from SAMSegmentLib.core.errors import Cancelled
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.engines.lifting import Start, lift, starts_in_roi
from SAMSegmentLib.engines.planes import inside_of
from TestSupport.knowing_network import KnowingNetwork
from TestSupport.phantoms import ball, dice, ellipsoid, grid
from TestSupport.sections import slice_mask, views_on

GEOMETRY = grid((30, 44, 60), (2, 2, 2))
ONE = ball(GEOMETRY, (34, 44, 30), 16)
OTHER = ball(GEOMETRY, (84, 44, 30), 14)
BOTH = ONE | OTHER


def region(mask, views):
    """The part of a mask in the region, (k, j, i)."""
    view = views[0]
    return view.native(view.stack.orientation.apply(mask)[view.region.box])


def for_cut(views):
    """Each key slice's mask for the region's cut."""
    return [{key: view.ask(key, [view.limit(key)]) for key in view.keys} for view in views]


def nothing_seen(views):
    return [{key: [] for key in view.keys} for view in views]


def start_at(views, number, mask):
    """A start on the slice of a view where the mask is largest."""
    own = views[number].own(region(mask, views))
    key = max(views[number].keys, key=lambda k: own[k].sum())
    return Start(number, key, slice_mask(own[key]))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_from_a_section_along_any_axis_the_object_comes_out(number):
    views = views_on(BOTH, GEOMETRY, KnowingNetwork([ONE, OTHER]))
    for truth in (ONE, OTHER):
        start = start_at(views, number, truth)
        found = lift(views, inside_of(views), [start], nothing_seen(views), False, Watch())
        assert dice(found[0].logits > 0, region(truth, views)) > 0.95


def test_several_starts_give_several_objects_and_no_two_alike():
    views = views_on(BOTH, GEOMETRY, KnowingNetwork([ONE, OTHER]))
    starts = [start_at(views, number, truth) for number in (0, 1) for truth in (ONE, OTHER)]
    found = lift(views, inside_of(views), starts, nothing_seen(views), False, Watch())
    masks = [hypothesis.logits > 0 for hypothesis in found]
    assert len(masks) == 2
    for truth in (ONE, OTHER):
        assert max(dice(mask, region(truth, views)) for mask in masks) > 0.95
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


def test_an_ellipsoid_is_lifted_from_its_roi():
    truth = ellipsoid(GEOMETRY, (60, 44, 30), (40, 18, 14))
    views = views_on(truth, GEOMETRY, KnowingNetwork([truth]))
    seen = for_cut(views)
    found = lift(views, inside_of(views), starts_in_roi(views, seen), seen, True, Watch())
    assert dice(found[0].logits > 0, region(truth, views)) > 0.95


def test_a_mask_stays_where_the_object_may_be():
    views = views_on(ONE, GEOMETRY, KnowingNetwork([ONE]))
    inside = inside_of(views).copy()
    inside[: len(inside) // 2] = False
    seen = for_cut(views)
    for hypothesis in lift(views, inside, starts_in_roi(views, seen), seen, True, Watch()):
        assert not (hypothesis.logits > 0)[~inside].any()


def test_without_a_start_nothing_is_found():
    views = views_on(ONE, GEOMETRY, KnowingNetwork([ONE]))
    assert lift(views, inside_of(views), [], nothing_seen(views), False, Watch()) == []


def test_the_user_can_stop_it():
    views = views_on(ONE, GEOMETRY, KnowingNetwork([ONE]))

    class Now:
        def is_set(self):
            return True

    start = start_at(views, 0, ONE)
    with pytest.raises(Cancelled):
        lift(views, inside_of(views), [start], nothing_seen(views), False, Watch(cancel=Now()))


def test_every_view_offers_starts_that_differ_and_the_scans_own_its_middle():
    views = views_on(ONE, GEOMETRY, KnowingNetwork([ONE]))
    seen = for_cut(views)
    starts = starts_in_roi(views, seen)
    assert len({(start.view, start.key) for start in starts}) == len(starts)
    for number, view in enumerate(views):
        keys = [start.key for start in starts if start.view == number]
        assert keys
        assert number > 0 or view.nearest_key((view.shape[0] - 1) / 2) in keys
        assert set(keys) <= set(view.keys)
    assert all(start.mask is seen[start.view][start.key][0] for start in starts)


def test_a_section_that_runs_out_of_the_roi_is_no_start_if_there_is_a_better_one():
    views = views_on(ONE, GEOMETRY, KnowingNetwork([ONE]))[:1]
    (view,) = views
    seen = for_cut(views)
    middle = view.nearest_key((view.shape[0] - 1) / 2)
    leaking = view.keys[1]
    seen[0][leaking] = [slice_mask(np.ones(view.shape[1:], bool), 0.99)]
    first = starts_in_roi(views, seen)[0]
    assert first.key != leaking
    assert abs(first.key - middle) < len(view.keys) / 3
