"""Parts of four slices in one picture: where they lie, and that they come back from there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.orientation import all_planes
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.models.regions import RoiOnGrid
from SAMSegmentLib.models.slicewise.intensity import GreyLevels
from SAMSegmentLib.models.slicewise.montage import (
    LARGEST_ZOOM,
    SMALLEST_REGION,
    TILES,
    Montage,
    Tile,
)
from SAMSegmentLib.models.slicewise.slices import SliceStack
from TestSupport.geometries import geometries
from TestSupport.phantoms import grid
from TestSupport.properties import examples
from TestSupport.sections import PICTURES

GREY = GreyLevels(0, 255)
SIZE = 256
SIDE = SIZE // TILES


def stack_of(geometry, voxels=None, grey=GREY, plane=None) -> SliceStack:
    if voxels is None:
        voxels = np.random.default_rng(0).integers(1, 255, geometry.shape).astype(np.uint8)
    return SliceStack(Image(voxels, geometry), grey, PICTURES, plane)


def region_of(stack, low, high) -> RoiOnGrid:
    """The region of a stack's voxels from `low` to `high` (slice, row, column)."""
    low, high = np.array(low), np.array(high)
    box = np.eye(4)
    box[:3, :3] = np.diag((high - low + 0.9)[::-1])
    box[:3, 3] = (low + high)[::-1] / 2
    return RoiOnGrid(Roi(stack.geometry.ijk_to_ras @ box), stack.geometry)


@st.composite
def regions(draw):
    """Some box of voxels of some stack, also along the volume's border."""
    geometry = draw(geometries())
    plane = draw(st.sampled_from(all_planes(geometry)))
    stack = stack_of(geometry, plane=plane)
    ends = [sorted(draw(st.tuples(*[st.integers(0, n - 1)] * 2))) for n in stack.geometry.shape]
    return stack, region_of(stack, *zip(*ends, strict=True))


@settings(max_examples=examples(60))
@given(regions())
def test_a_tile_holds_its_region_at_the_networks_proportions(case):
    stack, region = case
    tile = Tile.around(region, stack.grid)
    assert tile.side == SIDE
    first, last = region.start[1:], region.stop[1:] + 1
    assert (tile.start <= first + 1e-6).all()
    assert (np.array(tile.start) + SIDE / np.array(tile.scale) >= last - 1e-6).all()
    # As in a whole slice, pixels are square.
    assert np.allclose(np.divide(*tile.scale), np.divide(*stack.grid.scale))
    assert (tile.scale <= LARGEST_ZOOM * stack.grid.scale + 1e-9).all()


@pytest.mark.parametrize(
    ("edge", "zoom"),
    [
        pytest.param(2, LARGEST_ZOOM, id="a speck is enlarged up to the limit"),
        pytest.param(24, SMALLEST_REGION * SIZE / (1.15 * 24), id="a lesion is enlarged"),
        pytest.param(80, 1.0, id="an organ is seen as in its whole slice"),
        pytest.param(200, SIDE / (1.15 * 200), id="what is too large for the tile is made smaller"),
    ],
)
def test_how_large_a_region_is_shown(edge, zoom):
    stack = stack_of(grid((3, 256, 256)))
    assert np.allclose(stack.grid.scale, 1)
    low = 128 - edge // 2
    region = region_of(stack, (1, low, low), (1, low + edge - 1, low + edge - 1))
    assert region.voxel_box(1) == (low, low, low + edge - 1, low + edge - 1)
    tile = Tile.around(region, stack.grid)
    assert tile.scale == pytest.approx((zoom, zoom), rel=0.02)


@settings(max_examples=examples(60))
@given(regions())
def test_logits_on_the_tile_come_back_to_the_voxels_that_the_box_was_put_around(case):
    stack, region = case
    tile = Tile.around(region, stack.grid)
    index = int(region.start[0])
    top, left, bottom, right = region.voxel_box(index)
    x0, y0, x1, y1 = tile.box((top, left), (bottom + 1, right + 1))
    logits = np.full((SIDE, SIDE), -1, np.float32)
    logits[y0:y1, x0:x1] = 1

    rows, columns = tile.weights(*(range(n) for n in stack.grid.shape))
    back = rows @ logits @ columns.T > 0
    found = np.argwhere(back)
    # A voxel, or the voxels that a pixel touches where the network's pixels are the coarser ones.
    allowed = np.ceil(np.maximum(1, 1 / np.array(tile.scale)))
    if min((bottom + 1 - top) * tile.scale[0], (right + 1 - left) * tile.scale[1]) >= 3:
        assert (np.abs(found.min(0) - (top, left)) <= allowed).all()
        inner = [end < n - 1 for end, n in zip((bottom, right), stack.grid.shape, strict=True)]
        away = np.abs(found.max(0) - (bottom, right))
        assert (away[inner] <= allowed[inner]).all()


