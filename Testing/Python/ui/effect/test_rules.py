"""The effect under the Segment Editor's rules: masking, overwriting, other segments, content."""

import numpy as np
import pytest
import slicer

from SAMSegmentLib.scene.grid import reference_grid
from SlicerHost.scene_builder import affine, segments_of
from TestSupport.phantoms import ball, dice

from ..conftest import BALL, GRID, RADIUS, SMALL, SMALL_RADIUS

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)
UPPER = np.zeros(GRID.shape, dtype=bool)
UPPER[6:] = True
NODE = slicer.vtkMRMLSegmentEditorNode
SEGMENTATION = slicer.vtkMRMLSegmentationNode


def paint(user, segment_id, mask) -> None:
    """What another effect has done before."""
    labelmap = reference_grid(user.segmentation).labelmap((0, 0, 0), mask)
    slicer.vtkSlicerSegmentationsModuleLogic.SetBinaryLabelmapToSegment(
        labelmap,
        user.segmentation,
        segment_id,
        slicer.vtkSlicerSegmentationsModuleLogic.MODE_REPLACE,
    )


@pytest.mark.parametrize(
    "mode", ["OverwriteNone", "OverwriteAllSegments", "OverwriteVisibleSegments"]
)
def test_every_overwrite_mode_is_honoured(user, mode):
    user.button("keepOutBox", False)
    paint(user, user.second, UPPER)
    node = user.editor.mrmlSegmentEditorNode()
    node.SetOverwriteMode(getattr(NODE, mode))
    mask = user.propose(BALL)
    user.apply()
    assert (user.mask() == mask).all()
    expected = UPPER if mode == "OverwriteNone" else UPPER & ~mask
    assert (user.mask(user.second) == expected).all()
    assert node.GetOverwriteMode() == getattr(NODE, mode)
    user.editor.undo()
    assert not user.mask().any() and (user.mask(user.second) == UPPER).all()


def test_the_editable_area_is_honoured(user):
    paint(user, user.second, UPPER)
    user.button("keepOutBox", False)
    node = user.editor.mrmlSegmentEditorNode()
    node.SetMaskSegmentID(user.second)
    node.SetMaskMode(SEGMENTATION.EditAllowedInsideSingleSegment)
    mask = user.propose(BALL)
    user.apply()
    assert (user.mask() == (mask & UPPER)).all()
    assert "editable area" in user.status


@pytest.mark.parametrize(
    "mode", ["InsideSingleSegment", "InsideAllSegments", "InsideVisibleSegments"]
)
def test_segments_that_are_the_editable_area_are_no_obstacle(user, mode):
    paint(user, user.second, UPPER)
    node = user.editor.mrmlSegmentEditorNode()
    node.SetMaskSegmentID(user.second)
    limited = user.propose(BALL)
    assert user.ui.keepOutBox.checked and not (limited & UPPER).any()
    # The change asks anew.
    node.SetMaskMode(getattr(SEGMENTATION, f"EditAllowed{mode}"))
    mask = user.proposal()
    assert dice(mask, TRUTH) > 0.95
    user.apply()
    assert (user.mask() == (mask & UPPER)).all() and user.mask().any()


def test_other_segments_inside_the_editable_area_keep_their_voxels(user):
    paint(user, user.second, UPPER)
    third = user.segmentation.GetSegmentation().AddEmptySegment("", "Vessel")
    vessel = ball(GRID, (33.0, 30.0, 24.0), 4.0)
    paint(user, third, vessel)
    node = user.editor.mrmlSegmentEditorNode()
    node.SetOverwriteMode(NODE.OverwriteNone)
    node.SetMaskSegmentID(user.second)
    node.SetMaskMode(SEGMENTATION.EditAllowedInsideSingleSegment)
    user.propose(BALL)
    user.apply()
    assert user.mask().any() and not (user.mask() & vessel).any()
    assert not (user.mask() & ~UPPER).any()


@pytest.mark.parametrize("mode", ["OutsideAllSegments", "OutsideVisibleSegments"])
def test_editing_outside_segments_and_keeping_out_of_them_agree(user, mode):
    paint(user, user.second, UPPER)
    node = user.editor.mrmlSegmentEditorNode()
    node.SetMaskMode(getattr(SEGMENTATION, f"EditAllowed{mode}"))
    mask = user.propose(BALL)
    user.apply()
    assert (user.mask() == mask).all() and not (mask & UPPER).any()


