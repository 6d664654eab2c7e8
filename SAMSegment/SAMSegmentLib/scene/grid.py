"""The voxel grid of a segmentation, and images on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..core.errors import InputError
from ..core.geometry import Geometry
from ..core.placement import voxel_shift
from ..core.proposal import Proposal
from .transforms import array_from_matrix, describe, matrix_from_array, to_world


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


def reference_grid(segmentation_node: slicer.vtkMRMLSegmentationNode) -> SegmentationGrid:
    """The grid on which the Segment Editor edits: reference geometry, grown to hold all segments.

    Raises:
        InputError: if the segmentation has none yet.
    """
    # Slicer's own rule, so that masks lie where the Segment Editor's would.
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


def target_geometry(
    segmentation_node: slicer.vtkMRMLSegmentationNode, volume_to_world: np.ndarray
) -> Geometry:
    """The reference grid of a segmentation, in the own RAS of a volume.

    Args:
        volume_to_world: 4x4 from the volume's own RAS to world RAS, as `image_from_volume` gives.

    Raises:
        InputError: see `reference_grid` and `transforms.to_world`.
    """
    return _in_volume(reference_grid(segmentation_node), segmentation_node, volume_to_world)


def grid_under(
    proposal: Proposal,
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    volume_to_world: np.ndarray,
) -> SegmentationGrid:
    """The reference grid of a segmentation, for a proposal that was made on it.

    Args:
        volume_to_world: 4x4 from the RAS of the proposal's image to world RAS, now.

    Raises:
        InputError: if the segmentation has another grid, or lies elsewhere, than when the proposal
            was requested.
    """
    grid = reference_grid(segmentation_node)
    now = _in_volume(grid, segmentation_node, volume_to_world)
    if now.shape != proposal.geometry.shape or voxel_shift(proposal.geometry, now) != (0, 0, 0):
        raise InputError(
            f"The geometry of {describe(segmentation_node)} has changed since the result was "
            "computed (another source geometry, or a transform was moved): try again. Nothing was "
            "changed."
        )
    return grid


def grid_of(image: slicer.vtkOrientedImageData) -> SegmentationGrid | None:
    """The grid of a vtkOrientedImageData; None if it has no voxels."""
    extent = image.GetExtent()
    if image.IsEmpty() or any(extent[2 * axis] > extent[2 * axis + 1] for axis in range(3)):
        return None
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return _grid(array_from_matrix(matrix), extent)


def voxels_of(image: slicer.vtkOrientedImageData) -> np.ndarray:
    """The voxels (k, j, i) of a vtkOrientedImageData, without a copy."""
    scalars = image.GetPointData().GetScalars()
    return vtk_to_numpy(scalars).reshape(image.GetDimensions()[::-1])


def _in_volume(grid: SegmentationGrid, segmentation_node, volume_to_world) -> Geometry:
    world_to_volume = np.linalg.inv(np.asarray(volume_to_world, dtype=float))
    return grid.geometry.transformed(world_to_volume @ to_world(segmentation_node))


def _grid(matrix: np.ndarray, extent) -> SegmentationGrid:
    lower, upper = np.array(extent[0::2]), np.array(extent[1::2])
    matrix = matrix.copy()
    matrix[:3, 3] += matrix[:3, :3] @ lower
    shape = tuple(int(n) for n in (upper - lower + 1)[::-1])
    return SegmentationGrid(Geometry(matrix, shape), tuple(int(n) for n in lower[::-1]))
