"""Files of which a part is missing or wrong, and files that are no images: told, never read."""

import gzip
import re

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.files import read_image

RNG = np.random.default_rng(0)
VOXELS = RNG.normal(500, 100, (12, 20, 30)).astype(np.int16)
#: name: whether its voxels are packed.
FORMATS = {
    "ct.nii": False,
    "ct.nii.gz": True,
    "ct.nrrd": False,
    "packed.nrrd": True,
    "ct.mha": False,
    "packed.mha": True,
    "ct.nhdr": False,
    "packed.nhdr": True,
    "ct.mhd": False,
    "packed.mhd": True,
    "ct.hdr": False,
}


def whole(folder, name):
    """A file, and the one that holds its voxels, which may be itself."""
    path = folder / name
    image = sitk.GetImageFromArray(VOXELS)
    image.SetSpacing((0.5, 0.75, 2.5))
    sitk.WriteImage(image, str(path), useCompression=FORMATS[name])
    assert np.array_equal(read_image(path).voxels, VOXELS)
    (data,) = [one for one in folder.iterdir() if one != path] or [path]
    return path, data


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("missing", [0.5, 1])
def test_a_file_that_breaks_off_is_refused(tmp_path, name, missing):
    path, data = whole(tmp_path, name)
    content = data.read_bytes()
    data.write_bytes(content[: len(content) // 2] if missing == 0.5 else content[:-1])
    with pytest.raises(InputError, match=f"{data.name} is incomplete or damaged"):
        read_image(path)


@pytest.mark.parametrize("name", [name for name, packed in FORMATS.items() if packed])
@pytest.mark.parametrize("damage", ["zeros at the end", "a wrong checksum", "a wrong byte"])
def test_packed_voxels_that_are_damaged_are_refused(tmp_path, name, damage):
    path, data = whole(tmp_path, name)
    content = bytearray(data.read_bytes())
    half = len(content) // 2
    if damage == "zeros at the end":
        content[half:] = bytes(len(content) - half)
    else:
        # gzip ends with checksum and length, zlib with its checksum.
        content[
            -7 if content.count(b"\x1f\x8b\x08") else -1 if damage != "wrong byte" else half
        ] ^= 1
    data.write_bytes(content)
    with pytest.raises(InputError, match=f"{data.name} is incomplete or damaged"):
        read_image(path)


@pytest.mark.parametrize("name", ["packed.nrrd", "packed.mha", "ct.nii.gz"])
def test_a_header_that_promises_other_voxels_than_there_are_is_refused(tmp_path, name):
    path, _ = whole(tmp_path, name)
    content = path.read_bytes()
    if name == "ct.nii.gz":
        content = bytearray(gzip.decompress(content))
        content[42:44] = (31).to_bytes(2, "little")
        content = gzip.compress(content)
    path.write_bytes(content.replace(b" 30 20 12", b" 31 20 12"))
    with pytest.raises(InputError, match="incomplete or damaged: it holds 14400 of 14880 bytes"):
        read_image(path)
    path.write_bytes(content.replace(b" 30 20 12", b" 29 20 12"))
    if name != "ct.nii.gz":
        with pytest.raises(InputError, match="it holds 14400 of 13920 bytes"):
            read_image(path)


@pytest.mark.parametrize("told", [b"CompressedDataSize = %d\n" % n for n in (9, 99999)] + [b""])
def test_a_metaimage_that_does_not_tell_how_long_its_packed_voxels_are_is_refused(tmp_path, told):
    path, _ = whole(tmp_path, "packed.mha")
    path.write_bytes(re.sub(rb"CompressedDataSize = \d+\n", told, path.read_bytes()))
    with pytest.raises(InputError, match="incomplete or damaged"):
        read_image(path)


@pytest.mark.parametrize("name", ["ct.nhdr", "ct.mhd", "ct.hdr"])
def test_voxels_that_were_left_behind_are_named(tmp_path, name):
    path, data = whole(tmp_path, name)
    data.unlink()
    with pytest.raises(InputError, match=f"needs the file {data.name}"):
        read_image(path)


@pytest.mark.parametrize("name", ["ct.nhdr", "packed.mhd", "ct.hdr"])
def test_voxels_without_their_header_say_which_file_to_give(tmp_path, name):
    _, data = whole(tmp_path, name)
    with pytest.raises(InputError, match="give the header beside it"):
        read_image(data)


@pytest.mark.parametrize("name", ["ct.nrrd", "ct.mha", "ct.nii"])
def test_a_header_that_breaks_off_is_refused(tmp_path, name):
    path, _ = whole(tmp_path, name)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match=r"incomplete|not an image"):
        read_image(path)


def test_a_header_that_promises_too_much_takes_no_memory(tmp_path):
    header = nibabel.Nifti1Header()
    header.set_data_shape((30000, 30000, 30000))
    header["vox_offset"] = 352
    for name, content in (("a.nii", header.binaryblock), ("a.nii.gz", header.binaryblock)):
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
        with pytest.raises(InputError, match="promises"):
            read_image(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("ct.nii.gz", "ct.nii"),
        ("ct.nii", "ct2.nii.gz"),
        ("ct.nrrd", "ct.mha"),
        ("ct.mha", "ct.nrrd"),
        ("packed.nrrd", "volume"),
        ("ct.nii.gz", "volume"),
        ("ct.mha", "volume.dat"),
    ],
)
def test_a_file_with_a_wrong_ending_is_read_for_what_it_is(tmp_path, name, other):
    path, _ = whole(tmp_path, name)
    image = read_image(path.rename(tmp_path / other))
    assert np.array_equal(image.voxels, VOXELS)
    assert np.allclose(image.geometry.spacing, (0.5, 0.75, 2.5))


