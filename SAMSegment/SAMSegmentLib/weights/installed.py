"""What lies in the models folder for a model that is not embedded, and under which names.

For weights published as FILE there are, at most:

- FILE: as published, its SHA-256 the catalogue's; users may have put it there by hand.
- FILE.safetensors: the same tensors, converted once from a torch checkpoint, and FILE.json, the
  receipt of that: what it was converted from, and what it must be.
- FILE.<start of its SHA-256>.part: what has been downloaded so far; it never counts as installed.
- FILE.copy: a copy from another place that is not complete.
- FILE.lock: held while anybody works on any of these.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..core.outputs import write_atomically

if TYPE_CHECKING:
    from .entry import ModelEntry

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A receipt is a hundred and some bytes; whatever is larger is none.
_LARGEST_RECEIPT = 4096


@dataclass(frozen=True)
class Receipt:
    """What a converted file is.

    Attributes:
        source_sha256: of the published file that it was converted from.
        sha256: of the converted file.
        size: its bytes.
    """

    source_sha256: str
    sha256: str
    size: int


def original_path(entry: ModelEntry) -> Path:
    """Of the weights as they were published.

    Raises:
        InputError: if the entry's file is more than a name, and would lead out of the folder.
    """
    if not _NAME.fullmatch(entry.file):
        raise InputError(f"{entry.file!r} is no name of a weights file. Nothing was done.")
    return entry.weights_folder / entry.file


def converted_path(entry: ModelEntry) -> Path:
    """Of the weights once converted to safetensors."""
    return _beside(entry, ".safetensors")


def receipt_path(entry: ModelEntry) -> Path:
    """Of the receipt of the conversion."""
    return _beside(entry, ".json")


def partial_path(entry: ModelEntry) -> Path:
    """Of a download that is not complete; another version of the file has another name."""
    return _beside(entry, f".{entry.sha256[:8]}.part")


def copy_path(entry: ModelEntry) -> Path:
    """Of a copy that is being made from another place."""
    return _beside(entry, ".copy")


def lock_path(entry: ModelEntry) -> Path:
    """Of the lock that is held while anybody works on the model's files."""
    return _beside(entry, ".lock")


def _beside(entry: ModelEntry, suffix: str) -> Path:
    path = original_path(entry)
    return path.with_name(path.name + suffix)


def read_receipt(entry: ModelEntry) -> Receipt | None:
    """The receipt of a conversion of this model's file; None if there is none that can be used.

    Anybody who may write into the folder can write one: it proves nothing by itself. Where the
    catalogue knows what the converted file must be, a receipt that says otherwise is none.
    """
    try:
        if not os.path.isfile(receipt_path(entry)):
            return None  # what is no file might never come to an end
        with receipt_path(entry).open(encoding="utf-8") as file:
            text = file.read(_LARGEST_RECEIPT + 1)
        # Recursion: nested brackets can be deep within few bytes.
        said = json.loads(text) if len(text) <= _LARGEST_RECEIPT else None
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or set(said) != {"source_sha256", "sha256", "size"}:
        return None
    sums = said["source_sha256"], said["sha256"]
    if not all(isinstance(one, str) and _SHA256.fullmatch(one) for one in sums):
        return None
    if type(said["size"]) is not int or said["size"] <= 0:
        return None
    receipt = Receipt(**said)
    is_known = entry.converted_sha256 in ("", receipt.sha256)
    return receipt if is_known and receipt.source_sha256 == entry.sha256 else None


def write_receipt(entry: ModelEntry, receipt: Receipt) -> None:
    """Writes a receipt in one step: there is the old one or the new one, never a part of one.

    Raises:
        OSError: if it cannot be written.
    """
    write_atomically(receipt_path(entry), json.dumps(asdict(receipt)))
