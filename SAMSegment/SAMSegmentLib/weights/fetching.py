"""Gets a file from one address, as long as there is hope: asks, resumes, waits, checks.

Source: RFC 9110 (HTTP Semantics), sections 10.2.3 Retry-After, 14.4 Content-Range, 15 status codes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .files import PartialFile
from .progress import ProgressReporter, megabytes

#: A file whose announced length lies outside these shares of the expected one is another file.
LEAST_SHARE, LARGEST_SHARE = 0.5, 1.25
LOG_IN = "this network may want you to log in first (open any page in a web browser)"
# A file as long as this share of the expected length may be whole: what a source states is rounded.
WHOLE_SHARE = 0.98
# Many digits would only cost time.
_NUMBER = r"([0-9]{1,18})"
_PART = re.compile(rf"bytes\s+{_NUMBER}-{_NUMBER}/(?:{_NUMBER}|\*)", re.IGNORECASE)
_BEYOND = re.compile(rf"bytes\s+\*/{_NUMBER}", re.IGNORECASE)
_MAY_HELP_TO_WAIT = {408, 425, 429}


class ServerError(Exception):
    """This address will not give the file; the text goes on after the server's name."""


class RetryableError(Exception):
    """It did not work, but may a little later.

    Attributes:
        wait_s: seconds that the server asked to wait; None if it did not say.
    """

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


@dataclass(frozen=True)
class RetryPolicy:
    """How long a server is waited for. What breaks without end, and yet goes on, is waited for.

    Attributes:
        connect_s, read_s: until a connection stands, and without any byte coming.
        tries: in a row without any progress, per address.
        pauses_s: between them; the last one repeats.
        longest_wait_s: even if a server asks for a longer one.
    """

    connect_s: float = 10.0
    read_s: float = 30.0
    tries: int = 5
    pauses_s: tuple[float, ...] = (1, 2, 4, 8, 15)
    longest_wait_s: float = 60.0


#: For people who wait in front of a screen.
RETRY_POLICY = RetryPolicy()


# ---- What the answer of a server means -----------------------------------------------------------


@dataclass(frozen=True)
class Body:
    """Bytes of the file follow.

    Attributes:
        start: place in the file of the first one.
        end: place after the last one; None if the server did not say.
        total: bytes of the whole file; None if the server did not say.
    """

    start: int
    end: int | None
    total: int | None


@dataclass(frozen=True)
class NoPart:
    """The part that was asked for cannot be had.

    Attributes:
        total: bytes of the whole file, if the server said so.
    """

    total: int | None = None


def read_answer(
    status: int, headers: Mapping[str, str], offset: int, size: int, now: datetime | None = None
) -> Body | NoPart:
    """What an answer holds; NoPart only if a part was asked for.

    Args:
        headers: by name, in whatever letter case.
        offset: from which byte on the file was asked for; 0: without a range.
        size: bytes of the file, roughly.
        now: to tell how far away a date is; the present if left out.

    Raises:
        ServerError: if it is not worth asking again.
        RetryableError: if it is.
    """
    if status == 200:
        length = _length(headers)
        return _checked(Body(0, length, length), headers, size)
    if status == 206:
        part = _part(headers)
        if part is not None and part.start == offset:
            return _checked(part, headers, size)
        if offset:
            return NoPart()
        raise ServerError("sends another part of the file than it was asked for")
    if status == 416 and offset:
        beyond = _BEYOND.fullmatch(headers.get("Content-Range", "").strip())
        return NoPart(int(beyond[1]) if beyond else None)
    raise _refusal(status, headers, now)


def largest_plausible(size: int) -> int:
    """Bytes after which a server that did not announce a length is stopped."""
    return int(LARGEST_SHARE * size) + (1 << 20)


