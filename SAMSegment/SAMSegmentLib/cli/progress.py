"""How far a download is, in one line of a terminal or in a few lines of a log."""

from __future__ import annotations

from ..weights.progress import Transfer, in_megabytes
from .console import StatusLine


class TransferLine(StatusLine):
    """Prints looks at a transfer."""

    def __call__(self, look: Transfer) -> None:
        """Prints it, if it is time to."""
        self.show(look.message, in_words(look))


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


def duration(seconds: float) -> str:
    """In seconds, minutes, or hours and minutes."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
