"""The proposal in the views: at once in slices, in 3D when nothing changes for a moment."""

from __future__ import annotations

from collections.abc import Callable

from ...core.proposal import Proposal
from ...scene.preview import Preview
from ..common.delay import Delay
from ..common.steps import Steps
from .target import Placement, Target

SHOW, SURFACE = "show", "surface"
SURFACE_DELAY_MS = 300


class ProposalView:
    """Shows proposals for one target at a time.

    Args:
        steps: does what takes longer than a frame.
        drawn: called when a proposal has been drawn.
    """

    def __init__(self, steps: Steps, drawn: Callable[[], None]) -> None:
        self._steps = steps
        self._drawn = drawn
        self._preview: Preview | None = None
        self._segmentation = None
        self._segment_id = ""
        self._requested: tuple[tuple[Proposal, ...], Placement, float] | None = None
        self._surface_later = Delay(SURFACE_DELAY_MS, self._make_surface)

    def enter(self, target: Target) -> bool:
        """Proposals for this target will be shown.

        Returns:
            Whether they will be drawn over the markups that there are.
        """
        self._stop()
        self._segment_id = target.segment_id
        if self._preview is not None and self._segmentation is target.segmentation:
            # Its node stays: a new one would be drawn over the points.
            self._preview.hide()
        else:
            self.leave()
            self._segmentation = target.segmentation
            self._preview = Preview(target.segmentation.GetScene(), target.segmentation)
        return self._preview.prepare()

    def hide_node(self) -> None:
        """Shows nothing; the preview's node stays in the scene, hidden, for the next time."""
        self._stop()
        if self._preview is not None:
            self._preview.hide_node()

    def leave(self) -> None:
        """Takes everything out of the scene."""
        self._stop()
        self._segmentation = None
        if self._preview is not None:
            preview, self._preview = self._preview, None
            preview.remove()

    def release(self) -> None:
        self.leave()
        self._surface_later.release()

    def shows(self, proposals: tuple[Proposal, ...], threshold: float) -> bool:
        """Whether these are in the views, entirely."""
        preview = self._preview
        if preview is None or self._steps.is_running(SHOW):
            return False
        return preview.proposals is proposals and preview.threshold == threshold

    def show(self, proposals: tuple[Proposal, ...], placement: Placement, threshold: float) -> None:
        """Draws proposals where their probability exceeds `threshold`."""
        before, _, threshold_before = self._requested or (None, None, None)
        if self._preview is None or (before is proposals and threshold_before == threshold):
            return
        only_threshold = before is proposals and not self._steps.is_running(SHOW)
        self._stop()
        # Set first: what cannot be drawn is not tried again and again.
        self._requested = (proposals, placement, threshold)
        if only_threshold:
            work = self._preview.threshold_steps(threshold)
        else:
            work = self._preview.show_steps(
                proposals, placement.volume_to_world, threshold, self._segment_id
            )
        self._steps.run(SHOW, work, self._on_drawn)

    def draw_again(self) -> None:
        """Draws the last proposals once more, unless that is under way: its node was deleted."""
        if self._requested is not None and not self._steps.is_running(SHOW):
            requested, self._requested = self._requested, None
            self.show(*requested)

    def hide(self) -> None:
        """Draws nothing."""
        self._stop()
        if self._preview is not None:
            self._preview.hide()

    def set_opacity(self, opacity: float) -> None:
        """0 to 1."""
        if self._preview is not None:
            self._preview.set_opacity(opacity)

    def _stop(self) -> None:
        self._surface_later.stop()
        self._steps.stop(SHOW)
        self._steps.stop(SURFACE)
        self._requested = None

    def _on_drawn(self, _result: object) -> None:
        self._surface_later.start()
        self._drawn()

    def _make_surface(self) -> None:
        if self._preview is not None:
            self._steps.run(SURFACE, self._preview.update_surface())
