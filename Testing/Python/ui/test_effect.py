"""The effect as a user meets it: click, see, correct, apply, take back."""

from dataclasses import replace

import numpy as np
import pytest

from SAMSegmentLib.core.prompts import Point
from SlicerHost.studio import GRIDS, PARENTS, segments_of
from TestSupport.phantoms import ball, dice

from .conftest import BALL, GRID, RADIUS, SMALL

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)


def test_a_click_is_answered_by_a_preview_and_the_segment_stays_as_it_was(desk):
    before = segments_of(desk.segmentation)
    mask = desk.propose(BALL)
    assert dice(mask, TRUTH) > 0.95
    assert segments_of(desk.segmentation) == before


def test_the_prompts_are_listed(desk):
    desk.propose(BALL)
    desk.propose((33, 30, 27), positive=False)
    assert [row.split()[0] for row in desk.rows] == ["1", "2"]
    assert desk.rows[0].split()[1:] == ["R", "33.0", "A", "30.0", "S", "18.0"]


def test_a_negative_point_takes_voxels_away(desk):
    before = desk.propose(BALL)
    after = desk.propose((33, 30, 27), positive=False)
    assert after.sum() < before.sum()
    assert not (after & ~before).any()


def test_apply_writes_the_preview_and_nothing_else(desk):
    mask = desk.propose(BALL)
    desk.apply()
    assert (desk.mask() == mask).all()
    assert not desk.mask(desk.second).any()
    assert desk.preview_mask() is None
    assert "Ctrl+Z" in desk.status


def test_the_editors_undo_takes_apply_back(desk):
    before = segments_of(desk.segmentation)
    desk.propose(BALL)
    desk.apply()
    after = segments_of(desk.segmentation)
    desk.editor.undo()
    assert segments_of(desk.segmentation) == before
    desk.editor.redo()
    assert segments_of(desk.segmentation) == after


def test_the_editors_undo_during_a_preview_loses_no_prompt(desk):
    desk.propose(BALL)
    desk.apply()
    mask = desk.propose((33, 30, 27), positive=False)
    desk.editor.undo()
    desk.application.process_events()
    assert len(desk.rows) == 2
    assert (desk.preview_mask() == mask).all()
    desk.apply()
    assert (desk.mask() == mask).all()


def test_further_points_correct_after_apply(desk):
    desk.propose(BALL)
    desk.apply()
    mask = desk.propose((33, 30, 27), positive=False)
    desk.apply()
    assert (desk.mask() == mask).all()


def test_the_threshold_is_followed_without_the_model(desk):
    before = desk.propose(BALL)
    desk.ui.thresholdSlider.value = 0.95
    desk.wait(lambda: desk.preview_mask().sum() <= before.sum())
    assert not desk.is_asking
    desk.ui.thresholdSlider.value = 0.05
    lower = desk.preview_mask()
    assert lower.sum() >= before.sum()
    desk.apply()
    assert (desk.mask() == lower).all()


def test_a_moved_point_moves_the_proposal(desk):
    desk.propose(BALL)
    desk.list(True).SetNthControlPointPositionWorld(0, *SMALL)
    mask = desk.proposal()
    assert mask[ball(GRID, SMALL, 3)].all()
    assert not mask[ball(GRID, BALL, 6)].any()


def test_a_prompt_is_flipped_deleted_and_brought_back(desk):
    one = desk.propose(BALL)
    two = desk.propose((33, 30, 27))
    desk.ui.promptList.setCurrentRow(1)
    desk.button("flipButton")
    flipped = desk.proposal()
    assert flipped.sum() < two.sum()
    desk.ui.promptList.setCurrentRow(1)
    desk.button("deleteButton")
    assert (desk.proposal() == one).all()
    desk.button("undoPromptButton")
    assert (desk.proposal() == flipped).all()
    desk.button("undoPromptButton")
    assert (desk.proposal() == two).all()
    desk.button("redoPromptButton")
    assert (desk.proposal() == flipped).all()


def test_clear_deletes_all_prompts_and_the_preview(desk):
    mask = desk.propose(BALL)
    desk.button("clearButton")
    desk.wait(lambda: desk.preview_mask() is None)
    assert desk.rows == []
    desk.button("undoPromptButton")
    assert (desk.proposal() == mask).all()


def test_cancel_drops_the_proposal_and_keeps_the_prompts(desk):
    desk.propose(BALL)
    desk.button("cancelButton")
    assert desk.preview_mask() is None
    assert len(desk.rows) == 1
    assert not desk.ui.applyButton.isEnabled()


def test_another_reading_of_the_prompts_can_be_chosen(desk):
    best = desk.propose(BALL)
    desk.button("alternativeButton")
    other = desk.proposal()
    assert other.sum() < best.sum()
    desk.button("alternativeButton")
    assert (desk.proposal() == best).all()
    desk.button("undoPromptButton")
    assert (desk.proposal() == other).all()


