"""Answers are kept as long as there is room, the latest longest."""

from dataclasses import dataclass

from SAMSegmentLib.models.answer_cache import KeptAnswers


@dataclass(frozen=True)
class Sized:
    nbytes: int


def test_an_answer_is_found_by_its_name_until_all_are_forgotten():
    kept = KeptAnswers(4, 100)
    answer = Sized(1)
    kept.keep("a", answer)
    assert kept.get("a") is answer and kept.get("b") is None
    kept.clear()
    assert len(kept) == 0 and kept.get("a") is None


def test_of_too_many_the_one_used_least_lately_goes():
    kept = KeptAnswers(3, 100)
    for name in "abc":
        kept.keep(name, Sized(1))
    kept.get("a")
    kept.keep("d", Sized(1))
    assert [name for name in "abcd" if kept.get(name)] == ["a", "c", "d"]


def test_too_many_bytes_leave_the_latest_two():
    kept = KeptAnswers(10, 100)
    for name in "abc":
        kept.keep(name, Sized(80))
    assert [name for name in "abc" if kept.get(name)] == ["b", "c"]
    kept.keep("d", Sized(10))
    assert [name for name in "abcd" if kept.get(name)] == ["c", "d"]
