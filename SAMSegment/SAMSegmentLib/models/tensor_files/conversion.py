"""Keeps a model's weights as safetensors: what was published as a torch checkpoint becomes one.

At every moment either the published file is good, or the converted one with its receipt, whenever
the program or the computer stops: nothing is taken away before what replaces it is on the disk.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import logging
import os
import shutil
from pathlib import Path

import torch

from ...core.errors import InstallError, MissingPackageError, WeightsError
from ...weights.entry import ModelEntry
from ...weights.files import replace
from ...weights.weights_files import Receipt
from .checkpoints import is_checkpoint, load_safetensors, load_tensors
from .safetensors_files import bits, write_safetensors

# Beside the numbers: names and shapes, and what a file system needs for itself.
_ROOM_BESIDE = 16 * 2**20

# A try costs seconds, and the next click would pay for it again.
_given_up: set[tuple[Path, int]] = set()
_log = logging.getLogger(__name__)


def prepared(entry: ModelEntry) -> Path:
    """A model's weights, verified, and converted if they are a torch checkpoint.

    Where they cannot be converted, on a full disk, in a folder that must not be written to, while
    another program works on them, the published file is what is used.

    Raises:
        WeightsError: if they are missing, not what the catalogue says, damaged, or carry more than
            plain tensors.
    """
    before = entry.path
    try:
        return _prepared(entry)
    except WeightsError:
        # Another program may have converted the file while it was looked at.
        if entry.path == before:
            raise
        return _prepared(entry)


def _prepared(entry: ModelEntry) -> Path:
    path = entry.verified_path()
    if not entry.is_installable:  # nothing of the user's own is changed
        return path
    if path == entry.files.converted:
        _clear_up(entry)
        return path
    if not is_checkpoint(path):
        return path
    if _state(path) not in _given_up:
        _try_to_convert(entry, path)
    return entry.verified_path()


def _try_to_convert(entry: ModelEntry, path: Path) -> None:
    try:
        with entry.files.locked(entry.title, wait=False):
            # Another program may have done it since.
            if entry.verified_path() == path:
                _attempt(entry, path)
    # The folder must not be written to, or another program works there, or a package is missing.
    except (InstallError, MissingPackageError) as error:
        _log.info("%s stays as it was published: %s", path, error)


def _attempt(entry: ModelEntry, path: Path) -> None:
    state = _state(path)
    try:
        _convert(entry, path)
    except WeightsError:
        raise
    # Whatever it is, no room, no right, no memory: the file itself is good.
    except Exception as error:
        _log.info("%s stays as it was published: %s", path, error)
        _given_up.add(state)


def _state(path: Path) -> tuple[Path, int]:
    try:
        return path, path.stat().st_mtime_ns
    except OSError:
        return path, 0


def _convert(entry: ModelEntry, source: Path) -> None:
    """Converts weights and removes the published file; the lock is held."""
    target = entry.files.converted
    temporary = target.with_name(f"{target.name}.tmp")
    _check_room(source)
    try:
        receipt = _write(load_tensors(source), temporary, entry.sha256)
        if entry.converted_sha256 not in ("", receipt.sha256):
            raise InstallError(f"{source} was converted to something else than the catalogue says.")
        # Windows replaces and removes no file that is mapped.
        gc.collect()
        # A receipt from before would call the new file damaged, or an old one good.
        entry.files.receipt.unlink(missing_ok=True)
        replace(temporary, target)
        _settle(target.parent)
        entry.files.write_receipt(receipt)
        _settle(target.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    _remove_original(entry)


def _check_room(source: Path) -> None:
    needed = source.stat().st_size + _ROOM_BESIDE
    free = shutil.disk_usage(source.parent).free
    if free < needed:
        raise InstallError(
            f"There is no room for a second copy of the weights in {source.parent}: "
            f"{needed / 1e6:.0f} MB are needed, {free / 1e6:.0f} MB are free."
        )


def _write(tensors: dict[str, torch.Tensor], path: Path, source_sha256: str) -> Receipt:
    """Writes tensors into a new file, on the disk, and compares them with what can be read then."""
    # Nothing is written through what may lie there, a link above all.
    path.unlink(missing_ok=True)
    digest = hashlib.sha256()
    with path.open("xb") as file:

        def write(data: bytes | memoryview) -> None:
            digest.update(data)
            file.write(data)

        write_safetensors(tensors, write)
        file.flush()
        os.fsync(file.fileno())
    try:
        is_same = _same(load_safetensors(path), tensors)
    except WeightsError:
        is_same = False
    if not is_same:
        raise InstallError(f"{path} does not hold what was written into it: check the disk.")
    return Receipt(source_sha256, digest.hexdigest(), path.stat().st_size)


def _same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> bool:
    """Whether tensors have the same bits; as numbers, NaN would differ from itself."""
    return found.keys() == wanted.keys() and all(
        found[name].dtype == value.dtype
        and found[name].shape == value.shape
        and torch.equal(bits(found[name]), bits(value))
        for name, value in wanted.items()
    )


def _settle(folder: Path) -> None:
    """Brings the names in a folder onto the disk, before the next step relies on them."""
    if os.name == "nt":  # no such thing there
        return
    # Not all file systems can; what is written is compared again whenever it is used.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _clear_up(entry: ModelEntry) -> None:
    """Removes a published file that was in use when it was converted."""
    if not os.path.lexists(entry.files.original):
        return
    with contextlib.suppress(Exception), entry.files.locked(entry.title, wait=False):
        if entry.verified_path() == entry.files.converted:
            _remove_original(entry)


def _remove_original(entry: ModelEntry) -> None:
    with contextlib.suppress(OSError):
        entry.files.original.unlink(missing_ok=True)