def test_the_status_says_which_mask_is_shown(desk):
    desk.propose(BALL)
    assert desk.status == "Mask 1 of 2. Correct with more points, or Apply."
    for number in (2, 1):
        desk.button("alternativeButton")
        desk.proposal()
        assert desk.status.startswith(f"Mask {number} of 2.")


def test_other_mask_is_always_there_and_says_why_there_is_none(desk):
    button, tip = desk.ui.alternativeButton, desk.ui.alternativeButton.toolTip
    assert button.visible and not button.isEnabled()
    assert "place a point" in button.toolTip
    desk.propose(BALL)
    assert button.isEnabled() and "next-best reading" in button.toolTip != tip
    desk.place((33, 30, 27))
    desk.wait(lambda: desk.is_asking)
    assert not button.isEnabled() and "still at work" in button.toolTip


def test_the_key_for_another_mask_says_why_there_is_none(desk):
    desk.session.next_alternative()
    assert "place a point or draw an ROI first" in desk.status
    desk.propose(BALL)
    shown = desk.session._asking.shown
    alone = replace(shown, proposal=replace(shown.proposal, alternatives=0))
    one = shown.question.prompts
    corrected = replace(one, points=(*one.points, Point((33.0, 30, 27))))
    for prompts, reason in ((corrected, "which object is meant"), (one, "only one mask")):
        question = replace(shown.question, prompts=prompts)
        desk.session._asking.shown = replace(alone, question=question)
        desk.session.next_alternative()
        assert reason in desk.status and not desk.is_asking


def test_a_further_point_corrects_the_reading_that_was_chosen(desk):
    best = desk.propose(BALL)
    desk.button("alternativeButton")
    desk.proposal()
    corrected = desk.propose((33, 30, 27))
    assert corrected.sum() < best.sum()


def test_another_first_prompt_has_its_likeliest_reading(desk):
    desk.propose(BALL)
    desk.button("alternativeButton")
    desk.proposal()
    desk.list(True).SetNthControlPointPositionWorld(0, *SMALL)
    assert desk.proposal()[ball(GRID, SMALL, 3)].all()
    assert desk.session._prompts.prompts.reading == 0


def test_an_roi_of_the_users_own_is_followed_and_not_changed(desk):
    roi = desk.studio.roi(BALL, (30, 30, 30))
    times = roi.GetMTime()
    desk.ui.roiSelector.setCurrentNode(roi)
    mask = desk.proposal()
    assert dice(mask, TRUTH) > 0.95
    assert desk.rows == ["ROI   30 × 30 × 30 mm"]
    assert roi.GetMTime() == times
    roi.SetSize(30, 30, 6)
    assert desk.proposal().sum() < mask.sum()


def test_an_roi_that_is_deleted_does_not_pass_its_part_on_to_the_next_one(desk):
    chosen, other = desk.studio.roi(BALL, (30, 30, 30)), desk.studio.roi(SMALL, (14, 14, 14))
    desk.ui.roiSelector.setCurrentNode(chosen)
    desk.proposal()
    desk.scene.RemoveNode(chosen)
    desk.wait(lambda: desk.rows == [])
    desk.application.wait(seconds=0.1)
    assert desk.rows == [] and desk.preview_mask() is None
    assert desk.ui.roiSelector.currentNode() is None
    desk.ui.roiSelector.setCurrentNode(other)
    assert desk.proposal()[ball(GRID, SMALL, 3)].all()


def test_a_measured_line_is_a_prompt(desk):
    line = desk.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Long axis")
    line.AddControlPointWorld(BALL[0] - RADIUS, BALL[1], BALL[2])
    line.AddControlPointWorld(BALL[0] + RADIUS, BALL[1], BALL[2])
    desk.ui.lineSelector.setCurrentNode(line)
    assert dice(desk.proposal(), TRUTH) > 0.95
    assert desk.rows == ["Line   24.0 mm"]


@pytest.mark.parametrize("grid_name", ["oblique", "LPS order", "gantry tilt"])
@pytest.mark.parametrize("parent", ["none", "rotated", "sheared"])
def test_wherever_the_volume_lies_the_mask_is_where_the_object_is(make_desk, grid_name, parent):
    desk = make_desk(matrix=GRIDS[grid_name], parent=PARENTS[parent])
    from SlicerHost.studio import geometry_of, world_of

    world = geometry_of(desk.volume).transformed(world_of(desk.volume))
    middle = np.argwhere(TRUTH).mean(0)[::-1]
    mask = desk.propose(world.to_ras(middle))
    # Points decide a ball in mm, the object is one in voxels: nearly the same.
    assert (mask & TRUTH).sum() > 0.9 * TRUTH.sum()
    desk.apply()
    assert (desk.mask() == mask).all()
