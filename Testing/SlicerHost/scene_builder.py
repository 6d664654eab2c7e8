"""Small volumes, segmentations, markups and round objects for tests."""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

SHAPE = (22, 30, 26)


def rotation(x: float, y: float, z: float) -> np.ndarray:
    """3x3 rotation by angles in degrees about R, A and S."""
    matrix = np.eye(3)
    for axis, angle in enumerate(np.radians((x, y, z))):
        a, b = [other for other in range(3) if other != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def affine(linear=None, offset=(0, 0, 0)) -> np.ndarray:
    """4x4 of a 3x3 and an offset in mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) if linear is None else linear
    matrix[:3, 3] = offset
    return matrix


SHEAR = np.array([[1, 0.15, 0], [0, 1, 0.2], [0, 0, 1]])

# 4x4 from (i, j, k) to RAS, of what scanners deliver.
GRIDS = {
    "axis-aligned": affine(np.eye(3), (-10, 5, 20)),
    "anisotropic": affine(np.diag([0.7, 0.8, 2.5]), (3, -4, 5)),
    "left-handed": affine(np.diag([-0.9, 1.1, 1.3]), (30, 0, -7)),
    "LPS order": affine(np.diag([-0.8, -0.8, 1.5]), (20, 25, -30)),
    "oblique": affine(rotation(20, -35, 50) @ np.diag([0.9, 1, 1.6]), (12, -8, 4)),
    "gantry tilt": affine(np.diag([0.8, 0.8, 2]) + np.outer([0, 1, 0], [0, 0, 0.7]), (0, 9, -3)),
}

# 4x4 from a node's own RAS to world RAS.
PARENTS = {
    "none": None,
    "translated": affine(offset=(15, -20, 7)),
    "rotated": affine(rotation(-15, 30, 10), (4, 5, -6)),
    "sheared": affine(SHEAR @ rotation(5, 10, -20) @ np.diag([1.1, 0.9, 1.2]), (-7, 0, 3)),
}


class SceneBuilder:
    """Makes nodes in a `HeadlessScene`."""

    def __init__(self, host) -> None:
        self.host, self.scene = host, host.scene

    def transform(self, matrix, name="Transform", parent=None):
        """A linear transform node of a 4x4 to its parent."""
        node = self.host.add("vtkMRMLLinearTransformNode", name)
        node.SetMatrixTransformToParent(vtk_matrix(matrix))
        if parent is not None:
            node.SetAndObserveTransformNodeID(parent.GetID())
        return node

    def bend(self, name="Deformation"):
        """A non-linear transform node."""
        node = self.host.add("vtkMRMLTransformNode", name)
        thin_plate = vtk.vtkThinPlateSplineTransform()
        source, target = vtk.vtkPoints(), vtk.vtkPoints()
        for n, ras in enumerate([(0, 0, 0), (50, 0, 0), (0, 50, 0), (0, 0, 50), (30, 30, 30)]):
            source.InsertNextPoint(ras)
            target.InsertNextPoint([value + n for value in ras])
        thin_plate.SetSourceLandmarks(source)
        thin_plate.SetTargetLandmarks(target)
        thin_plate.SetBasisToR()
        node.SetAndObserveTransformToParent(thin_plate)
        return node

    def under(self, node, matrix):
        """Puts a node under a transform, if one is given; returns the node."""
        if matrix is not None:
            parent = self.transform(matrix, f"{node.GetName()} to world")
            node.SetAndObserveTransformNodeID(parent.GetID())
        return node

    def volume(self, grid=None, parent=None, shape=SHAPE, voxels=None, name="CT"):
        """A scalar volume; its intensities rise along k, j and i."""
        node = self.host.add("vtkMRMLScalarVolumeNode", name)
        if voxels is None:
            k, j, i = np.meshgrid(*[np.arange(n) for n in shape], indexing="ij")
            voxels = (k * 3 + j * 5 + i * 7).astype(np.int16)
        slicer.util.updateVolumeFromArray(node, voxels)
        node.SetIJKToRASMatrix(vtk_matrix(GRIDS["axis-aligned"] if grid is None else grid))
        return self.under(node, parent)

    def segmentation(self, volume=None, parent=None, name="Segmentation"):
        """A segmentation without segments, on the grid of a volume, if one is given."""
        node = self.host.add("vtkMRMLSegmentationNode", name)
        # The transform first: the reference geometry is relative to it.
        self.under(node, parent)
        if volume is not None:
            node.SetReferenceImageGeometryParameterFromVolumeNode(volume)
        return node

    def on_grid(self, segmentation, grid, shape, first=(0, 0, 0)):
        """Gives a segmentation a grid (4x4 in its own RAS) that is no volume's."""
        extent = []
        for start, size in zip(first[::-1], shape[::-1], strict=True):
            extent += [start, start + size - 1]
        converter = slicer.vtkSegmentationConverter
        text = converter.SerializeImageGeometry(vtk_matrix(grid), extent)
        name = converter.GetReferenceImageGeometryParameterName()
        segmentation.GetSegmentation().SetConversionParameter(name, text)
        return segmentation

    def editor_node(self, segmentation, volume=None):
        """A segment editor node as the Segment Editor makes it, with Slicer's defaults."""
        node = self.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        node.SetAndObserveSegmentationNode(segmentation)
        if volume is not None:
            node.SetAndObserveSourceVolumeNode(volume)
        return node

    def roi(self, center, size, axes=None, parent=None, name="ROI"):
        """An ROI node; centre, size in mm and unit axes (columns) in its own RAS."""
        node = self.host.add("vtkMRMLMarkupsROINode", name)
        self.under(node, parent)
        node.SetAndObserveObjectToNodeMatrix(vtk_matrix(affine(axes, center)))
        node.SetSize(*size)
        return node

    def points(self, positions, parent=None, name="Points"):
        """A point list; positions in mm of its own RAS."""
        node = self.host.add("vtkMRMLMarkupsFiducialNode", name)
        self.under(node, parent)
        for ras in positions:
            node.AddControlPoint(vtk.vtkVector3d(ras))
        return node

    def line(self, positions, parent=None, name="Line"):
        """A line; positions in mm of its own RAS."""
        node = self.host.add("vtkMRMLMarkupsLineNode", name)
        self.under(node, parent)
        for ras in positions:
            node.AddControlPoint(vtk.vtkVector3d(ras))
        return node

    def fill(self, segmentation, segment_id, mask, grid, first=(0, 0, 0)):
        """Gives a segment a labelmap of its own: mask (k, j, i) on any grid (4x4, its own RAS)."""
        if segmentation.GetSegmentation().GetSegment(segment_id) is None:
            segmentation.GetSegmentation().AddEmptySegment(segment_id, segment_id)
        image = slicer.vtkOrientedImageData()
        extent = [
            e for n, f in zip(mask.shape[::-1], first[::-1], strict=True) for e in (f, f + n - 1)
        ]
        image.SetExtent(extent)
        image.SetGeometryFromImageToWorldMatrix(vtk_matrix(grid))
        voxels = np.ascontiguousarray(mask, dtype=np.uint8).ravel()
        image.GetPointData().SetScalars(numpy_to_vtk(voxels, deep=True))
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        segment.AddRepresentation("Binary labelmap", image)
        segment.SetLabelValue(1)
        return segment_id


def world_of(node) -> np.ndarray:
    """4x4 from a node's own RAS to world RAS."""
    matrix = vtk.vtkMatrix4x4()
    slicer.vtkMRMLTransformNode.GetMatrixTransformBetweenNodes(
        node.GetParentTransformNode(), None, matrix
    )
    return array(matrix)


def world_positions(segmentation, segment_id) -> np.ndarray:
    """World RAS, (n, 3), of a segment's voxel centres, as Slicer's own reader gives them."""
    image = slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation(segment_id, image)
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    if image.IsEmpty():
        return np.zeros((0, 3))
    voxels = vtk_to_numpy(image.GetPointData().GetScalars())
    indices = np.argwhere(voxels.reshape(image.GetDimensions()[::-1]))[:, ::-1]
    ijk = indices + np.array(image.GetExtent()[0::2])
    to_world = world_of(segmentation) @ array(matrix)
    return ijk @ to_world[:3, :3].T + to_world[:3, 3]


def vtk_matrix(matrix):
    """vtkMatrix4x4 of a 4x4 array."""
    result = vtk.vtkMatrix4x4()
    result.DeepCopy(np.asarray(matrix, dtype=float).ravel().tolist())
    return result


def array(matrix) -> np.ndarray:
    """4x4 array of a vtkMatrix4x4."""
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def snapshot(scene, but=()) -> dict:
    """Everything in a scene but some nodes: their XML and times, and all segments' voxels."""
    nodes = {}
    for index in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(index)
        if node in but:
            continue
        state = [node.GetMTime()]
        if node.IsA("vtkMRMLSegmentationNode"):
            state = [segments_of(node)]
        elif node.IsA("vtkMRMLSubjectHierarchyNode"):
            state = items_of(node, but)
        nodes[node.GetID()] = state
    return nodes


def items_of(hierarchy, but=()) -> list[tuple[int, int, str]]:
    """Items of the subject hierarchy without those of some nodes: item, parent, name."""
    items, found, left_out = vtk.vtkIdList(), [], []
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items, True)
    for item in [items.GetId(index) for index in range(items.GetNumberOfIds())]:
        parent = hierarchy.GetItemParent(item)
        if hierarchy.GetItemDataNode(item) in but or parent in left_out:
            left_out.append(item)
        else:
            found.append((item, parent, hierarchy.GetItemName(item)))
    return found


def segments_of(segmentation) -> dict:
    """Names, colours, terminologies and voxels of all segments, in order."""
    result = {}
    for segment_id in segmentation.GetSegmentation().GetSegmentIDs():
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        positions = np.round(world_positions(segmentation, segment_id), 6)
        result[segment_id] = (
            segment.GetName(),
            segment.GetColor(),
            segment.GetTerminology(),
            positions.tobytes(),
        )
    return result
