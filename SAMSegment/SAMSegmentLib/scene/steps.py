"""Work in pieces of a few milliseconds, for a thread that must stay responsive.

Such work is a generator: it yields after each piece, and returns its result.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

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
