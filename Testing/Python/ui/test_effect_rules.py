"""The effect under the Segment Editor's rules: masking, overwriting, other segments, content."""

import numpy as np
import pytest
import slicer

from SAMSegmentLib.scene.grid import reference_grid
from SlicerHost.studio import affine, segments_of
from TestSupport.phantoms import ball, dice

from .conftest import BALL, GRID, RADIUS, SMALL, SMALL_RADIUS

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)
UPPER = np.zeros(GRID.shape, dtype=bool)
UPPER[6:] = True
NODE = slicer.vtkMRMLSegmentEditorNode
SEGMENTATION = slicer.vtkMRMLSegmentationNode


def paint(desk, segment_id, mask) -> None:
    """What another effect has done before."""
    labelmap = reference_grid(desk.segmentation).labelmap((0, 0, 0), mask)
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(
        labelmap,
        desk.segmentation,
        segment_id,
        slicer.vtkSlicerSegmentationsModuleLogic.MODE_REPLACE,
    )


@pytest.mark.parametrize(
    "mode", ["OverwriteNone", "OverwriteAllSegments", "OverwriteVisibleSegments"]
)
def test_every_overwrite_mode_is_honoured(desk, mode):
    desk.button("keepOutBox", False)
    paint(desk, desk.second, UPPER)
    node = desk.editor.mrmlSegmentEditorNode()
    node.SetOverwriteMode(getattr(NODE, mode))
    mask = desk.propose(BALL)
    desk.apply()
    assert (desk.mask() == mask).all()
    expected = UPPER if mode == "OverwriteNone" else UPPER & ~mask
    assert (desk.mask(desk.second) == expected).all()
    assert node.GetOverwriteMode() == getattr(NODE, mode)
    desk.editor.undo()
    assert not desk.mask().any() and (desk.mask(desk.second) == UPPER).all()


def test_the_editable_area_is_honoured(desk):
    paint(desk, desk.second, UPPER)
    desk.button("keepOutBox", False)
    node = desk.editor.mrmlSegmentEditorNode()
    node.SetMaskSegmentID(desk.second)
    node.SetMaskMode(SEGMENTATION.EditAllowedInsideSingleSegment)
    mask = desk.propose(BALL)
    desk.apply()
    assert (desk.mask() == (mask & UPPER)).all()
    assert "editable area" in desk.status


@pytest.mark.parametrize(
    "mode", ["InsideSingleSegment", "InsideAllSegments", "InsideVisibleSegments"]
)
def test_segments_that_are_the_editable_area_are_no_obstacle(desk, mode):
    paint(desk, desk.second, UPPER)
    node = desk.editor.mrmlSegmentEditorNode()
    node.SetMaskSegmentID(desk.second)
    limited = desk.propose(BALL)
    assert desk.ui.keepOutBox.checked and not (limited & UPPER).any()
    # The change asks anew.
    node.SetMaskMode(getattr(SEGMENTATION, f"EditAllowed{mode}"))
    mask = desk.proposal()
    assert dice(mask, TRUTH) > 0.95
    desk.apply()
    assert (desk.mask() == (mask & UPPER)).all() and desk.mask().any()


def test_other_segments_inside_the_editable_area_keep_their_voxels(desk):
    paint(desk, desk.second, UPPER)
    third = desk.segmentation.GetSegmentation().AddEmptySegment("", "Vessel")
    vessel = ball(GRID, (33.0, 30.0, 24.0), 4.0)
    paint(desk, third, vessel)
    node = desk.editor.mrmlSegmentEditorNode()
    node.SetOverwriteMode(NODE.OverwriteNone)
    node.SetMaskSegmentID(desk.second)
    node.SetMaskMode(SEGMENTATION.EditAllowedInsideSingleSegment)
    desk.propose(BALL)
    desk.apply()
    assert desk.mask().any() and not (desk.mask() & vessel).any()
    assert not (desk.mask() & ~UPPER).any()


@pytest.mark.parametrize("mode", ["OutsideAllSegments", "OutsideVisibleSegments"])
def test_editing_outside_segments_and_keeping_out_of_them_agree(desk, mode):
    paint(desk, desk.second, UPPER)
    node = desk.editor.mrmlSegmentEditorNode()
    node.SetMaskMode(getattr(SEGMENTATION, f"EditAllowed{mode}"))
    mask = desk.propose(BALL)
    desk.apply()
    assert (desk.mask() == mask).all() and not (mask & UPPER).any()


