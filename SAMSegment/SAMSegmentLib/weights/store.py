"""Weights of a model come onto this computer, are checked, and leave it again.

Whatever happens on the way, a failed network, a full disk, a process that is killed: there is what
was installed before, or what was to be installed, whole. Nothing is converted here, see
`models.tensor_files.conversion`. Not for Slicer's main thread, but for `remove`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import InputError, InstallError, MissingPackageError, WeightsError
from .catalogue import ModelEntry, catalogue
from .download import download
from .files import copy, disk_errors, hash_of, replace, size_of
from .progress import ProgressReporter, Report, megabytes, no_report

# Beyond the bytes of the file: a file system needs some for itself.
ROOM_SHARE = 0.05
# Of a folder with weights that the user names, such as that of a USB stick: files with these
# endings, in folders within it as deep as this, and of about the right size, since the catalogue's
# sizes are rounded. Of those that are not the right one, so many are named.
SUFFIXES = (".pth", ".pt", ".safetensors")
DEPTH = 2
LEAST_SHARE, LARGEST_SHARE = 0.5, 1.25
MOST_NAMED = 3


def install(entry: ModelEntry, source: Path | None = None, report: Report = no_report) -> Path:
    """Gets a model's weights, unless they are there already; where they lie then.

    Args:
        source: a file, or a folder that holds it, such as a USB stick; it is only read. None: from
            the catalogue's addresses.
        report: may raise Cancelled; what was downloaded is kept for the next time.

    Raises:
        InputError: if the weights come with SAMSegment, or are the user's own.
        InstallError: if they could not be fetched or written.
        WeightsError: if what is at `source` is something else.
        MissingPackageError: without filelock or requests.
    """
    _check_origin(entry)
    files = entry.files
    with files.locked(entry.title, report):
        # Nothing is written through a link, or over a folder.
        for path in filter(os.path.lexists, (files.original, files.partial, files.copy)):
            size_of(path)
        if not _is_installed_and_right(entry, report):
            from_web = source is None
            fetched = _download(entry, report) if from_web else _copy(entry, Path(source), report)
            _put_in_place(entry, fetched)
        _discard(files.copy, *files.left_over)
        return entry.path


def verify(entry: ModelEntry, report: Report = no_report) -> Path:
    """Reads a model's weights and compares their SHA-256 with what it must be; where they lie.

    What that proves, `WeightsFiles.is_published_hash` tells. Works in a folder that is only for
    reading, too.

    Raises:
        WeightsError: if they are not installed, or damaged; nothing is removed.
    """
    entry.check_installed()
    with contextlib.ExitStack() as held:
        # Windows lets nobody replace a file that is being read; who may not write will not either.
        with contextlib.suppress(InstallError, MissingPackageError):
            if entry.is_installable:
                held.enter_context(entry.files.locked(entry.title, wait=False))
        return _verified(entry, report)


def _verified(entry: ModelEntry, report: Report) -> Path:
    return entry.verified_path(lambda path: hash_of(path, ProgressReporter(report)))


def remove(entry: ModelEntry) -> None:
    """Removes a model's weights and all that was left of earlier tries. Quick.

    Models that share the file lose it, too. A process that has loaded the weights should be ended
    before: Windows does not remove a file in use.

    Raises:
        InputError: if the weights come with SAMSegment, or are the user's own.
        InstallError: if they are in use, or must not be removed.
        MissingPackageError: without filelock.
    """
    _check_origin(entry)
    files = entry.files

    def present() -> list[Path]:
        # In this order: of a converted file in use, on Windows, the receipt stays.
        kept = (files.converted, files.receipt, files.original, files.copy, *files.left_over)
        return [path for path in kept if os.path.lexists(path)]

    if present():
        with files.locked(entry.title, wait=False):
            for path in present():
                _remove(path, entry)


def _check_origin(entry: ModelEntry) -> None:
    if entry.parts and not entry.embedded:
        raise InputError(
            f"{entry.title} has no weights of its own, it is made of {entry.made_of}: install or "
            "remove these."
        )
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


def _is_installed_and_right(entry: ModelEntry, report: Report) -> bool:
    for _ in range(2):
        with contextlib.suppress(WeightsError):
            _verified(entry, report)
            return True
        # A damaged conversion hides the published file, which may be there and right.
        if entry.path == entry.files.original:
            return False
        _discard(entry.files.receipt, entry.files.converted)
    return False


def _download(entry: ModelEntry, report: Report) -> Path:
    _check_room(entry, entry.files.partial_bytes)
    download(entry.downloads, entry.files.partial, entry.size, entry.sha256, report)
    return entry.files.partial


def _copy(entry: ModelEntry, source: Path, report: Report) -> Path:
    found = _weights_at(source, entry, report)
    _check_room(entry, 0)
    target = entry.files.copy
    try:
        if copy(found, target, ProgressReporter(report)) == entry.sha256:
            return target
        raise WeightsError(f"{found} changed while it was copied. Nothing was installed.")
    except BaseException:
        _discard(target)
        raise


def _check_room(entry: ModelEntry, present: int) -> None:
    """A torch checkpoint and what it is converted to are there at the same time, for a moment."""
    copies = 1 if entry.file.endswith(".safetensors") else 2
    needed = (1 + ROOM_SHARE) * (copies * entry.size - present)
    folder = entry.weights_folder
    with disk_errors(folder):
        free = shutil.disk_usage(folder).free
    if needed > free:
        raise InstallError(
            f"There is too little room in {folder}: {megabytes(needed)} are needed to install "
            f"{entry.title}, {megabytes(free)} are free. Make room, or choose another folder for "
            "models."
        )


def _put_in_place(entry: ModelEntry, fetched: Path) -> None:
    files = entry.files
    with disk_errors(files.original):
        replace(fetched, files.original)
    # Damaged, or of an earlier version of the catalogue; it hides the new one.
    _discard(files.receipt, files.converted)
    if entry.path != files.original:
        raise InstallError(
            f"{files.converted} is damaged and in use: close other programs with SAMSegment, "
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


# ---- Weights that came on another way than this computer's network -------------------------------


def _weights_at(source: Path, entry: ModelEntry, report: Report) -> Path:
    """The file with a model's weights: `source`, or one in that folder.

    Raises:
        InstallError: if there is no such file, or it cannot be read.
        WeightsError: if it holds something else.
    """
    if source.is_dir():
        return _weights_within(source, entry, report)
    if not os.path.lexists(source):
        raise InstallError(f"There is no file {source}: check the name.")
    size_of(source)
    found = _hash_at(source, report)
    if found == entry.sha256:
        return source
    titles = [other.title for other in catalogue().values() if other.sha256 == found]
    what = (
        f"it is that of {' and '.join(titles)}"
        if titles
        else "its SHA-256 is not the catalogue's, so it is damaged, or another one"
    )
    raise WeightsError(
        f"{source} is not the file of {entry.title}: {what}. Get {entry.file} from {entry.source}."
    )


def _weights_within(folder: Path, entry: ModelEntry, report: Report) -> Path:
    others: list[str] = []
    # Most likely first: nothing else is read if that is right.
    for path in sorted(_candidates(folder), key=lambda path: path.name != entry.file):
        size = size_of(path)
        if not LEAST_SHARE * entry.size <= size <= LARGEST_SHARE * entry.size:
            if path.name == entry.file:
                others.append(f"{path} has only {megabytes(size)}")
            continue
        try:
            if _hash_at(path, report) == entry.sha256:
                return path
            others.append(f"{path} is another file, or damaged")
        except InstallError as error:
            others.append(str(error).rstrip("."))
    raise WeightsError(
        f"The file of {entry.title} ({entry.file}, {megabytes(entry.size)}) is not in {folder}: "
        f"{'; '.join(others[:MOST_NAMED]) or 'no file there has its size'}. Get it from "
        f"{entry.source}."
    )


def _candidates(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        if len(Path(here).relative_to(folder).parts) >= DEPTH:
            folders.clear()
        for name in names:
            path = Path(here, name)
            if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink():
                yield path


def _hash_at(path: Path, report: Report) -> str:
    try:
        return hash_of(path, ProgressReporter(report))
    except OSError as error:
        raise InstallError(
            f"{path} cannot be read: {error.strerror}. Check its place and its access rights."
        ) from error
