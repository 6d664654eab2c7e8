"""Any number of clicks is answered click by click, each at the cost of its own correction."""

from dataclasses import dataclass

import pytest

from SAMSegmentLib.core.errors import Cancelled
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.models.replay import AnswerCache, replayed

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
        self.kept: AnswerCache[Text] = AnswerCache(most, 10**9)
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


@dataclass(frozen=True)
class Sized:
    nbytes: int


def test_an_answer_is_found_by_its_name_until_all_are_forgotten():
    kept = AnswerCache(4, 100)
    answer = (Sized(1),)
    kept.keep("a", answer)
    assert kept.get("a") is answer and kept.get("b") is None
    kept.clear()
    assert len(kept) == 0 and kept.get("a") is None


def test_of_too_many_the_one_used_least_lately_goes():
    kept = AnswerCache(3, 100)
    for name in "abc":
        kept.keep(name, (Sized(1),))
    kept.get("a")
    kept.keep("d", (Sized(1),))
    assert [name for name in "abcd" if kept.get(name)] == ["a", "c", "d"]


def test_too_many_bytes_leave_the_latest_two():
    kept = AnswerCache(10, 100)
    for name in "abc":
        kept.keep(name, (Sized(30), Sized(50)))
    assert [name for name in "abc" if kept.get(name)] == ["b", "c"]
    kept.keep("d", (Sized(10),))
    assert [name for name in "abcd" if kept.get(name)] == ["c", "d"]
