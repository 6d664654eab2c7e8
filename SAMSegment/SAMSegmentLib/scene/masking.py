"""The Segment Editor's masking settings, and which voxels they let through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
import vtk

from ..core.errors import InputError
from .grid import SegmentationGrid, voxels_of
from .transforms import array_from_matrix, describe, matrix_from_array, require_class

if TYPE_CHECKING:
    from ..core.patch import Index

EVERYWHERE = slicer.vtkMRMLSegmentationNode.EditAllowedEverywhere
INSIDE_ONE = slicer.vtkMRMLSegmentationNode.EditAllowedInsideSingleSegment
INSIDE_MANY = (
    slicer.vtkMRMLSegmentationNode.EditAllowedInsideAllSegments,
    slicer.vtkMRMLSegmentationNode.EditAllowedInsideVisibleSegments,
)
VISIBLE_MODES = (
    slicer.vtkMRMLSegmentationNode.EditAllowedInsideVisibleSegments,
    slicer.vtkMRMLSegmentationNode.EditAllowedOutsideVisibleSegments,
)


@dataclass(frozen=True)
class EditRules:
    """A copy of the masking and overwriting settings of a segment editor node.

    Attributes:
        overwrite_mode: vtkMRMLSegmentEditorNode.Overwrite...
        mask_mode: vtkMRMLSegmentationNode.EditAllowed...
        mask_segment_id: the segment of EditAllowedInsideSingleSegment.
        intensity_range: lowest and highest editable intensity, or None for all.
        source_volume: the volume node of these intensities.
    """

    overwrite_mode: int = slicer.vtkMRMLSegmentEditorNode.OverwriteNone
    mask_mode: int = EVERYWHERE
    mask_segment_id: str = ""
    intensity_range: tuple[float, float] | None = None
    source_volume: object = None

    @property
    def restrict(self) -> bool:
        """Whether some voxels may not be edited."""
        return self.mask_mode != EVERYWHERE or self.intensity_range is not None


def rules_of(segment_editor_node: slicer.vtkMRMLSegmentEditorNode | None = None) -> EditRules:
    """The rules of a vtkMRMLSegmentEditorNode, which is not touched.

    Without one: edit everywhere, overwrite no other segment; a script never damages what it does
    not name.

    Raises:
        InputError: if this is no segment editor node.
    """
    node = segment_editor_node
    if node is None:
        return EditRules()
    require_class(node, "vtkMRMLSegmentEditorNode", "segment editor node")
    intensity_range = None
    if node.GetSourceVolumeIntensityMask():
        intensity_range = tuple(node.GetSourceVolumeIntensityMaskRange())
    return EditRules(
        node.GetOverwriteMode(),
        node.GetMaskMode(),
        node.GetMaskSegmentID() or "",
        intensity_range,
        node.GetSourceVolumeNode(),
    )


@dataclass(frozen=True)
class EditableArea:
    """Which segments an object may lie in, because they are where the user edits.

    Attributes:
        mask_mode, mask_segment_id: as in EditRules.
    """

    mask_mode: int = EVERYWHERE
    mask_segment_id: str = ""

    def has(self, segment_id: str) -> bool:
        """Whether this segment, if it is visible, is part of the area itself.

        To keep out of it and to edit inside it would leave nothing. The modes that edit outside
        of segments keep out of them anyway.
        """
        if self.mask_mode == INSIDE_ONE:
            return segment_id == self.mask_segment_id
        return self.mask_mode in INSIDE_MANY


ANYWHERE = EditableArea()


def editable_area_of(segment_editor_node: slicer.vtkMRMLSegmentEditorNode) -> EditableArea:
    """The editable area of a vtkMRMLSegmentEditorNode; everywhere without one."""
    if segment_editor_node is None:
        return ANYWHERE
    node = segment_editor_node
    mode = node.GetMaskMode()
    return EditableArea(mode, node.GetMaskSegmentID() or "" if mode == INSIDE_ONE else "")


def check_rules(rules: EditRules, segmentation_node: slicer.vtkMRMLSegmentationNode) -> None:
    """Raises InputError for rules under which Slicer would silently write nothing."""
    segmentation = segmentation_node.GetSegmentation()
    if rules.mask_mode == INSIDE_ONE and segmentation.GetSegment(rules.mask_segment_id) is None:
        raise InputError(
            f"The editable area is inside one segment ({rules.mask_segment_id or 'none chosen'}), "
            "which is not there: choose the Editable area in the Segment Editor again."
        )
    if rules.mask_mode in VISIBLE_MODES and segmentation_node.GetDisplayNode() is None:
        raise InputError(
            f"The editable area depends on which segments are visible, but "
            f"{describe(segmentation_node)} has no display node: call "
            "segmentationNode.CreateDefaultDisplayNodes(), or choose another Editable area."
        )
    if rules.intensity_range is not None:
        volume = rules.source_volume
        if volume is None or volume.GetImageData() is None:
            raise InputError(
                "The editable intensity range is on, but the Segment Editor has no source volume: "
                "select one, or switch the range off."
            )


def editable_voxels(
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    rules: EditRules,
    grid: SegmentationGrid,
    start: Index,
    shape: Index,
) -> np.ndarray:
    """Which voxels of a box of the grid may be edited: boolean, `shape` (k, j, i).

    Slicer's own `GenerateEditMask`, on the box alone. Left to `ModifySegmentByLabelmap`, the same
    mask is computed for the whole volume and copied several times, which takes seconds.

    Raises:
        InputError: if Slicer cannot compute it.
    """
    box = grid.image(start, shape)
    mask = slicer.vtkOrientedImageData()
    arguments = [mask, rules.mask_mode, box, segment_id, rules.mask_segment_id]
    if rules.intensity_range is not None:
        source = _aligned_source(segmentation_node, rules.source_volume, box)
        arguments += [source, list(rules.intensity_range)]
    if not segmentation_node.GenerateEditMask(*arguments):
        raise InputError(
            "Slicer could not compute the editable area: check the Masking section of the Segment "
            "Editor."
        )
    return voxels_of(mask) == 0


def _aligned_source(segmentation_node, volume_node, box):
    """The source volume on a box, as vtkSlicerSegmentEditorLogic::UpdateAlignedSourceVolume."""
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    source = slicer.vtkOrientedImageData()
    source.ShallowCopy(_first_component(volume_node.GetImageData()))
    source.SetGeometryFromImageToWorldMatrix(matrix_from_array(array_from_matrix(matrix)))
    to_segmentation = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        volume_node.GetParentTransformNode(),
        segmentation_node.GetParentTransformNode(),
        to_segmentation,
    )
    aligned = slicer.vtkOrientedImageData()
    background = volume_node.GetImageBackgroundScalarComponentAsDouble(0)
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        source, box, aligned, True, False, to_segmentation, background
    )
    return aligned


def _first_component(image_data):
    if image_data.GetNumberOfScalarComponents() == 1:
        return image_data
    extract = vtk.vtkImageExtractComponents()
    extract.SetInputData(image_data)
    extract.SetComponents(0)
    extract.Update()
    return extract.GetOutput()
