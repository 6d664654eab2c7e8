"""NIfTI: where voxels lie, whichever of its two forms says so, and masks in the same place."""

import itertools
import struct
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError, MissingPackageError
from SAMSegmentLib.core.files import MASK_SUFFIXES, check_output, read_image, write_mask
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import geometry_of_sitk
from TestSupport.geometries import geometries, positions, rotations

VOXELS = np.random.default_rng(0).integers(0, 900, (4, 5, 6)).astype(np.int16)
MASK = (VOXELS > 450).astype(np.uint8)
SIZES = (1.5, 2.0, 3.0)
QFORM, SFORM, SHEARED = np.eye(4), np.eye(4), np.eye(4)
QFORM[:3, :3] = np.diag((-1.5, -2.0, 3.0))
QFORM[:3, 3] = (-30, -28, -50)
SFORM[:3, :3] = np.array([[0, -2.0, 0], [1.5, 0, 0], [0, 0, 3.0]])
SFORM[:3, 3] = (-20, -8, -20)
SHEARED[:3, :3] = np.diag(SIZES)
SHEARED[1, 2] = 1.0
SHEARED[:3, 3] = (7, 8, 9)
#: Of qform and sform: none, the scanner's, another's.
CODES = list(itertools.product((0, 1, 2), repeat=2))


def nifti(
    path, qform=None, sform=None, codes=(1, 2), sizes=SIZES, units=2, kind=nibabel.Nifti1Image
):
    image = kind(VOXELS.T, None)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"of any length"))
    if qform is not None:
        image.header.set_qform(qform, codes[0])
    if sform is not None:
        image.header.set_sform(sform, codes[1])
    image.header["pixdim"][1:4] = sizes
    image.header["xyzt_units"] = units
    nibabel.save(image, path)
    return path


def by_slicer(path):
    """The grid as Slicer has it: it reads NIfTI through ITK, as SimpleITK does."""
    return geometry_of_sitk(sitk.ReadImage(str(path)))


@pytest.mark.parametrize(("q", "s"), CODES)
@pytest.mark.parametrize("sform", [SFORM, SHEARED], ids=["straight", "sheared"])
def test_image_and_mask_lie_where_slicer_has_the_image(tmp_path, q, s, sform):
    path = nifti(tmp_path / "ct.nii.gz", QFORM, sform, (q, s))
    image = read_image(path)
    if sform is SHEARED and s and not q:
        assert image.geometry.is_close(Geometry(SHEARED, VOXELS.shape), 1e-5)
        return
    assert image.geometry.is_close(by_slicer(path), 1e-6)
    for suffix in MASK_SUFFIXES:
        write_mask(tmp_path / f"mask{suffix}", MASK, image.geometry, "Liver", nifti=image.nifti)
        assert by_slicer(tmp_path / f"mask{suffix}").is_close(by_slicer(path), 1e-4), suffix


@pytest.mark.parametrize(("q", "s"), CODES)
def test_a_nifti_mask_has_both_forms_of_the_image_for_whichever_a_program_takes(tmp_path, q, s):
    image = read_image(nifti(tmp_path / "ct.nii", QFORM, SFORM, (q, s), units=3 + 16))
    write_mask(tmp_path / "mask.nii.gz", MASK, image.geometry, "Liver", nifti=image.nifti)
    one, other = (nibabel.load(tmp_path / name).header for name in ("ct.nii", "mask.nii.gz"))
    for field in ("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x"):
        assert one[field] == other[field], field
    for field in ("srow_x", "srow_y", "srow_z"):
        assert np.array_equal(one[field], other[field]), field
    assert np.array_equal(one["pixdim"][:4], other["pixdim"][:4])
    assert other.get_xyzt_units() == ("micron", "unknown")
    assert other.get_data_dtype() == np.uint8
    assert np.array_equal(nibabel.load(tmp_path / "mask.nii.gz").get_fdata().T, MASK)


