"""A volume and an ROI as slices, and prompts on the network's pixels."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.models.slicewise.intensity import GreyLevels
from SAMSegmentLib.models.slicewise.slices import PixelGrid, SliceStack, SliceWindow
from TestSupport.cases import shared_case
from TestSupport.geometries import geometries, reorientations
from TestSupport.phantoms import centroid, dice, voxel_positions
from TestSupport.properties import examples

GREY = GreyLevels(0, 255)
SIZE = 256


def stack_of(geometry: Geometry) -> SliceStack:
    voxels = np.random.default_rng(0).integers(0, 255, geometry.shape).astype(np.uint8)
    return SliceStack(Image(voxels, geometry), GREY, SIZE)


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
    grid = PixelGrid(shape, spacing, SIZE)
    assert grid.fitted == fitted
    picture = grid.picture(np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8))
    assert picture.shape == (SIZE, SIZE) and picture.dtype == np.float32
    assert picture.min() == 0 and picture.max() == 1
    assert not picture[fitted[0] :].any() and not picture[:, fitted[1] :].any()


def test_a_slice_of_one_grey_gives_a_black_picture():
    picture = PixelGrid((30, 40), (1, 1), SIZE).picture(np.full((30, 40), 9, np.uint8))
    assert not picture.any()


def test_halving_a_slice_averages_four_pixels():
    grey = np.random.default_rng(0).integers(0, 255, (512, 512)).astype(np.uint8)
    expected = grey.reshape(256, 2, 256, 2).mean((1, 3))
    fitted = PixelGrid((512, 512), (1, 1), SIZE).fit(grey)
    assert np.abs(fitted - expected).max() <= 0.5


@settings(max_examples=examples(50))
@given(geometries(), st.data())
def test_a_position_goes_to_the_networks_pixels_and_back_within_half_a_voxel(geometry, data):
    stack = stack_of(geometry)
    index = data.draw(st.integers(0, stack.geometry.shape[0] - 1))
    window = SliceWindow(stack, index)
    row = data.draw(st.integers(0, stack.geometry.shape[1] - 1))
    column = data.draw(st.integers(0, stack.geometry.shape[2] - 1))
    ras = stack.geometry.to_ras([column, row, index])

    pixel = window.geometry.to_ijk(ras)
    rows, columns = stack.grid.fitted
    assert -0.5 <= pixel[0] <= columns - 0.5 and -0.5 <= pixel[1] <= rows - 0.5
    assert abs(pixel[2]) < 1e-6
    # The network's picture may be coarser than the slice: allow for its rounding to pixels.
    back = geometry.to_ijk(window.geometry.to_ras(pixel))
    assert np.abs(back - geometry.to_ijk(ras)).max() < 0.5
    rounded = stack.geometry.to_ijk(window.geometry.to_ras(np.rint(pixel)))
    pixel_in_voxels = np.array(stack.grid.shape[::-1]) / stack.grid.fitted[::-1]
    assert (np.abs(rounded[:2] - (column, row)) <= pixel_in_voxels / 2 + 1e-6).all()


@settings(max_examples=examples(50))
@given(geometries(), reorientations())
def test_stored_otherwise_the_network_sees_the_same_pictures(geometry, storage):
    stack = stack_of(geometry)
    image = stack.image
    other = Image(storage.apply(image.voxels), storage.apply_to_geometry(geometry))
    again = SliceStack(other, GREY, SIZE)
    # At 45 degrees two ways to lay slices are equally good; then only their number must agree.
    alignment = np.sort(np.abs(geometry.directions), axis=None)
    assume(np.diff(alignment).min() > 1e-3)
    assert np.array_equal(again.picture(0), stack.picture(0))
    assert np.allclose(again.geometry.ijk_to_ras, stack.geometry.ijk_to_ras)


def through_pictures(mask, geometry):
    """A mask onto the network's pixels, slice by slice, and back to the volume's own grid."""
    torch = pytest.importorskip("torch")
    stack = SliceStack(Image(mask.astype(np.uint8) * 255, geometry), GREY, SIZE)
    rows, columns = stack.grid.fitted
    back = np.zeros(stack.geometry.shape, dtype=bool)
    for index in range(len(back)):
        logits = stack.grid.fit(stack.voxels[index]).astype(np.float32) - 127.5
        back[index] = (
            torch.nn.functional.interpolate(
                torch.from_numpy(logits)[None, None],
                size=stack.grid.shape,
                mode="bilinear",
                align_corners=False,
            )[0, 0].numpy()
            > 0
        )
    assert (rows, columns) <= (SIZE, SIZE)
    return stack.orientation.undo(back)


@pytest.mark.parametrize("name", ["ct_oblique_derived", "mr_spine"])
def test_the_truth_survives_the_networks_pixels_and_back(name):
    case = shared_case(name)
    geometry = case.image.geometry
    large = [label for label in np.unique(case.labels)[1:] if (case.labels == label).sum() > 500]
    assert large
    for label in large:
        mask = case.labels == label
        back = through_pictures(mask, geometry)
        moved = geometry.ras_to_ijk[:3, :3] @ (centroid(back, geometry) - centroid(mask, geometry))
        assert dice(mask, back) >= 0.98, f"label {label}"
        assert np.abs(moved).max() < 0.5, f"label {label}"


def test_voxel_positions_of_the_stack_are_those_of_the_volume():
    case = shared_case("ct_oblique_derived")
    stack = SliceStack(case.image, GREY, SIZE)
    there = stack.orientation.undo(voxel_positions(stack.geometry)[..., 0])
    assert np.allclose(there, voxel_positions(case.image.geometry)[..., 0])
