"""Writing a proposal into its segment, as one undo step of the Segment Editor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ... import __version__
from ...scene.editors import slicer_editors
from ...scene.provenance import Provenance
from ...scene.writer import SegmentationWriter, WriteResult
from .requester import ShownProposals

if TYPE_CHECKING:
    import slicer


class ProposalWriter:
    """Writes proposals under the rules of one Segment Editor.

    Args:
        editor: finds the widget of that editor; it may lie outside Slicer's main window, where
            nobody else would find it.
    """

    def __init__(self, editor: Callable[[], object | None]) -> None:
        self._editor = editor
        self._writer = SegmentationWriter(self._editors)

    def write(
        self,
        shown: ShownProposals,
        threshold: float,
        segment_editor_node: slicer.vtkMRMLSegmentEditorNode,
    ) -> WriteResult:
        """Writes what is shown into its segment, or structures into new ones.

        Raises:
            InputError, WriteError: see SegmentationWriter.write; everything is as before.
        """
        request, target, model = shown.request, shown.request.target, shown.request.model
        if request.is_automatic:
            return self._writer.write_structures(
                target.segmentation,
                shown.proposals,
                request.placement.volume_to_world,
                segmentEditorNode=segment_editor_node,
                provenance=Provenance(None, target.volume, model.name, __version__, model.sha256),
                threshold=threshold,
            )
        return self._writer.write(
            target.segmentation,
            shown.proposals[0],
            request.placement.volume_to_world,
            segmentId=target.segment_id,
            segmentEditorNode=segment_editor_node,
            provenance=Provenance(
                request.prompts, target.volume, model.name, __version__, model.sha256
            ),
            threshold=threshold,
        )

    def _editors(self) -> list[object]:
        own = self._editor()
        others = [editor for editor in slicer_editors() if editor is not own]
        return [own, *others] if own is not None else others
