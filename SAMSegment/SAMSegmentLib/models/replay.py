"""From the first answer to that for all clicks, one after the other, however many there are.

Answers that were given lately are kept, so that a click, undone or moved, costs its own decoding
only.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Generic, Protocol, TypeVar

from ..core.progress import Watch
from ..core.prompts import Point, Prompts


class Sized(Protocol):
    """Anything that knows how much memory it takes."""

    @property
    def nbytes(self) -> int: ...


Candidate = TypeVar("Candidate", bound=Sized)


class AnswerCache(Generic[Candidate]):
    """The answers used last, so many and so many bytes at most; the latest two in any case.

    An answer is a tuple of candidates.
    """

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._answers: OrderedDict[Hashable, tuple[Candidate, ...]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Hashable) -> tuple[Candidate, ...] | None:
        """The answer of that name; None if it is not kept."""
        if key not in self._answers:
            return None
        self._answers.move_to_end(key)
        return self._answers[key]

    def keep(self, key: Hashable, answer: tuple[Candidate, ...]) -> None:
        """Keeps an answer, and forgets the oldest of those that are too many."""
        self._answers[key] = answer
        taken = sum(_nbytes(answer) for answer in self._answers.values())
        while len(self) > 2 and (len(self) > self._most or taken > self._most_bytes):
            _, oldest = self._answers.popitem(last=False)
            taken -= _nbytes(oldest)

    def clear(self) -> None:
        """Forgets all."""
        self._answers.clear()


def replayed(
    cache: AnswerCache[Candidate],
    request: Hashable,
    first: Prompts,
    clicks: Sequence[Point],
    begin: Callable[[], tuple[Candidate, ...]],
    correct: Callable[[Candidate, Prompts], Candidate],
    watch: Watch,
) -> tuple[Candidate, ...]:
    """The answer to prompts: from the longest part of them whose answer is kept, click by click.

    Args:
        cache: gets the answer after each click.
        request: names all that was asked but for the prompts.
        first: what the first answer is made from.
        clicks: those that correct its first candidate, in their order.
        begin: makes the first answer.
        correct: the candidate after one more click: from the one before, and the prompts so far,
            the newest click last.
    """
    keys = [(request, key) for key in _keys(first, clicks)]
    answer, done = None, len(keys)
    while answer is None and done:
        done -= 1
        answer = cache.get(keys[done])
    if answer is None:
        answer = begin()
        cache.keep(keys[0], answer)
    points = (*first.points, *clicks)
    for number in range(done, len(clicks)):
        if done + 1 < len(clicks):
            watch.step(number, len(clicks), f"Click {number + 1} of {len(clicks)}")
        so_far = replace(first, points=points[: len(first.points) + number + 1])
        answer = (correct(answer[0], so_far),)
        cache.keep(keys[number + 1], answer)
    return answer


def _keys(first: Prompts, clicks: Sequence[Point]) -> list[bytes]:
    """Of the prompts after each click, from none on; each key follows from the one before."""
    key = blake2b(first.to_json().encode(), digest_size=16).digest()
    keys = [key]
    for click in clicks:
        added = struct.pack("<3d?", *click.ras, click.positive)
        key = blake2b(key + added, digest_size=16).digest()
        keys.append(key)
    return keys


def _nbytes(answer: Sequence[Sized]) -> int:
    return sum(candidate.nbytes for candidate in answer)
