"""Volumes: taken as they are, or refused with the reason."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image, geometry_of_sitk, image_from_sitk, sitk_from_array
from TestSupport.cases import chest_ct, shared_case
from TestSupport.geometries import geometries

GRID = Geometry(np.eye(4), (3, 4, 5))


@given(geometries())
def test_a_grid_goes_through_simpleitk_and_back(geometry):
    back = geometry_of_sitk(sitk_from_array(np.zeros(geometry.shape, np.uint8), geometry))
    assert back.shape == geometry.shape
    assert np.allclose(back.corners(), geometry.corners(), atol=1e-6)


@given(geometries())
def test_simpleitk_and_the_grid_agree_on_where_a_voxel_is(geometry):
    image = sitk_from_array(np.zeros(geometry.shape, np.uint8), geometry)
    i, j, k = (n - 1 for n in image.GetSize())
    lps = image.TransformIndexToPhysicalPoint((i, j, k))
    assert np.allclose(np.array(lps) * (-1, -1, 1), geometry.to_ras([i, j, k]), atol=1e-6)


def test_voxels_of_a_simpleitk_image_are_not_copied():
    source = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    before = sitk.GetArrayViewFromImage(source).__array_interface__["data"]
    assert image_from_sitk(source).voxels.__array_interface__["data"] == before


def test_voxels_outlive_the_simpleitk_image():
    voxels = np.random.default_rng(0).integers(0, 999, (64, 128, 128)).astype(np.int16)
    view = image_from_sitk(sitk.GetImageFromArray(voxels)).voxels[1:]
    # Large blocks go back to the system when freed; new ones would land there.
    others = [np.full(voxels.shape, 7, np.int16) for _ in range(8)]
    assert np.array_equal(view, voxels[1:])
    del others


def test_whoever_changes_the_simpleitk_image_later_changes_nothing_here():
    source = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    image = image_from_sitk(source)
    other = sitk.Image(source)
    source[0, 0, 0] = 99
    source.SetOrigin((7, 7, 7))
    del other
    assert image.voxels.ravel().tolist() == list(range(60))
    assert image.owner.GetOrigin() == (0, 0, 0)


def test_a_time_series_of_one_time_point_is_a_volume():
    source = sitk.GetImageFromArray(np.random.rand(1, 3, 4, 5), isVector=False)
    assert image_from_sitk(source).voxels.shape == (3, 4, 5)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (sitk.Image([4, 4, 4, 3], sitk.sitkInt16), "4 dimensions"),
        (sitk.Image([4, 4, 4], sitk.sitkVectorUInt8, 3), "3 components"),
        (sitk.Image([4, 1, 1], sitk.sitkInt16), "single row"),
        (sitk.Image([4, 4, 4], sitk.sitkComplexFloat32), "not intensities"),
    ],
)
def test_what_is_no_3d_scalar_volume_is_refused(source, says):
    with pytest.raises(InputError, match=says):
        image_from_sitk(source)


def test_a_2d_image_is_a_slice_where_it_says():
    source = sitk.GetImageFromArray(np.arange(12, dtype=np.int16).reshape(3, 4))
    source.SetSpacing((0.5, 0.25))
    source.SetOrigin((10, -20))
    source.SetDirection((0, -1, 1, 0))
    image = image_from_sitk(source)
    assert image.voxels.shape == (1, 3, 4) and image.geometry.slice_axis == 0
    assert np.array_equal(image.voxels[0], sitk.GetArrayFromImage(source))
    for index in ((0, 0), (3, 2)):
        x, y = source.TransformIndexToPhysicalPoint(index)
        assert np.allclose(image.geometry.to_ras([*index, 0]), (-x, -y, 0))


def test_an_empty_volume_is_refused():
    with pytest.raises(InputError, match="empty"):
        Image(np.zeros((0, 4, 5)), GRID)


def test_voxels_that_do_not_fit_the_grid_are_refused():
    with pytest.raises(InputError, match="do not match"):
        Image(np.zeros((3, 4, 6)), GRID)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_volume_with_nan_or_infinite_voxels_is_refused(bad):
    voxels = np.random.rand(3, 4, 5)
    voxels[1, 2, 3] = bad
    with pytest.raises(InputError, match="NaN or infinite"):
        _ = Image(voxels, GRID).value_range


def test_a_constant_volume_is_refused():
    with pytest.raises(InputError, match="Every voxel of the volume is 7"):
        _ = Image(np.full((3, 4, 5), 7), GRID).value_range


def test_two_images_never_share_a_key_by_accident():
    voxels = np.random.rand(3, 4, 5)
    assert Image(voxels, GRID).key != Image(voxels, GRID).key


def test_real_ct_is_recognised_and_mr_is_not():
    assert chest_ct().image.is_ct
    assert shared_case("ct_lung").image.is_ct
    assert not shared_case("mr_abdomen_3mm").image.is_ct
    assert not shared_case("mr_brain_ms_lesions").image.is_ct


def test_the_file_knows_better_than_the_numbers():
    dark = np.linspace(-1000, 500, 60).reshape(GRID.shape)
    assert not Image(dark, GRID, "MR").is_ct
    assert Image(np.abs(dark), GRID, "CT").is_ct
