"""Proposals with small holes, on the segmentation's grid, wherever that lies."""

import numpy as np
import pytest

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Point
from SAMSegmentLib.core.proposal import propose
from SAMSegmentLib.scene.grid import target_geometry
from SAMSegmentLib.scene.proposal_limits import without_small_parts_steps
from SAMSegmentLib.scene.steps import finish
from SAMSegmentLib.scene.volumes import image_from_volume
from SlicerHost.scene_builder import GRIDS, PARENTS

pytestmark = pytest.mark.mrml

SHAPE = (9, 12, 14)
LEFT, RIGHT = (4, 5, 4), (4, 5, 9)


@pytest.mark.parametrize("parent", ["none", "rotated"])
@pytest.mark.parametrize("grid_name", ["oblique", "LPS order", "gantry tilt"])
def test_a_hole_stays_where_a_negative_point_is_and_only_there(builder, grid_name, parent):
    volume = builder.volume(GRIDS[grid_name], PARENTS[parent], voxels=np.zeros(SHAPE, np.int16))
    segmentation = builder.segmentation(volume, PARENTS[parent])
    image, to_world = image_from_volume(volume)
    mask = np.zeros(SHAPE, bool)
    mask[1:-1, 1:-1, 1:-1] = True
    mask[LEFT] = mask[RIGHT] = False
    logits = np.where(mask, np.float32(9), np.float32(-9))
    prediction = Answer.of(Patch(logits, (0, 0, 0)), image.geometry)
    (proposal,) = propose(prediction, target_geometry(segmentation, to_world))
    world = image.geometry.transformed(to_world)
    points = [
        Point(tuple(world.to_ras(np.array(LEFT[::-1]))), False),
        Point(tuple(world.to_ras(np.array(RIGHT[::-1]))), True),
    ]
    filled = finish(without_small_parts_steps(proposal, segmentation, None, to_world, points))
    whole = filled.patch().on_box((0, 0, 0), SHAPE)
    assert np.argwhere(whole != mask).tolist() == [list(RIGHT)]
    assert proposal.small_parts is None


@pytest.mark.parametrize("grid_name", ["oblique", "LPS order", "gantry tilt"])
def test_a_crumb_stays_where_a_positive_point_is_and_only_there(builder, grid_name):
    parent = PARENTS["rotated"]
    volume = builder.volume(GRIDS[grid_name], parent, voxels=np.zeros(SHAPE, np.int16))
    segmentation = builder.segmentation(volume, parent)
    image, to_world = image_from_volume(volume)
    middle = SHAPE[0] // 2
    clicked, other = (middle, SHAPE[1] - 3, 2), (middle, SHAPE[1] - 3, SHAPE[2] - 3)
    mask = np.zeros(SHAPE, bool)
    mask[:, : SHAPE[1] - 5] = mask[clicked] = mask[other] = True
    logits = np.where(mask, np.float32(9), np.float32(-9))
    answer = Answer.of(Patch(logits, (0, 0, 0)), image.geometry)
    (proposal,) = propose(answer, target_geometry(segmentation, to_world))
    world = image.geometry.transformed(to_world)
    points = [
        Point(tuple(world.to_ras(np.array(clicked[::-1]))), True),
        Point(tuple(world.to_ras(np.array(other[::-1]))), False),
    ]
    tidied = finish(without_small_parts_steps(proposal, segmentation, None, to_world, points))
    whole = tidied.patch().on_box((0, 0, 0), SHAPE)
    assert np.argwhere(whole != mask).tolist() == [list(other)]
    kept = without_small_parts_steps(
        proposal, segmentation, None, to_world, points, fills=True, cleans=False
    )
    assert np.array_equal(finish(kept).patch().on_box((0, 0, 0), SHAPE), mask)
