"""X-rays, ultrasound and single slices: what is known of their size and place, and what is said."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from SAMSegmentLib.core.dicom.frames import frames_of
from SAMSegmentLib.core.dicom.headers import header_of
from SAMSegmentLib.core.dicom.missing_geometry import at_origin, with_spacing
from SAMSegmentLib.core.files import read_image
from TestSupport.dicom_files import VOXELS, position, series, slice_of, write


@pytest.fixture
def frames(tmp_path):
    """Makes the frames of a file with some elements set, or with None removed."""

    def make(**elements):
        write(tmp_path, [slice_of(VOXELS[0], position(0), **elements)], ["one.dcm"])
        return frames_of(header_of(tmp_path / "one.dcm"))

    return make


def test_the_spacing_in_the_patient_is_taken_without_a_word(frames):
    (frame,), warnings = with_spacing(frames(ImagerPixelSpacing=[0.2, 0.2]))
    assert frame.pixel_spacing == (0.75, 0.5)
    assert warnings == []


@pytest.mark.parametrize("keyword", ["ImagerPixelSpacing", "NominalScannedPixelSpacing"])
def test_the_spacing_at_the_detector_is_taken_with_a_warning(frames, keyword):
    (frame,), warnings = with_spacing(frames(PixelSpacing=None, **{keyword: [0.2, 0.1]}))
    assert frame.pixel_spacing == (0.2, 0.1)
    assert "one.dcm gives its pixel spacing (0.1 x 0.2 mm) at the detector" in warnings[0]


def test_ultrasound_tells_its_spacing_in_centimetres_by_region(frames):
    region = Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, -0.03
    found = frames(PixelSpacing=None, SequenceOfUltrasoundRegions=Sequence([region]))
    (frame,), warnings = with_spacing(found)
    np.testing.assert_allclose(frame.pixel_spacing, (0.3, 0.2))
    assert warnings == []


def test_without_any_spacing_one_millimetre_is_assumed_with_a_warning(frames):
    (frame,), warnings = with_spacing(frames(PixelSpacing=None))
    assert frame.pixel_spacing == (1, 1)
    assert "one.dcm gives no pixel spacing: 1 x 1 mm is assumed" in warnings[0]


def test_without_a_position_a_picture_lies_at_the_origin_with_a_warning(frames):
    (found,) = frames(ImagePositionPatient=None)
    (frame,), warnings = at_origin([found])
    assert frame.position.tolist() == [0, 0, 0]
    assert frame.axes.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert "one.dcm does not say where it lies in the patient" in warnings[0]


def test_one_file_of_a_series_is_an_image_of_one_slice_and_says_so(tmp_path):
    write(tmp_path, series(tilt=0.7))
    image = read_image(tmp_path / "0003.dcm")
    assert np.array_equal(image.voxels, VOXELS[3:4])
    np.testing.assert_allclose(image.geometry.to_ras((0, 0, 0)) * (-1, -1, 1), position(3, 0.7))
    # As thick as the file says, at right angles to the slice.
    np.testing.assert_allclose(image.geometry.ijk_to_ras[:3, 2], (0, 0, 2))
    assert "0003.dcm is a single slice: to segment in 3D" in image.warnings[0]


def test_an_x_ray_is_an_image_of_one_slice_in_millimetres_at_the_detector(tmp_path):
    elements = {"ImagePositionPatient": None, "PixelSpacing": None, "SliceThickness": None}
    x_ray = slice_of(VOXELS[0], position(0), Modality="DX", **elements)
    x_ray.ImagerPixelSpacing = [0.2, 0.1]
    image = read_image(write(tmp_path, [x_ray]))
    assert np.array_equal(image.voxels, VOXELS[:1])
    np.testing.assert_allclose(image.geometry.ijk_to_ras, np.diag([-0.1, -0.2, 1, 1]))
    spacing, place = image.warnings
    assert "at the detector" in spacing
    assert "its first pixel is at (0, 0, 0)" in place
