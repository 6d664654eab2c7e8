"""What can be looked at while an answer is made: in 3D, growing, and free if nobody looks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.models.slicewise.previews import EVERY, Previews
from TestSupport.geometries import geometries
from TestSupport.oracle_network import OracleNetwork
from TestSupport.phantoms import ball, dice, grid, middle_of
from TestSupport.properties import examples
from TestSupport.sections import (
    finder_of,
    offers_of,
    roi_round,
    slice_mask,
    stacks_around,
    views_on,
)

GEOMETRY = grid((30, 44, 60), (2, 2, 2))
MIDDLE = (60.0, 44.0, 30.0)
BALL = ball(GEOMETRY, MIDDLE, 18)


class Looker:
    """Looks at everything, or only counts what there is to look at."""

    def __init__(self, looks=True):
        self.looks = looks
        self.offered = 0
        self.seen = []

    def __call__(self, make):
        self.offered += 1
        if self.looks:
            self.seen.append(make())

    @property
    def masks(self):
        return [prediction.mask().astype(bool) for prediction in self.seen]


def roi_answer(looker=None):
    finder = finder_of([BALL], GEOMETRY, Watch(preview=looker))
    return finder.in_roi(roi_round(BALL, GEOMETRY))


def click_answer(looker=None, truth=BALL, geometry=GEOMETRY, ras=MIDDLE, offers=None):
    finder = finder_of([truth], geometry, Watch(preview=looker))
    return finder.at_click(offers or offers_of([truth], finder.stacks, ras), np.array(ras))


@pytest.mark.parametrize("answer_of", [roi_answer, click_answer])
def test_whether_somebody_looks_or_not_the_answer_is_the_same(answer_of):
    plain = answer_of()
    for looker in (Looker(), Looker(looks=False)):
        answer = answer_of(looker)
        assert looker.offered > 3
        assert len(answer) == len(plain)
        for one, other in zip(answer, plain, strict=True):
            assert np.array_equal(one.mask.values, other.mask.values)
            assert one.mask.start == other.mask.start


@pytest.mark.parametrize("answer_of", [roi_answer, click_answer])
def test_what_is_shown_grows_to_the_answer(answer_of):
    looker = Looker()
    answer = Answer.of(answer_of(looker)[0].mask, GEOMETRY).mask()
    fits = [dice(mask, answer) for mask in looker.masks]
    assert fits[0] < 0.6 and fits[-1] > 0.95
    assert all(later > earlier - 0.1 for earlier, later in pairwise(fits))
    assert all(prediction.geometry == GEOMETRY for prediction in looker.seen)
    assert all(prediction.logits.dtype == np.float32 for prediction in looker.seen)


def test_nothing_that_is_shown_leaves_an_oblique_roi():
    roi = Roi.from_box(MIDDLE, (24, 30, 20), np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1.0]]))
    looker = Looker()
    finder_of([BALL], GEOMETRY, Watch(preview=looker)).in_roi(roi)
    outside = ~roi.contains_voxels(GEOMETRY)
    assert looker.seen and not any((mask & outside).any() for mask in looker.masks)


def test_a_preview_stays_what_it_was_though_it_is_looked_at_later():
    views = views_on(BALL, GEOMETRY, OracleNetwork([BALL]))
    kept = []
    previews = Previews(Watch(preview=kept.append))
    own = views[0].own(BALL[tuple(_box_of(views))])
    masks = {}
    for key in views[0].keys:
        masks[key] = slice_mask(own[key])
        previews.slices(views[0], masks)
    assert len(kept) == len(views[0].keys) // EVERY > 2
    slices = [np.flatnonzero(make().mask().any((1, 2))) for make in kept]
    assert all(len(a) < len(b) for a, b in pairwise(slices) if len(a))


def _box_of(views):
    start = views[0].stack.orientation.undo_start(
        views[0].region.start, views[0].shape, views[0].stack.geometry.shape
    )
    shape = views[0].native(views[0].inside).shape
    return [slice(a, a + n) for a, n in zip(start, shape, strict=True)]


def test_once_a_whole_object_was_shown_it_is_not_built_up_again():
    views = views_on(BALL, GEOMETRY, OracleNetwork([BALL]))
    looker = Looker()
    previews = Previews(Watch(preview=looker))
    masks = {key: slice_mask(np.ones(views[0].shape[1:], bool)) for key in range(EVERY)}
    previews.slices(views[0], masks)
    previews.whole(views, np.ones(views[0].native(views[0].inside).shape, np.float32))
    previews.slices(views[0], masks)
    assert looker.offered == 2


@settings(max_examples=examples(25))
@given(geometries(st.just((14, 15, 16)), st.tuples(*[st.floats(1, 2)] * 3)))
def test_sections_are_shown_thin_in_their_planes_in_any_volume(geometry):
    extent = float((geometry.spacing * geometry.shape[::-1]).min())
    voxel = np.array(geometry.shape) // 2
    ras = geometry.to_ras(voxel[::-1])
    truth = ball(geometry, ras, 0.3 * extent)
    stacks = stacks_around(truth, geometry)
    looker = Looker()
    previews = Previews(Watch(preview=looker))
    best, expected = [], np.zeros(geometry.shape, bool)
    for stack, (section,) in zip(stacks, offers_of([truth], stacks, ras), strict=True):
        index = int(np.rint(stack.geometry.to_ijk(ras)[2]))
        best.append((stack, index, section))
        previews.sections(best)
        axis = stack.orientation.axes[0]
        there = [slice(None)] * 3
        there[axis] = voxel[axis]
        expected[tuple(there)] |= truth[tuple(there)]
        assert np.array_equal(looker.masks[-1], expected)
    # No more than the box around the object is held, however large the slices are.
    assert looker.seen[-1].logits.size <= np.prod(np.ptp(np.argwhere(truth), axis=0) + 1)


def test_of_no_sections_nothing_is_shown():
    looker = Looker()
    Previews(Watch(preview=looker)).sections([])
    assert looker.offered == 0


def test_middle_of_nowhere_is_no_reason_to_fail():
    geometry = grid((12, 20, 20), (2, 2, 2))
    nothing = np.zeros(geometry.shape, bool)
    looker = Looker()
    answer = click_answer(
        looker, nothing, geometry, middle_of(geometry), offers=[[] for _ in range(3)]
    )
    assert Answer.of(answer[0].mask, geometry).mask().any()
