"""Values of DICOM images: rescaled each by its own numbers, whatever way they are stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from SAMSegmentLib.core.dicom import headers, pixels
from SAMSegmentLib.core.dicom.frames import frames_of
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.files import read_image
from TestSupport.dicom_files import VOXELS, I, J, K, position, series, set_pixels, slice_of, write


def values_in(path) -> np.ndarray:
    """The values of a file's only frame."""
    (values,) = pixels.values_of(frames_of(headers.header_of(path)))
    return values


def bundled(name) -> Dataset:
    """One of the files that come with pydicom."""
    return pydicom.dcmread(get_testdata_file(name, download=False))


def test_each_slice_of_a_pet_series_has_its_own_slope(tmp_path):
    slices = series(Modality="PT")
    for number, dataset in enumerate(slices):
        dataset.RescaleSlope = 0.5 + 0.37 * number
    image = read_image(write(tmp_path, slices))
    slopes = 0.5 + 0.37 * np.arange(K)[:, None, None]
    np.testing.assert_allclose(image.voxels, VOXELS * slopes, rtol=1e-6)
    assert image.voxels.dtype == np.float32
    assert image.modality == "PT"


def test_a_slope_of_a_fifth_makes_no_integers(tmp_path):
    stored = np.arange(J * I, dtype=np.uint16).reshape(J, I)
    slices = [slice_of(stored, position(n), RescaleSlope=0.2) for n in range(3)]
    image = read_image(write(tmp_path, slices))
    np.testing.assert_allclose(image.voxels[1], stored * 0.2, rtol=1e-6)


def test_twelve_bits_with_an_intercept_are_hounsfield_units_in_int16(tmp_path):
    stored = (VOXELS + 1024).astype(np.uint16)
    slices = [slice_of(stored[n], position(n), RescaleIntercept=-1024) for n in range(K)]
    for dataset in slices:
        dataset.BitsStored, dataset.HighBit = 12, 11
    image = read_image(write(tmp_path, slices))
    assert image.voxels.dtype == np.int16
    assert np.array_equal(image.voxels, VOXELS)


def test_bits_above_those_stored_are_no_part_of_the_value(tmp_path):
    # Old scanners keep overlays there.
    stored = (VOXELS + 1024).astype(np.uint16)
    slices = [slice_of(stored[n] | 0x8000, position(n), RescaleIntercept=-1024) for n in range(K)]
    for dataset in slices:
        dataset.BitsStored, dataset.HighBit = 12, 11
    assert np.array_equal(read_image(write(tmp_path, slices)).voxels, VOXELS)


def test_values_that_are_stored_in_the_upper_bits_are_moved_down(tmp_path):
    stored = (VOXELS + 1024).astype(np.uint16)
    slices = [slice_of(stored[n] << 4, position(n), RescaleIntercept=-1024) for n in range(K)]
    for dataset in slices:
        dataset.BitsStored, dataset.HighBit = 12, 15
    assert np.array_equal(read_image(write(tmp_path, slices)).voxels, VOXELS)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_values_of_all_integer_types_are_exact(tmp_path, kind):
    ends = np.iinfo(kind)
    stored = np.random.default_rng(1).integers(ends.min, ends.max, (2, J, I), kind, endpoint=True)
    image = read_image(write(tmp_path, [slice_of(stored[n], position(n)) for n in range(2)]))
    assert np.array_equal(image.voxels, stored)


def test_a_lookup_table_gives_the_values(tmp_path):
    table = Dataset()
    table.LUTDescriptor, table.ModalityLUTType = [4, 0, 16], "US"
    table.add_new("LUTData", "US", [10, 200, 3000, 40000])
    stored = (np.arange(J * I).reshape(J, I) % 4).astype(np.uint8)
    slices = [slice_of(stored, position(n), RescaleSlope=None) for n in range(2)]
    for dataset in slices:
        del dataset.RescaleIntercept
        dataset.ModalityLUTSequence = Sequence([table])
    image = read_image(write(tmp_path, slices))
    assert np.array_equal(image.voxels[0], np.array([10, 200, 3000, 40000])[stored])


def test_padding_and_monochrome1_change_no_value(tmp_path):
    elements = {"PhotometricInterpretation": "MONOCHROME1", "PixelPaddingValue": -500}
    image = read_image(write(tmp_path, series(**elements)))
    assert np.array_equal(image.voxels, VOXELS)


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_implicit.dcm",
    ],
)
def test_a_file_has_the_same_values_in_each_transfer_syntax(name):
    original = values_in(get_testdata_file("MR_small.dcm", download=False))
    assert np.array_equal(values_in(get_testdata_file(name, download=False)), original)


@pytest.mark.parametrize("name", ["693_J2KI.dcm", "J2K_pixelrep_mismatch.dcm", "JPGExtended.dcm"])
def test_values_of_single_files_are_those_of_simpleitk(name):
    path = get_testdata_file(name, download=False)
    assert np.array_equal(values_in(path), sitk.GetArrayFromImage(sitk.ReadImage(path))[0])


def test_compressed_slices_are_rescaled_each_by_its_own_numbers(tmp_path):
    original = values_in(get_testdata_file("MR_small.dcm", download=False))
    slices = [bundled("MR_small_jp2klossless.dcm") for _ in range(3)]
    for number, dataset in enumerate(slices):
        dataset.ImagePositionPatient = [0, 0, number]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.RescaleSlope, dataset.RescaleIntercept = 1 + number, -5
    image = read_image(write(tmp_path, slices))
    assert np.array_equal(image.voxels, [original * slope - 5.0 for slope in (1, 2, 3)])


def test_damaged_compressed_pixels_are_refused_by_name(tmp_path):
    path = tmp_path / "one.dcm"
    whole = Path(get_testdata_file("MR_small_jp2klossless.dcm", download=False)).read_bytes()
    start = whole.index(b"\xff\x4f\xff\x51")
    path.write_bytes(whole[:start] + b"\0" * 60 + whole[start + 60 :])
    with pytest.raises(InputError, match=r"pixels of .*one\.dcm cannot be decompressed"):
        values_in(path)


def test_a_compressed_file_cannot_fill_the_memory(tmp_path):
    dataset = slice_of(VOXELS[0], position(0))
    dataset.compress("1.2.840.10008.1.2.5")
    dataset.Rows = dataset.Columns = 65535
    write(tmp_path, [dataset])
    with pytest.raises(InputError, match="do not fill the size that it names"):
        read_image(tmp_path)


def test_floating_point_pixels_stay_as_they_are(tmp_path):
    stored = np.random.default_rng(2).random((2, J, I)).astype(np.float32)
    slices = [slice_of(VOXELS[n], position(n)) for n in range(2)]
    for dataset, values in zip(slices, stored, strict=True):
        set_pixels(dataset, values.view(np.int32))
        del dataset.PixelData, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation
        dataset.FloatPixelData = values.tobytes()
    assert np.array_equal(read_image(write(tmp_path, slices)).voxels, stored)