def test_the_editable_intensity_range_is_honoured(user):
    node = user.editor.mrmlSegmentEditorNode()
    node.SetSourceVolumeIntensityMask(True)
    node.SetSourceVolumeIntensityMaskRange(0, 100)
    mask = user.propose(BALL)
    user.propose((33, 30, 33))  # grey tissue above the ball
    user.apply()
    assert user.mask().any()
    assert not (user.mask() & TRUTH & mask).any()


def test_with_nothing_editable_the_panel_says_so_and_nothing_changes(user):
    node = user.editor.mrmlSegmentEditorNode()
    node.SetMaskSegmentID(user.second)
    node.SetMaskMode(SEGMENTATION.EditAllowedInsideSingleSegment)
    before = segments_of(user.segmentation)
    mask = user.propose(BALL)
    user.apply()
    assert "Editable area" in user.status
    assert segments_of(user.segmentation) == before
    assert (user.preview_mask() == mask).all()


def test_other_visible_segments_keep_their_voxels(user):
    paint(user, user.second, UPPER)
    mask = user.propose(BALL)
    assert not (mask & UPPER).any() and dice(mask, TRUTH & ~UPPER) > 0.9
    user.apply()
    assert (user.mask(user.second) == UPPER).all()


def test_hidden_segments_do_not_count(user):
    paint(user, user.second, UPPER)
    user.segmentation.GetDisplayNode().SetSegmentVisibility(user.second, False)
    assert dice(user.propose(BALL), TRUTH) > 0.95


def test_keeping_out_can_be_switched_off(user):
    paint(user, user.second, UPPER)
    limited = user.propose(BALL)
    user.button("keepOutBox", False)
    assert user.proposal().sum() > limited.sum()


def test_what_is_there_can_be_corrected(user):
    held = ball(GRID, SMALL, SMALL_RADIUS)
    paint(user, user.first, held)
    user.ui.startSelector.setCurrentIndex(user.ui.startSelector.findData("content"))
    far = (20.0, 20.0, 9.0)
    mask = user.propose(far)
    assert (mask & held == held).all() and mask[ball(GRID, far, 3)].all()
    user.apply()
    assert (user.mask() == mask).all()
    # The points are in the segment now: the next correction starts from it.
    assert user.rows == []


def test_what_is_there_can_be_corrected_with_a_negative_point_alone(user):
    held = ball(GRID, BALL, RADIUS)
    paint(user, user.first, held)
    user.ui.startSelector.setCurrentIndex(user.ui.startSelector.findData("content"))
    mask = user.propose((33, 30, 27), positive=False)
    assert mask.sum() < held.sum() and not (mask & ~held).any()


def test_an_empty_segment_cannot_be_corrected_with_a_negative_point(user):
    user.ui.startSelector.setCurrentIndex(user.ui.startSelector.findData("content"))
    user.place(BALL, positive=False)
    user.wait(lambda: "positive point" in user.status)


def test_what_is_there_can_be_refined_by_the_model(user):
    paint(user, user.first, ball(GRID, BALL, RADIUS - 4))
    user.ui.startSelector.setCurrentIndex(user.ui.startSelector.findData("refine"))
    assert dice(user.proposal(), TRUTH) > 0.95


def test_undo_in_the_editor_after_two_applied_segments_takes_back_one_at_a_time(user):
    states = [segments_of(user.segmentation)]
    for segment_id, point in ((user.first, BALL), (user.second, SMALL)):
        user.editor.setCurrentSegmentID(segment_id)
        user.propose(point)
        user.apply()
        states.append(segments_of(user.segmentation))
    for state in reversed(states[:-1]):
        user.editor.undo()
        assert segments_of(user.segmentation) == state


def test_a_segmentation_that_is_moved_gets_a_proposal_where_the_object_is_now(user):
    user.propose(BALL)
    shift = GRID.spacing[0] * 4
    moved = user.builder.transform(affine(offset=(shift, 0, 0)))
    user.segmentation.SetAndObserveTransformNodeID(moved.GetID())
    mask = user.proposal()
    assert (mask == TRUTH).mean() > 0.99
    user.apply()
    assert (user.mask() == mask).all()
