"""Changes to a JSON document that leave it JSON, more or less: values, names, nesting, encoding."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random

from .raw_mutations import NUMBERS

_TEXTS = (
    *(
        "",
        " ",
        ".",
        "..",
        "../x",
        "/etc/passwd",
        "C:\\x",
        "a/b",
        "a\\b",
        "NUL",
        "\0",
        "\n",
        "x" * 400,
    ),
    *("\ud800", "é", "\u202e", "__metadata__", "F32", "F99", "BOOL", "F16", "C64", "F8_E4M3"),
    *("a" * 64, "0" * 64, "https://x.example/y", "file:///etc/passwd", "1e999", "NaN", "{}"),
)


def change_json(random: Random, document: object, fresh: Callable[[Random], object]) -> bytes:
    """The document with some changes, as bytes.

    Args:
        fresh: makes a value that has a meaning in such documents.
    """
    for _ in range(random.choice((1, 1, 1, 2, 3, 8))):
        document = _changed(random, document, fresh)
    text = json.dumps(document, ensure_ascii=random.random() < 0.7)
    if random.random() < 0.15:
        text = _odd_text(random, text)
    coding = random.choice(("utf-8",) * 12 + ("utf-16", "utf-8-sig", "latin-1"))
    return text.encode(coding, "replace" if coding == "latin-1" else "surrogatepass")


def some_value(random: Random) -> object:
    """Any value that JSON knows."""
    return random.choice(
        (
            lambda: random.choice(NUMBERS),
            lambda: -random.choice(NUMBERS),
            lambda: random.choice(_TEXTS),
            lambda: random.choice((None, True, False, 0.5, 1e308, float("inf"), float("nan"))),
            lambda: [random.choice(NUMBERS) for _ in range(random.choice((0, 1, 2, 3, 70)))],
            lambda: {random.choice(_TEXTS): random.choice(NUMBERS)},
            lambda: _nested(random.choice((3, 30, 130, 900))),
        )
    )()


def _nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value] if depth % 2 else {"a": value}
    return value


def _changed(random: Random, value: object, fresh: Callable[[Random], object]) -> object:
    """A copy with a change somewhere in it."""
    is_here = random.random() < 0.2 or not isinstance(value, dict | list) or not value
    if is_here:
        return _instead(random, value, fresh)
    if isinstance(value, list):
        copy = list(value)
        place = random.randrange(len(copy))
        copy[place] = _changed(random, copy[place], fresh)
        return copy
    name = random.choice(list(value))
    return {**value, name: _changed(random, value[name], fresh)}


def _instead(random: Random, value: object, fresh: Callable[[Random], object]) -> object:
    if isinstance(value, dict) and value and random.random() < 0.8:
        name = random.choice(list(value))
        rest = {key: kept for key, kept in value.items() if key != name}
        new = random.choice(_TEXTS)
        return random.choice((rest, {**rest, new: value[name]}, {**value, new: fresh(random)}))
    if isinstance(value, list) and value and random.random() < 0.8:
        return random.choice((value[1:], value + value[:1], [*value, fresh(random)], value[::-1]))
    if type(value) is int and random.random() < 0.6:
        return random.choice((value + 1, value - 1, -value, value * 2, float(value), str(value)))
    return random.choice((fresh, some_value))(random)


def _odd_text(random: Random, text: str) -> str:
    """What no program writes, such as a name twice or a number of a thousand digits."""
    place = random.randrange(len(text) + 1)
    piece = random.choice(
        ("9" * 1000, "1e999", "NaN", "[" * 5000, '{"a":' * 3000, "\\ud800", "/*x*/", ",", "\0", " ")
    )
    if random.random() < 0.3:
        return text.replace("{", "{" + text[1:-1].partition(",")[0] + ",", 1)
    return text[:place] + piece + text[place + random.choice((0, 1)) :]
