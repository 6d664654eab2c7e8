"""A volume node as an `Image`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ..core.errors import InputError
from ..core.geometry import Geometry
from ..core.image import Image
from .transforms import array_from_matrix, describe, require_class, to_world

if TYPE_CHECKING:
    import slicer


def image_from_volume(volume_node: slicer.vtkMRMLScalarVolumeNode):
    """The voxels of a scalar volume node, without a copy, and where they are.

    The image lies in the volume's own RAS, without its parent transforms, so that moving the
    volume never changes what a model sees, nor the key under which its embedding is cached.

    Args:
        volume_node: vtkMRMLScalarVolumeNode with one component and at least two slices.

    Returns:
        (Image, 4x4 from the volume's own RAS to world RAS in mm).

    Raises:
        InputError: if this is not such a volume, or it is under a non-linear transform.
    """
    require_class(volume_node, "vtkMRMLVolumeNode", "volume")
    _check_kind(volume_node)
    scalars = _scalars(volume_node)
    image_data = volume_node.GetImageData()
    voxels = vtk_to_numpy(scalars).reshape(image_data.GetDimensions()[::-1])
    voxels.flags.writeable = False
    geometry = Geometry(_ijk_to_ras(volume_node), voxels.shape)
    image = Image(
        voxels, geometry, _modality(volume_node), _key(volume_node, geometry), owner=image_data
    )
    return image, to_world(volume_node)


def _check_kind(node) -> None:
    if node.IsA("vtkMRMLLabelMapVolumeNode"):
        raise InputError(
            f"{describe(node)} is a label map, not an image: select the volume that it was drawn "
            "on, or convert it to a scalar volume in the Volumes module."
        )
    if node.IsA("vtkMRMLTensorVolumeNode") or not node.IsA("vtkMRMLScalarVolumeNode"):
        raise InputError(
            f"{describe(node)} holds colours, vectors or tensors, not one intensity per voxel: "
            "extract one component with the Vector to Scalar Volume module."
        )


def _scalars(node):
    image_data = node.GetImageData()
    if image_data is None:
        raise InputError(f"{describe(node)} has no image data: load it again.")
    scalars = image_data.GetPointData().GetScalars()
    if scalars is None or min(image_data.GetDimensions()) < 1:
        raise InputError(f"{describe(node)} is empty: it has no voxels. Load it again.")
    if scalars.GetNumberOfComponents() != 1:
        raise InputError(
            f"{describe(node)} has {scalars.GetNumberOfComponents()} components per voxel (colour, "
            "vector or time series): extract one of them with the Vector to Scalar Volume module."
        )
    if scalars.GetDataType() == vtk.VTK_BIT:
        raise InputError(f"{describe(node)} has one bit per voxel: cast it to unsigned char.")
    return scalars


def _ijk_to_ras(node):
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return array_from_matrix(matrix)


def _key(node, geometry: Geometry):
    """Changes whenever the voxels or their grid do; VTK's times are unique in the process."""
    image_data = node.GetImageData()
    scalars = image_data.GetPointData().GetScalars()
    times = image_data.GetMTime(), scalars.GetMTime()
    grid = geometry.ijk_to_ras.tobytes(), geometry.shape
    return ("mrml", node.GetScene().__this__, node.GetID(), image_data.__this__, *times, *grid)


def _modality(node) -> str | None:
    # Not GetSubjectHierarchyNode(scene): that one creates the node where there is none.
    hierarchy = node.GetScene().GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    if not item:
        return None
    return hierarchy.GetItemAttribute(item, "DICOM.Modality").strip() or None
