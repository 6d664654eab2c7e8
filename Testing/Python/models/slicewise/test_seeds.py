"""Where to seed from in an ROI: sections of all that it may have been drawn around."""

import threading

import numpy as np
import pytest

from SAMSegmentLib.core.errors import Cancelled
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.models.slicewise.seeds import ALIKE, GOOD, SMALLEST_SHARE, seeds_in_roi
from TestSupport.oracle_network import OracleNetwork
from TestSupport.phantoms import ball, dice, ellipsoid, grid
from TestSupport.sections import for_cut, slice_mask, views_on

GEOMETRY = grid((30, 44, 60), (2, 2, 2))
ONE = ball(GEOMETRY, (34, 44, 30), 16)
OTHER = ball(GEOMETRY, (84, 44, 30), 14)


def seeds_of(views):
    return seeds_in_roi(views, for_cut(views), Watch())


def section(truth, seed, views):
    """The part of a mask (k, j, i) on a seed's slice of the region."""
    view = views[seed.view]
    return view.stack.orientation.apply(truth)[view.region.box][seed.key]


@pytest.mark.parametrize("number", [0, 1])
def test_along_every_axis_that_shows_both_each_object_in_the_roi_is_offered(number):
    views = views_on(ONE | OTHER, GEOMETRY, OracleNetwork([ONE, OTHER]))
    seeds = [seed for seed in seeds_of(views) if seed.view == number]
    for truth in (ONE, OTHER):
        assert max(dice(s.mask.mask, section(truth, s, views)) for s in seeds) > 0.9


def test_an_object_is_offered_though_the_network_takes_the_rois_cut_for_its_neighbour():
    organ = ellipsoid(GEOMETRY, (40, 44, 30), (14, 14, 14))
    neighbour = ball(GEOMETRY, (84, 44, 30), 30) & ~organ

    class Misled(OracleNetwork):
        def _for_box(self, sections, box):
            whole_roi = (box[2] - box[0]) * (box[3] - box[1]) > 2.0 * sections[0].sum()
            return super()._for_box(sections[1:] * 2 if whole_roi else sections, box)

    views = views_on(organ, GEOMETRY, Misled([organ, neighbour]), margin=12.0)
    found = [dice(s.mask.mask, section(organ, s, views)) for s in seeds_of(views)]
    assert max(found) > 0.9


def test_the_most_promising_seed_comes_first_and_runs_not_into_the_rois_edge():
    views = views_on(ONE, GEOMETRY, OracleNetwork([ONE]))[:1]
    (view,) = views
    seen = for_cut(views)
    leaking = view.keys[1]
    seen[0][leaking] = [slice_mask(np.ones(view.shape[1:], bool), 0.99)]
    first = seeds_in_roi(views, seen, Watch())[0]
    assert dice(first.mask.mask, section(ONE, first, views)) > 0.9


def test_no_two_seeds_on_a_slice_are_alike():
    views = views_on(ONE | OTHER, GEOMETRY, OracleNetwork([ONE, OTHER]))
    (view, *_), seen = views, for_cut(views)
    cuts = [seen[0][key][0] for key in view.keys]
    searched = [s for s in seeds_in_roi(views, seen, Watch()) if s.mask not in cuts]
    for one in searched:
        for other in searched:
            if one is not other and (one.view, one.key) == (other.view, other.key):
                assert dice(one.mask.mask, other.mask.mask) < ALIKE


def test_within_a_section_that_is_good_nothing_else_is_searched():
    network, doubtful = OracleNetwork([ONE]), OracleNetwork([ONE], best_quality=GOOD - 0.05)
    for each in (network, doubtful):
        seeds_of(views_on(ONE, GEOMETRY, each))
    assert len(network.asked) < 0.7 * len(doubtful.asked)


def test_specks_are_no_seeds_but_better_than_none():
    speck = np.zeros(GEOMETRY.shape, bool)
    speck[14:17, 20:22, 30:32] = True
    views = views_on(ONE | OTHER, GEOMETRY, OracleNetwork([ONE, OTHER, speck]))
    for seed in seeds_of(views):
        assert np.count_nonzero(seed.mask.mask) >= SMALLEST_SHARE * seed.mask.mask.size
    alone = views_on(ONE | OTHER, GEOMETRY, OracleNetwork([speck]))
    assert len(seeds_of(alone)) == 1


def test_the_user_can_stop_the_search():
    views = views_on(ONE, GEOMETRY, OracleNetwork([ONE]))

    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        seeds_in_roi(views, for_cut(views), Watch(cancel=stop))