def test_the_editable_intensity_range_is_honoured(desk):
    node = desk.editor.mrmlSegmentEditorNode()
    node.SetSourceVolumeIntensityMask(True)
    node.SetSourceVolumeIntensityMaskRange(0, 100)
    mask = desk.propose(BALL)
    desk.propose((33, 30, 33))  # grey tissue above the ball
    desk.apply()
    assert desk.mask().any()
    assert not (desk.mask() & TRUTH & mask).any()


def test_with_nothing_editable_the_panel_says_so_and_nothing_changes(desk):
    node = desk.editor.mrmlSegmentEditorNode()
    node.SetMaskSegmentID(desk.second)
    node.SetMaskMode(SEGMENTATION.EditAllowedInsideSingleSegment)
    before = segments_of(desk.segmentation)
    mask = desk.propose(BALL)
    desk.apply()
    assert "Editable area" in desk.status
    assert segments_of(desk.segmentation) == before
    assert (desk.preview_mask() == mask).all()


def test_other_visible_segments_keep_their_voxels(desk):
    paint(desk, desk.second, UPPER)
    mask = desk.propose(BALL)
    assert not (mask & UPPER).any() and dice(mask, TRUTH & ~UPPER) > 0.9
    desk.apply()
    assert (desk.mask(desk.second) == UPPER).all()


def test_hidden_segments_do_not_count(desk):
    paint(desk, desk.second, UPPER)
    desk.segmentation.GetDisplayNode().SetSegmentVisibility(desk.second, False)
    assert dice(desk.propose(BALL), TRUTH) > 0.95


def test_keeping_out_can_be_switched_off(desk):
    paint(desk, desk.second, UPPER)
    limited = desk.propose(BALL)
    desk.button("keepOutBox", False)
    assert desk.proposal().sum() > limited.sum()


def test_what_is_there_can_be_corrected(desk):
    held = ball(GRID, SMALL, SMALL_RADIUS)
    paint(desk, desk.first, held)
    desk.ui.startSelector.setCurrentIndex(desk.ui.startSelector.findData("content"))
    far = (20.0, 20.0, 9.0)
    mask = desk.propose(far)
    assert (mask & held == held).all() and mask[ball(GRID, far, 3)].all()
    desk.apply()
    assert (desk.mask() == mask).all()
    # The points are in the segment now: the next correction starts from it.
    assert desk.rows == []


def test_what_is_there_can_be_corrected_with_a_negative_point_alone(desk):
    held = ball(GRID, BALL, RADIUS)
    paint(desk, desk.first, held)
    desk.ui.startSelector.setCurrentIndex(desk.ui.startSelector.findData("content"))
    mask = desk.propose((33, 30, 27), positive=False)
    assert mask.sum() < held.sum() and not (mask & ~held).any()


def test_an_empty_segment_cannot_be_corrected_with_a_negative_point(desk):
    desk.ui.startSelector.setCurrentIndex(desk.ui.startSelector.findData("content"))
    desk.place(BALL, positive=False)
    desk.wait(lambda: "positive point" in desk.status)


def test_what_is_there_can_be_refined_by_the_model(desk):
    paint(desk, desk.first, ball(GRID, BALL, RADIUS - 4))
    desk.ui.startSelector.setCurrentIndex(desk.ui.startSelector.findData("refine"))
    assert dice(desk.proposal(), TRUTH) > 0.95


def test_undo_in_the_editor_after_two_applied_segments_takes_back_one_at_a_time(desk):
    states = [segments_of(desk.segmentation)]
    for segment_id, point in ((desk.first, BALL), (desk.second, SMALL)):
        desk.editor.setCurrentSegmentID(segment_id)
        desk.propose(point)
        desk.apply()
        states.append(segments_of(desk.segmentation))
    for state in reversed(states[:-1]):
        desk.editor.undo()
        assert segments_of(desk.segmentation) == state


def test_a_segmentation_that_is_moved_gets_a_proposal_where_the_object_is_now(desk):
    desk.propose(BALL)
    shift = GRID.spacing[0] * 4
    moved = desk.studio.transform(affine(offset=(shift, 0, 0)))
    desk.segmentation.SetAndObserveTransformNodeID(moved.GetID())
    mask = desk.proposal()
    assert (mask == TRUTH).mean() > 0.99
    desk.apply()
    assert (desk.mask() == mask).all()
