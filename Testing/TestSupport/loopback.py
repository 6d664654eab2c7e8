"""Web servers on this computer, for tests: plain sockets, so that what they say can also break."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Request:
    """What a client asked for; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]

    @property
    def offset(self) -> int | None:
        """First byte of the range that was asked for; None without one."""
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(found[1]) if found else None


@dataclass
class Exchange:
    """One request, and the way to answer it.

    Attributes:
        content: of the file.
        left: whether the server ends.
    """

    request: Request
    content: bytes
    connection: socket.socket
    left: threading.Event
    sent: int = field(default=0)

    @property
    def rest(self) -> bytes:
        """What an honest server would send."""
        return self.content[self.request.offset or 0 :]

    def head(self, status: int, *headers: str) -> None:
        """The first lines of an answer."""
        lines = [f"HTTP/1.1 {status} Said", *headers, "Connection: close", "", ""]
        self.connection.sendall("\r\n".join(lines).encode("latin-1"))

    def file_head(self, *more: str, length: int | None = None) -> None:
        """The first lines of an honest answer; with another length, if one is given."""
        offset, total = self.request.offset, len(self.content)
        said = len(self.rest) if length is None else length
        if offset is None:
            self.head(200, f"Content-Length: {said}", *more)
        else:
            part = f"Content-Range: bytes {offset}-{total - 1}/{total}"
            self.head(206, f"Content-Length: {said}", part, *more)

    def body(self, data: bytes) -> None:
        """Bytes of the body."""
        self.connection.sendall(data)
        self.sent += len(data)

    def reset(self) -> None:
        """Breaks the connection so that the client hears of it as of an error (RST)."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def wait(self, seconds: float) -> None:
        """Does nothing, but not longer than the server lives."""
        self.left.wait(seconds)


Answer = Callable[[Exchange], None]


class LoopbackServer:
    """Accepts connections on 127.0.0.1, a thread for each; ends with its `with` block.

    Args:
        tls: what the server shows if the connections are to be encrypted.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self._tls = tls
        self._left = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, *_) -> None:
        self._left.set()
        # On some systems, closing alone does not wake up who waits in accept.
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a thread of the server did not end"

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._left.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
        try:
            # A client that breaks off, or does not trust us, is none of our troubles.
            with contextlib.suppress(OSError, ValueError):
                if self._tls is not None:
                    plain, connection = connection, None
                    connection = self._tls.wrap_socket(plain, server_side=True)
                    with self._lock:
                        self._open.add(connection)
                request = read_request(connection)
                if request is not None and not self._left.is_set():
                    with self._lock:
                        self.requests.append(request)
                    self.handle(request, connection)
        finally:
            with self._lock:
                self._open.discard(connection)
            if connection is not None:
                _end(connection)

    def handle(self, request: Request, connection: socket.socket) -> None:
        """Answers one request; the connection is closed afterwards."""
        raise NotImplementedError


class Proxy(LoopbackServer):
    """A plain web proxy: fetches http addresses, and lets https through (CONNECT).

    Args:
        refusal: an answer instead, such as `status(407)`.
    """

    def __init__(self, refusal: Answer | None = None) -> None:
        super().__init__()
        self._refusal = refusal
        self.url = f"http://{self.host}"

    def handle(self, request: Request, connection: socket.socket) -> None:
        """See `LoopbackServer`."""
        if self._refusal is not None:
            self._refusal(Exchange(request, b"", connection, self._left))
            return
        address = re.fullmatch(r"(?:http://)?([^/:]+):(\d+)(/.*)?", request.path)
        with socket.create_connection((address[1], int(address[2])), timeout=10) as target:
            if request.method == "CONNECT":
                connection.sendall(b"HTTP/1.1 200 Through\r\n\r\n")
                self._start(_pass_on, connection, target)
            else:
                lines = [f"{request.method} {address[3]} HTTP/1.1"]
                lines += [f"{name}: {value}" for name, value in request.headers.items()]
                target.sendall("\r\n".join([*lines, "", ""]).encode("latin-1"))
            _pass_on(target, connection)


def read_request(connection: socket.socket) -> Request | None:
    """The first lines of a request, byte by byte as they come; None if there is none."""
    text = b""
    while not text.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        # Who begins with something else wants to speak TLS.
        if not more or not (text or more.isalpha()):
            return None
        text += more
    first, *lines = text.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.split(":", 1) for line in lines)
    return Request(method, path, {name.strip().lower(): value.strip() for name, value in pairs})


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
    connection.close()
