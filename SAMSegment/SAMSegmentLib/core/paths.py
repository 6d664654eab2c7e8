"""Paths as users have them: missing, too long, of pipes, or with names that are not UTF-8."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError


def existing_path(path: str | os.PathLike) -> Path:
    """The path of a file or folder that is there.

    Raises:
        InputError: if it is not, cannot be reached, or is neither file nor folder.
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
    """The whole path of a file or folder, which need not be there; "~" is the user's own folder.

    Raises:
        InputError: if the path starts from the folder that this program works in, and that is gone.
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
    """The same file or folder under a name that libraries in C++ can open.

    They take names in UTF-8, whatever the file system has: SimpleITK aborts the process on a name
    with other bytes, such as an old archive's in Latin-1, and does not find a file where the
    locale is not UTF-8. Such a name is replaced by a symbolic link's, for as long as this lasts.
    What lies in a folder keeps its name where that is UTF-8.

    Raises:
        InputError: if no link can be made; it says to rename the file.
    """
    path = Path(path)
    if _is_utf8(path) and not (path.is_dir() and _foreign_names(path)):
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
    """A link in `folder` by which the path can be opened."""
    if _is_utf8(Path(path.name)) and not path.is_dir():
        # By way of its folder, where a header finds its data.
        (folder / "folder").symlink_to(path.parent, target_is_directory=True)
        return folder / "folder" / path.name
    if path.is_dir() and _foreign_names(path):
        for number, name in enumerate(sorted(os.listdir(path))):
            usable = name if _is_utf8(Path(name)) else f"{number}{_usable_suffix(name)}"
            (folder / usable).symlink_to(path / name)
        return folder
    link = folder / f"link{_usable_suffix(path.name)}"
    link.symlink_to(path, target_is_directory=path.is_dir())
    return link


def _usable_suffix(name: str) -> str:
    """The endings of a file name by which its format is known, such as ".nii.gz"."""
    suffixes = Path(name).suffixes[-2:]
    while suffixes and not _is_utf8(Path("".join(suffixes))):
        suffixes.pop(0)
    return "".join(suffixes)


def _foreign_names(folder: Path) -> bool:
    return not all(_is_utf8(Path(name)) for name in os.listdir(folder))


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
