"""How far a download is, in one line of a terminal or in a few lines of a log."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import TextIO

from .weights.transfer import Transfer

# A log, which keeps all lines, gets one so often at most; and one for each new part of the work.
LOG_S = 10.0
PART_S = 1.0


class TransferLine:
    """Prints looks at a transfer; a context manager that ends its line.

    Args:
        stream: a terminal, where the line is written over; or a file or pipe.
        clock: seconds, running on.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._is_terminal = stream.isatty()
        self._message: str | None = None
        self._printed_at = 0.0

    def __enter__(self) -> TransferLine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_terminal and self._message is not None:
            print(file=self._stream, flush=True)

    def __call__(self, look: Transfer) -> None:
        """Prints it, if it is time to."""
        if self._is_terminal:
            # A line that the terminal breaks could not be written over.
            text = in_words(look)[: shutil.get_terminal_size().columns - 1]
            print(f"\r{text}\033[K", end="", file=self._stream, flush=True)
        elif self._is_due(look.message):
            print(in_words(look), file=self._stream, flush=True)
        else:
            return
        self._message, self._printed_at = look.message, self._clock()

    def _is_due(self, message: str) -> bool:
        if self._message is None:
            return True
        pause_s = LOG_S if message == self._message else PART_S
        return self._clock() - self._printed_at >= pause_s


def in_words(look: Transfer) -> str:
    """Such as "Downloading from huggingface.co: 120 of 402 MB, 8.1 MB/s, 35 s left"."""
    facts = []
    if look.total > 0:
        facts.append(f"{in_megabytes(look.done, look.total)} of {megabytes(look.total)}")
    elif look.done > 0:
        facts.append(megabytes(look.done))
    if look.bytes_per_s is not None:
        facts.append(f"{look.bytes_per_s / 1e6:.1f} MB/s")
    if look.seconds_left is not None:
        facts.append(f"{duration(look.seconds_left)} left")
    return f"{look.message}: {', '.join(facts)}" if facts else look.message


def megabytes(count: int) -> str:
    """A number of bytes, in megabytes of 10^6 bytes."""
    return f"{in_megabytes(count, count)} MB"


def in_megabytes(count: int, of: int) -> str:
    """With the digits that suit the larger number `of`."""
    return f"{count / 1e6:.{0 if of >= 20e6 else 1}f}"


def duration(seconds: float) -> str:
    """In seconds, minutes, or hours and minutes."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
