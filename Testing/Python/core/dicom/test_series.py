"""DICOM series as they come: whether each slice lies where it says, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.files import read_image
from TestSupport.dicom_files import AXES, STEP, VOXELS, I, J, K, position, series, slice_of, write

LPS_TO_RAS = np.array([-1, -1, 1])


def lps_of(image, k, j=0, i=0):
    return image.geometry.to_ras((i, j, k)) * LPS_TO_RAS


def refusal(path) -> str:
    with pytest.raises(InputError) as refused:
        read_image(path)
    return str(refused.value)


def test_each_voxel_of_a_series_lies_where_the_file_says(tmp_path):
    image = read_image(write(tmp_path, series()))
    assert np.array_equal(image.voxels, VOXELS)
    assert image.voxels.dtype == np.int16
    assert image.modality == "CT"
    assert image.warnings == ()
    np.testing.assert_allclose(lps_of(image, 0), position(0))
    np.testing.assert_allclose(lps_of(image, K - 1), position(K - 1))
    # PixelSpacing is between rows first: 0.75 mm from row to row, 0.5 mm from column to column.
    np.testing.assert_allclose(lps_of(image, 0, 1, 2) - lps_of(image, 0), (1.0, 0.75, 0))


def test_a_tilted_gantry_shears_the_grid(tmp_path):
    image = read_image(write(tmp_path, series(tilt=0.7)))
    assert np.array_equal(image.voxels, VOXELS)
    for k in range(K):
        np.testing.assert_allclose(lps_of(image, k), position(k, 0.7))
    assert image.geometry.voxel_volume == pytest.approx(0.75 * 0.5 * STEP)


def test_slices_are_ordered_by_their_places_not_by_names_or_numbers(tmp_path):
    slices = series(InstanceNumber=1, SOPInstanceUID="1.2.3.4")
    names = [f"{name}.dcm" for name in "fbgahced"]
    image = read_image(write(tmp_path, slices, names))
    assert np.array_equal(image.voxels, VOXELS)


def test_a_series_without_endings_or_from_below_is_read_the_same(tmp_path):
    image = read_image(write(tmp_path, series()[::-1], [f"IM{n}" for n in range(K)]))
    assert np.array_equal(image.voxels, VOXELS)
    np.testing.assert_allclose(lps_of(image, 0), position(0))


def test_missing_slices_are_interpolated_with_a_warning_and_never_stretch_the_volume(tmp_path):
    slices = series()
    del slices[3:5]
    image = read_image(write(tmp_path, slices))
    assert image.geometry.shape == (K, J, I)
    np.testing.assert_allclose(lps_of(image, K - 1), position(K - 1))
    kept = [0, 1, 2, 5, 6, 7]
    assert np.array_equal(image.voxels[kept], VOXELS[kept])
    third = (VOXELS[2] * 2.0 + VOXELS[5]) / 3
    assert np.abs(image.voxels[3] - third).max() <= 0.5
    assert "2 slices are missing between 0002.dcm and 0003.dcm (6 mm)" in image.warnings[0]


def test_a_wide_gap_is_refused_by_name(tmp_path):
    slices = [slice_of(VOXELS[0], position(n)) for n in (0, 1, 2, 8, 9)]
    assert "missing between 0002.dcm and 0003.dcm: they are 12 mm apart, others 2 mm" in refusal(
        write(tmp_path, slices)
    )


def test_slices_of_5_mm_and_2_5_mm_are_put_on_one_grid_of_2_5_mm(tmp_path):
    places = [0, 2, 4, 5, 6, 7]
    slices = [slice_of(VOXELS[n], position(n)) for n in places]
    image = read_image(write(tmp_path, slices))
    assert image.geometry.shape == (K, J, I)
    assert np.array_equal(image.voxels[places], VOXELS[places])
    np.testing.assert_allclose(lps_of(image, K - 1), position(K - 1))


def test_uneven_slices_that_fit_no_grid_are_interpolated_to_the_finest_one(tmp_path):
    heights = np.array([0, 3, 5, 8, 10.0])
    # Values that grow evenly with the height stay so.
    slices = [slice_of(np.full((J, I), round(100 * h), np.int16), (0, 0, h)) for h in heights]
    image = read_image(write(tmp_path, slices))
    assert len(image.voxels) == 6
    assert image.voxels[:, 0, 0].tolist() == [0, 200, 400, 600, 800, 1000]
    assert "unevenly spaced (2 to 3 mm)" in image.warnings[0]


def test_positions_rounded_to_a_hundredth_are_even(tmp_path):
    slices = [slice_of(VOXELS[n], (0, 0, round(0.625 * n, 2))) for n in range(K)]
    image = read_image(write(tmp_path, slices))
    assert image.warnings == ()
    assert np.array_equal(image.voxels, VOXELS)


def test_slices_that_are_shifted_against_each_other_are_refused(tmp_path):
    slices = series()
    slices[3].ImagePositionPatient = [-7, -20, 36]
    assert "0003.dcm is shifted by 3 mm" in refusal(write(tmp_path, slices))


def test_the_same_slice_twice_is_left_out_with_a_warning(tmp_path):
    image = read_image(write(tmp_path, [*series(), slice_of(VOXELS[5], position(5))]))
    assert np.array_equal(image.voxels, VOXELS)
    assert image.warnings == (
        "0008.dcm: left out, as the same slice is there twice (also as 0005.dcm).",
    )


def test_two_different_slices_at_one_place_are_refused_by_name(tmp_path):
    other = slice_of(VOXELS[1], position(5), AcquisitionTime="101500")
    message = refusal(write(tmp_path, [*series(AcquisitionTime="101400"), other]))
    assert "0005.dcm and 0008.dcm are two slices at the same place" in message
    assert "acquisition time 101400 and 101500" in message


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"TemporalPositionIdentifier": 2}, "time point 1 and 2"),
        ({"EchoTime": 80}, "echo time 10 and 80"),
        ({"ImageType": ["DERIVED", "PRIMARY", "PHASE"]}, "kind of image"),
    ],
    ids=["time points", "echoes", "magnitude and phase"],
)
def test_two_volumes_at_the_same_place_are_refused(tmp_path, elements, words):
    first = series(TemporalPositionIdentifier=1, EchoTime=10)
    settings = {"TemporalPositionIdentifier": 1, "EchoTime": 10} | elements
    second = [slice_of(VOXELS[n] + 1, position(n), **settings) for n in range(K)]
    message = refusal(write(tmp_path, [*first, *second]))
    assert "2 volumes at the same place, such as 0000.dcm and 0008.dcm" in message
    assert words in message
    assert "folder of its own" in message


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}, "another orientation"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"PixelSpacing": [0.8, 0.5]}, "another spacing (0.8 x 0.5 mm)"),
        ({"FrameOfReferenceUID": "9.9"}, "another frame of reference"),
        ({"Modality": "MR"}, "another modality"),
    ],
    ids=["coronal", "localizer", "spacing", "frame of reference", "modality"],
)
def test_a_foreign_slice_is_refused_by_name(tmp_path, elements, words):
    foreign = slice_of(VOXELS[0], position(K), **elements)
    message = refusal(write(tmp_path, [*series(), foreign]))
    assert words in message
    assert "0008.dcm" in message
    assert "than the other 8" in message


def test_a_slice_of_another_size_is_refused_by_name(tmp_path):
    foreign = slice_of(np.zeros((J, I + 1), np.int16), position(K))
    message = refusal(write(tmp_path, [*series(), foreign]))
    assert "0008.dcm has another size (6 x 8 instead of 6 x 7 voxels)" in message


def test_a_localizer_in_three_planes_is_refused(tmp_path):
    planes = (AXES, (0, 1, 0, 0, 0, -1), (1, 0, 0, 0, 0, -1))
    slices = [
        slice_of(VOXELS[n], position(n), ImageOrientationPatient=list(plane))
        for plane in planes
        for n in range(2)
    ]
    assert "slices are of 3 volumes: 2 as 0000.dcm" in refusal(write(tmp_path, slices))


def test_two_series_are_listed(tmp_path):
    other = series(3, SeriesInstanceUID="1.2.9", SeriesNumber=5, SeriesDescription="Thorax")
    message = refusal(write(tmp_path, [*series(), *other]))
    assert 'Series 4 "Abdomen" (CT, 8 slices), as 0000.dcm' in message
    assert 'Series 5 "Thorax" (CT, 3 slices), as 0008.dcm' in message
    assert "folder with one series" in message


def test_slices_without_positions_are_refused(tmp_path):
    message = refusal(write(tmp_path, series(ImagePositionPatient=None)))
    assert "0000.dcm and 7 others do not say where their slices lie" in message


def test_two_volumes_that_lie_one_between_the_slices_of_the_other_are_refused(tmp_path):
    slices = [
        slice_of(VOXELS[n % K], (0, 0, 2 * n + shift)) for shift in (0, 0.6) for n in range(4)
    ]
    assert "Every other slice is of another volume" in refusal(write(tmp_path, slices))


def test_two_echoes_in_turns_are_no_volume(tmp_path):
    slices = series()
    for number, dataset in enumerate(slices):
        dataset.EchoTime = 10 + 70 * (number % 2)
    message = refusal(write(tmp_path, slices))
    assert "Every other slice is of another volume" in message
    assert "echo time 10 and 80" in message


def test_a_slice_close_beside_another_is_refused_by_name(tmp_path):
    message = refusal(write(tmp_path, [*series(), slice_of(VOXELS[0], position(2.05))]))
    assert "0002.dcm and 0008.dcm are only 0.1 mm apart, others 2 mm" in message


def test_slices_acquired_in_turns_are_one_volume(tmp_path):
    slices = series()
    for number, dataset in enumerate(slices):
        dataset.AcquisitionNumber = 1 + number % 2
        dataset.AcquisitionTime = f"1014{number % 2}0"
    assert np.array_equal(read_image(write(tmp_path, slices)).voxels, VOXELS)
