"""Whole messages over a socket, and file descriptors beside them.

A message is eight bytes of length, a byte that counts descriptors, and a pickle. `ClientChannel`
never waits, whatever the other side does; `ChildChannel` does, in a thread of its own.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import socket
import struct
import threading
from collections import deque

_HEADER = struct.Struct("!QB")
_READ_BYTES = 2**18
_MOST_DESCRIPTORS = 16
# A message is small: voxels travel in shared memory.
_LARGEST_MESSAGE = 2**28
_MESSAGES_FROM = ("SAMSegmentLib", "numpy")


class ClosedError(Exception):
    """The other side has closed the channel, or is gone."""


class _Unpickler(pickle.Unpickler):
    """Makes nothing but what messages are made of; above all, nothing that would import torch."""

    def find_class(self, module: str, name: str):
        if module.partition(".")[0] not in _MESSAGES_FROM:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a message.")
        return super().find_class(module, name)


class _Inbox:
    """Takes bytes and descriptors as they come and gives whole messages."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        # Windows passes memory by name.
        self._takes_descriptors = getattr(socket, "AF_UNIX", None) == connection.family
        self._bytes = bytearray()
        self._descriptors: deque[int] = deque()

    def read(self) -> None:
        """Reads what has come; waits if the socket does.

        Raises:
            BlockingIOError: if nothing has come, and the socket does not wait.
            ClosedError: if nothing will ever come.
        """
        try:
            data, descriptors = self._read()
        except BlockingIOError:
            raise
        except OSError as error:
            raise ClosedError from error
        self._descriptors.extend(descriptors)
        if not data:
            raise ClosedError
        self._bytes += data

    def _read(self) -> tuple[bytes, list[int]]:
        if not self._takes_descriptors:
            return self._connection.recv(_READ_BYTES), []
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        data, descriptors, _, _ = socket.recv_fds(
            self._connection, _READ_BYTES, _MOST_DESCRIPTORS, flags
        )
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        return data, descriptors

    def next(self) -> tuple[object, int | None] | None:
        """The next message and its descriptor, if a whole one is there."""
        if len(self._bytes) < _HEADER.size:
            return None
        length, count = _HEADER.unpack_from(self._bytes)
        if length > _LARGEST_MESSAGE:
            raise ClosedError
        end = _HEADER.size + length
        if len(self._bytes) < end:
            return None
        body = io.BytesIO(memoryview(self._bytes)[_HEADER.size : end])
        del self._bytes[:end]
        try:
            message = _Unpickler(body).load()
        except Exception as error:
            raise ClosedError from error
        return message, self._descriptors.popleft() if count and self._descriptors else None

    def close(self) -> None:
        """Closes descriptors that nobody asked for."""
        while self._descriptors:
            os.close(self._descriptors.popleft())


class ClientChannel:
    """The client's end: nothing here ever waits."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._inbox = _Inbox(connection)
        self._outbox = bytearray()

    def send(self, message: object) -> None:
        """Sends a message, or keeps it until `flush` can."""
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        self._outbox += _HEADER.pack(len(body), 0) + body
        self.flush()

    def flush(self) -> None:
        """Sends as much as can be sent at once; a child that is gone is noticed by `receive`."""
        with contextlib.suppress(OSError):
            while self._outbox:
                sent = self._connection.send(memoryview(self._outbox)[:_READ_BYTES])
                del self._outbox[:sent]

    def receive(self) -> tuple[object, int | None] | None:
        """The next message and the descriptor beside it; None if none is there yet.

        Raises:
            ClosedError: if the child is gone and there are no more messages.
        """
        while (message := self._inbox.next()) is None:
            try:
                self._inbox.read()
            except BlockingIOError:
                return None
        return message

    def close(self) -> None:
        """Closes the channel; the child then leaves."""
        self._inbox.close()
        self._connection.close()


class ChildChannel:
    """The child's end: waits for messages, and for room to send them. One thread may receive."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._inbox = _Inbox(connection)
        self._lock = threading.Lock()

    def send(self, message: object, descriptor: int | None = None) -> None:
        """Sends a message, from any thread.

        Raises:
            ClosedError: if the client is gone.
        """
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        data = _HEADER.pack(len(body), 0 if descriptor is None else 1) + body
        with self._lock:
            try:
                if descriptor is not None:
                    # Beside the first byte, so that it is there when the message is whole.
                    socket.send_fds(self._connection, [data[:1]], [descriptor])
                    data = data[1:]
                self._connection.sendall(data)
            except OSError as error:
                raise ClosedError from error

    def receive(self) -> object:
        """The next message.

        Raises:
            ClosedError: if the client is gone.
        """
        while (message := self._inbox.next()) is None:
            self._inbox.read()
        return message[0]
