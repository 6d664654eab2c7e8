"""Where the user looks: the slice over which the mouse moves, and where it comes to rest."""

from __future__ import annotations

from collections.abc import Callable

from ..common.delay import Delay

# A mouse that rests means to click here.
REST_MS = 250

Vector = tuple[float, float, float]


class Gaze:
    """Tells where the mouse rests.

    Attributes:
        facing: across the slice over which the mouse was last, world RAS; None before that.

    Args:
        rests: called with a position, world RAS in mm.
    """

    def __init__(self, rests: Callable[[Vector], None]) -> None:
        self.facing: Vector | None = None
        self._rests = rests
        self._position: Vector | None = None
        self._later = Delay(REST_MS, self._tell)

    def move(self, position: Vector, facing: Vector) -> None:
        """The mouse is there now."""
        self._position, self.facing = tuple(position), tuple(facing)
        self._later.start()

    def stop(self) -> None:
        """Nobody wants to know any more."""
        self._later.stop()

    def release(self) -> None:
        self._later.release()

    def _tell(self) -> None:
        if self._position is not None:
            self._rests(self._position)
