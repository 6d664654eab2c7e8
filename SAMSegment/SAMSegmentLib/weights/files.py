"""Large files: read, written and checked in blocks, with progress, and never through a link."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from io import FileIO
from pathlib import Path

from ..core.errors import InstallError
from .progress import ProgressReporter

BLOCK_BYTES = 1 << 20
# So long Windows' virus scanners may hold a new file.
SCANNED_S = 2.0
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


def kind_of(path: Path) -> str:
    """Why something is no plain file, such as "a symbolic link"; "" if it is one.

    Raises:
        OSError: if there is nothing, or it cannot be reached.
    """
    mode = os.lstat(path).st_mode
    if stat.S_ISREG(mode):
        return ""
    return {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder"}.get(
        stat.S_IFMT(mode), "no plain file"
    )


def size_of(path: Path) -> int:
    """Bytes of a plain file.

    Raises:
        InstallError: if it is a link, a folder, or anything else.
    """
    with disk_errors(path):
        kind, size = kind_of(path), os.lstat(path).st_size
    if kind:
        raise InstallError(f"{path} is {kind} where a file should be: nothing was read or written.")
    return size


def file_sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal; read once, and again only when the file has changed."""
    status = path.stat()
    return _sha256(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=32)
def _sha256(path: Path, size: int, modified: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(file: FileIO, reporter: ProgressReporter) -> str:
    """SHA-256 in hexadecimal of what follows in a file, with progress.

    Raises:
        OSError: if it cannot be read.
    """
    digest, done, size = hashlib.sha256(), 0, os.fstat(file.fileno()).st_size
    reporter.begin("Checking", 0, size)
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        done += len(block)
        reporter.step(len(block), done, size)
    return digest.hexdigest()


def hash_of(path: Path, reporter: ProgressReporter) -> str:
    """SHA-256 of a file in hexadecimal, with progress.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return sha256_of(file, reporter)


def copy(source: Path, target: Path, reporter: ProgressReporter) -> str:
    """Copies a file into a new one; the SHA-256 of what lies on the disk then.

    Raises:
        InstallError: if it cannot be read or written; a part of the target may be there.
    """
    into = PartialFile(target)
    into.remove()
    with _reading(source, "cannot be read"):
        file = source.open("rb", buffering=0)
    with file, into.open(os.O_EXCL) as writer:
        size, done = os.fstat(file.fileno()).st_size, 0
        reporter.begin("Copying", 0, size)
        while True:
            with _reading(source, "cannot be read to its end", " Nothing was installed."):
                block = file.read(BLOCK_BYTES)
            if not block:
                return writer.sha256(reporter)
            writer.write_at(done, block)
            done += len(block)
            reporter.step(len(block), done, size)


@contextmanager
def _reading(path: Path, fault: str, end: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InstallError(f"{path} {fault}: {error.strerror}.{end}") from error


def replace(source: Path, target: Path) -> None:
    """Gives a file its name, in one step.

    Raises:
        OSError: if that is not possible.
    """
    until = time.monotonic() + SCANNED_S
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt" or time.monotonic() > until:
                raise
            time.sleep(SCANNED_S / 20)


class PartialFile:
    """A file that grows until it is whole: bytes that are there, and where further ones go.

    Nothing is buffered, so that what was fetched outlives a process that is killed. Every method
    raises InstallError where the disk does not do its part, or where there is something that is no
    plain file: nothing is written through a link.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def length(self) -> int:
        """Bytes that are there; 0 if there is no file."""
        with disk_errors(self.path):
            try:
                status = os.lstat(self.path)
            except FileNotFoundError:
                return 0
        self._check_kind(status)
        return status.st_size

    @contextmanager
    def open(self, more_flags: int = 0) -> Iterator[PartialFileWriter]:
        """The file, to write into; it is made if it is not there."""
        _ = self.length
        flags = os.O_RDWR | os.O_CREAT | more_flags
        # Each of the last two is missing on one system: Windows has no links to fear by default.
        for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_BINARY"):
            flags |= getattr(os, name, 0)
        with disk_errors(self.path):
            file = os.fdopen(os.open(self.path, flags, 0o666), "r+b", buffering=0)
        try:
            self._check_kind(os.fstat(file.fileno()))
            yield PartialFileWriter(self.path, file)
        finally:
            # A network disk may only now tell that it is full.
            with disk_errors(self.path):
                file.close()

    def sha256(self, reporter: ProgressReporter) -> str:
        """SHA-256 in hexadecimal of what is on the disk."""
        with self.open() as file:
            return file.sha256(reporter)

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


class PartialFileWriter:
    """See `PartialFile.open`.

    Attributes:
        length: the file's bytes.
        kept: how many of them were there when it was opened, and have not been contradicted.
    """

    def __init__(self, path: Path, file: FileIO) -> None:
        self._path, self._file = path, file
        with disk_errors(path):
            self.length = self.kept = os.fstat(file.fileno()).st_size

    def write_at(self, position: int, block: bytes) -> None:
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
        rest = memoryview(block)
        with disk_errors(self._path):
            self._file.seek(position)
            while rest:
                # Where the disk has room for a part only, the next round raises the reason.
                written = self._file.write(rest)
                position, rest = position + written, rest[written:]
                self.length = max(self.length, position)

    def truncate(self, length: int) -> None:
        """Drops what lies beyond."""
        with disk_errors(self._path):
            self._file.truncate(length)
        self.length = min(self.length, length)
        self.kept = min(self.kept, length)

    def sha256(self, reporter: ProgressReporter) -> str:
        """SHA-256 in hexadecimal; what was written is on the disk first, then read back."""
        with disk_errors(self._path):
            os.fsync(self._file.fileno())
            self._file.seek(0)
            return sha256_of(self._file, reporter)

    def _read(self, position: int, count: int) -> bytes:
        with disk_errors(self._path):
            self._file.seek(position)
            return self._file.read(count)


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
