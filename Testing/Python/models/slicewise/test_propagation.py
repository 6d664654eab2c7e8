"""From a section to the object: followed, checked from all sides, the likeliest first."""

import threading

import numpy as np
import pytest

from SAMSegmentLib.core.errors import Cancelled
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.models.slicewise.previews import Previews
from SAMSegmentLib.models.slicewise.propagation import MOST_CANDIDATES, MOST_TRACKS, Propagation
from SAMSegmentLib.models.slicewise.seeds import Seed, seeds_in_roi
from SAMSegmentLib.models.slicewise.slices import Limits
from SAMSegmentLib.models.slicewise.views import views_of
from TestSupport.oracle_network import OracleNetwork
from TestSupport.phantoms import ball, dice, ellipsoid, grid
from TestSupport.sections import for_cut, roi_round, slice_mask, stacks_around, views_on

GEOMETRY = grid((30, 44, 60), (2, 2, 2))
ONE = ball(GEOMETRY, (34, 44, 30), 16)
OTHER = ball(GEOMETRY, (84, 44, 30), 14)
BOTH = ONE | OTHER


def region(mask, views):
    """The part of a mask in the region, (k, j, i)."""
    view = views[0]
    return view.native(view.stack.orientation.apply(mask)[view.region.box])


def objects(views, seeds, seen=None, cuts=None, watch=None):
    """What comes out; `seen` is what every slice may fall back on, None: nothing."""
    seen = seen or [{key: [] for key in view.keys} for view in views]
    return Propagation(views, watch or Watch(), Previews(), cuts).objects(seeds, seen)


def first_of(seen):
    """The masks for the ROI's cuts with the first view's slices."""
    return {key: masks[0] for key, masks in seen[0].items()}


def seed_at(views, number, mask):
    """A seed on the slice of a view where the mask is largest."""
    own = views[number].own(region(mask, views))
    key = max(views[number].keys, key=lambda k: own[k].sum())
    return Seed(number, key, slice_mask(own[key]))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_from_a_section_along_any_axis_the_object_comes_out(number):
    views = views_on(BOTH, GEOMETRY, OracleNetwork([ONE, OTHER]))
    for truth in (ONE, OTHER):
        seed = seed_at(views, number, truth)
        found = objects(views, [seed])
        assert dice(found[0].logits > 0, region(truth, views)) > 0.95


def test_several_seeds_give_several_objects_and_no_two_alike():
    views = views_on(BOTH, GEOMETRY, OracleNetwork([ONE, OTHER]))
    seeds = [seed_at(views, number, truth) for number in (0, 1) for truth in (ONE, OTHER)]
    found = objects(views, seeds)
    masks = [candidate.logits > 0 for candidate in found]
    assert len(masks) == 2
    for truth in (ONE, OTHER):
        assert max(dice(mask, region(truth, views)) for mask in masks) > 0.95
    assert [h.score for h in found] == sorted((h.score for h in found), reverse=True)


def test_an_ellipsoid_is_propagated_from_its_roi():
    truth = ellipsoid(GEOMETRY, (60, 44, 30), (40, 18, 14))
    views = views_on(truth, GEOMETRY, OracleNetwork([truth]))
    seen = for_cut(views)
    seeds = seeds_in_roi(views, seen, Watch())
    found = objects(views, seeds, seen, first_of(seen), Watch())
    assert dice(found[0].logits > 0, region(truth, views)) > 0.95


def test_a_mask_stays_where_the_object_may_be():
    half = np.ones((15, *GEOMETRY.shape[1:]), bool)
    stacks = stacks_around(ONE, GEOMETRY, Limits(Patch(half, (0, 0, 0))))
    views = views_of(stacks, roi_round(ONE, GEOMETRY), OracleNetwork([ONE]))
    assert not views[0].native_inside.all()
    seen = for_cut(views)
    seeds = seeds_in_roi(views, seen, Watch())
    for candidate in objects(views, seeds, seen, first_of(seen)):
        assert not (candidate.logits > 0)[~views[0].native_inside].any()


def test_a_seed_on_what_was_followed_already_costs_nothing():
    network = OracleNetwork([ONE])
    views = views_on(ONE, GEOMETRY, network)
    seed = seed_at(views, 0, ONE)
    own = views[0].own(region(ONE, views))
    near = Seed(0, seed.key - 1, slice_mask(own[seed.key - 1]))
    objects(views, [seed])
    asked = len(network.asked)
    found = objects(views, [seed, near])
    assert len(network.asked) == asked
    assert len(found) == 1


def test_no_more_seeds_are_followed_than_a_user_would_wait_for():
    balls = [ball(GEOMETRY, (10 + 9 * n, 44, 30), 4) for n in range(MOST_TRACKS + 3)]
    everything = np.any(balls, axis=0)
    network = OracleNetwork(balls)
    views = views_on(everything, GEOMETRY, network)
    seeds = [seed_at(views, 0, truth) for truth in balls]
    steps = []
    objects(views, seeds, watch=Watch(progress=lambda *step: steps.append(step)))
    assert steps[0][1] == len(seeds)
    fewer = OracleNetwork(balls)
    again = views_on(everything, GEOMETRY, fewer)
    objects(again, seeds[:MOST_TRACKS])
    assert len(network.asked) == len(fewer.asked)


def test_what_is_offered_beside_the_finalists_is_another_object():
    balls = [ball(GEOMETRY, (20 + 20 * n, 44, 30), 9) for n in range(MOST_CANDIDATES + 1)]
    views = views_on(np.any(balls, axis=0), GEOMETRY, OracleNetwork(balls))
    seeds = [seed_at(views, 0, truth) for truth in balls]
    found = objects(views, seeds)
    assert len(found) == MOST_CANDIDATES
    shown = {
        max(range(len(balls)), key=lambda n: dice(h.logits > 0, region(balls[n], views)))
        for h in found
    }
    assert len(shown) == MOST_CANDIDATES


def test_without_a_seed_nothing_is_found():
    views = views_on(ONE, GEOMETRY, OracleNetwork([ONE]))
    assert objects(views, []) == []


def test_the_user_can_stop_it():
    views = views_on(ONE, GEOMETRY, OracleNetwork([ONE]))

    stop = threading.Event()
    stop.set()
    seed = seed_at(views, 0, ONE)
    with pytest.raises(Cancelled):
        objects(views, [seed], watch=Watch(cancel=stop))
