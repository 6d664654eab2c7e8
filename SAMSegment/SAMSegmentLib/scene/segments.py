"""Segments of a segmentation node: which there are, their voxels, a new one."""

from __future__ import annotations

import numpy as np
import slicer

from ..core.errors import InputError, WriteError
from ..core.patch import Patch, bounding_box
from ..core.placement import place, voxel_shift
from .grid import SegmentationGrid, grid_of, voxels_of
from .transforms import describe

# Slicer's own names of its representations.
LABELMAP = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()


def segment_ids(segmentation_node: slicer.vtkMRMLSegmentationNode) -> list[str]:
    """IDs of the segments, in the order of the Segment Editor's list."""
    return list(segmentation_node.GetSegmentation().GetSegmentIDs())


def get_segment(segmentation_node: slicer.vtkMRMLSegmentationNode, segment_id: str):
    """The vtkSegment of an ID.

    Raises:
        InputError: if there is none; the message lists those that there are.
    """
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    if segment is None:
        known = ", ".join(
            f'{known_id} ("{segmentation_node.GetSegmentation().GetSegment(known_id).GetName()}")'
            for known_id in segment_ids(segmentation_node)
        )
        raise InputError(
            f'{describe(segmentation_node)} has no segment with the ID "{segment_id}". '
            + (f"It has: {known}." if known else "It has no segments: leave segmentId out.")
        )
    return segment


def own_voxels(segmentation_node: slicer.vtkMRMLSegmentationNode, segment_id: str) -> Patch | None:
    """A segment's voxels, cropped, on the grid of its own labelmap; None if it is empty."""
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    labelmap = segment.GetRepresentation(LABELMAP)
    if labelmap is None or grid_of(labelmap) is None:
        return None
    voxels, value = voxels_of(labelmap), segment.GetLabelValue()
    # Shared labelmaps hold several segments: only this one's value counts.
    mask = voxels == value
    box = bounding_box(mask)
    if box is None:
        return None
    return Patch(mask[box], tuple(part.start for part in box))


def voxels_on(
    segmentation_node: slicer.vtkMRMLSegmentationNode, segment_id: str, grid: SegmentationGrid
) -> Patch | None:
    """A segment's voxels, cropped, on the reference grid of its segmentation; None if empty."""
    patch = own_voxels(segmentation_node, segment_id)
    if patch is None:
        return None
    segment = segmentation_node.GetSegmentation().GetSegment(segment_id)
    layer = grid_of(segment.GetRepresentation(LABELMAP)).geometry
    # As logits, the same rules bring it to another grid as a model's mask.
    logits = np.where(patch.values, np.float32(1), np.float32(-1))
    return place(Patch(logits, patch.start), layer, grid.geometry)


def add_segment(segmentation_node: slicer.vtkMRMLSegmentationNode) -> str:
    """Adds an empty segment with Slicer's own name ("Segment_1", ...) and colour; its ID.

    Not through vtkSlicerSegmentEditorLogic.AddEmptySegment, which saves an undo state of its own,
    selects the segment, and copies the terminology of the one before.
    """
    segmentation = segmentation_node.GetSegmentation()
    segment_id = segmentation.AddEmptySegment("", "")
    if not segment_id:
        raise WriteError(f"Slicer could not add a segment to {describe(segmentation_node)}.")
    # Slicer puts it into the labelmap of the first segment, and the first write would go through
    # all of that: seconds where its segments span a large volume. Saving merges labelmaps again.
    segment = segmentation.GetSegment(segment_id)
    segment.AddRepresentation(LABELMAP, slicer.vtkOrientedImageData())
    segment.SetLabelValue(1)
    return segment_id


def own_layer_if_off_grid(
    segmentation_node: slicer.vtkMRMLSegmentationNode, segment_id: str, grid: SegmentationGrid
) -> None:
    """Gives the segment an empty labelmap of its own if its present one is on another grid.

    `ModificationModeSet` stamps the modifier's grid on the segment's labelmap without resampling,
    and would resample all segments that share it.
    """
    segmentation = segmentation_node.GetSegmentation()
    layer = grid_of(segmentation.GetSegment(segment_id).GetRepresentation(LABELMAP))
    if layer is None or voxel_shift(layer.geometry, grid.geometry) is not None:
        return
    segmentation.SeparateSegmentLabelmap(segment_id)
    segmentation.ClearSegment(segment_id)
