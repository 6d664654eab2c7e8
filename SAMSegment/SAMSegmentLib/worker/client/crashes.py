"""How often the child has ended by itself."""

from __future__ import annotations

MOST_CRASHES = 3
WITHIN_S = 60.0
CRASHED = (
    "The model's process has ended unexpectedly; it is being started again. Nothing was changed, "
    "and your prompts are kept: try again."
)
CRASHES_AGAIN = (
    "The model's process keeps ending unexpectedly and was not started again. Nothing was changed. "
    "Choose another device, make the ROI smaller, or restart Slicer; if that does not help, please "
    "report it with the diagnostics."
)


class CrashLog:
    """Says when to start no more processes: they would only end again."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def add(self, now: float) -> bool:
        """Another crash, at `now` seconds; True if it is the third within a minute."""
        self._times = [*(t for t in self._times if now - t < WITHIN_S), now]
        return len(self._times) >= MOST_CRASHES

    def clear(self) -> None:
        """The child has done something useful, or somebody has asked to try again."""
        self._times.clear()
