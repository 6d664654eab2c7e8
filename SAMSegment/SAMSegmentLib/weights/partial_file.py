"""The file that a download grows in, until it is whole."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from ..core.errors import InstallError
from .speed import Telling

BLOCK_BYTES = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT} if hasattr(errno, "EDQUOT") else {errno.ENOSPC}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class PartialFile:
    """Bytes that were fetched before, and where further ones go.

    Nothing is buffered, so that what was fetched outlives a process that is killed. Every method
    raises InstallError where the disk does not do its part.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def length(self) -> int:
        """Bytes that are there; 0 if there is no file.

        Raises:
            InstallError: if there is something that is no file; nothing is written through a link.
        """
        with disk_errors(self.path):
            try:
                status = os.lstat(self.path)
            except FileNotFoundError:
                return 0
        self._check_kind(status)
        return status.st_size

    @contextmanager
    def open(self) -> Iterator[OpenPartialFile]:
        """The file, to write into; it is made if it is not there."""
        _ = self.length
        flags = os.O_RDWR | os.O_CREAT
        # Each of the last two is missing on one system: Windows has no links to fear by default.
        for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY"):
            flags |= getattr(os, name, 0)
        with disk_errors(self.path):
            handle = os.open(self.path, flags, 0o666)
            file = os.fdopen(handle, "r+b", buffering=0)
        try:
            self._check_kind(os.fstat(handle))
            yield OpenPartialFile(self.path, file)
        finally:
            # A network disk may only now tell that it is full.
            with disk_errors(self.path):
                file.close()

    def sha256(self, telling: Telling) -> str:
        """SHA-256 in hexadecimal of what is on the disk."""
        with self.open() as file:
            return file.sha256(telling)

    def remove(self) -> None:
        """Gives up all that was fetched."""
        with disk_errors(self.path):
            self.path.unlink(missing_ok=True)

    def _check_kind(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            what = "a link" if stat.S_ISLNK(status.st_mode) else "no file"
            raise InstallError(
                f"{self.path} is {what}: nothing was written there. Remove it, and try again."
            )


class OpenPartialFile:
    """See `PartialFile.open`.

    Attributes:
        length: its bytes.
        kept: how many of them were there when it was opened, and have not been contradicted.
    """

    def __init__(self, path: Path, file: FileIO) -> None:
        self._path, self._file = path, file
        with disk_errors(path):
            self.length = self.kept = os.fstat(file.fileno()).st_size

    def lay(self, position: int, block: bytes) -> None:
        """Puts bytes at their place in the file.

        Bytes that are there already and the same stay, with all that follows them: a server that
        only sends from the beginning takes nothing away. From the first block that differs on, the
        new bytes are believed.
        """
        if position < self.length:
            known = self._read(position, len(block))
            if known == block[: len(known)]:
                position, block = position + len(known), block[len(known) :]
            else:
                self.truncate(position)
        if block:
            self._write(position, block)

    def truncate(self, length: int) -> None:
        """Drops what lies beyond."""
        with disk_errors(self._path):
            self._file.truncate(length)
        self.length = min(self.length, length)
        self.kept = min(self.kept, length)

    def sha256(self, telling: Telling) -> str:
        """SHA-256 in hexadecimal; what was written is on the disk first, then read back."""
        with disk_errors(self._path):
            os.fsync(self._file.fileno())
            self._file.seek(0)
            return sha256_of(self._file, telling)

    def _read(self, position: int, count: int) -> bytes:
        with disk_errors(self._path):
            self._file.seek(position)
            return self._file.read(count)

    def _write(self, position: int, block: bytes) -> None:
        rest = memoryview(block)
        with disk_errors(self._path):
            self._file.seek(position)
            while rest:
                # Where the disk has room for a part only, the next round raises the reason.
                written = self._file.write(rest)
                position, rest = position + written, rest[written:]
                self.length = max(self.length, position)


def sha256_of(file: FileIO, telling: Telling) -> str:
    """SHA-256 in hexadecimal of what follows in a file, with progress.

    Raises:
        OSError: if it cannot be read.
    """
    digest, done, size = hashlib.sha256(), 0, os.fstat(file.fileno()).st_size
    telling.begin("Checking", 0, size)
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        done += len(block)
        telling.step(len(block), done, size)
    return digest.hexdigest()


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turns what the system says about a file into words for its user.

    Raises:
        InstallError: in place of any OSError.
    """
    try:
        yield
    except OSError as error:
        raise InstallError(_words(error, path)) from error


def _words(error: OSError, path: Path) -> str:
    folder, reason = path.parent, error.strerror or type(error).__name__
    if error.errno in _FULL:
        return (
            f"The disk is full ({folder}): make room there, or choose another folder for models. "
            "Then try again: what was fetched is kept."
        )
    if error.errno == errno.EFBIG:
        return (
            f"{path.name} is larger than a file may be in {folder}: choose another folder for "
            "models."
        )
    if error.errno in _FORBIDDEN:
        return (
            f"{folder} cannot be written to ({reason}): check its access rights, or choose "
            "another folder for models."
        )
    return f"{path} cannot be written ({reason}): check this place, and try again."
