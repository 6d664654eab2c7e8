"""While an engine works it can be watched and stopped; while it does not, it looks ahead."""

from dataclasses import replace

import numpy as np
import pytest

from SAMSegmentLib.core.errors import Cancelled
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from TestSupport.bright_network import bright_engine
from TestSupport.phantoms import ball, grid

GEOMETRY = grid((12, 40, 40))
CLICK = (30.0, 30.0, 15.0)
BALL = ball(GEOMETRY, CLICK, 10.0)


def tissue(air: bool = False) -> Image:
    """A CT of tissue with a ball; or one of air, in which the lung's grey levels are tried."""
    noise = np.random.default_rng(0).normal(0, 8, GEOMETRY.shape)
    voxels = np.where(BALL, 180, -850 if air else 20) + noise
    return Image(voxels.astype(np.int16), GEOMETRY, modality="CT")


@pytest.fixture
def engine():
    """An engine that has seen nothing, with a network that takes no time."""
    return bright_engine()


class After:
    """A flag that is set when it was looked at a number of times."""

    def __init__(self, looks):
        self.left = looks

    def is_set(self):
        self.left -= 1
        return self.left < 0


class Counting:
    """A flag that is never set, and counts how often it was looked at."""

    looks = 0

    def is_set(self):
        self.looks += 1
        return False


def click(engine, image, watch=None):
    return engine.predict(image, Prompts(points=(Point(CLICK),)), watch or Watch())


def test_a_click_finds_ready_what_was_prepared(engine):
    image = tissue()
    engine.prepare(image, np.array(CLICK), Watch())
    # The slices through the click in three planes, and the scan's own before and after.
    assert engine._model.encoded == 5
    ahead = click(engine, image)
    other = tissue()
    unprepared = click(engine, other)
    assert unprepared.cost.encoded - ahead.cost.encoded == 3
    assert np.array_equal(ahead.logits, unprepared.logits)


def test_grey_levels_are_chosen_ahead_as_a_click_would_choose_them(engine):
    image = tissue(air=True)
    engine.prepare(image, np.array(CLICK), Watch())
    encoded = engine._model.encoded
    assert encoded > 5
    stacks_of_click = click(engine, image).cost
    assert engine._model.encoded == encoded + stacks_of_click.encoded
    assert len(stacks_of_click.pictures) - stacks_of_click.encoded == encoded - 2


def test_the_same_again_is_not_prepared_again_and_beside_the_volume_nothing_is(engine):
    image = tissue()
    engine.prepare(image, np.array((-100.0, 0, 0)), Watch())
    assert engine._model.encoded == 0
    for _ in range(2):
        engine.prepare(image, np.array(CLICK), Watch())
    assert engine._model.encoded == 5


