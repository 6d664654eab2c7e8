"""Where the weights lie of models that do not come with the extension: one folder per user."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from ..core.errors import InstallError
from ..core.outputs import write_atomically
from ..core.paths import absolute

#: Environment variable that names another folder, such as one on a disk with more room.
VARIABLE = "SAMSEGMENT_MODELS"
_OWN_FOLDER = "SAMSegment"
_DEFAULT = "models"
# Beside the default folder; one line, the path that the user has chosen.
_CHOICE = "models-folder.txt"
_LONGEST_PATH = 32768
# Control characters, line and paragraph separators.
_NOT_IN_PATHS = {"Cc", "Zl", "Zp"}


def models_folder(environment: Mapping[str, str] | None = None, system: str | None = None) -> Path:
    """The folder; always absolute, and not made by asking.

    It is what the environment variable SAMSEGMENT_MODELS names, else what the user has chosen (see
    `set_models_folder`), else a folder where the system wants such files.

    Source: the XDG Base Directory Specification on Linux, Apple's File System Programming Guide,
    and Microsoft's FOLDERID_LocalAppData: large files of a program, for one user on one computer.

    Args:
        environment: variables; those of this process if left out.
        system: as sys.platform; this one if left out.
    """
    environment = os.environ if environment is None else environment
    if named := environment.get(VARIABLE):
        return _absolute(named)
    home = _own_folder(environment, system or sys.platform)
    return _chosen(home) or home / _DEFAULT


def folder_is_fixed(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the environment variable names the folder, so that a choice would change nothing."""
    return bool((os.environ if environment is None else environment).get(VARIABLE))


def set_models_folder(folder: str | os.PathLike | None) -> Path:
    """Chooses the folder for this user: in Slicer, its console and the shell; the folder then.

    Models that lie in the old folder stay there, and do not count as installed any more.

    Args:
        folder: is made if it is not there; None: the default again.

    Raises:
        InstallError: if it cannot be made or written to; then nothing is changed.
    """
    home = _own_folder(os.environ, sys.platform)
    choice = home / _CHOICE
    if folder is not None and not _can_be_kept(os.fspath(folder)):
        raise InstallError(f"{os.fspath(folder)!r} cannot be the name of a folder. Choose another.")
    if folder is None:
        with _telling(choice):
            choice.unlink(missing_ok=True)
        return models_folder()
    chosen = _absolute(os.fspath(folder))
    with _telling(chosen):
        chosen.mkdir(parents=True, exist_ok=True)
        # The only sure way to learn whether files can be made there.
        with tempfile.TemporaryFile(dir=chosen):
            pass
    with _telling(home):
        home.mkdir(parents=True, exist_ok=True)
        write_atomically(choice, f"{chosen}\n")
    return models_folder()


def _own_folder(environment: Mapping[str, str], system: str) -> Path:
    return _absolute(_data_folder(environment, system)) / _OWN_FOLDER


def _chosen(home: Path) -> Path | None:
    """What the user has chosen; a file that makes no sense is as good as none."""
    try:
        with (home / _CHOICE).open(encoding="utf-8") as file:
            text = file.read(_LONGEST_PATH).rstrip("\r\n")
    except (OSError, ValueError):
        return None
    return _absolute(text) if os.path.isabs(text) and _can_be_kept(text) else None


def _can_be_kept(path: str) -> bool:
    """Whether a file can hold it as one line."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return bool(path.strip()) and not any(unicodedata.category(c) in _NOT_IN_PATHS for c in path)


@contextlib.contextmanager
def _telling(path: Path):
    try:
        yield
    except OSError as error:
        raise InstallError(
            f"Models cannot be kept in {path}: {error.strerror}. Choose another folder."
        ) from error


def _data_folder(environment: Mapping[str, str], system: str) -> str:
    if system == "win32":
        return environment.get("LOCALAPPDATA") or "~/AppData/Local"
    if system == "darwin":
        return "~/Library/Application Support"
    named = environment.get("XDG_DATA_HOME", "")
    # The specification says that a relative one must be ignored.
    return named if os.path.isabs(named) else "~/.local/share"


def _absolute(path: str) -> Path:
    # Unlike Path.home, this raises nothing where the system knows of no home folder.
    return Path(absolute(path))
