"""The call that writes, and its error messages."""

from __future__ import annotations

import slicer
import vtk

from .masking import EVERYWHERE


class Modification:
    """`ModifySegmentByLabelmap` in a logic of its own, with nothing added to the scene.

    The segment editor node that the logic needs is never put into a scene: so it can leave
    nothing behind, no observer is called, and Slicer does not move the segmentation in the subject
    hierarchy. Editable areas are applied before (`masking`), so its mask mode is "everywhere".

    Attributes:
        messages: errors and warnings that the logic and the segmentation gave.
    """

    def __init__(self, overwrite_mode: int) -> None:
        self.messages: list[str] = []
        self._parameters = slicer.vtkMRMLSegmentEditorNode()
        self._parameters.SetMaskMode(EVERYWHERE)
        self._parameters.SetOverwriteMode(overwrite_mode)
        self._logic = slicer.vtkSlicerSegmentEditorLogic()
        # Without this the logic fails without a word.
        self._logic.SetVerbose(True)
        self._logic.SetSegmentEditorNode(self._parameters)

    def set(
        self,
        segmentation_node: slicer.vtkMRMLSegmentationNode,
        segment_id: str,
        labelmap: slicer.vtkOrientedImageData,
    ) -> None:
        """Replaces all voxels of a segment by those of a labelmap on the reference grid."""
        mode = slicer.vtkSlicerSegmentEditorLogic.ModificationModeSet
        observed = (self._logic, segmentation_node, segmentation_node.GetSegmentation())
        observers = [
            (source, source.AddObserver(event, self._hear))
            for source in observed
            for event in (vtk.vtkCommand.ErrorEvent, vtk.vtkCommand.WarningEvent)
        ]
        try:
            self._logic.ModifySegmentByLabelmap(
                segmentation_node, segment_id, labelmap, mode, False, False
            )
        finally:
            for source, tag in observers:
                source.RemoveObserver(tag)

    def _hear(self, _source, _event, message: str = "") -> None:
        self.messages.append(" ".join(str(message).split()))

    _hear.CallDataType = vtk.VTK_STRING
