"""One program at a time works on a model's files: two Slicers may run, or Slicer and the shell."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..core.errors import InstallError, MissingPackageError
from .installed import lock_path
from .transfer import Report, Transfer

if TYPE_CHECKING:
    from .entry import ModelEntry

PAUSE_S = 0.2
WAITING = "Another program is working on these weights"


def ignore(_: Transfer) -> None:
    """Nobody looks."""


@contextmanager
def locked(entry: ModelEntry, report: Report = ignore, wait: bool = True) -> Iterator[None]:
    """Holds the lock of a model's files; makes their folder, if it is not there.

    The system lets go of it when a program ends, however it does.

    Args:
        report: told while another program holds the lock; may raise Cancelled.
        wait: for the other program; else it is an error.

    Raises:
        InstallError: if the folder cannot be made or written to, or another program works there.
        MissingPackageError: without the package filelock.
    """
    _check_place(entry)
    lock = _lock(entry)
    while not _acquired(lock, entry):
        if not wait:
            raise InstallError(
                f"{WAITING} of {entry.title}. Try again when it has finished, or end it."
            )
        report(Transfer(WAITING))
        time.sleep(PAUSE_S)
    try:
        yield
    finally:
        lock.release()


def _lock(entry: ModelEntry):
    try:
        from filelock import FileLock
    except ImportError as error:
        raise MissingPackageError(
            "The Python package filelock is not installed. In Slicer, press 'Install what is "
            "missing' in the module SAM Segment; elsewhere: pip install filelock."
        ) from error
    # A file that only says "locked" would outlive a program that is killed.
    return FileLock(str(lock_path(entry)), fallback_to_soft=False)


def _check_place(entry: ModelEntry) -> None:
    """Some versions of filelock would empty what a link leads to."""
    path = lock_path(entry)
    if os.path.lexists(path) and (os.path.islink(path) or not os.path.isfile(path)):
        raise InstallError(f"{path} is no plain file: remove it. Nothing was done.")


def _acquired(lock, entry: ModelEntry) -> bool:
    from filelock import Timeout

    folder = lock_path(entry).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        return False
    # Some file systems know no locks.
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InstallError(
            f"Weights cannot be kept in the folder {folder}: {reason}. Check its access rights, or "
            "choose another folder in the module SAM Segment."
        ) from error
    return True