def test_forms_that_disagree_are_told_with_both_positions(tmp_path):
    (warning,) = read_image(nifti(tmp_path / "ct.nii", QFORM, SFORM)).warnings
    assert warning.startswith(
        "ct.nii places its voxels twice, up to 47.4 mm apart: voxel (5, 4, 0) lies at R, A, S = "
        "(-37.5, -36.0, -50.0) mm by its qform and at (-28.0, -0.5, -20.0) mm by its sform. The "
        "qform was taken, as Slicer does"
    )
    (warning,) = read_image(nifti(tmp_path / "ct.nii", QFORM, SFORM, (1, 1))).warnings
    assert "The sform was taken, as Slicer does" in warning


def test_the_two_positions_are_those_of_one_voxel(tmp_path):
    moved = QFORM.copy()
    moved[:3, 3] += (10, 20, 30)
    (warning,) = read_image(nifti(tmp_path / "ct.nii", QFORM, moved)).warnings
    assert "37.4 mm apart: voxel (0, 0, 0) lies at R, A, S = (-30.0, -28.0, -50.0) mm" in warning
    assert "at (-20.0, -8.0, -20.0) mm by its sform" in warning


@pytest.mark.parametrize("codes", [(1, 0), (0, 2), (1, 1), (1, 2), (2, 4)])
def test_forms_that_agree_or_are_alone_are_no_matter_for_a_warning(tmp_path, codes):
    assert read_image(nifti(tmp_path / "ct.nii", QFORM, QFORM, codes)).warnings == ()


def test_voxel_sizes_that_do_not_fit_the_sform_are_told(tmp_path):
    path = nifti(tmp_path / "ct.nii", None, SFORM, sizes=(1, 2, 3))
    image = read_image(path)
    assert image.geometry.is_close(by_slicer(path), 1e-5)
    assert "by its pixdim" in image.warnings[0] and "by its sform" in image.warnings[0]


def test_a_file_that_does_not_say_where_it_lies_is_told(tmp_path):
    path = nifti(tmp_path / "ct.nii")
    image = read_image(path)
    assert image.geometry.is_close(by_slicer(path), 1e-6)
    assert "neither qform nor sform" in image.warnings[0]


@pytest.mark.parametrize("broken", ["qform", "sform"])
def test_a_form_that_places_nothing_leaves_it_to_the_other(tmp_path, broken):
    path = nifti(tmp_path / "ct.nii", QFORM, QFORM, (1, 1))
    content = bytearray(path.read_bytes())
    # The quaternion begins at byte 256, the sform's rows at 280.
    fields = (256, (1, 1, 1)) if broken == "qform" else (280, (0,) * 12)
    struct.pack_into(f"<{len(fields[1])}f", content, fields[0], *fields[1])
    path.write_bytes(content)
    image = read_image(path)
    assert image.geometry.is_close(Geometry(QFORM, VOXELS.shape), 1e-5)
    assert image.geometry.is_close(by_slicer(path), 1e-5)
    assert f"The {broken} in the header of ct.nii is wrong" in image.warnings[0]


def test_a_file_whose_only_form_places_nothing_is_refused(tmp_path):
    path = nifti(tmp_path / "ct.nii", None, np.zeros((4, 4)))
    with pytest.raises(InputError, match="The sform in the header of ct"):
        read_image(path)


@pytest.mark.parametrize("units", [0, 1, 2, 3])
def test_metres_and_micrometres_become_millimetres(tmp_path, units):
    sizes = np.array(SIZES) * (0.01 if units == 1 else 1)
    matrix = np.diag([*sizes, 1.0])
    matrix[:3, 3] = (0.1, 0.2, 0.3)
    path = nifti(tmp_path / "ct.nii", matrix, matrix, (1, 1), sizes, units)
    assert read_image(path).geometry.is_close(by_slicer(path), 1e-6)


@pytest.mark.parametrize("sizes", [(0, 2, 3), (-1, 2, 3), (np.nan, 2, 3)])
def test_voxel_sizes_that_are_none_are_refused(tmp_path, sizes):
    with pytest.raises(InputError, match="pixdim"):
        read_image(nifti(tmp_path / "ct.nii", None, SFORM, sizes=sizes))


