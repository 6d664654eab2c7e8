"""Work in pieces of a few milliseconds, for a thread that must stay responsive.

Such work is a generator: it yields after each piece, and returns its result.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Generic, TypeVar

Result = TypeVar("Result")
Steps = Generator[None, None, Result]

# About a millisecond of comparing bytes that are not in the processor's cache.
VOXELS_PER_STEP = 500_000


def finish(steps: Steps[Result]) -> Result:
    """Does all of it at once; its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


class Job(Generic[Result]):
    """Steps that somebody drives from a timer.

    Attributes:
        done: whether all is done.
        result: what the steps returned; None before they are done.
    """

    def __init__(self, steps: Steps[Result]) -> None:
        self._steps = steps
        self.done = False
        self.result: Result | None = None

    def advance(self, seconds: float = 0.004) -> bool:
        """Works for about that long, at least one step; whether it is done.

        Raises whatever a step raises; then it is done without a result.
        """
        end = time.perf_counter() + seconds
        while not self.done:
            try:
                next(self._steps)
            except StopIteration as stop:
                self.done, self.result = True, stop.value
            except BaseException:
                self.done = True
                raise
            if time.perf_counter() >= end:
                break
        return self.done

    def give_up(self) -> None:
        """Ends it without a result."""
        self._steps.close()
        self.done = True


def slabs(shape: tuple[int, int, int], voxels: int = VOXELS_PER_STEP) -> list[slice]:
    """Slices along k of at most about so many voxels, that together cover the shape."""
    thickness = max(1, voxels // max(1, shape[1] * shape[2]))
    return [slice(k, min(k + thickness, shape[0])) for k in range(0, shape[0], thickness)]


def blocks(shape: tuple[int, int, int], voxels: int) -> list[tuple[slice, slice]]:
    """Slices along k and j of at most about so many voxels (a row at least), covering the shape."""
    rows = max(1, voxels // max(1, shape[2]))
    return [
        (layer, slice(j, min(j + rows, shape[1])))
        for layer in slabs(shape, voxels)
        for j in range(0, shape[1], rows)
    ]
