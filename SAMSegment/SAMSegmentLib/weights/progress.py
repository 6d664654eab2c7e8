"""How far long work on a weights file is: fetching, copying, checking it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

#: Seconds between two reports; more of them would only cost time.
INTERVAL_S = 0.1
#: Seconds over which a speed is taken: shorter jumps, longer lags behind.
WINDOW_S = 5.0
# Before this, a speed is a guess.
LEAST_S = 0.5


@dataclass(frozen=True)
class Transfer:
    """The state of it at one moment.

    Attributes:
        message: what is being done, for a user, such as "Downloading from huggingface.co".
        done, total: bytes; total is 0 while it is not known.
        bytes_per_s: over the last seconds; None while it is not known.
        seconds_left: of this part of the work; None while it is not known.
    """

    message: str
    done: int = 0
    total: int = 0
    bytes_per_s: float | None = None
    seconds_left: float | None = None


#: Is called some times a second; may raise Cancelled, which ends the work.
Report = Callable[[Transfer], None]


def no_report(_: Transfer) -> None:
    """Does nothing, for work whose progress is not shown."""


def megabytes(count: float) -> str:
    """A number of bytes for people, in megabytes of 10^6 bytes."""
    return TransferTexts().size_of(count)


def in_megabytes(count: float, of: float) -> str:
    """With the digits that suit the larger number `of`."""
    return f"{count / 1e6:{'.0f' if of >= 20e6 else '.1f' if of >= 1e5 else '.3g'}}"


@dataclass(frozen=True)
class TransferTexts:
    """The wording of a transfer's state; Slicer's panels have translations of it."""

    amount: str = "{done} of {total} MB"
    size: str = "{count} MB"
    speed: str = "{speed:.1f} MB/s"
    left: str = "{time} left"
    seconds: str = "{seconds} s"
    minutes: str = "{minutes} min"
    hours: str = "{hours} h {minutes} min"

    def of(self, transfer: Transfer) -> str:
        """Such as "Downloading from huggingface.co: 120 of 402 MB, 8.1 MB/s, 35 s left"."""
        facts = []
        if transfer.total > 0:
            facts.append(self.amount_of(transfer.done, transfer.total))
        elif transfer.done > 0:
            facts.append(self.size_of(transfer.done))
        if transfer.bytes_per_s is not None:
            facts.append(self.speed.format(speed=transfer.bytes_per_s / 1e6))
        if transfer.seconds_left is not None:
            facts.append(self.left.format(time=self.duration_of(transfer.seconds_left)))
        return f"{transfer.message}: {', '.join(facts)}" if facts else transfer.message

    def size_of(self, count: float) -> str:
        """A number of bytes."""
        return self.size.format(count=in_megabytes(count, count))

    def amount_of(self, done: float, total: float) -> str:
        """How many bytes of how many."""
        return self.amount.format(done=in_megabytes(done, total), total=in_megabytes(total, total))

    def duration_of(self, seconds: float) -> str:
        """In seconds, minutes, or hours and minutes."""
        if seconds < 99.5:
            return self.seconds.format(seconds=max(1, round(seconds)))
        minutes = round(seconds / 60)
        if minutes < 60:
            return self.minutes.format(minutes=minutes)
        return self.hours.format(hours=minutes // 60, minutes=minutes % 60)


class Speed:
    """Bytes a second over the last seconds."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def update(self, now: float, received: int) -> float | None:
        """Its value, or None while it is not known.

        Args:
            now: seconds, of any monotonic clock.
            received: bytes up to now; what was there before the work began is not among them.
        """
        self._samples.append((now, received))
        while len(self._samples) > 2 and now - self._samples[1][0] >= WINDOW_S:
            self._samples.popleft()
        since, before = self._samples[0]
        return (received - before) / (now - since) if now - since >= LEAST_S else None


class ProgressReporter:
    """Calls a report with the state of the work, no more often than it can use it.

    Every method may raise what the report raises, such as Cancelled.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, report: Report, clock: Callable[[], float] = time.monotonic) -> None:
        self._report, self._clock = report, clock
        self._speed = Speed()
        self._received = 0
        self._message = ""
        self._reported_at: float | None = None

    def begin(self, message: str, done: int, total: int) -> None:
        """A part of the work begins, or goes on; its speed is not that of other parts."""
        if message != self._message:
            self._message, self._speed, self._received = message, Speed(), 0
            self._reported_at = None
        self.step(0, done, total)

    def step(self, count: int, done: int, total: int) -> None:
        """`count` more bytes came: `done` of `total` are there (0: the total is not known)."""
        self._received += count
        now = self._clock()
        if self._reported_at is not None and now - self._reported_at < INTERVAL_S:
            return
        self._reported_at = now
        speed = self._speed.update(now, self._received)
        left = max(total - done, 0) / speed if speed and total else None
        self._report(Transfer(self._message, done, total, speed, left))

    def wait(self, message: str, seconds: float, done: int, total: int) -> None:
        """Waits, and reports how long it still takes."""
        self._message = message
        until, left = self._clock() + seconds, seconds
        while left > 0:
            self._reported_at = self._clock()
            self._report(Transfer(message, done, total, None, left))
            time.sleep(min(left, INTERVAL_S))
            left = until - self._clock()
