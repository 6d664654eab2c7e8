"""Reading volumes, writing masks; a file that is not whole never gets its name."""

import os
import stat

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.errors import InputError, WriteError
from SAMSegmentLib.core.files import (
    MASK_SUFFIXES,
    check_output,
    read_image,
    write_labels,
    write_mask,
)
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import geometry_of_sitk
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.patch import Patch
from TestSupport.cases import DATA

OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", (10, -20, 30), degrees=True).as_matrix() * (1, -2, 3)
OBLIQUE[:3, 3] = (-40, 25, 7)
GRID = Geometry(OBLIQUE, (6, 7, 8))
MASK = np.random.default_rng(0).integers(0, 2, GRID.shape).astype(np.uint8)


@pytest.mark.parametrize("suffix", MASK_SUFFIXES)
def test_a_mask_is_read_back_in_its_place(tmp_path, suffix):
    path = tmp_path / f"mask{suffix}"
    write_mask(path, MASK, GRID, "Liver")
    back = sitk.ReadImage(str(path))
    assert np.array_equal(sitk.GetArrayFromImage(back), MASK)
    # NIfTI keeps single precision.
    assert geometry_of_sitk(back).is_close(GRID, tolerance_mm=1e-4)
    assert os.listdir(tmp_path) == [path.name]


def test_a_seg_nrrd_knows_its_segments_name(tmp_path):
    write_mask(tmp_path / "a.seg.nrrd", MASK, GRID, "Liver")
    assert sitk.ReadImage(str(tmp_path / "a.seg.nrrd")).GetMetaData("Segment0_Name") == "Liver"


BODY, AIR = Label("Body", "T~B", (0.25, 0.5, 1.0)), Label("Air")


def patch_of(mask):
    return Patch(np.asarray(mask, dtype=bool), (0, 0, 0))


def test_several_masks_are_one_labelmap_with_names(tmp_path):
    masks = [(BODY, patch_of(MASK)), (AIR, patch_of(1 - MASK))]
    for suffix in MASK_SUFFIXES:
        assert write_labels(tmp_path / f"labels{suffix}", masks, GRID) == 0
        back = read_image(tmp_path / f"labels{suffix}")
        assert np.array_equal(back.voxels, 2 - MASK)
        assert back.geometry.is_close(GRID, tolerance_mm=1e-4)
    fields = sitk.ReadImage(str(tmp_path / "labels.seg.nrrd"))
    told = [
        fields.GetMetaData(f"Segment{n}_{key}") for n in (0, 1) for key in ("Name", "LabelValue")
    ]
    assert told == ["Body", "1", "Air", "2"]
    assert fields.GetMetaData("Segment0_Color") == "0.25 0.5 1"
    assert fields.GetMetaData("Segment0_Tags") == "TerminologyEntry:T~B|"


@pytest.mark.parametrize("suffix", [ending for ending in MASK_SUFFIXES if "seg" not in ending])
def test_where_masks_overlap_a_plain_labelmap_keeps_the_last_and_says_how_much(tmp_path, suffix):
    whole, part = np.ones_like(MASK), MASK[2:, 1:, :5]
    masks = [(BODY, patch_of(whole)), (AIR, Patch(part > 0, (2, 1, 0)))]
    assert write_labels(tmp_path / f"a{suffix}", masks, GRID) == part.sum() > 0
    expected = whole.copy()
    expected[2:, 1:, :5] += part
    assert np.array_equal(read_image(tmp_path / f"a{suffix}").voxels, expected)


def test_more_masks_than_a_byte_can_name_are_kept(tmp_path):
    voxel = np.ones((1, 1, 1), bool)
    places = list(np.ndindex(GRID.shape))[:300]
    masks = [(Label(str(place)), Patch(voxel, place)) for place in places]
    for suffix in MASK_SUFFIXES:
        assert write_labels(tmp_path / f"a{suffix}", masks, GRID) == 0
        assert read_image(tmp_path / f"a{suffix}").voxels.max() == 300


@pytest.mark.parametrize("name", [*(f"a{suffix}" for suffix in MASK_SUFFIXES), "ct.nii.seg.nrrd"])
def test_every_format_keeps_the_tilt_of_a_sheared_grid(tmp_path, name):
    tilted = OBLIQUE.copy()
    tilted[:3, 2] += 0.5 * tilted[:3, 1]
    geometry = Geometry(tilted, GRID.shape)
    write_mask(tmp_path / name, MASK, geometry, "Liver")
    back = read_image(tmp_path / name)
    assert back.geometry.is_close(geometry, tolerance_mm=1e-4)
    assert np.array_equal(back.voxels, MASK)
    assert os.listdir(tmp_path) == [name]


def test_an_existing_file_stays_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "mask.nrrd"
    path.write_text("precious")

    def fail(image, unfinished, **_):
        with open(unfinished, "w") as file:
            file.write("half")
        raise RuntimeError("sitk::ERROR: No space left on device")

    monkeypatch.setattr(sitk, "WriteImage", fail)
    with pytest.raises(WriteError, match="No space left"):
        write_mask(path, MASK, GRID, "Liver")
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["mask.nrrd"]


def test_a_written_file_has_the_usual_permissions(tmp_path):
    write_mask(tmp_path / "mask.nrrd", MASK, GRID, "Liver")
    (tmp_path / "other").touch()
    modes = {stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("mask.nrrd", "other")}
    assert len(modes) == 1


def test_an_output_folder_that_is_missing_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        check_output(tmp_path / "missing" / "mask.nrrd")


def test_an_output_folder_that_is_read_only_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    if os.access(folder, os.W_OK):
        # Root may write anywhere: /proc is a folder where even root may not.
        folder = "/proc" if os.path.isdir("/proc") else pytest.skip("running as root")
    with pytest.raises(InputError, match="cannot be written to"):
        check_output(f"{folder}/mask.nrrd")


@pytest.mark.parametrize("name", ["mask.png", "mask", "mask.txt"])
def test_an_unknown_format_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="ending"):
        check_output(tmp_path / name)


def test_a_folder_is_no_output_file(tmp_path):
    (tmp_path / "mask.nrrd").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        check_output(tmp_path / "mask.nrrd")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="no file or folder"):
        read_image(tmp_path / "ct.nii.gz")


@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nrrd", "ct.txt"])
def test_a_file_that_is_no_image_is_refused(tmp_path, name):
    (tmp_path / name).write_text("not an image")
    with pytest.raises(InputError, match="not an image that can be read"):
        read_image(tmp_path / name)


def test_a_file_that_breaks_off_is_refused(tmp_path):
    path = tmp_path / "ct.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.random.rand(9, 9, 9)), str(path), True)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(InputError, match="incomplete"):
        read_image(path)


def test_a_folder_without_dicom_is_refused(tmp_path):
    with pytest.raises(InputError, match="no DICOM series"):
        read_image(tmp_path)


def test_a_folder_of_volumes_that_are_not_dicom_says_to_name_the_file(tmp_path):
    write_mask(tmp_path / "liver.nii.gz", MASK, GRID, "Liver")
    with pytest.raises(InputError, match=r"For liver\.nii\.gz, name that file"):
        read_image(tmp_path)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the folder with real cases is not there: {DATA}")
def test_a_folder_with_one_dicom_series_is_a_volume():
    image = read_image(DATA / "ct_dicom_3slice" / "dicom")
    assert image.voxels.shape == (3, 512, 512)
    assert image.modality == "CT"
