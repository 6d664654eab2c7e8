"""Answers that were given lately, so that a click, undone or moved, costs its own decoding only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """Anything that knows how much memory it takes."""

    @property
    def nbytes(self) -> int: ...


Answer = TypeVar("Answer", bound=Sized)


class KeptAnswers(Generic[Answer]):
    """The answers used last, so many and so many bytes at most; the latest two in any case."""

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Hashable) -> Answer | None:
        """The answer of that name; None if it is not kept."""
        if key not in self._answers:
            return None
        self._answers.move_to_end(key)
        return self._answers[key]

    def keep(self, key: Hashable, answer: Answer) -> None:
        """Keeps an answer, and forgets the oldest of those that are too many."""
        self._answers[key] = answer
        taken = sum(answer.nbytes for answer in self._answers.values())
        while len(self) > 2 and (len(self) > self._most or taken > self._most_bytes):
            _, oldest = self._answers.popitem(last=False)
            taken -= oldest.nbytes

    def clear(self) -> None:
        """Forgets all."""
        self._answers.clear()
