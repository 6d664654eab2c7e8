"""A volume and an ROI as slices, and prompts on the network's pixels."""

import numpy as np
import pytest
from hypothesis import assume, given, settings

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.models.slicewise.intensity import GreyLevels
from SAMSegmentLib.models.slicewise.slices import PixelGrid, SliceStack, SliceWindow
from TestSupport.bright_network import BrightModel
from TestSupport.cases import shared_case
from TestSupport.geometries import geometries, reorientations
from TestSupport.phantoms import centroid, dice, grid, voxel_positions
from TestSupport.properties import examples
from TestSupport.sections import PICTURES

GREY = GreyLevels(0, 255)
SIZE = 256


def stack_of(geometry: Geometry) -> SliceStack:
    voxels = np.random.default_rng(0).integers(0, 255, geometry.shape).astype(np.uint8)
    return SliceStack(Image(voxels, geometry), GREY, PICTURES)


def picture_of(grey, spacing=(1, 1)):
    """The only channel of the network's picture of a slice; mm between rows and columns."""
    geometry = grid((1, *grey.shape), (*spacing[::-1], 1))
    (picture,) = SliceWindow(SliceStack(Image(grey[None], geometry), GREY, PICTURES), 0).picture()
    return picture


@pytest.mark.parametrize(
    ("shape", "spacing", "fitted"),
    [
        ((512, 512), (0.8, 0.8), (256, 256)),
        ((512, 256), (0.8, 0.8), (256, 128)),
        ((101, 122), (3, 3), (212, 256)),
        ((100, 100), (2, 1), (256, 128)),
        ((4, 1000), (1, 1), (1, 256)),
    ],
)
def test_a_slice_is_fitted_with_square_pixels(shape, spacing, fitted):
    assert PixelGrid(shape, spacing, SIZE).fitted == fitted
    noise = np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)
    picture = picture_of(noise, spacing)
    assert picture.shape == (SIZE, SIZE) and picture.dtype == np.float32
    assert picture.min() == 0 and picture.max() == 1
    assert not picture[fitted[0] :].any() and not picture[:, fitted[1] :].any()


def test_a_slice_of_one_grey_gives_a_black_picture():
    assert not picture_of(np.full((30, 40), 9, np.uint8)).any()


def test_halving_a_slice_averages_four_pixels():
    grey = np.random.default_rng(0).integers(0, 255, (512, 512)).astype(np.uint8)
    expected = grey.reshape(256, 2, 256, 2).mean((1, 3))
    fitted = PixelGrid((512, 512), (1, 1), SIZE).fit(grey)
    assert np.abs(fitted - expected).max() <= 0.5


@settings(max_examples=examples(50))
@given(geometries(), reorientations())
def test_stored_otherwise_the_network_sees_the_same_pictures(geometry, storage):
    stack = stack_of(geometry)
    image = stack.image
    other = Image(storage.apply(image.voxels), storage.apply_to_geometry(geometry))
    again = SliceStack(other, GREY, PICTURES)
    # At 45 degrees two ways to lay slices are equally good; then only their number must agree.
    alignment = np.sort(np.abs(geometry.directions), axis=None)
    assume(np.diff(alignment).min() > 1e-3)
    one, two = (SliceWindow(each, 0).picture() for each in (again, stack))
    assert np.array_equal(one, two)
    assert np.allclose(again.geometry.ijk_to_ras, stack.geometry.ijk_to_ras)


def through_pictures(mask, geometry, model):
    """A mask onto the network's masks, slice by slice, and back to the volume's own grid."""
    stack = SliceStack(Image(mask.astype(np.uint8) * 255, geometry), GREY, model)
    cells = model.size // model.mask_stride
    back = np.zeros(stack.geometry.shape, dtype=bool)
    for index in np.flatnonzero(stack.voxels.any((1, 2))):
        (picture,) = SliceWindow(stack, index).picture()
        cell_means = picture.reshape(cells, model.mask_stride, cells, -1).mean((1, 3))
        back[index] = stack.grid.at_voxels(cell_means - np.float32(0.5)) > 0
    return stack.orientation.undo(back)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        pytest.param("ct_oblique_derived", PICTURES, id="CT, 256 pixels"),
        pytest.param("mr_spine", PICTURES, id="MR, 256 pixels"),
        pytest.param("mr_spine", BrightModel(1024, 16, 4), id="MR, 1024 pixels, masks of 256"),
    ],
)
def test_the_truth_survives_the_networks_pixels_and_back(name, model):
    case = shared_case(name)
    geometry = case.image.geometry
    large = [label for label in np.unique(case.labels)[1:] if (case.labels == label).sum() > 500]
    assert large
    for label in large:
        mask = case.labels == label
        back = through_pictures(mask, geometry, model)
        moved = geometry.ras_to_ijk[:3, :3] @ (centroid(back, geometry) - centroid(mask, geometry))
        assert dice(mask, back) >= 0.98, f"label {label}"
        assert np.abs(moved).max() < 0.5, f"label {label}"


def test_voxel_positions_of_the_stack_are_those_of_the_volume():
    case = shared_case("ct_oblique_derived")
    stack = SliceStack(case.image, GREY, PICTURES)
    there = stack.orientation.undo(voxel_positions(stack.geometry)[..., 0])
    assert np.allclose(there, voxel_positions(case.image.geometry)[..., 0])
