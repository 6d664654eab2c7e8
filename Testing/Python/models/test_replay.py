"""Any number of clicks is answered click by click, each at the cost of its own correction."""

import pytest

from SAMSegmentLib.core.errors import Cancelled
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.models.embedding_cache import MemoryCache
from SAMSegmentLib.models.replay import replayed

MANY = 3000  # beyond Python's limit of calls within calls


class Text(str):
    """An answer: what was said, in its order."""

    @property
    def nbytes(self) -> int:
        return len(self)


class Scribe:
    """Answers with what it was told.

    Attributes:
        worked: how often it made an answer.
    """

    def __init__(self, most: int = 8) -> None:
        self.kept: MemoryCache[tuple[Text]] = MemoryCache(10**9, most, at_least=2)
        self.worked = 0

    def __call__(self, *xs: float, request="request", watch=None) -> Text:
        clicks = [Point((abs(x), 0, 0), x > 0) for x in xs]
        (answer,) = replayed(
            self.kept, request, Prompts(), clicks, self._begin, self._correct, watch or Watch()
        )
        return answer

    def _begin(self) -> tuple[Text]:
        self.worked += 1
        return (Text("first"),)

    def _correct(self, answer: Text, so_far: Prompts) -> Text:
        self.worked += 1
        newest = so_far.points[-1]
        return Text(f"{answer} {newest.ras[0] if newest.positive else -newest.ras[0]:g}")


def test_thousands_of_clicks_at_once_are_answered_in_their_order():
    xs = range(1, MANY + 1)
    scribe = Scribe()
    assert scribe(*xs) == " ".join(["first", *map(str, xs)])
    assert scribe.worked == MANY + 1 and len(scribe.kept) == 8


def test_a_further_click_costs_one_correction_however_many_there_were():
    scribe = Scribe()
    for count in range(60):
        before = scribe.worked
        scribe(*range(1, count + 1))
        assert scribe.worked == before + 1


def test_a_click_taken_back_costs_nothing_and_another_in_its_place_only_itself():
    scribe = Scribe()
    scribe(1, 2, 3, 4)
    assert scribe.worked == 5
    assert scribe(1, 2, 3) == "first 1 2 3" and scribe.worked == 5
    assert scribe(1, 2, 3, 9) == "first 1 2 3 9" and scribe.worked == 6


def test_order_sign_and_what_was_asked_tell_answers_apart():
    scribe = Scribe()
    texts = {scribe(1, 2), scribe(2, 1), scribe(1, -2), scribe(1), scribe(1, 2, 2)}
    assert len(texts) == 5
    before = scribe.worked
    scribe(1, 2, request="another volume")
    assert scribe.worked == before + 3


def test_cancelled_on_the_way_what_was_answered_is_kept():
    scribe, steps = Scribe(), []

    class AfterThree:
        def is_set(self):
            return len(steps) > 3

    watch = Watch(progress=lambda *step: steps.append(step), cancel=AfterThree())
    with pytest.raises(Cancelled):
        scribe(*range(1, 20), watch=watch)
    worked = scribe.worked
    assert 2 < worked < 6
    scribe(*range(1, 20))
    assert scribe.worked == 20
    assert steps[0][:2] == (0, 19) and "Click 1 of 19" in steps[0][2]