def test_looking_ahead_that_was_stopped_keeps_whole_pictures_only(engine):
    image, counting = tissue(), Counting()
    engine.prepare(image, np.array(CLICK), Watch(cancel=counting))
    whole = set(engine._cache._embeddings._kept)
    engine._cache.clear()
    for looks in (0, 1, counting.looks // 2):
        with pytest.raises(Cancelled):
            engine.prepare(image, np.array(CLICK), Watch(cancel=After(looks)))
    assert 0 < len(engine._cache._embeddings._kept) < len(whole)
    encoded = engine._model.encoded
    engine.prepare(image, np.array(CLICK), Watch())
    assert set(engine._cache._embeddings._kept) == whole
    assert engine._model.encoded - encoded < len(whole)


def test_a_click_stopped_anywhere_leaves_no_trace_in_the_next_answer(engine):
    image, counting = tissue(), Counting()
    expected = click(engine, image, Watch(cancel=counting))
    rng = np.random.default_rng(0)
    for looks in (1, 5, *rng.integers(10, counting.looks, 3)):
        engine._cache.clear()
        engine._answers.clear()
        with pytest.raises(Cancelled):
            click(engine, image, Watch(cancel=After(int(looks))))
    assert np.array_equal(click(engine, image).logits, expected.logits)


def test_an_answer_outlives_the_flag_of_the_request_for_which_it_was_made(engine):
    image, flag = tissue(), After(10**9)
    click(engine, image, Watch(cancel=flag))
    flag.left = 0
    further = Prompts(points=(Point(CLICK), Point((30, 30, 21), False)))
    assert not engine.predict(image, further, Watch()).mask()[7, 20, 20]


def test_a_click_shows_its_section_first_and_then_more_and_more(engine):
    image, seen = tissue(), []
    plain = click(engine, image)
    engine._answers.clear()
    watched = click(engine, image, Watch(preview=lambda make: seen.append(make().mask())))
    assert np.array_equal(watched.logits, plain.logits)
    first = np.argwhere(seen[0])
    assert len(np.unique(first[:, 0])) == 1 and first[0, 0] == 5
    assert np.count_nonzero(seen[0]) < np.count_nonzero(seen[-1])
    assert any(len(np.unique(np.argwhere(mask)[:, 0])) > 2 for mask in seen[:-1])


@pytest.mark.parametrize("air", [False, True], ids=["tissue", "air, in two grey levels"])
@pytest.mark.parametrize("kind", ["ROI", "point", "line"])
def test_after_the_first_picture_there_is_something_to_see(engine, kind, air):
    prompts = {
        "ROI": Prompts(Roi.from_box(CLICK, (26, 26, 26))),
        "point": Prompts(points=(Point(CLICK),)),
        "line": Prompts(line=Line((20.0, 30, 15), (40.0, 30, 15))),
    }[kind]
    shown = []

    def look(make):
        shown.append((engine._model.encoded, np.count_nonzero(make().mask() & BALL)))

    engine.predict(tissue(air), prompts, Watch(preview=look))
    pictures, voxels = shown[0]
    assert pictures == 1 and voxels > 50


def test_an_roi_shows_the_middle_of_the_plane_in_view_then_others_then_more(engine):
    image, roi = tissue(), Roi.from_box(CLICK, (26, 26, 26))
    for axis in range(3):
        seen = []
        watch = Watch(
            preview=lambda make, seen=seen: seen.append(make().mask()),
            facing=tuple(GEOMETRY.directions[:, 2 - axis]),
        )
        engine.forget_answers()
        engine.predict(image, Prompts(roi), watch)
        sides = np.ptp(np.argwhere(seen[0]), axis=0) + 1
        assert sides[axis] == 1
        counts = [np.count_nonzero(mask & BALL) for mask in seen]
        assert max(counts[:12]) > 3 * counts[0]
        assert counts[-1] > 0.9 * np.count_nonzero(BALL)


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_the_slice_in_which_the_user_looks_is_shown_first_and_the_answer_is_the_same(engine, plane):
    image, prompts = tissue(), Prompts(points=(Point(CLICK),))
    facing = tuple(-GEOMETRY.directions[:, 2 - plane])
    thickness = []
    watch = Watch(preview=lambda make: thickness.append(make().logits.shape), facing=facing)
    answer = engine.predict(image, prompts, watch)
    assert thickness[0][plane] == 1
    plain = engine.predict(tissue(), prompts, Watch())
    assert answer.start == plain.start and np.array_equal(answer.logits, plain.logits)


def test_many_clicks_are_answered_and_those_that_agree_ask_nothing(engine, monkeypatch):
    image, asked = tissue(), []
    first = engine.predict(image, Prompts(points=(Point(CLICK),)), Watch())
    monkeypatch.setattr(engine, "encode", lambda *_: asked.append(1))
    places = np.add(CLICK, np.linspace(-3, 3, 200)[:, None] * (1, 0.7, 0))
    clicks = [Point(CLICK), *(Point(tuple(place)) for place in places)]
    last = engine.predict(image, Prompts(points=tuple(clicks)), Watch())
    assert np.array_equal(last.mask(), first.mask()) and asked == []
    assert len(engine._answers) <= engine.KEPT_ANSWERS


def test_the_candidate_that_is_meant_is_the_mask_and_is_corrected(engine, monkeypatch):
    first = engine.predict(tissue(), Prompts(points=(Point(CLICK),)), Watch())
    (((found,), _),) = engine._answers._kept.values()
    other = replace(found, mask=replace(found.mask, values=found.mask.values - 100))
    monkeypatch.setattr(engine, "first", lambda *_: [found, other])
    image, points = tissue(), (Point(CLICK),)
    read = engine.predict(image, Prompts(points=points, candidate=1), Watch())
    assert np.array_equal(read.logits, other.mask.values)
    assert np.array_equal(read.alternatives[0].logits, found.mask.values)
    far = (CLICK[0] + 15, *CLICK[1:])
    corrected = engine.predict(image, Prompts(points=(*points, Point(far)), candidate=1), Watch())
    assert corrected.mask().sum() < first.mask().sum()
