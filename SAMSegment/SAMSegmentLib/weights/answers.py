"""What the answer of a web server means for a download.

Source: RFC 9110 (HTTP Semantics), sections 10.2.3 Retry-After, 14.4 Content-Range, 15 status codes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

#: A file whose announced length lies outside these shares of the expected one is another file.
LEAST_SHARE, LARGEST_SHARE = 0.5, 1.25
LOG_IN = "this network may want you to log in first (open any page in a web browser)"
# Many digits would only cost time.
_NUMBER = r"([0-9]{1,18})"
_PART = re.compile(rf"bytes\s+{_NUMBER}-{_NUMBER}/(?:{_NUMBER}|\*)", re.IGNORECASE)
_BEYOND = re.compile(rf"bytes\s+\*/{_NUMBER}", re.IGNORECASE)
_MAY_HELP_TO_WAIT = {408, 425, 429}


class PlaceFailed(Exception):
    """This place will not give the file; the text goes on after the place's name."""


class TryAgain(Exception):
    """It did not work, but may a little later.

    Attributes:
        wait_s: seconds that the server asked to wait; None if it did not say.
    """

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


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
        PlaceFailed: if it is not worth asking again.
        TryAgain: if it is.
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
        raise PlaceFailed("sends another part of the file than it was asked for")
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
        raise PlaceFailed(f"sends a web page instead of the file: {LOG_IN}")
    if headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
        raise PlaceFailed("sends the file in a coded form")
    total = body.total
    if total is not None and not LEAST_SHARE * size <= total <= LARGEST_SHARE * size:
        raise PlaceFailed(
            f"offers another file, of {megabytes(total)} instead of {megabytes(size)}"
        )
    return body


def megabytes(count: int) -> str:
    """For people; small files have some decimals."""
    return f"{count / 1e6:.0f} MB" if count >= 1e7 else f"{count / 1e6:.3g} MB"


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
    said = f"(HTTP status {status})"
    if status == 511:
        return PlaceFailed(f"cannot be reached: {LOG_IN} {said}")
    if status >= 500 or status in _MAY_HELP_TO_WAIT:
        wait_s = retry_after_s(headers.get("Retry-After"), now)
        return TryAgain(f"is too busy or out of order {said}", wait_s)
    if status in (404, 410):
        return PlaceFailed(f"does not have the file {said}")
    if status == 407:
        return PlaceFailed(f"cannot be reached: the proxy asks for a name and a password {said}")
    if status in (401, 403):
        return PlaceFailed(f"refuses to give the file {said}")
    return PlaceFailed(f"gives no file {said}")
