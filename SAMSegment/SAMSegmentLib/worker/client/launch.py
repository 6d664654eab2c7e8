"""Starting and ending the child process.

The command may be a launcher, as Slicer's PythonSlicer is: a program that starts the real Python,
waits for it, and does not take it along when it is killed. So the child sends its own process id,
both are killed, and a child that finds its client gone leaves by itself.
"""

from __future__ import annotations

import contextlib
import errno
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
from typing import BinaryIO, NamedTuple

from ...core.errors import SAMSegmentError
from ..protocol.handshake import ClientHandshake

#: The child's script; it finds the library by its own place.
ENTRY = Path(__file__).parents[1] / "child" / "process_main.py"
# The system's limit is 104 bytes on macOS, 108 on Linux.
LONGEST_SOCKET_PATH = 100
# Who connects and does not prove within this time to be ours is sent away.
HANDSHAKE_S = 2.0
# So many may try at the same time; whoever has tried for longest gives way to one more.
MOST_PENDING = 16
REPORT_BYTES = 4000
NO_FOLDER = (
    "There is no folder for temporary files that can be written to, and the model's process needs "
    "one: make room on the disk, or let the environment variable TMPDIR name another folder."
)


def worker_python() -> list[str]:
    """The command that runs Python: Slicer's own inside Slicer, else this interpreter.

    Raises:
        SAMSegmentError: if there is none.
    """
    is_python = re.match(r"python", Path(sys.executable or "").name, re.IGNORECASE) is not None
    # PythonQt is only there where an application like Slicer has Python inside.
    if is_python and "PythonQt" not in sys.modules:
        return [sys.executable]
    slicers = _slicers_python()
    if slicers is None:
        raise SAMSegmentError(
            "PythonSlicer, which comes with Slicer, was not found: the model cannot be started. "
            "Reinstall Slicer."
        )
    return [slicers]


def _slicers_python() -> str | None:
    """PythonSlicer in Slicer's own folder; Windows would look in the working folder before.

    Slicer sets SLICER_HOME (qSlicerCoreApplicationPrivate::initializeEnvironmentFromLauncher).
    """
    name = "PythonSlicer.exe" if sys.platform == "win32" else "PythonSlicer"
    if home := os.environ.get("SLICER_HOME"):
        path = os.path.join(home, "bin", name)
        if os.path.isfile(path):
            return path
    return shutil.which("PythonSlicer")


class _PendingConnection(NamedTuple):
    """Somebody who has connected, since `since` seconds, and may be the child."""

    connection: socket.socket
    handshake: ClientHandshake
    since: float


