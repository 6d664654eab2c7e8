"""From the first answer to that for all clicks, one after the other, however many there are.

An answer is a tuple of candidates. Those given lately are kept, so that a click, undone or moved,
costs its own decoding only.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TypeVar

from ..core.progress import Watch
from ..core.prompts import Point, Prompts
from .embedding_cache import MemoryCache, Sized

Candidate = TypeVar("Candidate", bound=Sized)


def replayed(
    cache: MemoryCache[tuple[Candidate, ...]],
    request: Hashable,
    first: Prompts,
    clicks: Sequence[Point],
    begin: Callable[[], tuple[Candidate, ...]],
    correct: Callable[[Candidate, Prompts], Candidate],
    watch: Watch,
) -> tuple[Candidate, ...]:
    """The answer to prompts: from the longest part of them whose answer is kept, click by click.

    Args:
        cache: gets the answer after each click.
        request: names all that was asked but for the prompts.
        first: what the first answer is made from.
        clicks: those that correct its first candidate, in their order.
        begin: makes the first answer.
        correct: the candidate after one more click: from the one before, and the prompts so far,
            the newest click last.
    """
    keys = [(request, key) for key in _keys(first, clicks)]
    answer, done = None, len(keys)
    while answer is None and done:
        done -= 1
        answer = cache.get(keys[done])
    if answer is None:
        answer = begin()
        _keep(cache, keys[0], answer)
    points = (*first.points, *clicks)
    for number in range(done, len(clicks)):
        if done + 1 < len(clicks):
            watch.step(number, len(clicks), f"Click {number + 1} of {len(clicks)}")
        so_far = replace(first, points=points[: len(first.points) + number + 1])
        answer = (correct(answer[0], so_far),)
        _keep(cache, keys[number + 1], answer)
    return answer


def _keys(first: Prompts, clicks: Sequence[Point]) -> list[bytes]:
    """Of the prompts after each click, from none on; each key follows from the one before."""
    key = blake2b(first.to_json().encode(), digest_size=16).digest()
    keys = [key]
    for click in clicks:
        added = struct.pack("<3d?", *click.ras, click.positive)
        key = blake2b(key + added, digest_size=16).digest()
        keys.append(key)
    return keys


def _keep(cache: MemoryCache, key: Hashable, answer: tuple[Sized, ...]) -> None:
    cache.keep(key, answer, sum(candidate.nbytes for candidate in answer))
