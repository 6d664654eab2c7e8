"""The prompts of one object over time, with undo and redo."""

from __future__ import annotations

from dataclasses import replace

from .prompts import Line, Point, Prompts, Roi


class PromptHistory:
    """Prompts as the user edits them; each change can be undone and redone.

    What changes nothing is no step: there is nothing to undo, and what was undone can be redone.

    Prompts are immutable and small, so the history simply keeps every state.
    """

    def __init__(self, prompts: Prompts | None = None) -> None:
        self._states = [prompts or Prompts()]
        self._current = 0

    @property
    def prompts(self) -> Prompts:
        """The prompts as they stand now."""
        return self._states[self._current]

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return self._current > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a change that was taken back."""
        return self._current + 1 < len(self._states)

    def set_roi(self, roi: Roi | None) -> None:
        """Replaces the ROI; None removes it."""
        self.replace(replace(self.prompts, roi=roi))

    def set_line(self, line: Line | None) -> None:
        """Replaces the line; None removes it."""
        self.replace(replace(self.prompts, line=line))

    def add_point(self, point: Point) -> None:
        """Adds a point after the others."""
        self._set_points((*self.prompts.points, point))

    def move_point(self, index: int, ras: tuple[float, float, float]) -> None:
        """Puts a point elsewhere, RAS in mm; it keeps its sign and its turn.

        Raises:
            IndexError: if there is no such point.
        """
        self._set_point(index, Point(ras, self._point(index).positive))

    def flip_point(self, index: int) -> None:
        """Makes a positive point negative, and the other way round.

        Raises:
            IndexError: if there is no such point.
        """
        point = self._point(index)
        self._set_point(index, Point(point.ras, not point.positive))

    def remove_point(self, index: int) -> None:
        """Takes a point out.

        Raises:
            IndexError: if there is no such point.
        """
        self._point(index)
        points = self.prompts.points
        self._set_points((*points[:index], *points[index + 1 :]))

    def clear(self) -> None:
        """Removes all prompts; this too can be undone."""
        self.replace(Prompts())

    def replace(self, prompts: Prompts) -> None:
        """Takes any other prompts as one step; the same ones are none."""
        if prompts != self.prompts:
            self._states = [*self._states[: self._current + 1], prompts]
            self._current += 1

    def undo(self) -> bool:
        """Takes the last change back. False if there is none."""
        if not self.can_undo:
            return False
        self._current -= 1
        return True

    def redo(self) -> bool:
        """Does again what was undone last. False if there is nothing."""
        if not self.can_redo:
            return False
        self._current += 1
        return True

    def _point(self, index: int) -> Point:
        if not 0 <= index < len(self.prompts.points):
            raise IndexError(f"There is no point {index}: there are {len(self.prompts.points)}.")
        return self.prompts.points[index]

    def _set_point(self, index: int, point: Point) -> None:
        points = self.prompts.points
        self._set_points((*points[:index], point, *points[index + 1 :]))

    def _set_points(self, points: tuple[Point, ...]) -> None:
        self.replace(replace(self.prompts, points=points))
