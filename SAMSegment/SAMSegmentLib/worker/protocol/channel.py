"""Whole messages over a socket, and file descriptors beside them.

A message is eight bytes of length, a byte that counts descriptors, and JSON (see `encoding`): what
comes is built from an exact list of classes, and from nothing else, on both sides. `ClientChannel`
never waits, whatever the other side does; `ChildChannel` does, in a thread of its own.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

from ...core.errors import InputError
from .encoding import MessageCodec, MessageError, MessageLists, Substitute

_HEADER = struct.Struct("!QB")
_READ_BYTES = 2**18
_MOST_DESCRIPTORS = 16
# A message is small: voxels travel in shared memory. A click takes some eighty bytes.
LARGEST_MESSAGE = 2**24
NO_MESSAGE = "What came over the channel is no message."


class ClosedError(Exception):
    """The other side has closed the channel, is gone, or has sent what is no message."""


class _Inbox:
    """Takes bytes and descriptors as they come and gives whole messages."""

    def __init__(self, connection: socket.socket, codec: MessageCodec) -> None:
        self._connection = connection
        self._codec = codec
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
        if len(self._descriptors) > _MOST_DESCRIPTORS:
            raise ClosedError("More file descriptors came than messages.")
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
        """The next message and its descriptor, if a whole one is there.

        Raises:
            ClosedError: if what came is no message: nothing after it can be made sense of.
        """
        if len(self._bytes) < _HEADER.size:
            return None
        length, count = _HEADER.unpack_from(self._bytes)
        if length > LARGEST_MESSAGE or count > 1:
            raise ClosedError(f"{NO_MESSAGE}\nIts header is damaged.")
        end = _HEADER.size + length
        if len(self._bytes) < end:
            return None
        body = bytes(memoryview(self._bytes)[_HEADER.size : end])
        del self._bytes[:end]
        try:
            message = self._codec.decode(body)
        except MessageError as error:
            raise ClosedError(f"{NO_MESSAGE}\n{error}") from error
        if not count:
            return message, None
        if getattr(message, "handle", None) is None or not self._descriptors:
            raise ClosedError("A file descriptor is missing, or came beside what needs none.")
        return message, self._descriptors.popleft()

    def close(self) -> None:
        """Closes descriptors that nobody asked for."""
        while self._descriptors:
            os.close(self._descriptors.popleft())


class ClientChannel:
    """The client's end: nothing here ever waits.

    Args:
        substitutes: for what is sent, see MessageCodec.
    """

    def __init__(
        self,
        connection: socket.socket,
        messages: MessageLists,
        substitutes: Mapping[type, Substitute] = MappingProxyType({}),
    ) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._codec = MessageCodec(messages.to_child, substitutes)
        self._inbox = _Inbox(connection, MessageCodec(messages.to_client))
        self._outbox = bytearray()

    def send(self, message: object) -> None:
        """Sends a message, or keeps it until `flush` can.

        Raises:
            InputError: if something in it is not what it should be; nothing was sent.
        """
        self._outbox += _packed(message, self._codec, 0)
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
    """The child's end: waits for messages, and until they can be sent. One thread may receive.

    Args:
        substitutes: for what is received, see MessageCodec.
    """

    def __init__(
        self,
        connection: socket.socket,
        messages: MessageLists,
        substitutes: Mapping[type, Substitute] = MappingProxyType({}),
    ) -> None:
        self._connection = connection
        self._codec = MessageCodec(messages.to_client)
        self._inbox = _Inbox(connection, MessageCodec(messages.to_child, substitutes))
        self._lock = threading.Lock()

    def send(self, message: object, descriptor: int | None = None) -> None:
        """Sends a message, from any thread.

        Raises:
            ClosedError: if the client is gone.
            InputError: if something in it is not what it should be; nothing was sent.
        """
        data = _packed(message, self._codec, 0 if descriptor is None else 1)
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


def _packed(message: object, codec: MessageCodec, descriptors: int) -> bytes:
    body = codec.encode(message)
    if len(body) > LARGEST_MESSAGE:
        raise InputError(
            f"This is too much at once ({len(body) / 1e6:.0f} MB beside the voxels): use fewer "
            "points."
        )
    return _HEADER.pack(len(body), descriptors) + body
