"""From the first answer to that for all clicks, one after the other, however many there are."""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TypeVar

from ..core.progress import Watch
from ..core.prompts import Point, Prompts
from .answer_cache import KeptAnswers

Answer = TypeVar("Answer")


def replayed(
    kept: KeptAnswers[Answer],
    request: Hashable,
    first: Prompts,
    clicks: Sequence[Point],
    begin: Callable[[], Answer],
    correct: Callable[[Answer, Prompts], Answer],
    watch: Watch,
) -> Answer:
    """The answer to prompts: from the longest part of them whose answer is kept, click by click.

    Args:
        kept: gets the answer after each click.
        request: names all that was asked but for the prompts.
        first: what the first answer is made from.
        clicks: those that correct it, in their order.
        begin: makes the first answer.
        correct: the answer after one more click: from the one before, and the prompts so far, the
            newest click last.
    """
    names = [(request, name) for name in _names(first, clicks)]
    answer, done = None, len(names)
    while answer is None and done:
        done -= 1
        answer = kept.get(names[done])
    if answer is None:
        answer = begin()
        kept.keep(names[0], answer)
    points = (*first.points, *clicks)
    for number in range(done, len(clicks)):
        if done + 1 < len(clicks):
            watch.step(number, len(clicks), f"Click {number + 1} of {len(clicks)}")
        so_far = replace(first, points=points[: len(first.points) + number + 1])
        answer = correct(answer, so_far)
        kept.keep(names[number + 1], answer)
    return answer


def _names(first: Prompts, clicks: Sequence[Point]) -> list[bytes]:
    """Of the prompts after each click, from none on; each name follows from the one before."""
    name = blake2b(first.to_json().encode(), digest_size=16).digest()
    names = [name]
    for click in clicks:
        said = struct.pack("<3d?", *click.ras, click.positive)
        name = blake2b(name + said, digest_size=16).digest()
        names.append(name)
    return names
