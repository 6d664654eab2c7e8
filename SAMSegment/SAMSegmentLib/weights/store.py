"""Weights of a model come onto this computer, are checked, and leave it again.

Whatever happens on the way, a failed network, a full disk, a process that is killed: there is what
was installed before, or what was to be installed, whole. Nothing is converted here, see
`engines.tensor_files.conversion`. Not for Slicer's main thread, but for `remove`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from ..core.errors import InputError, InstallError, MissingPackageError, WeightsError
from .catalogue import ModelEntry
from .download import download
from .files import copy, disk_errors, file_at, hash_of, replace
from .installed import converted_path, copy_path, original_path, partial_path, receipt_path
from .locking import ignore, locked
from .transfer import Report
from .usb import weights_at

# Beyond the bytes of the file: a file system needs some for itself.
ROOM_SHARE = 0.05


def install(entry: ModelEntry, source: Path | None = None, report: Report = ignore) -> Path:
    """Gets a model's weights, unless they are there already; where they lie then.

    Args:
        source: a file, or a folder that holds it, such as a USB stick; it is only read. None: from
            the catalogue's places.
        report: may raise Cancelled; what was downloaded is kept for the next time.

    Raises:
        InputError: if the weights come with SAMSegment, or are the user's own.
        InstallError: if they could not be fetched or written.
        WeightsError: if what is at `source` is something else.
        MissingPackageError: without filelock or requests.
    """
    _check_kind(entry)
    with locked(entry, report):
        _check_targets(entry)
        if not _is_installed_and_right(entry, report):
            from_web = source is None
            fetched = _download(entry, report) if from_web else _copy(entry, Path(source), report)
            _put_in_place(entry, fetched)
        _discard(copy_path(entry), *_left_over(entry))
        return entry.path


def verify(entry: ModelEntry, report: Report = ignore) -> Path:
    """Reads a model's weights and compares their SHA-256 with what it must be; where they lie.

    What that proves, `ModelEntry.is_as_published` tells. Works in a folder that is only for
    reading, too.

    Raises:
        WeightsError: if they are not installed, or damaged; nothing is removed.
    """
    entry.check_installed()
    with contextlib.ExitStack() as held:
        # Windows lets nobody replace a file that is being read; who may not write will not either.
        with contextlib.suppress(InstallError, MissingPackageError):
            if entry.is_installable:
                held.enter_context(locked(entry, wait=False))
        return _verified(entry, report)


def _verified(entry: ModelEntry, report: Report) -> Path:
    entry.check_installed()
    path = entry.path
    try:
        found = hash_of(path, report)
    except OSError as error:
        raise entry.unreadable(path, error) from error
    if found == entry.sha256_of(path):
        return path
    entry.raise_damaged(path)


def remove(entry: ModelEntry) -> None:
    """Removes a model's weights and all that was left of earlier tries. Quick.

    Models that share the file lose it, too. A process that has loaded the weights should be ended
    before: Windows does not remove a file in use.

    Raises:
        InputError: if the weights come with SAMSegment, or are the user's own.
        InstallError: if they are in use, or must not be removed.
        MissingPackageError: without filelock.
    """
    _check_kind(entry)
    if not any(map(os.path.lexists, _all_files(entry))):
        return
    with locked(entry, wait=False):
        for path in _all_files(entry):
            _remove(path, entry)


def partial_bytes(entry: ModelEntry) -> int:
    """How much of the file an unfinished download has left; 0 if there is none."""
    try:
        return os.lstat(partial_path(entry)).st_size
    except OSError:
        return 0


def _check_kind(entry: ModelEntry) -> None:
    if entry.embedded:
        raise InputError(
            f"The weights of {entry.title} come with SAMSegment: they are neither installed nor "
            "removed."
        )
    if not entry.is_installable:
        raise InputError(
            f"{entry.title} is your own, and lies in {entry.weights_folder}: to install or remove "
            "it, copy or delete that folder yourself."
        )


def _all_files(entry: ModelEntry) -> list[Path]:
    """In the order in which they go: of a converted file in use, on Windows, the receipt stays."""
    original = original_path(entry)
    kept = [converted_path(entry), receipt_path(entry), original, copy_path(entry)]
    return [*kept, *_left_over(entry)]


def _left_over(entry: ModelEntry) -> list[Path]:
    """Of processes that were killed, and of earlier versions of the file."""
    original = original_path(entry)
    patterns = ("*.part", "safetensors*.tmp", "json*.tmp")
    return [path for one in patterns for path in original.parent.glob(f"{original.name}.{one}")]


def _check_targets(entry: ModelEntry) -> None:
    """Nothing is written through a link, or over a folder."""
    for path in (original_path(entry), partial_path(entry), copy_path(entry)):
        if os.path.lexists(path):
            file_at(path)


def _is_installed_and_right(entry: ModelEntry, report: Report) -> bool:
    for _ in range(2):
        with contextlib.suppress(WeightsError):
            _verified(entry, report)
            return True
        # A damaged conversion hides the published file, which may be there and right.
        if entry.path == original_path(entry):
            return False
        _discard(receipt_path(entry), converted_path(entry))
    return False


def _download(entry: ModelEntry, report: Report) -> Path:
    partial = partial_path(entry)
    _check_room(entry, partial_bytes(entry))
    download(entry.downloads, partial, entry.size, entry.sha256, report)
    return partial


def _copy(entry: ModelEntry, source: Path, report: Report) -> Path:
    found = weights_at(source, entry, report)
    _check_room(entry, 0)
    target = copy_path(entry)
    try:
        if copy(found, target, report) == entry.sha256:
            return target
        raise WeightsError(f"{found} changed while it was copied. Nothing was installed.")
    except BaseException:
        _discard(target)
        raise


def _check_room(entry: ModelEntry, present: int) -> None:
    """A torch checkpoint and what it is converted to are there at the same time, for a moment."""
    copies = 1 if entry.file.endswith(".safetensors") else 2
    needed = (1 + ROOM_SHARE) * (copies * entry.size - present)
    folder = original_path(entry).parent
    with disk_errors(folder):
        free = shutil.disk_usage(folder).free
    if needed > free:
        raise InstallError(
            f"There is too little room in {folder}: {_mb(needed)} are needed to install "
            f"{entry.title}, {_mb(free)} are free. Make room, or choose another folder for models."
        )


def _mb(count: float) -> str:
    return f"{count / 1e6:.0f} MB"


def _put_in_place(entry: ModelEntry, fetched: Path) -> None:
    target = original_path(entry)
    with disk_errors(target):
        replace(fetched, target)
    # Damaged, or of an earlier version of the catalogue; it hides the new one.
    _discard(receipt_path(entry), converted_path(entry))
    if entry.path != target:
        raise InstallError(
            f"{converted_path(entry)} is damaged and in use: close other programs with SAMSegment, "
            "and try again."
        )


def _discard(*paths: Path) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink()


def _remove(path: Path, entry: ModelEntry) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        what = (
            "They are in use: close other programs with SAMSegment"
            if isinstance(error, PermissionError) and os.name == "nt"
            else f"{error.strerror}. Check the access rights"
        )
        raise InstallError(
            f"The weights of {entry.title} ({path}) could not be removed. {what}, and try again."
        ) from error