@given(rotations, positions, st.tuples(*[st.floats(0.2, 8)] * 3), st.booleans())
def test_oblique_and_flipped_images_lie_where_nibabel_and_slicer_have_them(
    rotation, position, sizes, flipped
):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation * sizes * (-1 if flipped else 1, 1, 1)
    matrix[:3, 3] = position
    with TemporaryDirectory() as folder:
        path = nifti(Path(folder) / "ct.nii", matrix, matrix, (1, 1), sizes)
        image = read_image(path)
        assert image.geometry.is_close(Geometry(nibabel.load(path).affine, VOXELS.shape), 1e-3)
        assert image.geometry.is_close(by_slicer(path), 1e-3)
        assert image.warnings == ()


@given(geometries(shapes=st.tuples(*[st.integers(2, 6)] * 3)), st.sampled_from(MASK_SUFFIXES))
def test_masks_lie_where_they_were_made_for_nibabel_and_for_slicer(geometry, suffix):
    mask = np.zeros(geometry.shape, np.uint8)
    mask[1, 0, 1] = 1
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"mask{suffix}"
        write_mask(path, mask, geometry, "Liver")
        # NIfTI keeps single precision: of positions of 500 mm, 0.03 um.
        if ".nii" in suffix:
            image = nibabel.load(path, mmap=False)
            assert Geometry(image.affine, mask.shape).is_close(geometry, 1e-3)
            assert np.array_equal(np.asarray(image.dataobj).T, mask)
        if ".nii" not in suffix or not geometry.is_sheared():
            assert by_slicer(path).is_close(geometry, 1e-3)
            assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), mask)


@pytest.mark.parametrize(
    ("slope", "intercept"), [(2, 0), (1, -1024), (0, 5), (np.nan, 0), (1, 0), (-1, 3), (2, np.nan)]
)
def test_intensities_are_scaled_as_in_slicer(tmp_path, slope, intercept):
    path = nifti(tmp_path / "ct.nii", QFORM)
    content = bytearray(path.read_bytes())
    struct.pack_into("<2f", content, 112, slope, intercept)
    path.write_bytes(content)
    if (slope, intercept) == (0, 5):
        # ITK adds the 5; the standard says that without a slope there is no scaling.
        assert np.array_equal(read_image(path).voxels, VOXELS)
        return
    voxels = read_image(path).voxels
    by_itk = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    assert voxels.dtype == by_itk.dtype and np.array_equal(voxels, by_itk)


@pytest.mark.parametrize("kind", ["u1", "i1", ">i2", "u2", ">u4", "i8", "u8", "f4", ">f8"])
def test_voxels_of_every_type_and_byte_order_are_read(tmp_path, kind):
    kind = np.dtype(kind)
    header = nibabel.Nifti1Header(endianness=kind.byteorder if kind.byteorder == ">" else "<")
    values = (VOXELS % 100).astype(kind)
    image = nibabel.Nifti1Image(values.T, QFORM, header, dtype=kind)
    nibabel.save(image, tmp_path / "ct.nii.gz")
    voxels = read_image(tmp_path / "ct.nii.gz").voxels
    assert voxels.dtype == kind.newbyteorder("=") and np.array_equal(voxels, values)


def test_nifti_2_and_pairs_of_files_are_read(tmp_path):
    for name, kind in (("ct.nii.gz", nibabel.Nifti2Image), ("ct.hdr", nibabel.Nifti1Pair)):
        image = read_image(nifti(tmp_path / name, QFORM, QFORM, kind=kind))
        assert np.array_equal(image.voxels, VOXELS)
        assert image.geometry.is_close(Geometry(QFORM, VOXELS.shape), 1e-5)
        write_mask(tmp_path / "mask.nii", MASK, image.geometry, "Liver", nifti=image.nifti)
        assert np.allclose(nibabel.load(tmp_path / "mask.nii").affine, QFORM)


def test_without_nibabel_the_error_says_how_to_get_it_before_the_work(tmp_path, monkeypatch):
    path = nifti(tmp_path / "ct.nii", QFORM)
    monkeypatch.setitem(sys.modules, "nibabel", None)
    for use in (lambda: read_image(path), lambda: check_output(tmp_path / "mask.nii.gz")):
        with pytest.raises(MissingPackageError, match="pip install nibabel"):
            use()
