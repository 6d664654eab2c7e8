"""The prompts of one object over time, with undo and redo."""

from __future__ import annotations

from dataclasses import replace

from .prompts import Point, Prompts, Roi


class PromptHistory:
    """Prompts as the user edits them; each change can be undone and redone.

    An edit that changes nothing is not a step: it adds nothing to undo, and what was undone can
    still be redone. Prompts are immutable and small, so the history simply keeps every state.

    Args:
        prompts: the first state; no prompts if left out.
    """

    def __init__(self, prompts: Prompts | None = None) -> None:
        self._states = [prompts or Prompts()]
        self._current = 0

    @property
    def prompts(self) -> Prompts:
        """The prompts as they are now."""
        return self._states[self._current]

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to undo."""
        return self._current > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a change that was undone."""
        return self._current + 1 < len(self._states)

    def set_roi(self, roi: Roi) -> None:
        """Replaces the ROI."""
        self.replace(replace(self.prompts, roi=roi))

    def add_point(self, point: Point) -> None:
        """Adds a point after the others."""
        self.replace(replace(self.prompts, points=(*self.prompts.points, point)))

    def clear(self) -> None:
        """Removes all prompts; this can be undone, too."""
        self.replace(Prompts())

    def replace(self, prompts: Prompts) -> None:
        """Makes any other prompts the next state, in one step."""
        if prompts != self.prompts:
            self._states = [*self._states[: self._current + 1], prompts]
            self._current += 1

    def undo(self) -> bool:
        """Undoes the last change. False if there is none."""
        if not self.can_undo:
            return False
        self._current -= 1
        return True

    def redo(self) -> bool:
        """Redoes the change that was undone last. False if there is none."""
        if not self.can_redo:
            return False
        self._current += 1
        return True
