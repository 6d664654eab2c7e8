"""Where the weights lie of models that do not come with the extension: one folder per user."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

#: Environment variable that names another folder, such as one on a disk with more room.
VARIABLE = "SAMSEGMENT_MODELS"
_OWN_FOLDERS = ("SAMSegment", "models")


def models_folder(environment: Mapping[str, str] | None = None, system: str | None = None) -> Path:
    """The folder; always absolute, and not made by asking.

    Source: the XDG Base Directory Specification on Linux, Apple's File System Programming Guide,
    and Microsoft's FOLDERID_LocalAppData: large files of a program, for one user on one computer.

    Args:
        environment: variables; those of this process if left out.
        system: as sys.platform; this one if left out.
    """
    environment = os.environ if environment is None else environment
    system = system or sys.platform
    if chosen := environment.get(VARIABLE):
        return _absolute(chosen)
    return _absolute(_data_folder(environment, system)).joinpath(*_OWN_FOLDERS)


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
    return Path(os.path.abspath(os.path.expanduser(path)))
