"""Large files: read, copied and checked in blocks, with progress, and never through a link."""

from __future__ import annotations

import os
import stat
import time
from io import FileIO
from pathlib import Path

from ..core.errors import InstallError
from .partial_file import BLOCK_BYTES, disk_errors, sha256_of
from .speed import Telling
from .transfer import Report

__all__ = ["copy", "disk_errors", "file_at", "hash_of", "replace"]

SCANNED_S = 2.0


def file_at(path: Path) -> os.stat_result:
    """What the system knows of a plain file.

    Raises:
        InstallError: if it is a link, a folder, or anything else.
    """
    with disk_errors(path):
        status = os.lstat(path)
    if stat.S_ISREG(status.st_mode):
        return status
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder"}
    what = kinds.get(stat.S_IFMT(status.st_mode), "no plain file")
    raise InstallError(f"{path} is {what} where a file should be: nothing was read or written.")


def hash_of(path: Path, report: Report) -> str:
    """SHA-256 of a file in hexadecimal, with progress.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        return sha256_of(file, Telling(report))


def copy(source: Path, target: Path, report: Report) -> str:
    """Copies a file; the SHA-256 of what lies on the disk then.

    Raises:
        InstallError: if it cannot be read or written; a part of the target may be there.
    """
    telling = Telling(report)
    # A new file: whatever lay there, a link above all, is not written through.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with disk_errors(target):
        target.unlink(missing_ok=True)
        descriptor = os.open(target, flags, 0o666)
    with disk_errors(target), os.fdopen(descriptor, "wb", buffering=0) as into:
        with _open(source) as file:
            size, done = os.fstat(file.fileno()).st_size, 0
            telling.begin("Copying", 0, size)
            while block := _read(file, source):
                rest = memoryview(block)
                while rest:
                    rest = rest[into.write(rest) :]
                done += len(block)
                telling.step(len(block), done, size)
        os.fsync(into.fileno())
    with disk_errors(target):
        return hash_of(target, report)


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
            # Windows' virus scanners hold a new file for a moment.
            if os.name != "nt" or time.monotonic() > until:
                raise
            time.sleep(SCANNED_S / 20)


def _open(path: Path) -> FileIO:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise InstallError(f"{path} cannot be read: {error.strerror}.") from error


def _read(file: FileIO, path: Path) -> bytes:
    try:
        return file.read(BLOCK_BYTES)
    except OSError as error:
        raise InstallError(
            f"{path} cannot be read to its end: {error.strerror}. Nothing was installed."
        ) from error
