"""How the client and its child make sure of each other before they exchange anything else.

The socket lies in a folder that only the user can enter, or, on Windows, on the computer's own
loopback address, where others could knock. So each side proves that it knows a key that the client
gave the child by its standard input: HMAC-SHA256 over random numbers of both sides. Nothing else is
read from another process.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
import struct

NONCE_BYTES = 32
MAC_BYTES = 32
_PID = struct.Struct("!Q")
_LARGEST_PID = 2**31 - 1
REPLY_BYTES = NONCE_BYTES + _PID.size + MAC_BYTES


class ClientHandshake:
    """The client's part, without waiting.

    Attributes:
        pid: of the child, once it has proved to be ours.
    """

    def __init__(self, connection: socket.socket, key: bytes) -> None:
        self._connection = connection
        self._key = key
        self._nonce = secrets.token_bytes(NONCE_BYTES)
        self._reply = b""
        self.pid: int | None = None
        connection.setblocking(False)
        # A new socket's buffer takes a few bytes at once.
        connection.send(self._nonce)

    def advance(self) -> bool:
        """Reads what has come; True once the child has proved to be ours.

        Raises:
            OSError: if it is not, or has left.
        """
        try:
            data = self._connection.recv(REPLY_BYTES - len(self._reply))
        except BlockingIOError:
            return False
        if not data:
            raise ConnectionError("The connection was closed during the handshake.")
        self._reply += data
        if len(self._reply) < REPLY_BYTES:
            return False
        said, proof = self._reply[:-MAC_BYTES], self._reply[-MAC_BYTES:]
        if not hmac.compare_digest(proof, _mac(self._key, b"child", self._nonce, said)):
            raise ConnectionError("Another process tried to connect.")
        (pid,) = _PID.unpack(said[NONCE_BYTES:])
        if not 1 < pid <= _LARGEST_PID:
            raise ConnectionError("A child has sent a process id that is none.")
        self._connection.send(_mac(self._key, b"client", self._nonce, said))
        self.pid = pid
        return True


def child_handshake(connection: socket.socket, key: bytes, pid: int) -> None:
    """The child's part; waits for the client.

    Raises:
        OSError: if the client has left, or is not ours.
    """
    nonce = _receive(connection, NONCE_BYTES)
    said = secrets.token_bytes(NONCE_BYTES) + _PID.pack(pid)
    connection.sendall(said + _mac(key, b"child", nonce, said))
    proof = _receive(connection, MAC_BYTES)
    if not hmac.compare_digest(proof, _mac(key, b"client", nonce, said)):
        raise ConnectionError("This is not the client that started this process.")


def _mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError("The client has left.")
        data += more
    return data