def retry_after_s(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait by a Retry-After header, a number or a date; None if it is neither."""
    text = (value or "").strip()
    if re.fullmatch(_NUMBER, text):
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        return max((until - (now or datetime.now(UTC))).total_seconds(), 0.0)
    except (TypeError, ValueError, OverflowError):
        return None


def _checked(body: Body, headers: Mapping[str, str], size: int) -> Body:
    kind = headers.get("Content-Type", "").strip().lower()
    if kind.startswith(("text/html", "application/xhtml")):
        raise ServerError(f"sends a web page instead of the file: {LOG_IN}")
    if headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        raise ServerError("sends the file in a coded form")
    total = body.total
    if total is not None and not LEAST_SHARE * size <= total <= LARGEST_SHARE * size:
        raise ServerError(
            f"offers another file, of {megabytes(total)} instead of {megabytes(size)}"
        )
    return body


def _length(headers: Mapping[str, str]) -> int | None:
    # A chunked body says itself where it ends.
    if headers.get("Transfer-Encoding"):
        return None
    text = headers.get("Content-Length", "").strip()
    return int(text) if re.fullmatch(_NUMBER, text) else None


def _part(headers: Mapping[str, str]) -> Body | None:
    """Content-Range, if it is there and makes sense."""
    found = _PART.fullmatch(headers.get("Content-Range", "").strip())
    if found is None:
        return None
    start, end = int(found[1]), int(found[2]) + 1
    total = int(found[3]) if found[3] else None
    if start >= end or (total is not None and end > total):
        return None
    return Body(start, end, total)


def _refusal(status: int, headers: Mapping[str, str], now: datetime | None) -> Exception:
    code = f"(HTTP status {status})"
    if status == 511:
        return ServerError(f"cannot be reached: {LOG_IN} {code}")
    if status >= 500 or status in _MAY_HELP_TO_WAIT:
        wait_s = retry_after_s(headers.get("Retry-After"), now)
        return RetryableError(f"is too busy or out of order {code}", wait_s)
    if status in (404, 410):
        return ServerError(f"does not have the file {code}")
    if status == 407:
        return ServerError(f"cannot be reached: the proxy asks for a name and a password {code}")
    if status in (401, 403):
        return ServerError(f"refuses to give the file {code}")
    return ServerError(f"gives no file {code}")


# ---- Asking until the file is whole --------------------------------------------------------------


class Fetching:
    """A file from one address.

    Args:
        ask: called with the address and a byte: a context with the answer from that byte on, which
            has `status`, `headers` and `read()`, what has come of the body, b"" at its end. All of
            these raise RetryableError or ServerError.
        host: what the server is called in front of the user.
        file: where the bytes go.
        size: of the whole file, roughly.
        sha256: in hexadecimal; says whether it is the right one.
    """

    def __init__(
        self,
        ask: Callable[[str, int], AbstractContextManager],
        address: str,
        host: str,
        file: PartialFile,
        size: int,
        sha256: str,
        reporter: ProgressReporter,
        policy: RetryPolicy,
    ) -> None:
        self._ask, self._address, self._host = ask, address, host
        self._file, self._size, self._sha256 = file, size, sha256
        self._reporter, self._policy = reporter, policy
        self._total = size
        self._can_resume = True
        self._began_anew = False
        if file.length > largest_plausible(size):
            file.remove()
        self._longest = file.length

    def run(self) -> None:
        """Fetches it.

        Raises:
            ServerError: if the address does not give the file.
        """
        tries = 0
        while True:
            try:
                if self._try():
                    return
            except RetryableError as error:
                length = self._file.length
                tries = 0 if length > self._longest else tries + 1
                self._longest = max(self._longest, length)
                if tries >= self._policy.tries:
                    raise ServerError(str(error)) from error
                self._pause(error.wait_s, max(tries - 1, 0))

    def _pause(self, asked_s: float | None, number: int) -> None:
        pauses = self._policy.pauses_s
        seconds = asked_s if asked_s is not None else pauses[min(number, len(pauses) - 1)]
        seconds = min(seconds, self._policy.longest_wait_s)
        message = f"Waiting for {self._host}"
        self._reporter.wait(message, seconds, self._file.length, self._total)

    def _try(self) -> bool:
        """Asks once; True if the file is right; False if asking otherwise may help."""
        offset = self._file.length if self._can_resume else 0
        self._reporter.begin(f"Downloading from {self._host}", offset, self._total)
        with self._ask(self._address, offset) as reply:
            answer = read_answer(reply.status, reply.headers, offset, self._size)
            if isinstance(answer, NoPart):
                self._can_resume = False
                return answer.total == offset and self._is_right(was_resumed=True, is_whole=True)
            self._receive(reply, answer)
        # Without a length, an early end looks like the end.
        is_whole = answer.total is not None or self._file.length >= WHOLE_SHARE * self._size
        return self._is_right(was_resumed=answer.start > 0, is_whole=is_whole)

    def _receive(self, reply, body: Body) -> None:
        self._total = body.total or max(self._size, self._file.length)
        limit = body.end if body.end is not None else largest_plausible(self._size)
        position = body.start
        with self._file.open() as file:
            while block := reply.read():
                position += len(block)
                if position > limit:
                    file.truncate(file.kept)
                    raise ServerError("sends more than the file can hold")
                file.write_at(position - len(block), block)
                self._reporter.step(len(block), position, max(self._total, position))
            if body.end is not None and position < body.end:
                raise RetryableError("broke the connection")
            if body.total is not None and body.end == body.total:
                file.truncate(body.total)
        if body.total is not None and position < body.total:
            raise RetryableError("gives less of the file than it was asked for")

    def _is_right(self, was_resumed: bool, is_whole: bool) -> bool:
        if self._file.sha256(self._reporter) == self._sha256:
            return True
        if not is_whole:
            raise RetryableError("broke the connection")
        self._file.remove()
        # Its beginning may have been of another file, so this address gets a second chance.
        if was_resumed and not self._began_anew:
            self._began_anew, self._longest = True, 0
            return False
        raise ServerError("gives a file with another SHA-256 than the catalogue's")