def test_a_gradient_seen_through_a_tile_is_the_gradient_at_the_voxels():
    geometry = grid((6, 80, 90))
    rows, columns = np.indices((80, 90))
    voxels = np.broadcast_to(2 * rows + columns, geometry.shape).astype(np.uint8)
    stack = stack_of(geometry, voxels, plane=None)
    region = region_of(stack, (2, 20, 30), (4, 50, 60))
    tile = Tile.around(region, stack.grid)
    seen = tile.picture(stack.voxels[3])
    to_rows, to_columns = tile.weights(range(20, 51), range(30, 61))
    off = to_rows @ seen @ to_columns.T - stack.voxels[3, 20:51, 30:61]
    assert np.abs(off).max() <= 1.5 and abs(off.mean()) < 0.1


def test_around_the_slice_the_tile_is_black():
    geometry = grid((4, 20, 60), (1, 1, 3))
    stack = stack_of(geometry, np.full(geometry.shape, 200, np.uint8))
    tile = Tile.around(region_of(stack, (1, 0, 0), (2, 19, 59)), stack.grid)
    picture = tile.picture(stack.voxels[1])
    row = (np.arange(SIDE) + 0.5) / tile.scale[0] + tile.start[0]
    column = (np.arange(SIDE) + 0.5) / tile.scale[1] + tile.start[1]
    half = 0.5 / np.array(tile.scale)
    outside_rows = (row < -half[0]) | (row > 20 + half[0])
    inside = np.outer((row > half[0]) & (row < 20 - half[0]), (column > half[1]) & (column < 59))
    assert outside_rows.any()
    assert not picture[outside_rows].any()
    assert (picture[inside] == 200).all()


def test_each_corner_of_the_picture_shows_its_own_slice():
    geometry = grid((9, 40, 40), (2, 2, 3))
    values = np.arange(1, 10, dtype=np.uint8)[:, None, None] * 20
    voxels = np.broadcast_to(values, geometry.shape).copy()
    stack = stack_of(geometry, voxels)
    tile = Tile.around(region_of(stack, (2, 10, 10), (6, 29, 29)), stack.grid)
    montage = Montage(stack, tile, (2, 3, 5, 6))
    (picture,) = montage.picture()
    assert picture.shape == (SIZE, SIZE) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() == 1
    corners = [montage.part(index)[:2] for index in montage.indices]
    assert corners == [(0, 0), (0, SIDE), (SIDE, 0), (SIDE, SIDE)]
    for index, (row, column) in zip(montage.indices, corners, strict=True):
        shown = picture[row : row + SIDE, column : column + SIDE]
        expected = tile.picture(GREY.apply(stack.voxels[index]))
        assert np.allclose(shown / shown.max(), expected / expected.max())
        assert shown.max() == pytest.approx(stack.voxels[index].max() / stack.voxels[6].max())


def test_fewer_than_four_slices_are_shown_again_in_the_free_places():
    stack = stack_of(grid((6, 40, 40)))
    tile = Tile.around(region_of(stack, (1, 5, 5), (3, 30, 30)), stack.grid)
    (picture,) = Montage(stack, tile, (1, 2)).picture()
    assert picture[:SIDE].any() and np.array_equal(picture[:SIDE], picture[SIDE:])


def test_a_black_volume_gives_a_black_picture():
    geometry = grid((6, 40, 40))
    stack = stack_of(geometry, np.zeros(geometry.shape, np.uint8))
    tile = Tile.around(region_of(stack, (1, 5, 5), (3, 30, 30)), stack.grid)
    assert not Montage(stack, tile, (1, 2, 3)).picture().any()


def test_the_key_tells_pictures_apart_by_anything_that_they_show():
    geometry = grid((12, 40, 40), (2, 2, 2))
    stack = stack_of(geometry)
    other_way = stack_of(geometry, stack.image.voxels, plane=all_planes(geometry)[1])
    tile = Tile.around(region_of(stack, (1, 5, 5), (3, 20, 20)), stack.grid)
    elsewhere = Tile.around(region_of(stack, (1, 15, 5), (3, 38, 20)), stack.grid)
    keys = [
        Montage(stack, tile, (1, 2, 3)).key,
        Montage(stack, tile, (1, 2, 4)).key,
        Montage(stack, tile, (2, 1, 3)).key,
        Montage(stack, elsewhere, (1, 2, 3)).key,
        Montage(stack_of(geometry, grey=GreyLevels(0, 100)), tile, (1, 2, 3)).key,
        Montage(other_way, tile, (1, 2, 3)).key,
    ]
    assert len(set(keys)) == len(keys)
    again = Tile.around(region_of(stack, (1, 5, 5), (3, 20, 20)), stack.grid)
    assert Montage(stack_of(geometry), again, (1, 2, 3)).key == keys[0]
