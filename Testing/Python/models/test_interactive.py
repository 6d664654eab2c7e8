"""Which prompt makes the first mask, and which correct it."""

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from SAMSegmentLib.models.interactive import IN_OCCUPIED, Request
from TestSupport.phantoms import ball, grid, image_of

GEOMETRY = grid((10, 20, 20), (2, 2, 2))
BALL = ball(GEOMETRY, (20, 20, 10), 6)
IMAGE = image_of(BALL, GEOMETRY)
ROI, LINE = Roi.from_box((20, 20, 10), (14, 14, 14)), Line((14, 20, 10), (26, 20, 10))
ON, BESIDE, OTHER = Point((20, 20, 10)), Point((4, 4, 4), False), Point((22, 20, 10))
WHOLE = Patch(BALL, (0, 0, 0))
NOTHING = Patch(np.zeros_like(BALL), (0, 0, 0))
NEEDS = "The model needs a positive point."


def request(voxels=None, intensity_range=None, image=IMAGE):
    return Request.of(image, Watch(), intensity_range, voxels)


@pytest.mark.parametrize(
    ("prompts", "first", "clicks"),
    [
        (Prompts(ROI, (BESIDE, ON)), Prompts(ROI), (BESIDE, ON)),
        (Prompts(None, (BESIDE, ON), LINE), Prompts(line=LINE), (BESIDE, ON)),
        (Prompts(ROI, (ON,), LINE), Prompts(ROI, (), LINE), (ON,)),
        (Prompts(points=(ON, OTHER)), Prompts(points=(ON,)), (OTHER,)),
        (Prompts(points=(BESIDE, ON, OTHER)), Prompts(points=(ON,)), (BESIDE, OTHER)),
    ],
)
def test_an_roi_and_a_line_come_before_points_and_a_positive_point_before_negative_ones(
    prompts, first, clicks
):
    assert request().split(prompts, NEEDS) == (first, clicks)


@pytest.mark.parametrize("prompts", [Prompts(), Prompts(points=(BESIDE,))])
def test_without_anything_positive_there_is_nothing_to_begin_with(prompts):
    with pytest.raises(InputError, match=NEEDS):
        request().split(prompts, NEEDS)
    assert request(VoxelPrompts(WHOLE)).split(prompts, NEEDS) == (Prompts(), prompts.points)
    with pytest.raises(InputError, match=NEEDS):
        request(VoxelPrompts(NOTHING)).split(prompts, NEEDS)


def test_empty_masks_are_as_none():
    empty = request(VoxelPrompts(NOTHING, True, NOTHING))
    assert empty.content is None and empty.occupied is None


def test_what_others_hold_is_no_content():
    half = BALL.copy()
    half[:, :, :10] = False
    there = request(VoxelPrompts(WHOLE, occupied=Patch(half, (0, 0, 0))))
    assert np.array_equal(there.content.on_box((0, 0, 0), BALL.shape), BALL & ~half)
    assert request(VoxelPrompts(WHOLE, occupied=WHOLE)).content is None


def test_only_the_same_question_has_the_same_key():
    asked = [
        request(),
        request(VoxelPrompts(WHOLE)),
        request(VoxelPrompts(WHOLE, True)),
        request(VoxelPrompts(occupied=WHOLE)),
        request(intensity_range=(0, 100)),
        request(image=image_of(BALL, GEOMETRY)),
    ]
    assert len({each.key for each in asked}) == len(asked)
    assert request(VoxelPrompts(WHOLE)).key == request(VoxelPrompts(Patch(BALL, (0, 0, 0)))).key
    assert request().key == request(VoxelPrompts()).key


def test_a_positive_point_in_another_segment_gives_a_warning():
    occupied = request(VoxelPrompts(occupied=WHOLE))
    assert occupied.warnings(Prompts(points=(ON,))) == (IN_OCCUPIED,)
    assert occupied.warnings(Prompts(points=(Point(ON.ras, False), Point(BESIDE.ras)))) == ()
    assert request().warnings(Prompts(points=(ON,))) == ()


def test_one_point_given_twice_is_two_points():
    first, clicks = request().split(Prompts(points=(ON, ON)), NEEDS)
    assert first.points == (ON,) and clicks == (ON,)
