"""A radiologist at work, for tests of undo: a volume, a segmentation, editors, and our writer."""

from __future__ import annotations

import slicer
from vtk.util.numpy_support import vtk_to_numpy

from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene import EditorWidget
from SlicerHost.scene_builder import segments_of
from TestSupport.scene_answers import ball, write_answer


class User:
    """A volume, a segmentation, our writer, and perhaps an editor that shows the segmentation."""

    def __init__(self, builder, editors=0) -> None:
        self.builder = builder
        self.volume = builder.volume()
        self.segmentation = builder.segmentation(self.volume)
        node = builder.editor_node(self.segmentation, self.volume)
        node.SetOverwriteMode(node.OverwriteNone)
        self.editors = [EditorWidget(builder.scene, node) for _ in range(editors)]
        self.writer = SegmentationWriter(lambda: self.editors)

    def write(self, place=0.5, segment_id=None, **arguments) -> str:
        answer = ball(self.volume, (place,) * 3, 5)
        return write_answer(
            self.writer, self.segmentation, answer, self.volume, segment_id, **arguments
        ).segment_id

    def paint(self, segment_id, place=0.3, editor=None) -> None:
        """What the radiologist does in the Segment Editor: one undo step there."""
        editor = editor or self.editors[0]
        editor.saveStateForUndo()
        self.alter(segment_id, place)

    def alter(self, segment_id, place=0.3) -> None:
        """What another script does: no undo step anywhere."""
        labelmap = slicer.vtkOrientedImageData()
        self.segmentation.GetBinaryLabelmapRepresentation(segment_id, labelmap)
        text = self.segmentation.GetSegmentation().GetConversionParameter(
            slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
        )
        slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, labelmap)
        voxels = vtk_to_numpy(labelmap.GetPointData().GetScalars())
        voxels[:] = ball(self.volume, (place,) * 3, 4).mask().ravel()
        slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(
            labelmap,
            self.segmentation,
            segment_id,
            slicer.vtkSlicerSegmentationsModuleLogic.MODE_REPLACE,
        )

    @property
    def state(self):
        return segments_of(self.segmentation)


def save(segmentation, path) -> None:
    """File > Save, of a segmentation."""
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    assert storage.WriteData(segmentation)
