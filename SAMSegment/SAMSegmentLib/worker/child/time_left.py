"""An estimate of how long a prediction will still take."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass

# Before so many seconds, and before so large a share of a part is done, nothing can be said of it.
FIRST_S, PART_S, FIRST_SHARE = 2.0, 0.5, 0.1
# Where the paces of two parts, beside those of last time, differ by a larger factor, what comes
# after them may go at either.
MOST_UNLIKE = 1.5
# Share of a new estimate in what is reported: numbers that jump help nobody.
NEW_SHARE = 0.3


@dataclass
class _Part:
    """A part of the work: all its steps have one total, and one message but for numbers."""

    name: Hashable
    began: float
    seconds: float = 0.0


class TimeLeft:
    """Estimates it by the pace of this time, and by what each part took last time; None until then.

    Of work that was never done before, nobody knows how long its later parts take; and that of a
    larger ROI, or on a busy computer, takes longer than last time.

    Args:
        clock: seconds, running on.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._earlier: dict[Hashable, list[_Part]] = {}
        self._kind: Hashable = None
        self._parts: list[_Part] = []
        self._reported: tuple[float, float] | None = None

    def start(self, kind: Hashable) -> None:
        """Work begins, of a kind whose parts take about the same shares of it each time."""
        self._kind, self._parts, self._reported = kind, [], None

    def finish(self) -> None:
        """The work is done: the next one of its kind will go alike."""
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
        self._parts[-1].seconds = now - self._parts[-1].began
        estimate = self._estimate(done / total if total else 0.0)
        if estimate is None:
            self._reported = None
            return None
        if self._reported is not None:
            at, seconds = self._reported
            expected = max(seconds - (now - at), 0.0)
            estimate = expected + NEW_SHARE * (estimate - expected)
        self._reported = (now, estimate)
        return estimate

    def _estimate(self, share: float) -> float | None:
        """Seconds left.

        Args:
            share: of the present part that is done.
        """
        earlier, parts = self._earlier.get(self._kind, []), self._parts
        here = len(parts) - 1
        if [part.name for part in parts] != [part.name for part in earlier[: len(parts)]]:
            return None
        then, after_then = earlier[here].seconds, sum(part.seconds for part in earlier[here + 1 :])
        before = sum(part.seconds for part in parts[:here])
        measured = share >= FIRST_SHARE and parts[here].seconds >= PART_S
        if before + parts[here].seconds < FIRST_S or not (measured or before >= FIRST_S):
            return None
        # How many times as long as last time the parts take.
        paired = [*zip(parts[:here], earlier, strict=False)]
        paces = [now.seconds / old.seconds for now, old in paired if old.seconds >= PART_S]
        if measured:
            rest = parts[here].seconds * (1 - share) / share
            if not after_then:
                return rest
            paces.append(parts[here].seconds / share / then if then else math.inf)
        if not paces or max(paces) > MOST_UNLIKE * min(paces):
            return None
        pace = sum(paces) / len(paces)
        return (rest if measured else pace * (1 - share) * then) + pace * after_then

    def _end_part(self) -> None:
        if self._parts:
            self._parts[-1].seconds = self._clock() - self._parts[-1].began
