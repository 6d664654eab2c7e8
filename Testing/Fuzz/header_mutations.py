"""Changes to a safetensors file: its header, its header's length, its data."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from random import Random

from .json_mutations import change_json, some_value
from .raw_mutations import NUMBERS, change_bytes

_KINDS = ("F32", "F16", "BF16", "F64", "I64", "I8", "U8", "BOOL", "F8_E5M2", "C64", "U16", "F4")


def change_safetensors(random: Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """A changed file."""
    if random.random() < 0.3:
        return change_bytes(random, data, others)
    length = struct.unpack("<Q", data[:8])[0]
    content = data[8 + length :]
    document = json.loads(data[8 : 8 + length])
    if random.random() < 0.3:
        _consistent(random, document, len(content))
        header = json.dumps(document).encode()
    else:
        header = change_json(random, document, _fresh)
    if random.random() < 0.2:
        header += b" " * random.choice((1, 7, 8, 1000))
    if random.random() < 0.15:
        content = change_bytes(random, content, others) if content else b"x"
    told = random.choice(NUMBERS) if random.random() < 0.1 else len(header)
    if random.random() < 0.05:
        told += random.choice((-1, 1, 8))
    return struct.pack("<Q", told % 2**64) + header + content


def _fresh(random: Random) -> object:
    """A tensor, or a part of one."""
    if random.random() < 0.3:
        return some_value(random)
    start = random.choice((0, 4, 8, 24, random.choice(NUMBERS)))
    end = start + random.choice((0, 1, 4, 8, random.choice(NUMBERS)))
    shape = [
        random.choice((0, 1, 2, 4, random.choice(NUMBERS))) for _ in range(random.randrange(4))
    ]
    return random.choice(
        (
            {"dtype": random.choice(_KINDS), "shape": shape, "data_offsets": [start, end]},
            random.choice(_KINDS),
            shape,
            [start, end],
        )
    )


def _consistent(random: Random, document: dict, size: int) -> None:
    """Another header that is right, or nearly so: empty tensors, other cuts, many of them."""
    cuts = sorted(random.randrange(size + 1) for _ in range(random.choice((1, 2, 5, 40))))
    document.clear()
    for number, (start, end) in enumerate(zip((0, *cuts), (*cuts, size), strict=True)):
        shape = random.choice(([end - start], [1, end - start, 1], [end - start, *[1] * 20]))
        if end == start:
            shape = random.choice(([0], [0, random.choice(NUMBERS)], [random.choice(NUMBERS), 0]))
        document[f"w{number}"] = {"dtype": "U8", "shape": shape, "data_offsets": [start, end]}
    if random.random() < 0.1:
        for number in range(random.choice((1000, 25_000))):
            empty = {"dtype": "F32", "shape": [0], "data_offsets": [size, size]}
            document[f"e{number}"] = empty
