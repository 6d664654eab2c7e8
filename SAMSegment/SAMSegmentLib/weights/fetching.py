"""Gets a file from one place, as long as there is hope: resumes, waits, checks."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from .answers import Body, NoPart, PlaceFailed, TryAgain, largest_plausible, read_answer
from .partial_file import PartialFile
from .speed import Telling

# A file as long as this share of the expected length may be whole: what a source states is rounded.
WHOLE_SHARE = 0.98


@dataclass(frozen=True)
class Patience:
    """How long a place is waited for.

    Attributes:
        connect_s, read_s: until a connection stands, and without any byte coming.
        tries: in a row without any progress, per place.
        pauses_s: between them; the last one repeats.
        longest_wait_s: even if a server asks for a longer one.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    tries: int = 5
    pauses_s: tuple[float, ...] = (1, 2, 4, 8, 15)
    longest_wait_s: float = 60.0


#: For people who wait in front of a screen.
PATIENCE = Patience()


class Reply(Protocol):
    """An answer from the web.

    Attributes:
        status: of HTTP.
        headers: by name, in whatever letter case.
    """

    status: int
    headers: Mapping[str, str]

    def read(self) -> bytes:
        """What has come of its body; b"" at its end. Raises TryAgain or PlaceFailed."""


class Web(Protocol):
    """How places are asked."""

    def ask(self, place: str, offset: int) -> AbstractContextManager[Reply]:
        """The answer of a place, from that byte on. Raises TryAgain or PlaceFailed."""


@dataclass(frozen=True)
class Wanted:
    """What is to be fetched.

    Attributes:
        file: where it goes.
        size: its bytes, roughly.
        sha256: in hexadecimal; says whether it is the right one.
    """

    file: PartialFile
    size: int
    sha256: str

    def is_there(self, telling: Telling) -> bool:
        """Whether the file is whole and right already."""
        may_be = self.file.length >= WHOLE_SHARE * self.size
        return may_be and self.file.sha256(telling) == self.sha256


class Fetching:
    """The file from one place.

    Args:
        place: its address.
        host: how the place is called in front of the user.
    """

    def __init__(
        self, web: Web, place: str, host: str, wanted: Wanted, telling: Telling, patience: Patience
    ) -> None:
        self._web, self._place, self._host = web, place, host
        self._file, self._size, self._sha256 = wanted.file, wanted.size, wanted.sha256
        self._telling, self._patience = telling, patience
        self._total = self._size
        self._parts_can_be_had = True
        self._began_anew = False
        if self._file.length > largest_plausible(self._size):
            self._file.remove()
        self._longest = self._file.length

    def run(self) -> None:
        """Fetches it.

        Raises:
            PlaceFailed: if the place does not give the file.
        """
        tries = 0
        while True:
            try:
                if self._try():
                    return
            except TryAgain as trouble:
                length = self._file.length
                tries = 0 if length > self._longest else tries + 1
                self._longest = max(self._longest, length)
                if tries >= self._patience.tries:
                    raise PlaceFailed(str(trouble)) from trouble
                self._pause(trouble.wait_s, max(tries - 1, 0))

    def _pause(self, asked_s: float | None, number: int) -> None:
        pauses = self._patience.pauses_s
        seconds = asked_s if asked_s is not None else pauses[min(number, len(pauses) - 1)]
        seconds = min(seconds, self._patience.longest_wait_s)
        message = f"Waiting for {self._host}"
        self._telling.wait(message, seconds, self._file.length, self._total)

    def _try(self) -> bool:
        """Asks once; True if the file is right; False if asking otherwise may help."""
        offset = self._file.length if self._parts_can_be_had else 0
        self._telling.begin(f"Downloading from {self._host}", offset, self._total)
        with self._web.ask(self._place, offset) as reply:
            answer = read_answer(reply.status, reply.headers, offset, self._size)
            if isinstance(answer, NoPart):
                self._parts_can_be_had = False
                return answer.total == offset and self._is_right(was_resumed=True, is_whole=True)
            self._receive(reply, answer)
        # Without a length, an early end looks like the end.
        is_whole = answer.total is not None or self._file.length >= WHOLE_SHARE * self._size
        return self._is_right(was_resumed=answer.start > 0, is_whole=is_whole)

    def _receive(self, reply: Reply, body: Body) -> None:
        self._total = body.total or max(self._size, self._file.length)
        limit = body.end if body.end is not None else largest_plausible(self._size)
        position = body.start
        with self._file.open() as file:
            while block := reply.read():
                position += len(block)
                if position > limit:
                    file.truncate(file.kept)
                    raise PlaceFailed("sends more than the file can hold")
                file.lay(position - len(block), block)
                self._telling.step(len(block), position, max(self._total, position))
            if body.end is not None and position < body.end:
                raise TryAgain("broke the connection")
            if body.total is not None and body.end == body.total:
                file.truncate(body.total)
        if body.total is not None and position < body.total:
            raise TryAgain("gives less of the file than it was asked for")

    def _is_right(self, was_resumed: bool, is_whole: bool) -> bool:
        if self._file.sha256(self._telling) == self._sha256:
            return True
        if not is_whole:
            raise TryAgain("broke the connection")
        self._file.remove()
        # Its beginning may have been of another file, so this place gets a second chance.
        if was_resumed and not self._began_anew:
            self._began_anew, self._longest = True, 0
            return False
        raise PlaceFailed("gives a file with another SHA-256 than the catalogue's")
