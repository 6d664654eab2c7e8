"""What every reader of weights files refuses, and how it says so."""

from __future__ import annotations

import math
from collections.abc import Sequence

MOST_SIDES = 16
# More than any file has, and far from where 64 bits end.
_LARGEST = 2**48


class UnreadableError(Exception):
    """A file is not a weights file that may be read; the text is the reason, such as "it is cut
    off", in one line of plain characters."""


def shown(value: object) -> str:
    """Something from a file, short and in plain characters, as a message may hold it."""
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def are_numbers(values: Sequence[object]) -> bool:
    """Whether all are whole numbers that places and sides of a tensor can be."""
    return all(type(value) is int and 0 <= value < _LARGEST for value in values)


def count_numbers(sides: Sequence[int]) -> int:
    """How many numbers a tensor of this shape has.

    Raises:
        UnreadableError: if it makes no sense.
    """
    if len(sides) > MOST_SIDES or math.prod(max(side, 1) for side in sides) >= _LARGEST:
        raise UnreadableError("the shape of a tensor in it makes no sense")
    return math.prod(sides)


def reach_of(sides: Sequence[int], steps: Sequence[int]) -> int:
    """How far a tensor's last number lies from its first.

    Args:
        steps: for each side, how far its next number lies.

    Raises:
        UnreadableError: if two of its numbers may lie at the same place.
    """
    reach = 0
    for step, side in sorted(zip(steps, sides, strict=True)):
        if side > 1 and step <= reach:
            raise UnreadableError("it holds a tensor whose numbers lie over each other")
        reach += max(side - 1, 0) * step
    return reach
