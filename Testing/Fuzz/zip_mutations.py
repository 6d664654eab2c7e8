"""Changes to a checkpoint's zip file: what lies in it, and what its table tells about that."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from .pickle_mutations import change_pickle
from .raw_mutations import NUMBERS, change_bytes

_NAMES = ("../x", "/x", "C:x", "a\\b", "", "archive", "archive/", "\xe9", "archive/data/0")
_WORDS = ("version", "byteorder", ".format_version", ".storage_alignment", ".data/serialization_id")


@dataclass
class _Member:
    name: str
    data: bytes


class _Lies:
    """Now and then, another number than the true one.

    Args:
        share: of the numbers that are changed, 0 to 1.
    """

    def __init__(self, random: Random, share: float) -> None:
        self._random, self._share = random, share

    def __call__(self, value: int, most: int) -> int:
        if self._random.random() >= self._share:
            return value
        near = value + self._random.choice((-30, -1, 1, 30))
        return self._random.choice((near, value * 2, self._random.choice(NUMBERS))) % (most + 1)

    def about(self, data: bytes) -> bytes:
        if self._random.random() >= self._share:
            return data
        return change_bytes(self._random, data, [data]) if data else b"x"


def change_checkpoint(random: Random, data: bytes, others: Sequence[bytes], trace: str) -> bytes:
    """A changed file.

    Args:
        trace: a folder that code in it would make.
    """
    members = _members(data)
    if not members or random.random() < 0.25:
        return change_bytes(random, data, others)
    if random.random() < 0.75:
        pickled = next((one for one in members if one.name.endswith("data.pkl")), members[0])
        pickled.data = change_pickle(random, pickled.data, trace)
    if random.random() < 0.3:
        _change_members(random, members)
    share = random.choice((0, 0, 0, 0, 0.01, 0.05))
    written = _zip(members, _Lies(random, share), random.random() < 0.5)
    return change_bytes(random, written, others) if random.random() < 0.05 else written


def _members(data: bytes) -> list[_Member]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [_Member(name, archive.read(name)) for name in archive.namelist()]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error):
        return []


def _change_members(random: Random, members: list[_Member]) -> None:
    chosen = random.choice(members)
    change = random.random()
    if change < 0.2:
        members.append(_Member(chosen.name, random.choice(members).data))
    elif change < 0.3 and len(members) > 1:
        members.remove(chosen)
    elif change < 0.5:
        folder = chosen.name.partition("/")[0]
        names = (*_NAMES, f"{folder}/constants.pkl", *(f"{folder}/{word}" for word in _WORDS))
        chosen.name = random.choice((*names, chosen.name.upper(), f"{chosen.name}/x"))
    elif change < 0.6:
        random.shuffle(members)
    elif change < 0.7:
        members.extend(_Member(f"archive/data/{number}", b"") for number in range(300))
    elif change < 0.85:
        folder = chosen.name.partition("/")[0]
        word = random.choice(
            (b"big", b"little", b"99999999999999999999", b"-1", b"\xff", b"1" * 5000)
        )
        members.append(_Member(f"{folder}/{random.choice(_WORDS)}", word))
    else:
        chosen.data = change_bytes(random, chosen.data, [chosen.data]) if chosen.data else b"x"


def _zip(members: list[_Member], lies: _Lies, is_wide: bool) -> bytes:
    """The members as torch or zipfile write them, if nothing is a lie."""
    written, table = io.BytesIO(), io.BytesIO()
    for member in members:
        name = member.name.encode()
        place, size = written.tell(), len(member.data)
        # torch pads the extra field, so that numbers lie at multiples of 64.
        padding = (-(place + 34 + len(name))) % 64
        extra = struct.pack("<2s2s", b"FB", struct.pack("<H", padding)) + b"Z" * padding
        if not is_wide:
            extra = b""
        crc = zipfile.crc32(member.data)
        flags, method = lies(0x800, 0xFFFF), lies(0, 0xFFFF)
        sizes = (lies(size, 2**32 - 1), lies(size, 2**32 - 1))
        lengths = (lies(len(name), 0xFFFF), lies(len(extra), 0xFFFF))
        written.write(
            struct.pack("<4s5H3L2H", b"PK\3\4", 20, flags, method, 0, 0, crc, *sizes, *lengths)
        )
        written.write(lies.about(name) + extra + member.data)
        wide = _wide_field(lies, size, place) if is_wide and lies(0, 1) else b""
        if wide:
            sizes, place = (2**32 - 1, 2**32 - 1), 2**32 - 1
        table.write(
            struct.pack("<4s6H", b"PK\1\2", 20, 20, lies(0x800, 0xFFFF), lies(0, 0xFFFF), 0, 0)
            + struct.pack("<3L", crc, *(lies(size, 2**32 - 1) if not wide else s for s in sizes))
            + struct.pack("<5H", lies(len(name), 0xFFFF), len(wide), lies(0, 0xFFFF), 0, 0)
            + struct.pack("<2L", 0, lies(place, 2**32 - 1))
        )
        table.write(name + wide)
    start = written.tell()
    written.write(table.getvalue())
    written.write(_end(lies, len(members), start, len(table.getvalue()), is_wide))
    return written.getvalue()


def _wide_field(lies: _Lies, size: int, place: int) -> bytes:
    numbers = (lies(value, 2**64 - 1) for value in (size, size, place))
    return struct.pack("<2H3Q", 1, 24, *numbers)


def _end(lies: _Lies, count: int, start: int, length: int, is_wide: bool) -> bytes:
    wide = b""
    if is_wide:
        most = 2**64 - 1
        numbers = (lies(value, most) for value in (count, count, length, start))
        wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", lies(44, most), 45, 45, 0, 0, *numbers)
        wide += struct.pack("<4sLQL", b"PK\6\7", 0, lies(start + length, most), 1)
    numbers = (lies(count, 0xFFFF), lies(count, 0xFFFF))
    places = (lies(length, 2**32 - 1), lies(start, 2**32 - 1))
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, *numbers, *places, lies(0, 0xFFFF))
    return lies.about(wide) + end
