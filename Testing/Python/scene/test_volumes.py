"""Volume nodes as images."""

import numpy as np
import pytest
import slicer
import vtk

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.scene.volumes import image_from_volume
from SlicerHost.scene_builder import GRIDS, PARENTS, vtk_matrix

pytestmark = pytest.mark.mrml


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("parent", PARENTS)
def test_voxels_and_world_positions_are_slicers(builder, grid, parent):
    volume = builder.volume(GRIDS[grid], PARENTS[parent])
    image, matrix = image_from_volume(volume)

    np.testing.assert_array_equal(image.voxels, slicer.util.arrayFromVolume(volume))
    np.testing.assert_allclose(image.geometry.ijk_to_ras, GRIDS[grid], atol=1e-9)
    world = vtk.vtkMatrix4x4()
    slicer.vtkSlicerSegmentEditorLogic.ImageToWorldMatrix(volume, world)
    expected = [[world.GetElement(r, c) for c in range(4)] for r in range(4)]
    np.testing.assert_allclose(matrix @ image.geometry.ijk_to_ras, expected, atol=1e-9)


def test_voxels_are_shared_and_not_for_writing(builder):
    volume = builder.volume()
    image, _ = image_from_volume(volume)
    assert np.shares_memory(image.voxels, slicer.util.arrayFromVolume(volume))
    with pytest.raises(ValueError, match="read-only"):
        image.voxels[0, 0, 0] = 1


def test_voxels_outlive_the_node(builder):
    volume = builder.volume(voxels=np.full((4, 4, 4), 7, dtype=np.int16))
    image, _ = image_from_volume(volume)
    builder.scene.RemoveNode(volume)
    del volume
    assert (image.voxels == 7).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, float])
def test_all_scalar_types_are_taken_as_they_are(builder, dtype):
    volume = builder.volume(voxels=np.arange(60, dtype=dtype).reshape(3, 4, 5))
    assert image_from_volume(volume)[0].voxels.dtype == dtype


class TestKey:
    def test_it_stays_while_nothing_changes(self, builder):
        volume = builder.volume()
        assert image_from_volume(volume)[0].key == image_from_volume(volume)[0].key

    def test_it_stays_when_the_volume_is_moved(self, builder):
        volume = builder.volume()
        key = image_from_volume(volume)[0].key
        builder.under(volume, PARENTS["rotated"])
        assert image_from_volume(volume)[0].key == key

    def test_it_changes_with_the_voxels(self, builder):
        volume = builder.volume()
        key = image_from_volume(volume)[0].key
        slicer.util.arrayFromVolume(volume)[:] = 3
        slicer.util.arrayFromVolumeModified(volume)
        assert image_from_volume(volume)[0].key != key

    def test_it_changes_with_the_geometry(self, builder):
        volume = builder.volume()
        key = image_from_volume(volume)[0].key
        volume.SetSpacing(2, 2, 2)
        assert image_from_volume(volume)[0].key != key

    def test_it_differs_between_volumes(self, builder):
        assert (
            image_from_volume(builder.volume())[0].key != image_from_volume(builder.volume())[0].key
        )

    def test_it_can_be_hashed(self, builder):
        hash(image_from_volume(builder.volume())[0].key)


class TestModality:
    def test_it_comes_from_the_subject_hierarchy(self, builder):
        volume = builder.volume()
        hierarchy = builder.host.hierarchy
        item = hierarchy.GetItemByDataNode(volume)
        hierarchy.SetItemAttribute(item, "DICOM.Modality", "MR")
        assert image_from_volume(volume)[0].modality == "MR"

    def test_it_may_be_unknown(self, builder):
        assert image_from_volume(builder.volume())[0].modality is None

    def test_no_subject_hierarchy_is_made_for_it(self):
        scene = slicer.vtkMRMLScene()
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        slicer.util.updateVolumeFromArray(node, np.arange(8, dtype=np.uint8).reshape(2, 2, 2))
        before = scene.GetNumberOfNodes()
        assert image_from_volume(node)[0].modality is None
        assert scene.GetNumberOfNodes() == before


class TestRefusals:
    def test_nothing(self):
        with pytest.raises(InputError, match="select one"):
            image_from_volume(None)

    def test_another_kind_of_node(self, builder):
        with pytest.raises(InputError, match=r'"Points" is not a volume'):
            image_from_volume(builder.points([]))

    def test_an_array(self):
        with pytest.raises(InputError, match="not a volume"):
            image_from_volume(np.zeros((3, 3, 3)))

    def test_a_deleted_volume(self, builder):
        volume = builder.volume()
        builder.scene.RemoveNode(volume)
        with pytest.raises(InputError, match="in no scene"):
            image_from_volume(volume)

    def test_a_label_map(self, builder):
        node = builder.host.add("vtkMRMLLabelMapVolumeNode", "Labels")
        slicer.util.updateVolumeFromArray(node, np.zeros((3, 3, 3), dtype=np.uint8))
        with pytest.raises(InputError, match=r'"Labels" is a label map'):
            image_from_volume(node)

    def test_a_colour_volume(self, builder):
        node = builder.host.add("vtkMRMLVectorVolumeNode", "Photo")
        slicer.util.updateVolumeFromArray(node, np.zeros((3, 3, 3, 3), dtype=np.uint8))
        with pytest.raises(InputError, match="Vector to Scalar"):
            image_from_volume(node)

    def test_several_components_in_a_scalar_volume(self, builder):
        node = builder.host.add("vtkMRMLScalarVolumeNode", "Perfusion")
        image = vtk.vtkImageData()
        image.SetDimensions(4, 4, 4)
        image.AllocateScalars(vtk.VTK_SHORT, 9)
        node.SetAndObserveImageData(image)
        with pytest.raises(InputError, match="9 components"):
            image_from_volume(node)

    def test_no_image_data(self, builder):
        with pytest.raises(InputError, match="no image data"):
            image_from_volume(builder.host.add("vtkMRMLScalarVolumeNode", "Empty"))

    def test_no_voxels(self, builder):
        node = builder.host.add("vtkMRMLScalarVolumeNode", "Empty")
        node.SetAndObserveImageData(vtk.vtkImageData())
        with pytest.raises(InputError, match="no voxels"):
            image_from_volume(node)

    def test_a_single_row(self, builder):
        with pytest.raises(InputError, match="single row"):
            image_from_volume(builder.volume(voxels=np.zeros((1, 1, 30), dtype=np.int16)))

    def test_flat_geometry(self, builder):
        volume = builder.volume()
        volume.SetIJKToRASMatrix(vtk_matrix(np.diag([1.0, 1.0, 1e-9, 1.0])))
        with pytest.raises(InputError, match="spacing"):
            image_from_volume(volume)

    def test_a_non_linear_transform(self, builder):
        volume = builder.volume()
        volume.SetAndObserveTransformNodeID(builder.bend().GetID())
        with pytest.raises(InputError, match="non-linear"):
            image_from_volume(volume)
