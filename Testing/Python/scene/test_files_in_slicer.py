"""Images and masks from files lie where Slicer's own readers have them."""

import itertools

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import slicer

from SAMSegmentLib.core.files import read_image, write_labels, write_mask
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import sitk_from_array
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.patch import Patch
from SlicerHost.scene_builder import GRIDS, world_positions
from TestSupport.scene_answers import geometry_of

pytestmark = pytest.mark.mrml

# Each value once, so that every voxel is known again.
VOXELS = np.random.default_rng(0).permutation(4 * 5 * 6).reshape(4, 5, 6).astype(np.int16)
MASK = np.zeros(VOXELS.shape, np.uint8)
MASK[1:3, 2:5, 1:4] = 1
TISSUE = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^85756007^Tissue"
    "~SCT^85756007^Tissue~^^~Anatomic codes - DICOM master list~^^~^^"
)
QFORM, SFORM = np.diag([-1.5, -2.0, 3.0, 1.0]), np.eye(4)
QFORM[:3, 3] = (-30, -28, -50)
SFORM[:3, :3] = [[0, -2, 0], [1.5, 0, 0], [0, 0, 3]]
SFORM[:3, 3] = (-20, -8, -20)
SHEARED = QFORM.copy()
SHEARED[1, 2] = 1.0
#: Code of the qform, code of the sform, the sform, unit.
PLACINGS = [
    *itertools.product((0, 1, 2), (0, 1, 2), (SFORM,), ("mm",)),
    *itertools.product((1, 2), (1, 2), (SHEARED,), ("mm",)),
    (1, 0, SFORM, "micron"),
    (0, 2, SFORM / 100, "meter"),
]


def volume_in_slicer(builder, path):
    """The centres (RAS) of a volume's voxels above 0, from dark to bright, as Slicer loads them.

    Not its grid: of left-handed ones, Slicer turns the order of the slices round. None if it does
    not load the file.
    """
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    volume = builder.host.add("vtkMRMLScalarVolumeNode", path.name)
    if not storage.ReadData(volume):
        return None
    return places(slicer.util.arrayFromVolume(volume), geometry_of(volume))


def places(voxels, geometry):
    """The centres (RAS) of the voxels above 0, from dark to bright."""
    indices = np.argwhere(voxels)
    return geometry.to_ras(indices[np.argsort(voxels[tuple(indices.T)])][:, ::-1])


def segment_in_slicer(builder, path):
    """The centres (RAS) of a segment's voxels as Slicer loads it, in no order."""
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(path))
    segmentation = builder.host.add("vtkMRMLSegmentationNode", path.name)
    assert storage.ReadData(segmentation)
    return world_positions(segmentation, segmentation.GetSegmentation().GetNthSegmentID(0))


def same_places(one, other, unit=1.0):
    """Whether they are the same voxels, in any order, within a thousandth of a unit."""
    order = [np.lexsort(np.round(positions / unit, 2).T) for positions in (one, other)]
    return len(one) == len(other) and np.allclose(
        one[order[0]], other[order[1]], rtol=0, atol=unit / 1000
    )


@pytest.mark.parametrize(("q", "s", "sform", "unit"), PLACINGS)
def test_image_and_mask_of_a_nifti_file_lie_where_slicer_shows_the_image(
    builder, tmp_path, q, s, sform, unit
):
    image = nibabel.Nifti1Image(VOXELS.T, None)
    image.header.set_qform(QFORM, q)
    image.header.set_sform(sform, s)
    image.header.set_xyzt_units(unit)
    image.header["pixdim"][1:4] = np.array([1.5, 2, 3]) / (100 if unit == "meter" else 1)
    nibabel.save(image, tmp_path / "ct.nii.gz")

    shown = volume_in_slicer(builder, tmp_path / "ct.nii.gz")
    read = read_image(tmp_path / "ct.nii.gz")
    size = read.geometry.spacing.min()
    assert np.allclose(places(read.voxels, read.geometry), shown, rtol=0, atol=size / 1000)
    inside = places(VOXELS * MASK, read.geometry)
    for name in ("mask.nii.gz", "mask.nrrd", "mask.mha"):
        write_mask(tmp_path / name, MASK, read.geometry, "Liver", nifti=read.nifti)
        assert same_places(volume_in_slicer(builder, tmp_path / name), inside, size), name


@pytest.mark.parametrize("grid", GRIDS)
def test_masks_lie_where_the_image_lies(builder, tmp_path, grid):
    geometry = Geometry(GRIDS[grid], VOXELS.shape)
    sitk.WriteImage(sitk_from_array(VOXELS, geometry), str(tmp_path / "ct.nrrd"))
    image = read_image(tmp_path / "ct.nrrd")
    shown = volume_in_slicer(builder, tmp_path / "ct.nrrd")
    assert np.allclose(places(image.voxels, image.geometry), shown, atol=1e-4)

    inside = places(VOXELS * MASK, geometry)
    for name in ("mask.nrrd", "mask.mha", "mask.nii.gz"):
        write_mask(tmp_path / name, MASK, image.geometry, "Liver")
        loaded = volume_in_slicer(builder, tmp_path / name)
        if grid == "gantry tilt" and name == "mask.nii.gz":
            assert loaded is None  # which is said when it is written
        else:
            assert same_places(loaded, inside), name
    write_mask(tmp_path / "mask.seg.nrrd", MASK, image.geometry, "Liver")
    assert same_places(segment_in_slicer(builder, tmp_path / "mask.seg.nrrd"), inside)


@pytest.mark.parametrize("grid", ["oblique", "gantry tilt"])
def test_segments_that_overlap_are_all_there_with_names_terminology_and_colours(
    builder, tmp_path, grid
):
    geometry = Geometry(GRIDS[grid], VOXELS.shape)
    masks = [
        (Label("Body", TISSUE, (0.25, 0.5, 1.0)), Patch(np.ones(MASK.shape, bool), (0, 0, 0))),
        (Label("Part"), Patch(MASK > 0, (0, 0, 0))),
        (Label("Rest"), Patch(MASK == 0, (0, 0, 0))),
    ]
    assert write_labels(tmp_path / "labels.seg.nrrd", masks, geometry) == 0
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(tmp_path / "labels.seg.nrrd"))
    node = builder.host.add("vtkMRMLSegmentationNode", "Labels")
    assert storage.ReadData(node)
    segmentation = node.GetSegmentation()
    ids = segmentation.GetSegmentIDs()
    assert [segmentation.GetSegment(one).GetName() for one in ids] == ["Body", "Part", "Rest"]
    assert segmentation.GetSegment(ids[0]).GetTerminology() == TISSUE
    assert segmentation.GetSegment(ids[0]).GetColor() == (0.25, 0.5, 1.0)
    for one, (_, patch) in zip(ids, masks, strict=True):
        inside = places(patch.values.astype(VOXELS.dtype), geometry)
        assert same_places(world_positions(node, one), inside), one
