"""A Segment Editor with the effect chosen, and what a user does with it, for pictures."""

from __future__ import annotations

from pathlib import Path

EFFECT = Path(__file__).parents[2] / "SAMSegment" / "SAMSegmentLib" / "SegmentEditorEffect.py"
NAME = "SAM Segment"
# For a real model on a busy computer.
PATIENCE_S = 600.0


class User:
    """The Segment Editor beside a volume, with the effect chosen for the first segment.

    Args:
        application: a `SlicerHost.application.Application`.
        volume, segmentation: nodes; the segmentation has a segment at least.
        width: of the module panel, in pixels.

    Attributes:
        editor: the qMRMLSegmentEditorWidget.
        window: the module panel.
    """

    def __init__(self, application, volume, segmentation, width: int = 430) -> None:
        self.application, self.scene = application, application.scene
        self.volume, self.segmentation = volume, segmentation
        self.segments = list(segmentation.GetSegmentation().GetSegmentIDs())
        if not application.register_effect(EFFECT):
            raise RuntimeError(f"{EFFECT} was not accepted as an effect: {application.errors}")
        self.editor = application.open_segment_editor(segmentation, volume, width)
        self.window = self.editor.window()
        self.choose_segment(self.segments[0])
        self.editor.setActiveEffectByName(NAME)
        self.fold_options(True)

    @property
    def effect(self):
        return self.editor.effectByName(NAME).self()

    @property
    def panel(self):
        """The effect's Panel; `panel.ui` has its widgets."""
        return self.effect._panel

    @property
    def status(self) -> str:
        return self.panel.ui.statusLabel.text

    @property
    def exceptions(self) -> list:
        """What went wrong in Slicer's log with an exception, not only a message."""
        return [p for p in self.application.errors if p.exception is not None]

    @property
    def is_busy(self) -> bool:
        return self.effect._session._requester.is_busy

    def choose_segment(self, segment_id: str) -> None:
        self.editor.setCurrentSegmentID(segment_id)
        self.application.process_events()

    def place(self, ras, positive: bool = True) -> None:
        """A click on a position, world RAS in mm."""
        button = self.panel.ui.positiveButton if positive else self.panel.ui.negativeButton
        if not button.isChecked():
            button.click()
        name = f"SAM Segment {'+' if positive else '-'}"
        self.scene.GetFirstNodeByName(name).AddControlPointWorld(*ras)

    def draw_roi(self, center, size) -> None:
        """A box drawn in the views, world RAS in mm."""
        self.panel.ui.roiButton.click()
        roi = self.scene.GetFirstNodeByName("SAM Segment ROI")
        roi.SetCenterWorld(*center)
        roi.SetSize(*size)
        if self.panel.ui.roiButton.isChecked():
            self.panel.ui.roiButton.click()

    def await_proposal(self) -> None:
        """Waits until the worker has answered, and the preview and its surface are drawn."""
        from SAMSegmentLib.ui.effect.proposal_view import SHOW, SURFACE, SURFACE_DELAY_MS

        self.wait(lambda: self.is_busy)
        self.wait(lambda: not self.is_busy)
        steps = self.effect._session._steps
        self.wait(lambda: not steps.is_running(SHOW))
        # It begins when the user stops to look, and may be done at once.
        self.application.wait(lambda: steps.is_running(SURFACE), 2 * SURFACE_DELAY_MS / 1000)
        self.wait(lambda: not steps.is_running(SURFACE))

    def fold_options(self, folded: bool) -> None:
        """Folds or unfolds the section "Options"."""
        section = self.panel.ui.optionsSection
        # Both ways: the host's section, unlike CTK's, does not hide what came after it was folded,
        # and asks for no room for its heading.
        section.collapsed = False
        section.collapsed = folded
        heading, inside = section.contentsMargins().top(), section.layout().totalMinimumSize()
        section.setMinimumHeight(heading + section.collapsedHeight if folded else inside.height())
        self.application.process_events()

    def resize(self, width: int) -> None:
        """Makes the module panel that wide, and as high as Slicer's scroll area makes it."""
        # The width decides how high texts are, and layouts inside others learn of it one by one.
        for _ in range(4):
            self.window.resize(*self._size_for(width))
            self.application.process_events()

    def _size_for(self, width: int) -> tuple[int, int]:
        layout = self.window.layout()
        least = layout.totalMinimumSize()
        width = max(width, least.width())
        high = layout.totalHeightForWidth(width) if layout.hasHeightForWidth() else 0
        return width, max(high, least.height())

    def apply(self) -> None:
        self.panel.ui.applyButton.click()
        self.application.process_events()

    def wait(self, condition) -> None:
        """Runs the event loop until a condition holds.

        Raises:
            RuntimeError: Slicer's log holds an error that is no message to the user.
            TimeoutError: the condition does not hold for minutes; the text is the status line.
        """
        held = self.application.wait(lambda: condition() or self.exceptions, PATIENCE_S)
        if self.exceptions:
            raise RuntimeError(str(self.exceptions[0]))
        if not held:
            raise TimeoutError(self.status)
