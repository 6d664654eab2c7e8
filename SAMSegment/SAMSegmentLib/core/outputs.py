"""Writes files completely or not at all, and never over a file that was read."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import InputError, WriteError, reason_of
from .file_formats import DICOM_MARK_AT, Kind, kind_of
from .text_headers import named_files

PREFIX = ".samsegment-"
# A NIfTI image in two files.
_PAIR = (".hdr", ".img")
# Eight random bytes never repeat by chance, but somebody may repeat them on purpose.
_TRIES = 100


def check_new_file(
    path: str | os.PathLike,
    overwrite: bool = True,
    inputs: Iterable[str | os.PathLike] = (),
) -> None:
    """Checks before the computation whether a file can be written at `path`.

    Args:
        overwrite: whether an existing file may be replaced.
        inputs: files and folders that are read; their files are never replaced.

    Raises:
        InputError: if the path is a folder, its folder is missing or read-only, or the file exists
            and must not be replaced.
    """
    path = Path(path)
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder: name a file in it.")
    if not os.path.isdir(path.parent):
        raise InputError(f"The output folder {path.parent} does not exist: make it first.")
    _check_replaceable(path, overwrite, inputs)
    try:
        handle, trial = new_file(path.parent, PREFIX, "")
        os.close(handle)
        os.unlink(trial)
    except OSError as error:
        raise InputError(
            f"The output folder {path.parent} cannot be written to ({error.strerror}): choose "
            "another one."
        ) from error


@contextmanager
def atomic_output(
    path: Path,
    overwrite: bool = True,
    inputs: Iterable[str | os.PathLike] = (),
    suffix: str | None = None,
) -> Iterator[Path]:
    """Gives a temporary path beside `path`, and moves it to `path` at the end if nothing failed.

    Args:
        overwrite, inputs: see `check_new_file`; checked again at the end.
        suffix: ending of the temporary name; that of `path` if left out.

    Raises:
        InputError: if there is a file by now that must not be replaced.
        WriteError: if writing fails. In both cases an existing file is unchanged.
    """
    path = Path(path)
    try:
        handle, name = new_file(path.parent, PREFIX, path.suffix if suffix is None else suffix)
        os.close(handle)
    except OSError as error:
        raise WriteError(f"{path} cannot be written: {error.strerror}.") from error
    unfinished = Path(name)
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        _check_replaceable(path, overwrite, inputs)
        _move(unfinished, path, overwrite)
    except (OSError, RuntimeError) as error:
        raise WriteError(f"{path} could not be written: {reason_of(error)}") from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Writes a text file in one step, through a temporary file beside it (NAME.*.tmp).

    Raises:
        OSError: if it cannot be written; an existing file is unchanged.
    """
    descriptor, temporary = new_file(path.parent, f"{path.name}.", ".tmp")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def new_file(folder: Path, prefix: str, suffix: str) -> tuple[int, str]:
    """A new, empty file with a unique name: its descriptor, open for writing, and its path.

    Unlike `tempfile.mkstemp`, it has the usual access rights of new files. They could not be set
    afterwards, because the process's file mode mask can only be read by setting it, for all
    threads.

    Raises:
        OSError: if it cannot be created.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    for _ in range(_TRIES):
        path = os.path.join(folder, f"{prefix}{secrets.token_hex(8)}{suffix}")
        with suppress(FileExistsError):
            return os.open(path, flags, 0o666), path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))


def _move(unfinished: Path, path: Path, overwrite: bool) -> None:
    if not overwrite:
        try:
            # Unlike renaming, a link never replaces a file that was created a moment ago.
            os.link(unfinished, path)
            return
        except FileExistsError:
            raise _exists(path) from None
        except OSError:
            pass  # a file system without hard links
    os.replace(unfinished, path)


def _check_replaceable(path: Path, overwrite: bool, inputs: Iterable[str | os.PathLike]) -> None:
    try:
        there = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be written ({reason}): give another name.") from error
    for source in inputs:
        if _is_file_of(path, Path(source)):
            raise InputError(
                f"{path} is what is read ({source}), by this or another name, and would be lost: "
                "give another output file."
            )
    if not overwrite:
        raise _exists(path)
    if stat.S_ISREG(there.st_mode) and not there.st_mode & 0o222:
        raise InputError(f"{path} is write-protected: give another name, or allow to write to it.")


def _exists(path: Path) -> InputError:
    return InputError(f"{path} exists already: give another name, or --overwrite to replace it.")


def _is_file_of(path: Path, source: Path) -> bool:
    """Whether a path is one of the files that are read, under any name, link or hard link."""
    if not os.path.isdir(source):
        return any(_same_file(path, file) for file in _files_of(source))
    if not _is_dicom(path):
        # Not part of the series: an earlier mask beside the slices may be replaced.
        return False
    with suppress(OSError):
        return any(_same_file(path, entry) for entry in source.iterdir())
    return False


def _files_of(source: Path) -> Iterator[Path]:
    """The file of an image, and the files beside it with its voxels."""
    yield source
    if source.suffix in _PAIR:
        yield from (source.with_suffix(suffix) for suffix in _PAIR)
    with suppress(OSError, ValueError):
        if kind_of(source) in (Kind.NRRD, Kind.META_IMAGE):
            yield from named_files(source)


def _same_file(path: Path, other: Path) -> bool:
    with suppress(OSError, ValueError):
        return os.path.samefile(path, other)
    return False


def _is_dicom(path: Path) -> bool:
    with suppress(OSError), path.open("rb") as file:
        file.seek(DICOM_MARK_AT)
        return file.read(4) == b"DICM"
    return False
