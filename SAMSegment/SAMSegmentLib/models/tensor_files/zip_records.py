"""Reads the table of a zip file that torch.save has written, strictly, before torch sees it.

Two readers of one zip file may find different things in it. So everything that could be read in two
ways, or that torch never writes, is refused here: what is left means the same to torch's reader.
Source: PKWARE's APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.14 to 4.3.16.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .limits import UnreadableError, shown

# The largest networks have some thousand tensors, each of which is one record.
MOST_RECORDS = 50_000
LARGEST_TABLE = 8 * 2**20

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_ENCRYPTED = 0x2041  # also the strong kind, and a hidden table
_FULL_16, _FULL_32 = 0xFFFF, 0xFFFFFFFF
_ZIP64_FIELD = 1
_CUT_OFF = "it is cut off, or something was added to its end"
_DAMAGED = "its table of contents is damaged"


@dataclass(frozen=True)
class Record:
    """A part of the file.

    Attributes:
        name: with its folders.
        start: of its bytes, in the file.
        size: bytes.
    """

    name: str
    start: int
    size: int


def read_records(path: Path) -> list[Record]:
    """What a zip file holds, in the order of its table.

    Raises:
        UnreadableError: if it is not a plain, whole zip file without compression.
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        count, table_start, table_size = _find_table(file, size)
        if table_size > LARGEST_TABLE or count > MOST_RECORDS:
            raise UnreadableError("it holds more records than a checkpoint of a network")
        entries = _entries(_read(file, table_start, table_size), count)
        records = [_record(file, entry, table_start) for entry in entries]
    _check_places(records, table_start)
    _check_names(records)
    return records


@dataclass(frozen=True)
class _Entry:
    """A line of the table."""

    name: bytes
    header_start: int
    size: int


def _find_table(file: BinaryIO, size: int) -> tuple[int, int, int]:
    """Number of records, and where the table begins and how many bytes it has."""
    end = size - _END.size
    if end < 0:
        raise UnreadableError(_CUT_OFF)
    sign, disk, first_disk, here, count, length, start, comment = _END.unpack(
        _read(file, end, _END.size)
    )
    if sign != b"PK\x05\x06" or comment:
        raise UnreadableError(_CUT_OFF)
    if disk or first_disk or here != count:
        raise UnreadableError(_DAMAGED)
    after = end
    locator = end - _LOCATOR.size
    if locator >= 0 and _read(file, locator, 4) == b"PK\x06\x07":
        after, wide = _find_wide_end(file, locator)
        narrow = (count, _FULL_16), (length, _FULL_32), (start, _FULL_32)
        for (value, full), meant in zip(narrow, wide, strict=True):
            if value not in (meant, full):
                raise UnreadableError(_DAMAGED)
        count, length, start = wide
    if start + length != after:
        raise UnreadableError(_DAMAGED)
    return count, start, length


def _find_wide_end(file: BinaryIO, locator: int) -> tuple[int, tuple[int, int, int]]:
    """Where the record of 64-bit numbers lies; number of records, bytes and start of the table."""
    _, disk, place, disks = _LOCATOR.unpack(_read(file, locator, _LOCATOR.size))
    if disk or disks > 1 or place != locator - _END_64.size or place < 0:
        raise UnreadableError(_DAMAGED)
    sign, rest, _, _, disk, first_disk, here, count, length, start = _END_64.unpack(
        _read(file, place, _END_64.size)
    )
    is_right = sign == b"PK\x06\x06" and rest == _END_64.size - 12 and here == count
    if not is_right or disk or first_disk:
        raise UnreadableError(_DAMAGED)
    return place, (count, length, start)


def _entries(table: bytes, count: int) -> list[_Entry]:
    entries, place = [], 0
    while place < len(table):
        if len(entries) == count or place + _ENTRY.size > len(table):
            raise UnreadableError(_DAMAGED)
        fields = _ENTRY.unpack_from(table, place)
        sign, _, _, flags, method, _, _, _, packed, size, *rest = fields
        name_length, extra_length, comment_length, disk, _, _, header_start = rest
        place += _ENTRY.size
        name = table[place : place + name_length]
        extra = table[place + name_length : place + name_length + extra_length]
        place += name_length + extra_length + comment_length
        if sign != b"PK\x01\x02" or place > len(table) or disk:
            raise UnreadableError(_DAMAGED)
        if flags & _ENCRYPTED:
            raise UnreadableError("it is encrypted")
        if method:
            raise UnreadableError("it was compressed by another program than PyTorch")
        if _FULL_32 in (packed, size, header_start):
            size, packed, header_start = _wide(extra, size, packed, header_start)
        if packed != size:
            raise UnreadableError(_DAMAGED)
        entries.append(_Entry(name, header_start, size))
    if len(entries) != count:
        raise UnreadableError(_DAMAGED)
    return entries


def _wide(extra: bytes, *narrow: int) -> list[int]:
    """The numbers of an entry, those that need 64 bits from its extra field."""
    place = 0
    while place + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, place)
        field = extra[place + 4 : place + 4 + length]
        place += 4 + length
        if kind != _ZIP64_FIELD:
            continue
        numbers = iter(struct.unpack_from(f"<{len(field) // 8}Q", field))
        found = [next(numbers, -1) if value == _FULL_32 else value for value in narrow]
        if -1 in found:
            break
        return found
    raise UnreadableError(_DAMAGED)


def _record(file: BinaryIO, entry: _Entry, table_start: int) -> Record:
    if entry.header_start + _LOCAL.size > table_start:
        raise UnreadableError(_DAMAGED)
    fields = _LOCAL.unpack(_read(file, entry.header_start, _LOCAL.size))
    sign, _, flags, method, *_, name_length, extra_length = fields
    name = _read(file, entry.header_start + _LOCAL.size, name_length)
    if sign != b"PK\x03\x04" or method or flags & _ENCRYPTED or name != entry.name:
        raise UnreadableError(_DAMAGED)
    try:
        text = name.decode("utf-8")
    except UnicodeDecodeError:
        raise UnreadableError(_DAMAGED) from None
    start = entry.header_start + _LOCAL.size + name_length + extra_length
    return Record(text, start, entry.size)


def _check_places(records: list[Record], table_start: int) -> None:
    """No record reaches into another one, or into the table."""
    after = 0
    for record in sorted(records, key=lambda record: (record.start, record.size)):
        if record.start < after or record.start + record.size > table_start:
            raise UnreadableError("its records lie over each other, or beyond its end")
        after = record.start + record.size


def _check_names(records: list[Record]) -> None:
    seen = set()
    for record in records:
        parts = record.name.split("/")
        # An empty first part is an absolute path; a colon, one of Windows.
        if {"", ".", ".."} & set(parts) or set("\\:") & set(record.name):
            raise UnreadableError(f"it holds a record with the name {shown(record.name)}")
        if not record.name.isprintable():
            raise UnreadableError(f"it holds a record with the name {shown(record.name)}")
        if record.name.lower() in seen:
            raise UnreadableError(f"it holds two records with the name {shown(record.name)}")
        seen.add(record.name.lower())


def _read(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    data = file.read(length)
    if len(data) != length:
        raise UnreadableError(_CUT_OFF)
    return data
