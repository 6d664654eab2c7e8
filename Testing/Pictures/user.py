"""A user of the effect, for pictures."""

from __future__ import annotations

from TestSupport.effect_user import EffectUser, register_effect


class User(EffectUser):
    """The effect beside a volume, chosen for the first segment, its options folded.

    Attributes:
        window: the module panel.
    """

    def __init__(self, application, volume, segmentation, width: int = 430) -> None:
        register_effect(application)
        super().__init__(application, volume, segmentation, width)
        self.window = self.editor.window()
        self.choose_effect()
        self.fold_options(True)

    @property
    def exceptions(self) -> list:
        """What went wrong in Slicer's log with an exception, not only a message."""
        return [p for p in self.application.errors if p.exception is not None]

    def draw_roi(self, center, size) -> None:
        """A box drawn in the views, world RAS in mm."""
        self.button("roiButton")
        roi = self.scene.GetFirstNodeByName("SAM Segment ROI")
        roi.SetCenterWorld(*center)
        roi.SetSize(*size)
        if self.ui.roiButton.isChecked():
            self.button("roiButton")

    def wait_for_proposal(self) -> None:
        """Waits until the worker has answered, and the preview and its surface are drawn."""
        from SAMSegmentLib.ui.effect.proposal_view import SURFACE, SURFACE_DELAY_MS

        super().wait_for_proposal()
        steps = self.session._steps
        # It begins when nothing changes for a moment, and may be done at once.
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

    def wait(self, condition) -> None:
        """As EffectUser.wait.

        Raises:
            RuntimeError: Slicer's log holds an error that is no message to the user.
        """
        super().wait(lambda: condition() or self.exceptions)
        if self.exceptions:
            raise RuntimeError(str(self.exceptions[0]))
