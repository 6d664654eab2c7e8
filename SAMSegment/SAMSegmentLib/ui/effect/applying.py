"""Writing a proposal into its segment, as one undo step of the Segment Editor."""

from __future__ import annotations

from collections.abc import Callable

from slicer.i18n import tr as _

from ... import __version__
from ...scene.editors import slicer_editors
from ...scene.provenance import Provenance
from ...scene.writer import SegmentationWriter, WriteResult
from .asking import Shown
from .panel_state import GOOD, WARNING
from .parameters import Parameters
from .target import Target


class Applier:
    """Applies proposals under the rules of one Segment Editor.

    Args:
        editor: finds the widget of that editor; it may lie outside Slicer's main window, where
            nobody else would find it.
    """

    def __init__(self, editor: Callable[[], object | None]) -> None:
        self._editor = editor
        self._writer = SegmentationWriter(self._editors)

    def apply(
        self, shown: Shown, target: Target, parameters: Parameters, segment_editor_node
    ) -> WriteResult:
        """Writes what is shown.

        Raises:
            InputError, WriteError: see SegmentationWriter.write; everything is as before.
        """
        question, model = shown.question, shown.question.model
        return self._writer.write(
            target.segmentation,
            shown.proposal,
            question.place.volume_to_world,
            segmentId=target.segment_id,
            segmentEditorNode=segment_editor_node,
            provenance=Provenance(
                question.prompts, target.volume, model.name, __version__, model.sha256
            ),
            threshold=parameters.threshold,
        )

    def _editors(self) -> list[object]:
        own = self._editor()
        others = [editor for editor in slicer_editors() if editor is not own]
        return [own, *others] if own is not None else others


def verdict_on(result: WriteResult) -> tuple[str, str]:
    """What the panel says after writing: text and kind."""
    if result.warnings:
        return " ".join(result.warnings), WARNING
    return _("Applied. Ctrl+Z takes it back; more points correct it."), GOOD
