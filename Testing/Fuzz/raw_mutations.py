"""Changes that know nothing of what a file means: bytes flipped, cut, repeated, exchanged."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from random import Random

# Where sizes and signs turn over.
NUMBERS = (
    *(0, 1, 2, 3, 7, 8, 127, 128, 255, 256, 65535, 65536, 2**24),
    *(2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**40, 2**48, 2**53, 2**62, 2**63 - 1, 2**63, 2**64 - 1),
)


def change_bytes(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Some small changes, or a large one."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        if not changed:
            break
        random.choice(_CHANGES)(random, changed, others)
    return bytes(changed)


def _place(random: Random, data: bytearray) -> int:
    """Somewhere; more often near the ends, where tables and headers lie."""
    near = random.choice((16, 200, 2000, len(data)))
    place = random.randrange(min(near, len(data)))
    return place if random.random() < 0.5 else len(data) - 1 - place


def _flip(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    data[_place(random, data)] ^= 1 << random.randrange(8)


def _set(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    data[_place(random, data)] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))


def _number(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    kind = random.choice("BHIQ")
    size = struct.calcsize(kind)
    place = _place(random, data)
    number = random.choice(NUMBERS) % 2 ** (8 * size)
    data[place : place + size] = struct.pack(f"<{kind}", number)


def _cut(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    del data[_place(random, data) :]


def _take_out(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = _place(random, data)
    del data[place : place + random.choice((1, 2, 4, 8, 64, 512))]


def _repeat(random: Random, data: bytearray, _: Sequence[bytes]) -> None:
    place = _place(random, data)
    piece = data[place : place + random.choice((1, 4, 16, 64, 512))]
    data[place:place] = piece * random.choice((1, 2, 50))


def _splice(random: Random, data: bytearray, others: Sequence[bytes]) -> None:
    other = random.choice(others)
    if not other:
        return
    start = random.randrange(len(other))
    piece = other[start : start + random.choice((4, 30, 200, len(other)))]
    place = _place(random, data)
    data[place : place + random.choice((0, len(piece)))] = piece


_CHANGES = (_flip, _set, _set, _number, _number, _cut, _take_out, _repeat, _splice)
