"""Paths that users give: missing, too long, of pipes, or with names that are not UTF-8."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError


def existing_path(path: str | os.PathLike) -> Path:
    """The path of an existing file or folder.

    Raises:
        InputError: if it does not exist, cannot be reached, or is neither file nor folder.
    """
    if not os.fspath(path):
        raise InputError("The path is empty: name a file or folder.")
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"There is no file or folder {path}: check the path.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} cannot be opened ({reason}): check the path.") from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(f"{path} is a pipe or a device, not a file: save it to a file first.")
    return path


def absolute(path: str | os.PathLike) -> str:
    """The absolute path of a file or folder, which need not exist; "~" is the user's home.

    Raises:
        InputError: if the path is relative and the working folder was deleted.
    """
    path = os.path.expanduser(path)
    try:
        return os.path.abspath(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be found: the folder that you work in was deleted or cannot be reached "
            f"any more ({error.strerror}). Give the whole path, or change to another folder."
        ) from error


@contextmanager
def named_in_utf8(path: str | os.PathLike) -> Iterator[Path]:
    """The same file under a name that libraries in C++ can open.

    They expect names in UTF-8, whatever the file system uses: SimpleITK aborts the process on other
    bytes, such as Latin-1 names from an old archive, and does not find a file where the locale is
    not UTF-8. Such a file gets a symbolic link with another name until the block ends.

    Raises:
        InputError: if no link can be made; the message says to rename the file.
    """
    path = Path(path)
    if _is_utf8(path):
        yield path
        return
    try:
        folder = tempfile.TemporaryDirectory(prefix="samsegment-", ignore_cleanup_errors=True)
    except OSError as error:
        raise _rename(path) from error
    with folder:
        try:
            link = _linked(path.absolute(), Path(folder.name))
        except OSError as error:
            raise _rename(path) from error
        if not _is_utf8(link):
            raise _rename(path)
        yield link


def _linked(path: Path, folder: Path) -> Path:
    """A link in `folder` through which the file can be opened."""
    if _is_utf8(Path(path.name)):
        # The link is to its folder, so that a header's data file is found beside it.
        (folder / "folder").symlink_to(path.parent, target_is_directory=True)
        return folder / "folder" / path.name
    link = folder / f"link{_usable_suffix(path.name)}"
    link.symlink_to(path)
    return link


def _usable_suffix(name: str) -> str:
    """The endings of a file name that show its format, such as ".nii.gz"."""
    suffixes = Path(name).suffixes[-2:]
    while suffixes and not _is_utf8(Path("".join(suffixes))):
        suffixes.pop(0)
    return "".join(suffixes)


def _is_utf8(path: Path) -> bool:
    try:
        return os.fsencode(path) == str(path).encode("utf-8")
    except UnicodeEncodeError:
        return False


def _rename(path: Path) -> InputError:
    return InputError(
        f"The name {os.fsencode(path)!r} is not UTF-8, and cannot be used here: rename the file or "
        "folder."
    )
