"""Checks arguments of public functions, with one sentence that names the argument if it is wrong.

Each function returns the value, converted to its proper type, or raises InputError. NumPy's numbers
are accepted as numbers; booleans and text are not, even where Python could convert them.
"""

from __future__ import annotations

import numbers as abstract
import operator
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from .errors import InputError

if TYPE_CHECKING:
    from .progress import CancelFlag

# No length in mm and no intensity is this large, and squares of larger numbers overflow.
_LARGEST = 1e30
# Characters of a value in a message; longer values are cut.
_LONGEST = 60


def whole_number(value: object, name: str) -> int:
    """A whole number, 0 or larger."""
    if not isinstance(value, bool | np.bool_):
        try:
            whole = operator.index(value)
        except TypeError:
            pass
        else:
            if whole >= 0:
                return whole
    raise _wrong(name, "a whole number, 0 or larger, is needed", value)


def array(
    value: object, shape: tuple[int, ...], name: str, needs: str = "", finite: bool = True
) -> np.ndarray:
    """An array of numbers of a given shape, such as a position.

    Args:
        needs: for the message, such as "three finite numbers are needed"; by default the shape.
        finite: whether NaN and infinity are refused.
    """
    found = _numbers_in(value)
    if (
        found is not None
        and found.shape == shape
        and (not finite or (np.abs(found) < _LARGEST).all())
    ):
        return found
    raise _wrong(name, needs or f"{' x '.join(map(str, shape))} finite numbers are needed", value)


def position(value: object, name: str) -> tuple[float, float, float]:
    """A position in RAS mm."""
    return tuple(
        array(value, (3,), name, "three finite numbers (R, A, S in mm) are needed").tolist()
    )


def intensity_range(value: object, name: str) -> tuple[float, float] | None:
    """A lower and a higher intensity, or None."""
    if value is None:
        return None
    lower, upper = array(
        value, (2,), name, "two finite numbers, a lower and a higher one, or None are needed"
    ).tolist()
    if lower < upper:
        return lower, upper
    raise InputError(
        f"{name}: the intensity range {lower:g} to {upper:g} is not usable: give a lower and a "
        "higher number."
    )


def texts(value: object, name: str) -> tuple[str, ...]:
    """Any number of lines of text, such as names."""
    if isinstance(value, list | tuple):
        return tuple(text(one, name) for one in value)
    raise _wrong(name, "a list of texts is needed", value)


def probability(value: object, name: str) -> float:
    """A number between 0 and 1, both excluded, such as a threshold."""
    if _is_number(value) and 0 < value < 1:
        return float(value)
    raise _wrong(name, "a number between 0 and 1, both excluded, is needed", value)


def millimetres(value: object, name: str, most: float) -> float:
    """A length in mm, from 0 to `most`."""
    if _is_number(value) and 0 <= value <= most:
        return float(value)
    raise _wrong(name, f"a length in mm, from 0 to {most:g}, is needed", value)


def truth(value: object, name: str) -> bool:
    """True or False."""
    if isinstance(value, bool | np.bool_):
        return bool(value)
    raise _wrong(name, "True or False is needed", value)


def text(value: object, name: str) -> str:
    """One line of text that can be stored in a file: UTF-8, without control characters."""
    if not isinstance(value, str):
        raise _wrong(name, "text is needed", value)
    if value.isprintable() or not any(_is_unfit(character) for character in value):
        return value
    raise _wrong(name, "text in one line, without control characters, is needed", value)


def optional_text(value: object, name: str) -> str | None:
    """As `text`, or None."""
    return None if value is None else text(value, name)


def path(value: object, name: str) -> str | os.PathLike:
    """A path; whether the file exists is not checked."""
    if isinstance(value, str | os.PathLike) and isinstance(os.fspath(value), str):
        return value
    raise _wrong(name, "a path is needed", value)


def callback(value: object, name: str) -> Callable | None:
    """Something that can be called, or None."""
    if value is None or callable(value):
        return value
    raise _wrong(name, "a function or None is needed", value)


def cancel_flag(value: object, name: str) -> CancelFlag | None:
    """Something with `is_set()`, or None."""
    if value is None or callable(getattr(value, "is_set", None)):
        return value
    raise _wrong(name, "something with is_set(), such as threading.Event, or None is needed", value)


def _is_number(value: object) -> bool:
    return isinstance(value, abstract.Real) and not isinstance(value, bool | np.bool_)


def _numbers_in(value: object) -> np.ndarray | None:
    """The numbers as an array; None if they are not all numbers, or not a regular array."""
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        return None
    try:
        found = np.asarray(value if isinstance(value, np.ndarray | list | tuple) else list(value))
    except (TypeError, ValueError):  # ragged
        return None
    return found.astype(float) if found.dtype.kind in "iuf" else None


def _is_unfit(character: str) -> bool:
    """Whether it is a control character, which may end a header's line, or a lone surrogate."""
    return (
        ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 or "\ud800" <= character <= "\udfff"
    )


def _wrong(name: str, needs: str, value: object) -> InputError:
    shown = " ".join(repr(value).split())
    if len(shown) > _LONGEST:
        shown = f"{shown[:_LONGEST]}..."
    return InputError(f"{name}: {needs}, not {shown}.")
