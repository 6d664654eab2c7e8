"""Weights that came on another way than this computer's network: a USB stick, a shared folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from ..core.errors import InstallError, WeightsError
from .answers import megabytes
from .catalogue import ModelEntry, catalogue
from .files import file_at, hash_of
from .transfer import Report

SUFFIXES = (".pth", ".pt", ".safetensors")
# Folders within the folder that was named.
DEPTH = 2
# Files of another size need not be read; the catalogue's sizes are rounded.
LEAST, MOST = 0.5, 1.25
# Of the files that are not it, so many are named.
TOLD = 3


def weights_at(source: Path, entry: ModelEntry, report: Report) -> Path:
    """The file with a model's weights: `source`, or one in that folder.

    Raises:
        InstallError: if there is no such file, or it cannot be read.
        WeightsError: if it holds something else.
    """
    if source.is_dir():
        return _within(source, entry, report)
    if not os.path.lexists(source):
        raise InstallError(f"There is no file {source}: check the name.")
    file_at(source)
    found = _hash(source, report)
    if found != entry.sha256:
        raise WeightsError(
            f"{source} is not the file of {entry.title}: {_what_is(found)}. Get {entry.file} from "
            f"{entry.source}."
        )
    return source


def _within(folder: Path, entry: ModelEntry, report: Report) -> Path:
    seen: list[str] = []
    # Most likely first: nothing else is read if that is right.
    for path in sorted(_candidates(folder), key=lambda path: path.name != entry.file):
        size = file_at(path).st_size
        if not LEAST * entry.size <= size <= MOST * entry.size:
            if path.name == entry.file:
                seen.append(f"{path} has only {megabytes(size)}")
            continue
        try:
            if _hash(path, report) == entry.sha256:
                return path
            seen.append(f"{path} is another file, or damaged")
        except InstallError as error:
            seen.append(str(error).rstrip("."))
    raise WeightsError(
        f"The file of {entry.title} ({entry.file}, {megabytes(entry.size)}) is not in {folder}: "
        f"{'; '.join(seen[:TOLD]) or 'no file there has its size'}. Get it from {entry.source}."
    )


def _candidates(folder: Path) -> Iterator[Path]:
    for here, folders, names in os.walk(folder):
        if len(Path(here).relative_to(folder).parts) >= DEPTH:
            folders.clear()
        for name in names:
            path = Path(here, name)
            if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink():
                yield path


def _hash(path: Path, report: Report) -> str:
    try:
        return hash_of(path, report)
    except OSError as error:
        raise InstallError(
            f"{path} cannot be read: {error.strerror}. Check its place and its access rights."
        ) from error


def _what_is(sha256: str) -> str:
    titles = [entry.title for entry in catalogue().values() if entry.sha256 == sha256]
    if titles:
        return f"it is that of {' and '.join(titles)}"
    return "its SHA-256 is not the catalogue's, so it is damaged, or another one"
