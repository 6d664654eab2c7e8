"""A user of the effect in an open Segment Editor: for tests, pictures and benchmarks."""

from __future__ import annotations

from pathlib import Path

EFFECT_FILE = Path(__file__).parents[2] / "SAMSegment" / "SAMSegmentLib" / "SegmentEditorEffect.py"
NAME = "SAM Segment"
# For a real model on a busy computer.
TIMEOUT_S = 600.0


class EffectUser:
    """The Segment Editor with a volume and a segmentation, and what a user does with the effect.

    Args:
        application: a `SlicerHost.application.Application`, with the effect registered.
        volume, segmentation: nodes; the segmentation has a segment at least.
        width: of the module panel, in pixels.

    Attributes:
        editor: the qMRMLSegmentEditorWidget; the first segment is selected.
        segments: IDs of the segments.
    """

    timeout_s = TIMEOUT_S

    def __init__(self, application, volume, segmentation, width: int = 430) -> None:
        self.application, self.scene = application, application.scene
        self.volume, self.segmentation = volume, segmentation
        self.segments = list(segmentation.GetSegmentation().GetSegmentIDs())
        self.editor = application.open_segment_editor(segmentation, volume, width)
        self.choose_segment(self.segments[0])

    # What the user does

    def choose_effect(self, name: str = NAME) -> None:
        self.editor.setActiveEffectByName(name)
        self.application.process_events()

    def choose_segment(self, segment_id: str) -> None:
        self.editor.setCurrentSegmentID(segment_id)
        self.application.process_events()

    def place(self, ras, positive: bool = True) -> None:
        """A click on a position, world RAS in mm, without a view."""
        self.button("positiveButton" if positive else "negativeButton", True)
        self.list(positive).AddControlPointWorld(*ras)

    def button(self, name: str, checked: bool | None = None) -> None:
        widget = getattr(self.ui, name)
        if not widget.isEnabled():
            raise AssertionError(f"{name} cannot be pressed: {self.status}")
        if checked is None or widget.isChecked() != checked:
            widget.click()

    def apply(self) -> None:
        self.wait(self.ui.applyButton.isEnabled)  # once the proposal is drawn
        self.button("applyButton")
        self.application.process_events()

    def wait_for_proposal(self) -> None:
        """Waits until the worker has answered and the preview is drawn."""
        self.wait(lambda: self.is_busy)
        self.wait(lambda: not self.is_busy)
        self.wait(lambda: not self.session._steps.is_running("show"))

    def wait(self, condition) -> None:
        """Runs the event loop until a condition holds.

        Raises:
            TimeoutError: it does not hold for a long time; the text is the status line.
        """
        if not self.application.wait(condition, self.timeout_s):
            raise TimeoutError(self.status)

    # State

    @property
    def effect(self):
        return self.editor.effectByName(NAME).self()

    @property
    def session(self):
        return self.effect._session

    @property
    def panel(self):
        """The effect's Panel; its widgets are in `ui`."""
        return self.effect._panel

    @property
    def ui(self):
        return self.panel.ui

    @property
    def requester(self):
        return self.session._requester

    @property
    def is_busy(self) -> bool:
        return self.requester.is_busy

    @property
    def status(self) -> str:
        return self.ui.statusLabel.text

    def list(self, positive: bool):
        """The node of the positive or negative points."""
        return self.scene.GetFirstNodeByName(f"SAM Segment {'+' if positive else '-'}")

    def set_modality(self, modality: str | None) -> None:
        """The DICOM modality of the volume; it tells TestSupport.quick_engine what to do."""
        hierarchy = self.application.hierarchy
        item = hierarchy.GetItemByDataNode(self.volume)
        hierarchy.SetItemAttribute(item, "DICOM.Modality", modality or "CT")


def register_effect(application) -> None:
    """Registers the effect as Slicer does.

    Raises:
        RuntimeError: Slicer would not accept it.
    """
    if not application.register_effect(EFFECT_FILE):
        raise RuntimeError(f"{EFFECT_FILE} was not accepted as an effect: {application.errors}")
