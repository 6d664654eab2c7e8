"""From a section to the object: followed, checked from all sides, the likeliest first."""

import threading

import numpy as np
import pytest

from SAMSegmentLib.core.errors import Cancelled
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.models.slicewise.planes import inside_of
from SAMSegmentLib.models.slicewise.propagation import MOST_TRACKS, OFFERS, lift
from SAMSegmentLib.models.slicewise.starts import Start, starts_in_roi
from TestSupport.knowing_network import KnowingNetwork
from TestSupport.phantoms import ball, dice, ellipsoid, grid
from TestSupport.sections import for_cut, slice_mask, views_on

GEOMETRY = grid((30, 44, 60), (2, 2, 2))
ONE = ball(GEOMETRY, (34, 44, 30), 16)
OTHER = ball(GEOMETRY, (84, 44, 30), 14)
BOTH = ONE | OTHER


def region(mask, views):
    """The part of a mask in the region, (k, j, i)."""
    view = views[0]
    return view.native(view.stack.orientation.apply(mask)[view.region.box])


def nothing_seen(views):
    return [{key: [] for key in view.keys} for view in views]


def first_of(seen):
    """The masks for the ROI's cuts with the first view's slices."""
    return {key: masks[0] for key, masks in seen[0].items()}


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
        found = lift(views, inside_of(views), [start], nothing_seen(views), None, Watch())
        assert dice(found[0].logits > 0, region(truth, views)) > 0.95


def test_several_starts_give_several_objects_and_no_two_alike():
    views = views_on(BOTH, GEOMETRY, KnowingNetwork([ONE, OTHER]))
    starts = [start_at(views, number, truth) for number in (0, 1) for truth in (ONE, OTHER)]
    found = lift(views, inside_of(views), starts, nothing_seen(views), None, Watch())
    masks = [hypothesis.logits > 0 for hypothesis in found]
    assert len(masks) == 2
    for truth in (ONE, OTHER):
        assert max(dice(mask, region(truth, views)) for mask in masks) > 0.95
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


def test_an_ellipsoid_is_lifted_from_its_roi():
    truth = ellipsoid(GEOMETRY, (60, 44, 30), (40, 18, 14))
    views = views_on(truth, GEOMETRY, KnowingNetwork([truth]))
    seen = for_cut(views)
    starts = starts_in_roi(views, seen, Watch())
    found = lift(views, inside_of(views), starts, seen, first_of(seen), Watch())
    assert dice(found[0].logits > 0, region(truth, views)) > 0.95


def test_a_mask_stays_where_the_object_may_be():
    views = views_on(ONE, GEOMETRY, KnowingNetwork([ONE]))
    inside = inside_of(views).copy()
    inside[: len(inside) // 2] = False
    seen = for_cut(views)
    starts = starts_in_roi(views, seen, Watch())
    for hypothesis in lift(views, inside, starts, seen, first_of(seen), Watch()):
        assert not (hypothesis.logits > 0)[~inside].any()


def test_a_start_on_what_was_followed_already_costs_nothing():
    network = KnowingNetwork([ONE])
    views = views_on(ONE, GEOMETRY, network)
    start = start_at(views, 0, ONE)
    own = views[0].own(region(ONE, views))
    near = Start(0, start.key - 1, slice_mask(own[start.key - 1]))
    lift(views, inside_of(views), [start], nothing_seen(views), None, Watch())
    asked = len(network.asked)
    found = lift(views, inside_of(views), [start, near], nothing_seen(views), None, Watch())
    assert len(network.asked) == asked
    assert len(found) == 1


def test_no_more_starts_are_followed_than_a_user_would_wait_for():
    balls = [ball(GEOMETRY, (10 + 9 * n, 44, 30), 4) for n in range(MOST_TRACKS + 3)]
    everything = np.any(balls, axis=0)
    network = KnowingNetwork(balls)
    views = views_on(everything, GEOMETRY, network)
    starts = [start_at(views, 0, truth) for truth in balls]
    steps = []
    lift(
        views,
        inside_of(views),
        starts,
        nothing_seen(views),
        None,
        Watch(progress=lambda *step: steps.append(step)),
    )
    assert steps[0][1] == len(starts)
    fewer = KnowingNetwork(balls)
    again = views_on(everything, GEOMETRY, fewer)
    lift(again, inside_of(again), starts[:MOST_TRACKS], nothing_seen(again), None, Watch())
    assert len(network.asked) == len(fewer.asked)


def test_what_is_offered_beside_the_finalists_is_another_object():
    balls = [ball(GEOMETRY, (20 + 20 * n, 44, 30), 9) for n in range(OFFERS + 1)]
    views = views_on(np.any(balls, axis=0), GEOMETRY, KnowingNetwork(balls))
    starts = [start_at(views, 0, truth) for truth in balls]
    found = lift(views, inside_of(views), starts, nothing_seen(views), None, Watch())
    assert len(found) == OFFERS
    objects = {
        max(range(len(balls)), key=lambda n: dice(h.logits > 0, region(balls[n], views)))
        for h in found
    }
    assert len(objects) == OFFERS


def test_without_a_start_nothing_is_found():
    views = views_on(ONE, GEOMETRY, KnowingNetwork([ONE]))
    assert lift(views, inside_of(views), [], nothing_seen(views), None, Watch()) == []


def test_the_user_can_stop_it():
    views = views_on(ONE, GEOMETRY, KnowingNetwork([ONE]))

    stop = threading.Event()
    stop.set()
    start = start_at(views, 0, ONE)
    with pytest.raises(Cancelled):
        lift(views, inside_of(views), [start], nothing_seen(views), None, Watch(cancel=stop))
