"""How far a long work on a weights file is: fetching, copying, checking it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Transfer:
    """One look at it.

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


#: Is told of it, some times a second; may raise Cancelled, which ends the work.
Report = Callable[[Transfer], None]


def in_megabytes(count: int, of: int) -> str:
    """With the digits that suit the larger number `of`."""
    return f"{count / 1e6:.{0 if of >= 20e6 else 1}f}"
