"""Safetensors files: their header is checked before the library for them sees it; and a writer.

The library detects wrong offsets, but spends on a header whatever memory it asks for:
one of a hundred megabytes with a million empty tensors takes gigabytes. Names and kinds that no
network here has are refused as well. Written are files tensor by tensor: the library (0.8) makes a
file of another name beside the one that is asked for, which a killed process leaves behind, and
lets nobody but the user read the result. What is written here is read by it.
Source of the format: https://github.com/huggingface/safetensors, README, "Format".
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from .limits import UnreadableError, are_numbers, count_numbers, shown

# Large networks have some thousand tensors, at about a hundred bytes each.
LARGEST_HEADER = 8 * 2**20
MOST_TENSORS = 20_000
LONGEST_NAME = 300
_KINDS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
ITEM_BYTES = {name: kind.itemsize for kind, name in _KINDS.items()}
# Tensors begin at multiples of it, and so of their own numbers' size.
_ALIGNMENT = 8
_LENGTH = struct.Struct("<Q")
_NOTES = "__metadata__"
_DAMAGED = "its header is damaged"


def check_safetensors(path: Path) -> None:
    """Finds out whether a safetensors file is one, whole and of plain tensors.

    Raises:
        UnreadableError: if not.
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(_LENGTH.size)
        length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else size
        if length > size - _LENGTH.size:
            raise UnreadableError("its header is longer than the file")
        if length > LARGEST_HEADER:
            raise UnreadableError("its header is larger than that of any network")
        header = file.read(length)
    tensors = _parsed(header)
    notes = tensors.pop(_NOTES, {})
    if not isinstance(notes, dict) or not all(isinstance(note, str) for note in notes.values()):
        raise UnreadableError(_DAMAGED)
    places = sorted(_extent(name, entry) for name, entry in tensors.items())
    _check_cover(places, size - _LENGTH.size - length)


def check_name(name: str) -> None:
    """Finds out whether a tensor's name can be shown to people, and written by safetensors.

    Raises:
        UnreadableError: if not.
    """
    if not name.isprintable() or len(name) > LONGEST_NAME or name == _NOTES:
        raise UnreadableError(f"a tensor in it has the name {shown(name)}")


def _parsed(header: bytes) -> dict:
    # Each takes more memory than its bytes; and how deep they lie is left to the parser.
    if header.count(b"{") + header.count(b"[") > 3 * MOST_TENSORS + 2:
        raise UnreadableError("its header is larger than that of any network")
    try:
        # Strict UTF-8: the library reads nothing else.
        found = json.loads(
            header.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise UnreadableError(_DAMAGED) from error
    if not isinstance(found, dict):
        raise UnreadableError(_DAMAGED)
    return found


def _unique(pairs: list[tuple[str, object]]) -> dict:
    if len(found := dict(pairs)) != len(pairs):
        raise ValueError("the same name twice")
    return found


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def _extent(name: str, entry: object) -> tuple[int, int]:
    """Where a tensor begins and ends, after the header."""
    check_name(name)
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise UnreadableError(_DAMAGED)
    kind, sides, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(kind, str) or kind not in ITEM_BYTES:
        raise UnreadableError(f"its header names numbers of a kind not known here ({shown(kind)})")
    if not isinstance(sides, list) or not isinstance(place, list) or len(place) != 2:
        raise UnreadableError(_DAMAGED)
    if not are_numbers(sides) or not are_numbers(place):
        raise UnreadableError("the shape of a tensor in it makes no sense")
    if count_numbers(sides) * ITEM_BYTES[kind] != place[1] - place[0]:
        raise UnreadableError("its header gives a tensor other bytes than its shape needs")
    return place[0], place[1]


def _check_cover(places: list[tuple[int, int]], size: int) -> None:
    """Tensors lie one after the other, with nothing over or between them."""
    after = 0
    for start, end in places:
        if start != after:
            raise UnreadableError("its header has tensors lie over each other, or apart")
        after = end
    if after != size:
        raise UnreadableError("its header tells of more or fewer bytes than the file has")


def write_safetensors(
    tensors: Mapping[str, torch.Tensor], write: Callable[[bytes | memoryview], object]
) -> None:
    """Writes a file with these tensors, on the CPU, and no notes but that they are torch's.

    Args:
        write: takes the file's bytes, piece by piece.

    Raises:
        KeyError: if a tensor holds numbers of a kind that no network here uses.
    """
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    place = 0
    ordered = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
    for name in ordered:
        tensor = tensors[name]
        kind, end = _KINDS[tensor.dtype], place + tensor.numel() * tensor.element_size()
        shape = list(tensor.shape)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [place, end]}
        place = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    write(struct.pack("<Q", len(text)) + text)
    for name in ordered:
        write(memoryview(bits(tensors[name]).numpy()))


def bits(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of a tensor, in the order of its numbers."""
    return tensor.contiguous().reshape(-1).view(torch.uint8)
