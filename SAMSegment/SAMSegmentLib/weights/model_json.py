"""Reads model.json, what a folder says of its model, into values that have been checked.

The file may come from anybody, so nothing in it is believed: each value is of its type, no longer
or larger than it may be, and of characters that can be shown; else the file is refused with the
place. The rules are those of Resources/Models/model.schema.json, against which the tests hold them:
a validator for JSON Schema would be one more package to install before the first click.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..core.label import Label

INTERACTIVE, AUTOMATIC = "interactive", "automatic"
MODEL_NAME = r"[a-z0-9][a-z0-9.-]*"
# What people read: no control characters, line or paragraph separators, halves of characters.
_SHOWN = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*"
# Of codes, which Slicer joins by these signs.
_WORD = r"[^~^|\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]*"
_ARCHITECTURE = r"[a-z][a-z0-9_-]*"
_PARAMETER = r"[a-z][a-z0-9_]*"
_FILE = r"[A-Za-z0-9][A-Za-z0-9._-]*\.(safetensors|pth|pt)"
_SHA256 = r"[0-9a-f]{64}"
_ADDRESS = r'https://[^\s/?#@"<>]+/[!-~]*'
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)\.", re.IGNORECASE)
_LARGEST = 10**12
_MOST_PARAMETERS, _MOST_PARTS = 50, 8

Code = tuple[str, str, str]
#: Takes a value and its place in the file, such as "timings[0].seconds"; gives it back as an entry
#: keeps it, or raises ValueError.
_Check = Callable[[Any, str], Any]


@dataclass(frozen=True)
class Timing:
    """How long something took once, as an idea of what to expect.

    Attributes:
        what: was done, such as "next click".
        computer: on which.
    """

    what: str
    seconds: float
    computer: str


@dataclass(frozen=True)
class Structure:
    """What an automatic model finds.

    Attributes:
        name: of the segment.
        category, type, modifier: codes of DICOM's terminology: coding scheme, code and meaning,
            such as ("SCT", "10200004", "Liver"); None if not given.
        color: red, green and blue, 0 to 255; None: Slicer's own choice.
    """

    name: str
    category: Code | None = None
    type: Code | None = None
    modifier: Code | None = None
    color: tuple[int, int, int] | None = None

    @property
    def terminology(self) -> str | None:
        """A terminology entry as segments in Slicer keep it; None without codes.

        Source: vtkSlicerTerminologiesModuleLogic::SerializeTerminologyEntry.
        """
        if self.category is None or self.type is None:
            return None
        category, kind, modifier = map(_joined, (self.category, self.type, self.modifier))
        context = "Segmentation category and type - 3D Slicer General Anatomy list"
        regions = "Anatomic codes - DICOM master list"
        return f"{context}~{category}~{kind}~{modifier}~{regions}~^^~^^"

    @property
    def label(self) -> Label:
        """As masks carry it."""
        color = None if self.color is None else tuple(value / 255 for value in self.color)
        return Label(self.name, self.terminology or "", color)


def _joined(code: Code | None) -> str:
    return "^".join(code or ("", "", ""))


def parse(text: str) -> dict[str, Any]:
    """What a model.json says: the fields of a ModelEntry that are given.

    Raises:
        ValueError: if it is not what it should be; the text names the place.
    """
    try:
        found = json.loads(text, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    values = _object(dict, _FIELDS, _REQUIRED)(found, "")
    for key in ("$schema", "version"):
        values.pop(key, None)
    if wrong := _contradiction(values):
        raise ValueError(wrong)
    return values


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _contradiction(values: dict[str, Any]) -> str | None:
    """What is wrong between values that are right by themselves."""
    is_automatic = values["task"] == AUTOMATIC
    for key, is_wanted in (("prompts", not is_automatic), ("structures", is_automatic)):
        if bool(values.get(key)) != is_wanted:
            needs = "needs" if is_wanted else "has no"
            return f"a model whose task is {values['task']} {needs} {key}"
    names: set[str] = set()
    for structure in values.get("structures", ()):
        if structure.name in names:
            return f"there are two structures {structure.name!a}"
        names.add(structure.name)
        has_category, has_type = structure.category is not None, structure.type is not None
        if has_category != has_type or (structure.modifier is not None and not has_type):
            return f"{structure.name!a} needs category and type together"
    if wrong := _wrong_weights(values):
        return wrong
    if _RESERVED.match(values.get("file", "")):
        return f"{values['file']} is a name that Windows keeps for itself"
    return None


def _wrong_weights(values: dict[str, Any]) -> str | None:
    """A model has weights of its own, or is made of others that have."""
    if values.get("parts"):
        own = [name for name in (*_WEIGHTS, *_ABOUT_WEIGHTS) if name in values]
        return f"a model with parts has no {own[0]} of its own" if own else None
    missing = [name for name in _WEIGHTS if name not in values]
    return f"it lacks {', '.join(missing)}" if missing else None


# ---- Kinds of values -----------------------------------------------------------------------------


def _text(most: int = 300, pattern: str = _SHOWN, least: int = 1) -> _Check:
    def check(value: Any, place: str) -> str:
        if not isinstance(value, str):
            raise ValueError(f"{place} is no string")
        if not least <= len(value) <= most:
            raise ValueError(f"{place} " + ("is empty" if not value else f"is longer than {most}"))
        if not re.fullmatch(pattern, value):
            raise ValueError(f"{place} does not look like {pattern}")
        return value

    return check


def _number(low: float, high: float, *kinds: type) -> _Check:
    def check(value: Any, place: str) -> Any:
        if type(value) not in kinds:
            raise ValueError(f"{place} is no {'integer' if kinds == (int,) else 'number'}")
        if not low <= value <= high:
            raise ValueError(f"{place} is not from {low} to {high}")
        return value

    return check


def _boolean(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{place} is no boolean")
    return value


def _one_of(*values: Any) -> _Check:
    def check(value: Any, place: str) -> Any:
        if not any(type(value) is type(one) and value == one for one in values):
            raise ValueError(f"{place} is none of {', '.join(map(str, values))}")
        return value

    return check


def _list(check_one: _Check, least: int = 0, most: int = 1000, unique: bool = False) -> _Check:
    def check(value: Any, place: str) -> tuple:
        if not isinstance(value, list):
            raise ValueError(f"{place} is no array")
        if not least <= len(value) <= most:
            few = len(value) < least
            raise ValueError(f"{place} has {'fewer' if few else 'more'} items than it should")
        values = tuple(check_one(one, f"{place}[{index}]") for index, one in enumerate(value))
        if unique and len(set(values)) < len(values):
            raise ValueError(f"{place} has the same twice")
        return values

    return check


def _object(make: Callable, fields: dict[str, _Check], required: tuple[str, ...]) -> _Check:
    def check(value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            raise ValueError(f"{place or 'it'} is no object")
        if missing := [name for name in required if name not in value]:
            raise ValueError(f"{place or 'it'} lacks {', '.join(missing)}")
        # They come from the file, and may hold anything.
        if unknown := [ascii(name)[:60] for name in value if name not in fields]:
            raise ValueError(f"{place or 'it'} has {', '.join(unknown[:3])}, which is not known")
        inside = f"{place}." if place else ""
        return make(**{name: fields[name](one, inside + name) for name, one in value.items()})

    return check


def _parameters(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict) or len(value) > _MOST_PARAMETERS:
        raise ValueError(f"{place} is no object, or one of too many")
    check_name, check_text = _text(64, _PARAMETER), _text(least=0)
    check_number = _number(-_LARGEST, _LARGEST, int, float)
    for name, one in value.items():
        check_name(name, f"the name {ascii(name)[:60]} in {place}")
        if not isinstance(one, bool):
            (check_text if isinstance(one, str) else check_number)(one, f"{place}.{name}")
    return value


def _parts(value: Any, place: str) -> dict[str, str]:
    if not isinstance(value, dict) or not 1 <= len(value) <= _MOST_PARTS:
        raise ValueError(f"{place} is no object, or one of none or too many")
    check_name = _text(64, _PARAMETER)
    for role, name in value.items():
        check_name(role, f"the name {ascii(role)[:60]} in {place}")
        _NAME(name, f"{place}.{role}")
    return value


def _seconds(value: Any, place: str) -> float:
    if _number(0, 100_000, int, float)(value, place) == 0:
        raise ValueError(f"{place} is not above 0")
    return float(value)


_LINE, _HASH, _NAME = _text(), _text(64, _SHA256), _text(64, MODEL_NAME)
_CODE = _list(_text(64, _WORD), 3, 3)
_FIELDS: dict[str, _Check] = {
    "$schema": _text(10**6, r"[\s\S]*", 0),
    "version": _one_of(1),
    "name": _NAME,
    "title": _LINE,
    "order": _number(0, 1000, int),
    "architecture": _text(64, _ARCHITECTURE),
    "parameters": _parameters,
    "parts": _parts,
    "parameter_count": _number(1, _LARGEST, int),
    "trained": _boolean,
    "task": _one_of(INTERACTIVE, AUTOMATIC),
    "prompts": _list(_one_of("roi", "points", "line"), unique=True),
    "structures": _list(
        _object(
            Structure,
            {
                "name": _LINE,
                "category": _CODE,
                "type": _CODE,
                "modifier": _CODE,
                "color": _list(_number(0, 255, int), 3, 3),
            },
            ("name",),
        )
    ),
    "modalities": _list(_one_of("CT", "MR", "PET", "US", "XR", "microscopy"), 1, unique=True),
    "single_slices": _boolean,
    "file": _text(128, _FILE),
    "size": _number(1, _LARGEST, int),
    "sha256": _HASH,
    "converted_sha256": _HASH,
    "downloads": _list(_text(500, _ADDRESS), 0, 20, unique=True),
    "code_licence": _LINE,
    "weights_licence": _LINE,
    "restriction": _text(least=0),
    "source": _LINE,
    "timings": _list(
        _object(
            Timing,
            {"what": _LINE, "seconds": _seconds, "computer": _LINE},
            ("what", "seconds", "computer"),
        ),
        0,
        20,
    ),
    "citation": _text(1000),
}
_REQUIRED = ("version", "name", "title", "architecture", "task", "modalities")
# Of a model with weights of its own: needed, and only there.
_WEIGHTS, _ABOUT_WEIGHTS = ("file", "size", "sha256"), ("converted_sha256", "downloads")
