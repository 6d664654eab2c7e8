"""Starting and ending the child process.

The command may be a launcher, as Slicer's PythonSlicer is: a program that starts the real Python,
waits for it, and does not take it along when it is killed. So the child tells its own process id,
both are killed, and a child that finds its client gone leaves by itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ..core.errors import SAMSegmentError
from .handshake import ClientHandshake

#: The child's script; it finds the library by its own place.
ENTRY = Path(__file__).with_name("process_main.py")
#: Tells the child where to call, and the key: not on the command line, which everybody can read.
VARIABLE = "SAMSEGMENT_WORKER"
# The system's limit is 104 bytes on macOS, 108 on Linux.
LONGEST_SOCKET_PATH = 100
# Who connects and does not prove within this time to be ours gives way to the next.
HANDSHAKE_S = 2.0
REPORT_BYTES = 4000


def worker_python() -> list[str]:
    """The command that runs Python: Slicer's own inside Slicer, else this interpreter.

    Raises:
        SAMSegmentError: if there is none.
    """
    is_python = re.match(r"python", Path(sys.executable or "").name, re.IGNORECASE) is not None
    # PythonQt is only there where an application like Slicer has Python inside.
    if is_python and "PythonQt" not in sys.modules:
        return [sys.executable]
    slicers = shutil.which("PythonSlicer")
    if slicers is None:
        raise SAMSegmentError(
            "PythonSlicer, which comes with Slicer, was not found: the model cannot be started. "
            "Reinstall Slicer."
        )
    return [slicers]


class ChildProcess:
    """A child that was started, and the way to it.

    Attributes:
        pid: of the Python that computes, once it has connected.
        connection: the socket to it, once it has connected.
    """

    def __init__(self, python: Sequence[str], settings: dict[str, str]) -> None:
        self.pid: int | None = None
        self.connection: socket.socket | None = None
        self._key = secrets.token_bytes(32)
        self._guest: tuple[socket.socket, ClientHandshake, float] | None = None
        self._listener, address, self._folder = _listen()
        self._report = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `forget`
        try:
            self._process = self._start(python, {**settings, "address": address})
        except OSError as error:
            self._close_door()
            self._report.close()
            raise SAMSegmentError(
                f"The model's process could not be started ({python[0]}: {error})."
            ) from error

    def _start(self, python: Sequence[str], settings: dict[str, object]) -> subprocess.Popen:
        told = json.dumps({**settings, "key": self._key.hex()})
        flags = 0
        if sys.platform == "win32":
            # A launcher's child inherits both.
            flags = subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        return subprocess.Popen(
            [*python, str(ENTRY)],
            env={**os.environ, VARIABLE: told},
            stdin=subprocess.DEVNULL,
            stdout=self._report,
            stderr=self._report,
            creationflags=flags,
        )

    def connect(self, now: float) -> bool:
        """Lets the child in, without waiting; True once it is there.

        Args:
            now: seconds, of any clock that runs on.
        """
        if self.connection is not None:
            return True
        if self._guest is None:
            try:
                guest, _ = self._listener.accept()
                self._guest = (guest, ClientHandshake(guest, self._key), now)
            except OSError:
                return False
        guest, handshake, since = self._guest
        try:
            if handshake.advance():
                self.connection, self.pid, self._guest = guest, handshake.pid, None
                self._close_door()
                return True
        except OSError:
            since = now - HANDSHAKE_S
        if now - since >= HANDSHAKE_S:
            guest.close()
            self._guest = None
        return False

    def has_ended(self) -> bool:
        """Whether the process (or its launcher) has ended; it then is no zombie any more."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Ends the child and its launcher at once; `has_ended` tells when."""
        self._close_door()
        if self._guest is not None:
            self._guest[0].close()
            self._guest = None
        if self.pid is not None and self.pid != self._process.pid:
            # On Windows every signal but two is TerminateProcess.
            with contextlib.suppress(OSError):
                os.kill(self.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        with contextlib.suppress(OSError):
            self._process.kill()

    def wait(self, seconds: float) -> None:
        """Waits for the end of what was killed, but not for long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def report(self) -> str:
        """How it ended, and the last that it wrote."""
        size = self._report.seek(0, os.SEEK_END)
        self._report.seek(max(0, size - REPORT_BYTES))
        written = self._report.read().decode(errors="replace")
        return f"Exit status {self._process.poll()}.\n{written}".strip()

    def forget(self) -> None:
        """Gives up what is kept for `report`."""
        self._report.close()

    def _close_door(self) -> None:
        self._listener.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _listen() -> tuple[socket.socket, object, str | None]:
    """A socket that waits for the child, its address, and the folder that was made for it."""
    if not hasattr(socket, "AF_UNIX"):
        return _listen_on_loopback()
    folder = tempfile.mkdtemp(prefix="samsegment-")
    if len(os.fsencode(folder)) + 2 > LONGEST_SOCKET_PATH:
        os.rmdir(folder)
        folder = tempfile.mkdtemp(prefix="samsegment-", dir="/tmp")
    address = os.path.join(folder, "s")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    return _listening(listener), address, folder


def _listen_on_loopback() -> tuple[socket.socket, object, None]:
    listener = socket.socket(socket.AF_INET)
    if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    listener.bind(("127.0.0.1", 0))
    return _listening(listener), list(listener.getsockname()), None


def _listening(listener: socket.socket) -> socket.socket:
    listener.listen(4)
    listener.setblocking(False)
    return listener
