"""The prompts of one object over time, with undo and redo."""

from __future__ import annotations

from dataclasses import replace

from .prompts import Point, Prompts, Roi


class PromptHistory:
    """Prompts as the user adds them; each change can be undone and redone.

    Prompts are immutable and small, so the history simply keeps every state.
    """

    def __init__(self, prompts: Prompts | None = None) -> None:
        self._states = [prompts or Prompts()]
        self._current = 0

    @property
    def prompts(self) -> Prompts:
        """The prompts as they stand now."""
        return self._states[self._current]

    def set_roi(self, roi: Roi | None) -> None:
        """Replaces the ROI; None removes it."""
        self._push(replace(self.prompts, roi=roi))

    def add_point(self, point: Point) -> None:
        """Adds a point after the others."""
        self._push(replace(self.prompts, points=(*self.prompts.points, point)))

    def clear(self) -> None:
        """Removes all prompts; this too can be undone."""
        self._push(Prompts())

    def undo(self) -> bool:
        """Takes the last change back. False if there is none."""
        if self._current == 0:
            return False
        self._current -= 1
        return True

    def redo(self) -> bool:
        """Does again what was undone last. False if there is nothing."""
        if self._current + 1 == len(self._states):
            return False
        self._current += 1
        return True

    def _push(self, prompts: Prompts) -> None:
        self._states = [*self._states[: self._current + 1], prompts]
        self._current += 1
