"""What is fuzzed: a reader, good files for it, how these are changed, and what must hold then."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from SAMSegmentLib.core.errors import WeightsError

READ, REFUSED = "read", "refused"


@dataclass(frozen=True)
class Target:
    """One thing to fuzz.

    Attributes:
        name: as the command line knows it.
        file: name of the file that it reads.
        make_seeds: good files; told the folder that code in them would make.
        change: makes a changed file of a seed; also told all seeds and that folder.
        judge: reads a file; READ, or REFUSED and the reason. An AssertionError tells what does not
            hold; any other exception is a finding as well.
        may_write: whether reading may write and remove files.
    """

    name: str
    file: str
    make_seeds: Callable[[str], list[bytes]]
    change: Callable[[Random, bytes, Sequence[bytes], str], bytes]
    judge: Callable[[Path], tuple[str, str]]
    may_write: bool = False


def reason_of(error: WeightsError, path: Path) -> str:
    """The reason for refusing a file, with no place in it; and that it can be shown on one line."""
    message = str(error)
    assert str(path) in message and "\n" not in message, f"the message {message!a}"
    message.encode()
    return message.replace(str(path), "FILE")