def test_a_nrrd_or_metaimage_that_was_packed_as_a_whole_says_so(tmp_path):
    path, _ = whole(tmp_path, "ct.nrrd")
    packed = tmp_path / "ct.nrrd.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(InputError, match="packed with gzip: unpack"):
        read_image(packed)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (bytes(2000), "nothing but zeros"),
        (b"\n<!DOCTYPE html><html><body>Please sign in</body></html>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"PK\x03\x04" + bytes(99), "ZIP archive"),
        ((348).to_bytes(4, "little") + bytes(344), "Analyze 7.5"),
        (b"not an image", "not an image that can be read"),
    ],
)
@pytest.mark.parametrize("name", ["ct.nii.gz", "ct.nrrd"])
def test_a_file_that_is_no_image_is_told_for_what_it_is(tmp_path, content, says, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=re.escape(says)):
        read_image(tmp_path / name)


@pytest.mark.parametrize("suffix", [".vtk", ".gipl", ".mnc", ".mrc", ".tif"])
def test_a_format_that_does_not_tell_whether_it_is_complete_is_refused(tmp_path, suffix):
    sitk.WriteImage(sitk.GetImageFromArray(VOXELS), str(tmp_path / f"ct{suffix}"))
    with pytest.raises(InputError, match="does not tell whether it is complete"):
        read_image(tmp_path / f"ct{suffix}")


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("fill", [False, True])
def test_a_picture_that_breaks_off_is_refused(tmp_path, suffix, fill):
    path = tmp_path / f"xray{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray((VOXELS[0] / 8).astype(np.uint8)), str(path))
    content = path.read_bytes()
    half = len(content) // 2
    path.write_bytes(content[:half] + (bytes(len(content) - half) if fill else b""))
    with pytest.raises(InputError, match=r"incomplete|Error while reading"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jp2"])
def test_a_picture_is_read_though_a_nifti_mask_of_its_name_lies_beside_it(tmp_path, suffix):
    path = tmp_path / f"xray{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray((VOXELS[0] / 8).astype(np.uint8)), str(path))
    alone = read_image(path).voxels
    mask = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    nibabel.save(mask, tmp_path / f"xray{suffix}.nii.gz")
    assert np.array_equal(read_image(path).voxels, alone)


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize(
    ("image", "says"),
    [
        (sitk.Image([4, 4, 4, 3], sitk.sitkInt16), "4 dimensions"),
        (sitk.Image([4, 4, 4], sitk.sitkVectorUInt8, 3), "3 components"),
        (sitk.Image([4, 4, 4], sitk.sitkVectorFloat32, 5), "5 components"),
    ],
)
def test_what_is_no_scalar_volume_is_refused_by_every_reader(tmp_path, suffix, image, says):
    sitk.WriteImage(image, str(tmp_path / f"ct{suffix}"))
    with pytest.raises(InputError, match=says):
        read_image(tmp_path / f"ct{suffix}")


@pytest.mark.parametrize("kind", [np.complex64, nibabel.nifti1.data_type_codes.dtype["RGB"]])
def test_nifti_voxels_that_are_no_intensities_are_refused(tmp_path, kind):
    nibabel.save(nibabel.Nifti1Image(np.zeros((4, 4, 4), kind), np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(InputError, match=r"not intensities|3 components"):
        read_image(tmp_path / "a.nii")


def test_a_time_series_of_one_time_point_is_a_volume(tmp_path):
    nibabel.save(nibabel.Nifti1Image(VOXELS.T[..., None], np.eye(4)), tmp_path / "a.nii")
    assert np.array_equal(read_image(tmp_path / "a.nii").voxels, VOXELS)


def test_what_the_advice_about_nan_voxels_names_makes_the_volume_usable(tmp_path):
    voxels = RNG.normal(size=(4, 5, 6))
    voxels[0, 0, :3] = (np.nan, np.inf, -np.inf)
    sitk.WriteImage(sitk.GetImageFromArray(voxels), str(tmp_path / "pet.nrrd"))
    with pytest.raises(InputError, match="ThresholdImageFilter from -1e30 to 1e30"):
        _ = read_image(tmp_path / "pet.nrrd").value_range
    # The filter of that name, as Slicer's module Simple Filters runs it.
    image = sitk.Threshold(sitk.ReadImage(str(tmp_path / "pet.nrrd")), -1e30, 1e30, 0)
    sitk.WriteImage(image, str(tmp_path / "pet.nrrd"))
    assert np.isfinite(read_image(tmp_path / "pet.nrrd").value_range).all()
    assert np.isfinite(np.nan_to_num(voxels, posinf=0, neginf=0)).all()
