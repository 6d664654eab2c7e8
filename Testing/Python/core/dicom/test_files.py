"""DICOM files in a folder: what is no image, what is not whole, and what lies beside them."""

from __future__ import annotations

import gzip
import os

import numpy as np
import pytest
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from SAMSegmentLib.core.dicom import is_dicom
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.files import read_image
from TestSupport.dicom_files import VOXELS, K, enhanced, position, series, slice_of, write


def refusal(path) -> str:
    with pytest.raises(InputError) as refused:
        read_image(path)
    return str(refused.value)


@pytest.fixture
def folder(tmp_path):
    """A whole series of slices 0000.dcm to 0007.dcm."""
    return write(tmp_path / "ct", series())


@pytest.mark.parametrize("share", [0.02, 0.3, 0.5, 0.99], ids=lambda share: f"cut at {share:.0%}")
def test_a_file_that_breaks_off_is_refused_by_name(folder, share):
    path = folder / "0003.dcm"
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    message = refusal(folder)
    assert "0003.dcm" in message
    assert "again" in message


@pytest.mark.parametrize("left", [0, 100], ids=["empty", "shorter than a header"])
def test_an_empty_file_among_the_slices_is_refused_by_name(folder, left):
    os.truncate(folder / "0007.dcm", left)
    assert "0007.dcm is not a DICOM file, though its name says so" in refusal(folder)


def test_a_compressed_file_that_breaks_off_is_refused_by_name(tmp_path):
    slices = series()
    for dataset in slices:
        dataset.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    write(tmp_path, slices)
    assert np.array_equal(read_image(tmp_path).voxels, VOXELS)
    path = tmp_path / "0002.dcm"
    path.write_bytes(path.read_bytes()[:-20])
    assert "0002.dcm is incomplete (it ends within its pixels)" in refusal(tmp_path)


def test_an_enhanced_file_that_breaks_off_is_refused(tmp_path):
    path = tmp_path / "mr.dcm"
    enhanced(VOXELS, [position(n) for n in range(K)]).save_as(path, enforce_file_format=True)
    os.truncate(path, path.stat().st_size - 50)
    assert "the last 50 bytes of its pixels are missing" in refusal(path)


def test_what_lies_beside_the_slices_is_passed_over(folder):
    (folder / "README.txt").write_text("how these were made")
    (folder / "LICENSE").write_text("free")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0" * 100)
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1" * 40)
    (folder / "._0003.dcm").write_bytes(b"\0\5\26\7" * 30)
    (folder / "earlier").mkdir()
    write(folder / "earlier", series(2, SeriesInstanceUID="1.2.77"))
    objects = {"SEG": SegmentationStorage, "RTSTRUCT": RTStructureSetStorage}
    for modality, kind in objects.items():
        other = slice_of(VOXELS[0], position(0), Modality=modality, SOPClassUID=kind)
        other.SeriesInstanceUID = "1.2.88"
        write(folder, [other], [f"{modality}.dcm"])
    index = slice_of(VOXELS[0], position(0), SOPClassUID="1.2.840.10008.1.3.10")
    write(folder, [index], ["DICOMDIR"])
    image = read_image(folder)
    assert np.array_equal(image.voxels, VOXELS)
    assert image.warnings == ()


def test_a_folder_whose_slices_lie_in_subfolders_names_these(tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("no image")
    (tmp_path / "again").symlink_to(tmp_path)
    (tmp_path / "study 1").mkdir()
    first = write(tmp_path / "study 1" / "ct", series())
    index = slice_of(VOXELS[0], position(0), SOPClassUID="1.2.840.10008.1.3.10")
    write(tmp_path, [index], ["DICOMDIR"])
    assert f"Images lie in its subfolder {first.relative_to(tmp_path)}: name that." in refusal(
        tmp_path
    )
    for number in range(4):
        write(tmp_path / f"study 0{number}", series(1))
    message = refusal(tmp_path)
    assert message.endswith("subfolders study 00, study 01, study 02 and others: name one of them.")


def test_a_slice_that_is_packed_is_not_left_out(folder):
    last = folder / "0007.dcm"
    packed = folder / "0007.dcm.gz"
    packed.write_bytes(gzip.compress(last.read_bytes()))
    last.unlink()
    assert "0007.dcm.gz is a DICOM file packed with gzip: unpack" in refusal(folder)
    assert "is packed with gzip: unpack" in refusal(packed)


def test_a_folder_with_nothing_but_a_segmentation_says_so(tmp_path):
    write(tmp_path, [slice_of(VOXELS[0], position(0), Modality="SEG")])
    assert "holds no DICOM series of images, only a segmentation" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("modality", "words"),
    [("SEG", "a segmentation"), ("RTSTRUCT", "a structure set"), ("SR", "a report")],
)
def test_an_object_that_is_no_image_is_refused_in_one_sentence(tmp_path, modality, words):
    write(tmp_path, [slice_of(VOXELS[0], position(0), Modality=modality)], ["object.dcm"])
    message = refusal(tmp_path / "object.dcm")
    assert f"object.dcm is {words}, not an image" in message


def test_a_colour_picture_is_refused(tmp_path):
    picture = slice_of(VOXELS[0], position(0), PhotometricInterpretation="RGB", SamplesPerPixel=3)
    write(tmp_path, [picture])
    assert "0000.dcm is a colour image (RGB)" in refusal(tmp_path / "0000.dcm")


def test_a_mosaic_is_refused(tmp_path):
    mosaic = slice_of(VOXELS[0], position(0), ImageType=["ORIGINAL", "PRIMARY", "M", "MOSAIC"])
    write(tmp_path, [mosaic])
    assert "0000.dcm is a mosaic" in refusal(tmp_path)


def test_a_film_without_positions_is_refused(tmp_path):
    film = slice_of(VOXELS, position(0))
    write(tmp_path, [film])
    assert "holds 8 frames without saying where they lie" in refusal(tmp_path)


def test_slices_from_before_the_file_format_are_read(tmp_path):
    for number, dataset in enumerate(series()):
        del dataset.file_meta
        dataset.preamble = None
        path = tmp_path / f"IM{number}"
        dataset.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    assert np.array_equal(read_image(tmp_path).voxels, VOXELS)


def test_other_image_files_are_not_taken_for_dicom(tmp_path):
    for name in ("a.nrrd", "a.nii", "a"):
        (tmp_path / name).write_bytes(b"NRRD0004\n# a header\n" * 9)
        assert not is_dicom(tmp_path / name)


def test_a_file_that_may_not_be_opened_is_refused_by_name(folder):
    (folder / "0004.dcm").chmod(0)
    if os.access(folder / "0004.dcm", os.R_OK):
        pytest.skip("running as root")
    assert "0004.dcm cannot be read" in refusal(folder)
