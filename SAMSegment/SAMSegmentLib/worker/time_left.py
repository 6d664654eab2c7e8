"""How long a prediction will still take, as far as one can tell."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass

# Before this, a part of the work says nothing about its rest.
FIRST_ESTIMATE_S = 0.5
# Share of a new estimate in what is told: numbers that jump help nobody.
NEW_SHARE = 0.3


@dataclass
class _Part:
    """A part of the work: all its steps have one total, and one message but for numbers."""

    name: Hashable
    began: float
    seconds: float = 0.0


class TimeLeft:
    """Estimates from how fast the present part goes, and from how long others took last time.

    Args:
        clock: seconds, running on.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._earlier: dict[Hashable, list[_Part]] = {}
        self._kind: Hashable = None
        self._parts: list[_Part] = []
        self._told: tuple[float, float] | None = None

    def start(self, kind: Hashable) -> None:
        """Work begins, of a kind whose parts take about the same each time."""
        self._kind, self._parts, self._told = kind, [], None

    def finish(self) -> None:
        """The work is done: the next one of its kind will take about as long."""
        self._end_part()
        if self._parts:
            self._earlier[self._kind] = self._parts

    def step(self, done: int, total: int, message: str) -> float | None:
        """Seconds left, now that `done` of `total` steps of a part are done; None: unknown."""
        now = self._clock()
        name = re.sub(r"\d+", "", message)
        if not self._parts or self._parts[-1].name != name:
            self._end_part()
            self._parts.append(_Part(name, now))
        estimate = self._estimate(now - self._parts[-1].began, done, total)
        if estimate is None:
            self._told = None
            return None
        if self._told is not None:
            at, seconds = self._told
            expected = max(seconds - (now - at), 0.0)
            estimate = expected + NEW_SHARE * (estimate - expected)
        self._told = (now, estimate)
        return estimate

    def _estimate(self, elapsed: float, done: int, total: int) -> float | None:
        earlier = self._earlier.get(self._kind, [])
        place = len(self._parts) - 1
        if place >= len(earlier) or earlier[place].name != self._parts[-1].name:
            # Never seen: what comes after it is unknown.
            here, after = None, 0.0
        else:
            # Beyond what it took last time, nobody knows.
            rest = earlier[place].seconds - elapsed
            here = rest if rest > 0 else None
            after = sum(part.seconds for part in earlier[place + 1 :])
        if 0 < done < total and elapsed >= FIRST_ESTIMATE_S:
            here = elapsed * (total - done) / done
        return None if here is None else here + after

    def _end_part(self) -> None:
        if self._parts:
            self._parts[-1].seconds = self._clock() - self._parts[-1].began
