"""Any 2D network that says its size, stride, channels and prompts segments volumes."""

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from SAMSegmentLib.models.regions import RoiOnGrid
from SAMSegmentLib.models.slicewise.model import BOXES, MASKS, POINTS, SlicePrompts, part_around
from SAMSegmentLib.models.slicewise.slices import PixelGrid, SliceStack
from SAMSegmentLib.models.slicewise.tracking import BOX_MARGIN
from SAMSegmentLib.models.slicewise.views import View
from TestSupport.bright_network import BrightModel, bright_engine
from TestSupport.phantoms import ball, dice, grid, image_of
from TestSupport.sections import GREY

GEOMETRY = grid((24, 60, 60), (1.5, 1.5, 1.5))
CENTER, RADIUS = (40.5, 45.0, 18.0), 13.0
BALL = ball(GEOMETRY, CENTER, RADIUS)
OTHER = ball(GEOMETRY, (70.5, 45.0, 18.0), 9.0)

MODELS = {
    "smaller": lambda: BrightModel(128, stride=8),
    "larger, coarse masks, colour": lambda: BrightModel(512, 16, 4, 3),
    "points and masks, too": lambda: BrightModel(512, 16, 4, 3, (BOXES, POINTS, MASKS)),
    "as small as SAM-Med2D": lambda: BrightModel(256, 16, 4, 3, (BOXES, POINTS)),
}
PROMPTS = {
    "an ROI": (Prompts(Roi.from_box(CENTER, (32, 32, 32))), None),
    "a click": (Prompts(points=(Point((43, 43, 20)),)), None),
    "a line": (Prompts(line=Line((27.5, 45, 18), (53.5, 45, 18))), None),
    "rough content": (
        Prompts(),
        VoxelPrompts(Patch(ndimage.binary_erosion(BALL, iterations=2), (0, 0, 0)), refine=True),
    ),
}


def tissue() -> Image:
    noise = np.random.default_rng(0).normal(0, 8, GEOMETRY.shape)
    return Image((np.where(BALL | OTHER, 180, 20) + noise).astype(np.int16), GEOMETRY, "CT")


IMAGE = tissue()


@cache
def of_256_pixels(name: str) -> np.ndarray:
    """The mask that a network of LiteMedSAM's size gives for prompts."""
    prompts, voxels = PROMPTS[name]
    return bright_engine().predict(IMAGE, prompts, Watch(), voxels=voxels).mask()


@pytest.mark.parametrize("model", MODELS)
def test_a_network_of_any_size_finds_what_one_of_256_pixels_finds(model):
    engine = bright_engine(MODELS[model]())
    for name, (prompts, voxels) in PROMPTS.items():
        mask = engine.predict(IMAGE, prompts, Watch(), voxels=voxels).mask()
        assert dice(mask, BALL) > 0.9 and dice(mask, of_256_pixels(name)) > 0.9, name


@pytest.mark.parametrize("model", MODELS)
def test_a_correcting_click_adds_another_object_and_takes_it_away_again(model):
    engine = bright_engine(MODELS[model]())
    first, more, less = Point(CENTER), Point((70.5, 45, 18)), Point((74, 45, 18), False)
    both = engine.predict(IMAGE, Prompts(points=(first, more)), Watch()).mask()
    assert dice(both, BALL | OTHER) > 0.85
    without = engine.predict(IMAGE, Prompts(points=(first, less)), Watch()).mask()
    assert dice(without, BALL) > 0.9


def test_a_network_gets_the_kinds_of_prompts_that_it_takes_and_no_others():
    for kinds in ((BOXES,), (BOXES, POINTS), (BOXES, POINTS, MASKS)):
        model = BrightModel(128, 8, 1, 1, kinds)
        bright_engine(model).predict(IMAGE, Prompts(points=(Point(CENTER),)), Watch())
        asked = set().union(*model.asked)
        assert asked == set(kinds)
        assert {POINTS} in model.asked or POINTS not in kinds


@pytest.mark.parametrize(("size", "stride"), [(256, 1), (512, 4), (1024, 4)])
def test_a_mask_given_as_a_prompt_lies_where_the_networks_own_masks_lie(size, stride):
    model = BrightModel(size, 16, stride, 1, (BOXES, MASKS))
    stack = SliceStack(image_of(BALL, GEOMETRY), GREY, model)
    region = RoiOnGrid(Roi.from_box(CENTER, (40, 36, 30)), stack.geometry)
    given = []

    def decode(montage, index, prompts: SlicePrompts):
        given.append(prompts.masks)
        return prompts.masks[:, None], np.ones((1, 1))

    view = View(stack, region, range(len(region.slices)), decode)
    key = 8
    section = np.where(view.own(BALL)[region.box][key], 4.0, -4.0).astype(np.float32)
    back = view.ask_again(key, view.limit(key), section)
    assert given[0].shape == (1, view.tile.side // stride, view.tile.side // stride)
    assert dice(back.mask, section > 0) > 0.95


@given(st.tuples(*[st.integers(0, 256)] * 4), st.sampled_from([(256, 4), (512, 16), (1024, 16)]))
def test_the_part_of_a_picture_around_a_box_is_a_square_of_whole_cells_that_holds_it(box, picture):
    size, stride = picture
    x0, x1 = sorted(box[:2])
    y0, y1 = sorted(box[2:])
    row, column, side = part_around((x0, y0, x1, y1), size, stride)
    assert row % stride == column % stride == side % stride == 0
    assert 3 * size // 8 <= side <= size
    assert 0 <= row <= size - side and 0 <= column <= size - side
    if 2 * max(x1 - x0, y1 - y0) <= size:
        assert column <= x0 and x1 <= column + side and row <= y0 and y1 <= row + side


def test_margins_are_shares_of_the_picture():
    for size, margin in ((256, 3), (1024, 12)):
        assert PixelGrid((40, 40), (1, 1), size).pixels(BOX_MARGIN) == margin
