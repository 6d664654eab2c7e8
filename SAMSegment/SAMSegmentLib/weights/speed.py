"""Tells how far a long work on a file is: some times a second, with its speed and the time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from .transfer import Report, Transfer

#: Seconds between two looks; more would only cost time.
INTERVAL_S = 0.1
#: Seconds over which a speed is taken: shorter jumps, longer lags behind.
WINDOW_S = 5.0
# Before this, a speed is a guess.
LEAST_S = 0.5


class Speed:
    """Bytes a second over the last seconds."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, now: float, received: int) -> float | None:
        """Its value, or None while it is not known.

        Args:
            now: seconds, of any clock that runs on.
            received: bytes up to now; what was there before the work began is not among them.
        """
        self._looks.append((now, received))
        while len(self._looks) > 2 and now - self._looks[1][0] >= WINDOW_S:
            self._looks.popleft()
        since, before = self._looks[0]
        return (received - before) / (now - since) if now - since >= LEAST_S else None


class Telling:
    """Hands looks at the work to a report, not more often than it can use them.

    Every method may raise what the report raises, such as Cancelled.

    Args:
        clock: seconds, running on.
    """

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._speed = Speed()
        self._received = 0
        self._message = ""
        self._told: float | None = None

    def begin(self, message: str, done: int, total: int) -> None:
        """A part of the work begins, or goes on; its speed is not that of other parts."""
        if message != self._message:
            self._message, self._speed, self._received = message, Speed(), 0
            self._told = None
        self.step(0, done, total)

    def step(self, count: int, done: int, total: int) -> None:
        """`count` more bytes came: `done` of `total` are there (0: the total is not known)."""
        self._received += count
        now = self._clock()
        if self._told is not None and now - self._told < INTERVAL_S:
            return
        self._told = now
        speed = self._speed.look(now, self._received)
        left = max(total - done, 0) / speed if speed and total else None
        self._report(Transfer(self._message, done, total, speed, left))

    def wait(self, message: str, seconds: float, done: int, total: int) -> None:
        """Waits, and tells how long it still takes."""
        self._message = message
        until, left = self._clock() + seconds, seconds
        while left > 0:
            self._told = self._clock()
            self._report(Transfer(message, done, total, None, left))
            time.sleep(min(left, INTERVAL_S))
            left = until - self._clock()
