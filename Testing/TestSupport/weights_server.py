"""A web server on this computer that gives a file, with all the faults that the web has.

Every request takes the next answer of a script; when that is used up, `otherwise`, which is honest
if not said differently.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import time
from collections.abc import Callable, Sequence

from .loopback import Answer, Exchange, LoopbackServer, Request

PATH = "/models/weights.pth"
# The longest that an answer stalls: tests are over before, and the server ends without waiting.
STALL_S = 20.0


def honest(exchange: Exchange) -> None:
    """The file, or the part of it that was asked for."""
    if (exchange.request.offset or 0) >= len(exchange.content) > 0:
        exchange.head(416, f"Content-Range: bytes */{len(exchange.content)}", "Content-Length: 0")
        return
    exchange.file_head()
    exchange.body(exchange.rest)


def no_ranges(exchange: Exchange) -> None:
    """All of it, whatever was asked for."""
    exchange.head(200, f"Content-Length: {len(exchange.content)}")
    exchange.body(exchange.content)


def cut_after(count: int, *, ranges: bool = True, hard: bool = False) -> Answer:
    """That many bytes of the body, then the end of the connection."""

    def answer(exchange: Exchange) -> None:
        if ranges:
            exchange.file_head()
        else:
            exchange.head(200, f"Content-Length: {len(exchange.content)}")
        exchange.body((exchange.rest if ranges else exchange.content)[:count])
        if hard:
            # What is still on its way would be lost with it.
            time.sleep(0.05)
            exchange.reset()

    return answer


def cut_at(place: int) -> Answer:
    """Ends the connection before the byte of the file at this place."""

    def answer(exchange: Exchange) -> None:
        cut_after(max(place - (exchange.request.offset or 0), 0))(exchange)

    return answer


def without_length(count: int | None = None) -> Answer:
    """Says no length: the end of the connection is the end of the file, or what looks like it."""

    def answer(exchange: Exchange) -> None:
        offset = exchange.request.offset
        if offset is None:
            exchange.head(200)
        else:
            end, total = len(exchange.content) - 1, len(exchange.content)
            exchange.head(206, f"Content-Range: bytes {offset}-{end}/{total}")
        exchange.body(exchange.rest[:count])

    return answer


def chunked(count: int | None = None, *, size: int = 1000, data: bytes | None = None) -> Answer:
    """In chunks; broken off after `count` bytes, if given."""

    def answer(exchange: Exchange) -> None:
        content = exchange.content if data is None else data
        exchange.head(200, "Transfer-Encoding: chunked")
        for start in range(0, len(content[:count]), size):
            chunk = content[:count][start : start + size]
            exchange.body(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if count is None:
            exchange.body(b"0\r\n\r\n")

    return answer


def raw(data: bytes) -> Answer:
    """These bytes instead of HTTP."""
    return lambda exchange: exchange.connection.sendall(data)


def status(code: int, *headers: str, text: str = "sorry") -> Answer:
    """A status and a short text."""

    def answer(exchange: Exchange) -> None:
        exchange.head(code, f"Content-Length: {len(text)}", *headers)
        exchange.body(text.encode())

    return answer


def redirect(address: str, code: int = 302) -> Answer:
    """Sends on to another address."""
    return status(code, f"Location: {address}")


def said(*headers: str, code: int = 200, data: bytes | None = None) -> Answer:
    """These headers, and the whole file or these bytes."""

    def answer(exchange: Exchange) -> None:
        exchange.head(code, *headers)
        exchange.body(exchange.content if data is None else data)

    return answer


def other_content(change: Callable[[bytes], bytes], *, ranges: bool = True) -> Answer:
    """Honest, but of another content."""

    def answer(exchange: Exchange) -> None:
        content = change(exchange.content)
        (honest if ranges else no_ranges)(
            Exchange(exchange.request, content, exchange.connection, exchange.left)
        )

    return answer


def flipped(place: int) -> Answer:
    """One bit of the file is wrong."""
    return other_content(
        lambda content: content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]
    )


def zipped(exchange: Exchange) -> None:
    """In a coded form that was not asked for."""
    data = gzip.compress(exchange.content)
    exchange.head(200, f"Content-Length: {len(data)}", "Content-Encoding: gzip")
    exchange.body(data)


def endless(exchange: Exchange) -> None:
    """Without a length and without an end."""
    exchange.head(200)
    with contextlib.suppress(OSError):
        while not exchange.left.is_set():
            exchange.body(b"\0" * 65536)


def endless_chunks(exchange: Exchange) -> None:
    """The same in chunks."""
    exchange.head(200, "Transfer-Encoding: chunked")
    with contextlib.suppress(OSError):
        while not exchange.left.is_set():
            exchange.body(b"10000\r\n" + b"\0" * 65536 + b"\r\n")


def login_page(exchange: Exchange) -> None:
    """What a network answers in which one has to log in first."""
    page = b"<html><body>Welcome! Please log in.</body></html>" * 40
    exchange.head(200, f"Content-Length: {len(page)}", "Content-Type: text/html; charset=utf-8")
    exchange.body(page)


def silence(exchange: Exchange) -> None:
    """Takes the request and says nothing."""
    exchange.wait(STALL_S)


def stall_after(count: int) -> Answer:
    """That many bytes of the body, then nothing, with the connection open."""

    def answer(exchange: Exchange) -> None:
        exchange.file_head()
        exchange.body(exchange.rest[:count])
        exchange.wait(STALL_S)

    return answer


def slow(start_s: float = 0.0, drip_s: float = 0.0, drip_bytes: int = 1000) -> Answer:
    """Honest, but takes its time."""

    def answer(exchange: Exchange) -> None:
        exchange.wait(start_s)
        exchange.file_head()
        for start in range(0, len(exchange.rest), drip_bytes):
            exchange.body(exchange.rest[start : start + drip_bytes])
            exchange.wait(drip_s)

    return answer


def reset_at_once(exchange: Exchange) -> None:
    """Breaks the connection before any answer."""
    exchange.reset()


def reset_in_headers(exchange: Exchange) -> None:
    """Breaks it amid the first lines."""
    exchange.connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")
    time.sleep(0.05)
    exchange.reset()


def nothing(exchange: Exchange) -> None:
    """Ends the connection without any answer."""


class WeightsServer(LoopbackServer):
    """Gives one file at every path.

    Attributes:
        requests: all that were made, in their order.
        sent: bytes of bodies; those that were on their way when a connection broke count as well.
        url: of the file.
    """

    def __init__(
        self,
        content: bytes,
        script: Sequence[Answer] = (),
        otherwise: Answer = honest,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(tls)
        self.content, self._script, self.otherwise = content, list(script), otherwise
        self.sent = 0
        self.url = f"{'https' if tls else 'http'}://{self.host}{PATH}"

    @property
    def offsets(self) -> list[int | None]:
        """What the requests asked for; None is the whole file."""
        return [request.offset for request in self.requests]

    def handle(self, request: Request, connection: socket.socket) -> None:
        """See `LoopbackServer`."""
        with self._lock:
            answer = self._script.pop(0) if self._script else self.otherwise
        exchange = Exchange(request, self.content, connection, self._left)
        try:
            answer(exchange)
        finally:
            with self._lock:
                self.sent += exchange.sent
