"""Who hears what the user does with prompts."""

from __future__ import annotations


class PromptListener:
    """Hears what the user does with prompts; derive from it what is needed.

    It is called while Slicer still works on the event, so it should only take note (and must not
    remove nodes or points there), and work later.
    """

    def point_placed(self, number: int) -> None:
        """A new point was placed."""

    def point_moved(self, number: int) -> None:
        """A point was moved, and let go."""

    def points_removed(self, numbers: tuple[int, ...]) -> None:
        """Points were removed, by themselves or with their list."""

    def position_lost(self) -> None:
        """A point has no position (NaN): see `PromptNodes.remove_lost_points`."""

    def roi_changed(self) -> None:
        """The ROI was drawn, changed and let go, or its node removed."""

    def line_changed(self) -> None:
        """Likewise the line."""
