"""Files of many frames: each frame lies where its functional groups say."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.files import read_image
from TestSupport.dicom_files import AXES, VOXELS, J, K, enhanced, position, slice_of, write

ORDER = [3, 0, 7, 5, 1, 6, 2, 4]
PLACES = [position(n) for n in range(K)]
# The shared group's slope is 2 and its intercept -1000.
VALUES = VOXELS * 2.0 - 1000


def saved(path, dataset):
    dataset.save_as(path / "frames.dcm", enforce_file_format=True)
    return path / "frames.dcm"


def refusal(path) -> str:
    with pytest.raises(InputError) as refused:
        read_image(path)
    return str(refused.value)


def test_frames_in_disorder_are_put_in_order(tmp_path):
    frames = enhanced(VOXELS[ORDER], [PLACES[n] for n in ORDER])
    image = read_image(saved(tmp_path, frames))
    assert np.array_equal(image.voxels, VALUES)
    np.testing.assert_allclose(image.geometry.to_ras((0, 0, K - 1)) * (-1, -1, 1), PLACES[-1])
    np.testing.assert_allclose(image.geometry.spacing, (0.5, 0.75, 2))


def test_each_frame_is_rescaled_by_its_own_group(tmp_path):
    frames = enhanced(VOXELS, PLACES)
    for number, group in enumerate(frames.PerFrameFunctionalGroupsSequence):
        own = Dataset()
        own.RescaleSlope, own.RescaleIntercept = 1 + number, number
        group.PixelValueTransformationSequence = Sequence([own])
    numbers = np.arange(K)[:, None, None]
    image = read_image(saved(tmp_path, frames))
    assert np.array_equal(image.voxels, VOXELS * (1.0 + numbers) + numbers)


def test_compressed_frames_in_disorder_are_the_same(tmp_path):
    frames = enhanced(VOXELS[ORDER], [PLACES[n] for n in ORDER])
    frames.compress("1.2.840.10008.1.2.5", generate_instance_uid=False)
    assert np.array_equal(read_image(saved(tmp_path, frames)).voxels, VALUES)


def test_one_volume_in_several_files_is_read_from_their_folder(tmp_path):
    parts = ([0, 2, 4, 6], [1, 3, 5, 7])
    files = [enhanced(VOXELS[part], [PLACES[n] for n in part]) for part in parts]
    assert np.array_equal(read_image(write(tmp_path, files)).voxels, VALUES)


def test_two_stacks_of_other_orientation_are_refused(tmp_path):
    axes = [AXES] * 4 + [(0, 1, 0, 0, 0, -1)] * 4
    places = PLACES[:4] + [(x + 2 * n, y, z) for n, (x, y, z) in enumerate(PLACES[:4])]
    frames = enhanced(VOXELS, places, axes, StackID=["1"] * 4 + ["2"] * 4)
    message = refusal(saved(tmp_path, frames))
    assert "4 as frame 1 of frames.dcm" in message
    assert "another orientation" in message
    assert "dcm2niix" in message


def test_two_stacks_apart_from_each_other_are_refused(tmp_path):
    places = [position(n) for n in (0, 1, 2, 3, 30, 31, 32, 33)]
    frames = enhanced(VOXELS, places, StackID=["1"] * 4 + ["2"] * 4)
    assert "missing between frame 4 of frames.dcm and frame 5" in refusal(saved(tmp_path, frames))


def test_two_time_points_are_refused(tmp_path):
    frames = enhanced(
        VOXELS, PLACES[:4] * 2, TemporalPositionIndex=[1] * 4 + [2] * 4, StackID=["1"] * K
    )
    message = refusal(saved(tmp_path, frames))
    assert "2 volumes at the same place" in message
    assert "time point 1 and 2" in message


def test_a_tilted_stack_of_frames_is_sheared(tmp_path):
    frames = enhanced(VOXELS[ORDER], [position(n, 0.7) for n in ORDER])
    image = read_image(saved(tmp_path, frames))
    assert np.array_equal(image.voxels, VALUES)
    np.testing.assert_allclose(image.geometry.ijk_to_ras[:3, 2], (0, -0.7, 2), atol=1e-12)


def test_frames_that_are_not_all_described_are_refused(tmp_path):
    frames = enhanced(VOXELS, PLACES)
    del frames.PerFrameFunctionalGroupsSequence[-1]
    assert "holds 8 frames but describes 7" in refusal(saved(tmp_path, frames))


@pytest.mark.parametrize("direction", [1, -1], ids=["up", "down"])
def test_a_nuclear_image_names_the_place_of_its_first_slice(tmp_path, direction):
    dataset = slice_of(VOXELS, (0, 0, 0), Modality="NM", SpacingBetweenSlices=3.0 * direction)
    detector = Dataset()
    detector.ImagePositionPatient, detector.ImageOrientationPatient = [5, 6, 7], list(AXES)
    dataset.DetectorInformationSequence = Sequence([detector])
    del dataset.ImagePositionPatient, dataset.ImageOrientationPatient
    dataset.FrameIncrementPointer = Tag(0x0054, 0x0080)
    image = read_image(saved(tmp_path, dataset))
    assert np.array_equal(image.voxels[::direction], VOXELS)
    first = 0 if direction > 0 else K - 1
    np.testing.assert_allclose(image.geometry.to_ras((0, 0, first)), (-5, -6, 7))
    assert image.geometry.spacing[2] == pytest.approx(3)
    assert image.voxels.shape[1] == J
