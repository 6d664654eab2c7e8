"""Grey levels: which intensities the network gets to see."""

import numpy as np
import pytest

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.models.slicewise.intensity import (
    CHEST,
    LUNG,
    SOFT_TISSUE,
    GreyLevels,
    possible_grey_levels,
)
from TestSupport.cases import chest_ct

GRID = Geometry(np.eye(4), (4, 8, 8))


def image(voxels, modality=None):
    return Image(voxels, GRID, modality)


def test_the_ends_of_the_range_are_black_and_white():
    levels = GreyLevels(-160, 240)
    assert levels.apply(np.array([-1000, -160, 40, 239.9, 240, 3000])).tolist() == [
        0,
        0,
        127,
        254,
        255,
        255,
    ]


def test_zero_stays_black_in_a_masked_mr():
    levels = GreyLevels(-10, 10, zero_is_background=True)
    assert levels.apply(np.array([-5, 0, 5])).tolist() == [63, 0, 191]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_every_kind_of_number_gives_the_same_grey(dtype):
    values = np.array([0, 20, 100], dtype=dtype)
    assert GreyLevels(10, 90).apply(values).tolist() == [0, 31, 255]


def test_ct_shows_soft_tissue_unless_the_roi_is_mostly_air():
    case = chest_ct()
    tissue = case.image.voxels[case.labels == 7]
    assert possible_grey_levels(case.image, tissue) == (GreyLevels(*SOFT_TISSUE),)
    for lung in (5, 6):
        inside = case.roi(lung).contains_voxels(case.image.geometry)
        levels = possible_grey_levels(case.image, case.image.voxels[inside])
        assert levels == (GreyLevels(*LUNG), GreyLevels(*CHEST))


def test_a_ct_window_is_cut_to_the_intensities_that_occur():
    narrow = image(np.linspace(-500, 100, 256).reshape(GRID.shape), "CT")
    (levels,) = possible_grey_levels(narrow, np.array([0.0]))
    assert (levels.lower, levels.upper) == (-160, 100)


def test_mr_runs_between_percentiles_of_its_positive_voxels():
    voxels = np.zeros(GRID.shape)
    voxels[1:] = np.arange(1, 193).reshape(3, 8, 8)
    (levels,) = possible_grey_levels(image(voxels), voxels)
    assert levels == GreyLevels(*np.percentile(np.arange(1, 193), (0.5, 99.5)), True)


def test_a_volume_with_one_bright_value_still_has_a_range():
    voxels = np.zeros(GRID.shape)
    voxels[2, 3, 3] = 5
    (levels,) = possible_grey_levels(image(voxels), voxels)
    assert levels.lower < levels.upper


def test_a_volume_without_positive_voxels_still_has_a_range():
    voxels = -np.arange(256.0).reshape(GRID.shape) / 10
    (levels,) = possible_grey_levels(image(voxels), voxels)
    assert levels.lower < levels.upper