class ChildProcess:
    """A child that was started, and the way to it.

    Where to call, and the key, the child reads from its standard input: a command line can be read
    by everybody, and of the environment Slicer's launcher keeps copies for all that is started
    later (ctkAppLauncherEnvironment::saveEnvironment); standard input it hands on
    (ctkAppLauncherPrivate::runProcess, ForwardedInputChannel).

    Attributes:
        pid: of the Python that computes, once it has connected.
        connection: the socket to it, once it has connected.
    """

    def __init__(self, python: Sequence[str], settings: dict[str, str]) -> None:
        self.pid: int | None = None
        self.connection: socket.socket | None = None
        self._key = secrets.token_bytes(32)
        self._pending: list[_PendingConnection] = []
        self._listener, address, self._folder = _listen()
        self._report = _report_file()
        try:
            sent = {**settings, "address": address, "folder": self._folder, "key": self._key.hex()}
            self._process = self._start(python, json.dumps(sent))
        except OSError as error:
            self._stop_listening()
            self.forget()
            raise SAMSegmentError(
                f"The model's process could not be started ({python[0]}: {error})."
            ) from error

    def _start(self, python: Sequence[str], settings: str) -> subprocess.Popen:
        flags = 0
        if sys.platform == "win32":
            # A launcher's child inherits both.
            flags = subprocess.CREATE_NO_WINDOW | subprocess.BELOW_NORMAL_PRIORITY_CLASS
        output = subprocess.DEVNULL if self._report is None else self._report
        process = subprocess.Popen(
            [*python, str(ENTRY)],
            env=dict(os.environ),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=_working_folder(),
            creationflags=flags,
        )
        # A child that has ended already is noticed by `has_ended`.
        with contextlib.suppress(OSError), process.stdin as stdin:
            stdin.write(settings.encode())
        return process

    def connect(self, now: float) -> bool:
        """Lets the child in, without waiting; True once it is there.

        Others may connect first, and say nothing or nonsense: they do not keep the child waiting.

        Args:
            now: seconds, of any clock that runs on.
        """
        if self.connection is None:
            self._accept_pending(now)
            for pending in self._pending:
                self._advance_handshake(pending, now)
                if self.connection is not None:
                    self._stop_listening()
                    break
        return self.connection is not None

    def _accept_pending(self, now: float) -> None:
        for _ in range(MOST_PENDING):
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            try:
                pending = _PendingConnection(
                    connection, ClientHandshake(connection, self._key), now
                )
            except OSError:
                connection.close()
                continue
            self._pending.append(pending)
            if len(self._pending) > MOST_PENDING:
                self._pending.pop(0).connection.close()

    def _advance_handshake(self, pending: _PendingConnection, now: float) -> None:
        try:
            if pending.handshake.advance():
                self.connection, self.pid = pending.connection, pending.handshake.pid
            is_rejected = now - pending.since >= HANDSHAKE_S
        except OSError:
            is_rejected = True
        if is_rejected and self.connection is None:
            pending.connection.close()
            self._pending = [other for other in self._pending if other is not pending]

    def has_ended(self) -> bool:
        """Whether the process (or its launcher) has ended; it then is no zombie any more."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Ends the child and its launcher at once; `has_ended` says when."""
        self._stop_listening()
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
        written = ""
        if self._report is not None:
            size = self._report.seek(0, os.SEEK_END)
            self._report.seek(max(0, size - REPORT_BYTES))
            written = self._report.read().decode(errors="replace")
        return f"Exit status {self._process.poll()}.\n{written}".strip()

    def forget(self) -> None:
        """Gives up what is kept for `report`."""
        if self._report is not None:
            self._report.close()

    def _stop_listening(self) -> None:
        """Nobody else can connect from now on."""
        self._listener.close()
        for pending in self._pending:
            if pending.connection is not self.connection:
                pending.connection.close()
        self._pending = []
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _working_folder() -> str | None:
    """Where the child works: here, or if that folder was deleted, in one that cannot be.

    Libraries such as Intel's MKL do not load in a folder that is gone.
    """
    with contextlib.suppress(OSError):
        if os.path.isdir(os.getcwd()):
            return None
    return ENTRY.anchor


def _report_file() -> BinaryIO | None:
    """A file without a name for what the child writes; in memory, where there is such a thing."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("SAMSegment-report"), "w+b")
    with contextlib.suppress(OSError):
        return tempfile.TemporaryFile()
    return None


def _listen() -> tuple[socket.socket, object, str | None]:
    """A socket that waits for the child, its address, and the folder that was made for it.

    Raises:
        SAMSegmentError: if no folder can be made.
    """
    if not hasattr(socket, "AF_UNIX"):
        return _listen_on_loopback()
    for place in (None, "/tmp", os.environ.get("XDG_RUNTIME_DIR")):
        with contextlib.suppress(OSError):
            return _listen_in(place)
    if sys.platform == "linux":
        # A name that lies in no folder; others could connect, but do not know the key.
        listener = socket.socket(socket.AF_UNIX)
        address = f"\0samsegment-{secrets.token_hex(16)}"
        listener.bind(address)
        return _listening(listener), address, None
    raise SAMSegmentError(NO_FOLDER)


def _listen_in(place: str | None) -> tuple[socket.socket, object, str]:
    """The same in a new folder at that place; None: where temporary files lie."""
    folder = tempfile.mkdtemp(prefix="samsegment-", dir=place)
    try:
        address = os.path.join(folder, "s")
        if len(os.fsencode(address)) > LONGEST_SOCKET_PATH:
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), address)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(address)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _listening(listener), address, folder


def _listen_on_loopback() -> tuple[socket.socket, object, None]:
    listener = socket.socket(socket.AF_INET)
    if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    listener.bind(("127.0.0.1", 0))
    return _listening(listener), list(listener.getsockname()), None


def _listening(listener: socket.socket) -> socket.socket:
    listener.listen(64)
    listener.setblocking(False)
    return listener
