"""The voxel grid of a segmentation, and images on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..core.errors import InputError
from ..core.geometry import Geometry
from .transforms import array_from_matrix, describe, matrix_from_array


@dataclass(frozen=True, eq=False)
class SegmentationGrid:
    """The reference geometry of a segmentation, in the segmentation node's own RAS.

    Attributes:
        geometry: grid whose voxel (0, 0, 0) is the first one of the extent.
        first: index (k, j, i) that VTK gives to that voxel; not always zero.
    """

    geometry: Geometry
    first: tuple[int, int, int]

    @property
    def matrix(self) -> np.ndarray:
        """4x4 from VTK's indices (i, j, k) to the node's own RAS, mm."""
        matrix = self.geometry.ijk_to_ras.copy()
        matrix[:3, 3] -= matrix[:3, :3] @ np.array(self.first[::-1], dtype=float)
        return matrix

    def image(self, start: tuple[int, int, int], shape: tuple[int, int, int]):
        """vtkOrientedImageData without voxels, on the box at `start` (k, j, i) of `geometry`."""
        image = slicer.vtkOrientedImageData()
        lower = [a + b for a, b in zip(self.first, start, strict=True)]
        upper = [a + n - 1 for a, n in zip(lower, shape, strict=True)]
        pairs = zip(lower[::-1], upper[::-1], strict=True)
        image.SetExtent([index for pair in pairs for index in pair])
        image.SetGeometryFromImageToWorldMatrix(matrix_from_array(self.matrix))
        return image

    def labelmap(self, start: tuple[int, int, int], mask: np.ndarray):
        """vtkOrientedImageData, uint8 0 or 1, of a mask (k, j, i) at `start` of `geometry`."""
        image = self.image(start, mask.shape)
        voxels = np.ascontiguousarray(mask, dtype=np.uint8).ravel()
        image.GetPointData().SetScalars(numpy_to_vtk(voxels, deep=True))
        return image


def reference_grid(segmentation_node) -> SegmentationGrid:
    """The grid on which the Segment Editor edits: reference geometry, grown to hold all segments.

    Raises:
        InputError: if the segmentation has none yet.
    """
    # Slicer's own rule, so that our masks lie where the Segment Editor's would.
    text = slicer.vtkSlicerSegmentEditorLogic.GetReferenceImageGeometryStringFromSegmentation(
        segmentation_node.GetSegmentation()
    )
    matrix, extent = vtk.vtkMatrix4x4(), [0, -1, 0, -1, 0, -1]
    parsed = text and slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, matrix, extent)
    if not parsed or any(extent[2 * axis] > extent[2 * axis + 1] for axis in range(3)):
        raise InputError(
            f"{describe(segmentation_node)} has no reference geometry: select its source volume "
            "in the Segment Editor, or call segmentationNode."
            "SetReferenceImageGeometryParameterFromVolumeNode(volumeNode)."
        )
    return _grid(array_from_matrix(matrix), extent)


def grid_of(image) -> SegmentationGrid | None:
    """The grid of a vtkOrientedImageData; None if it has no voxels."""
    extent = image.GetExtent()
    if image.IsEmpty() or any(extent[2 * axis] > extent[2 * axis + 1] for axis in range(3)):
        return None
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return _grid(array_from_matrix(matrix), extent)


def voxels_of(image) -> np.ndarray:
    """The voxels (k, j, i) of a vtkOrientedImageData, without a copy."""
    scalars = image.GetPointData().GetScalars()
    return vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])


def _grid(matrix: np.ndarray, extent) -> SegmentationGrid:
    lower, upper = np.array(extent[0::2]), np.array(extent[1::2])
    matrix = matrix.copy()
    matrix[:3, 3] += matrix[:3, :3] @ lower
    shape = tuple(int(n) for n in (upper - lower + 1)[::-1])
    return SegmentationGrid(Geometry(matrix, shape), tuple(int(n) for n in lower[::-1]))
