"""Checks JSON against a JSON Schema, as far as the schemas of this project go.

The package jsonschema would bring compiled parts into Slicer; the tests hold this against it.
Source: JSON Schema, draft 2020-12.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_TYPES = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    # 2.0 is an integer there, too.
    "integer": lambda value: (
        _TYPES["number"](value) and (isinstance(value, int) or value.is_integer())
    ),
}
_SAYS_NOTHING = {"$schema", "title", "description", "$defs", "then", "else"}


def problems(value: Any, schema: dict) -> Iterator[str]:
    """What is wrong with a value, each with its place, such as "models[1].size is missing".

    Raises:
        ValueError: if the schema uses what is not known here.
    """
    yield from _problems(value, schema, schema, "")


def _problems(value: Any, schema: dict, root: dict, place: str) -> Iterator[str]:
    for keyword, wanted in schema.items():
        if keyword in _SAYS_NOTHING:
            continue
        if keyword == "$ref":
            yield from _problems(value, _referred(wanted, root), root, place)
        elif keyword == "if":
            fits = not any(_problems(value, wanted, root, place))
            yield from _problems(value, schema.get("then" if fits else "else", {}), root, place)
        elif keyword == "properties":
            if isinstance(value, dict):
                for name in (one for one in wanted if one in value):
                    inside = f"{place}.{name}" if place else name
                    yield from _problems(value[name], wanted[name], root, inside)
        elif keyword == "items":
            if isinstance(value, list):
                for index, item in enumerate(value):
                    yield from _problems(item, wanted, root, f"{place}[{index}]")
        elif (problem := _problem(keyword, wanted, value, schema)) is not None:
            yield f"{place or 'it'} {problem}"


def _problem(keyword: str, wanted: Any, value: Any, schema: dict) -> str | None:
    """What a keyword that looks at the value alone has against it."""
    match keyword:
        case "type":
            return None if _TYPES[wanted](value) else f"is no {wanted}"
        case "const":
            return None if _same(value, wanted) else f"is not {wanted!r}"
        case "enum":
            fits = any(_same(value, one) for one in wanted)
            return None if fits else f"is none of {', '.join(map(str, wanted))}"
        case "required" | "additionalProperties":
            return _problem_of_object(keyword, wanted, value, schema)
        case "minItems" | "maxItems" | "uniqueItems":
            return _problem_of_array(keyword, wanted, value)
        case "minLength" | "maxLength" | "pattern":
            return _problem_of_string(keyword, wanted, value)
        case "minimum" | "exclusiveMinimum" | "maximum":
            return _problem_of_number(keyword, wanted, value)
    raise ValueError(f"The schema uses {keyword!r}, which is not known here.")


def _problem_of_object(keyword: str, wanted: Any, value: Any, schema: dict) -> str | None:
    if not isinstance(value, dict):
        return None
    if keyword == "required":
        missing = [name for name in wanted if name not in value]
        return f"lacks {', '.join(missing)}" if missing else None
    if wanted is not False:
        raise ValueError("The schema allows additional properties of a kind: not known here.")
    more = [name for name in value if name not in schema.get("properties", {})]
    # They come from the file, and may hold anything.
    return f"has {', '.join(map(ascii, more))}, which is not known" if more else None


def _problem_of_array(keyword: str, wanted: Any, value: Any) -> str | None:
    if not isinstance(value, list):
        return None
    if keyword == "uniqueItems":
        twice = any(_same(one, other) for index, one in enumerate(value) for other in value[:index])
        return "has the same twice" if wanted and twice else None
    if keyword == "minItems":
        return f"has fewer than {wanted} items" if len(value) < wanted else None
    return f"has more than {wanted} items" if len(value) > wanted else None


def _problem_of_string(keyword: str, wanted: Any, value: Any) -> str | None:
    if not isinstance(value, str):
        return None
    if keyword == "pattern":
        # Python's $ would let a line break follow.
        exact = re.sub(r"\$$", r"\\Z", wanted)
        return None if re.search(exact, value) else f"does not look like {wanted}"
    if keyword == "minLength":
        return "is empty" if len(value) < wanted else None
    return f"is longer than {wanted} characters" if len(value) > wanted else None


def _problem_of_number(keyword: str, wanted: Any, value: Any) -> str | None:
    if not _TYPES["number"](value):
        return None
    match keyword:
        case "minimum":
            return None if value >= wanted else f"is not at least {wanted}"
        case "maximum":
            return None if value <= wanted else f"is above {wanted}"
    return None if value > wanted else f"is not above {wanted}"


def _referred(reference: str, root: dict) -> dict:
    found = root
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def _same(one: Any, other: Any) -> bool:
    """As JSON sees it: 1 is 1.0, but not true, at any depth."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[k], other[k]) for k in one)
    if _TYPES["number"](one) and _TYPES["number"](other):
        return one == other
    return type(one) is type(other) and one == other
