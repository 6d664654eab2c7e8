"""The effect as a user meets it: click, see, correct, apply, take back."""

from dataclasses import replace

import numpy as np
import pytest

from SAMSegmentLib.core.prompts import Point
from SlicerHost.scene_builder import GRIDS, PARENTS, segments_of
from TestSupport.phantoms import ball, dice

from ..conftest import BALL, GRID, RADIUS, SMALL

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)


def test_a_click_is_answered_by_a_preview_and_the_segment_stays_as_it_was(user):
    before = segments_of(user.segmentation)
    mask = user.propose(BALL)
    assert dice(mask, TRUTH) > 0.95
    assert segments_of(user.segmentation) == before


def test_the_prompts_are_listed(user):
    user.propose(BALL)
    user.propose((33, 30, 27), positive=False)
    assert [row.split()[0] for row in user.rows] == ["1", "2"]
    assert user.rows[0].split()[1:] == ["R", "33.0", "A", "30.0", "S", "18.0"]


def test_a_negative_point_takes_voxels_away(user):
    before = user.propose(BALL)
    after = user.propose((33, 30, 27), positive=False)
    assert after.sum() < before.sum()
    assert not (after & ~before).any()


def test_apply_writes_the_preview_and_nothing_else(user):
    mask = user.propose(BALL)
    user.apply()
    assert (user.mask() == mask).all()
    assert not user.mask(user.second).any()
    assert user.preview_mask() is None
    assert "Ctrl+Z" in user.status


def test_the_editors_undo_takes_apply_back(user):
    before = segments_of(user.segmentation)
    user.propose(BALL)
    user.apply()
    after = segments_of(user.segmentation)
    user.editor.undo()
    assert segments_of(user.segmentation) == before
    user.editor.redo()
    assert segments_of(user.segmentation) == after


def test_the_editors_undo_during_a_preview_loses_no_prompt(user):
    user.propose(BALL)
    user.apply()
    mask = user.propose((33, 30, 27), positive=False)
    user.editor.undo()
    user.application.process_events()
    assert len(user.rows) == 2
    assert (user.preview_mask() == mask).all()
    user.apply()
    assert (user.mask() == mask).all()


def test_further_points_correct_after_apply(user):
    user.propose(BALL)
    user.apply()
    mask = user.propose((33, 30, 27), positive=False)
    user.apply()
    assert (user.mask() == mask).all()


def test_the_threshold_is_followed_without_the_model(user):
    before = user.propose(BALL)
    user.ui.thresholdSlider.value = 0.95
    user.wait(lambda: user.preview_mask().sum() <= before.sum())
    assert not user.is_busy
    user.ui.thresholdSlider.value = 0.05
    lower = user.preview_mask()
    assert lower.sum() >= before.sum()
    user.apply()
    assert (user.mask() == lower).all()


def test_a_moved_point_moves_the_proposal(user):
    user.propose(BALL)
    user.list(True).SetNthControlPointPositionWorld(0, *SMALL)
    mask = user.proposal()
    assert mask[ball(GRID, SMALL, 3)].all()
    assert not mask[ball(GRID, BALL, 6)].any()


def test_a_prompt_is_flipped_deleted_and_brought_back(user):
    one = user.propose(BALL)
    two = user.propose((33, 30, 27))
    user.ui.promptList.setCurrentRow(1)
    user.button("flipButton")
    flipped = user.proposal()
    assert flipped.sum() < two.sum()
    user.ui.promptList.setCurrentRow(1)
    user.button("deleteButton")
    assert (user.proposal() == one).all()
    user.button("undoPromptButton")
    assert (user.proposal() == flipped).all()
    user.button("undoPromptButton")
    assert (user.proposal() == two).all()
    user.button("redoPromptButton")
    assert (user.proposal() == flipped).all()


def test_clear_deletes_all_prompts_and_the_preview(user):
    mask = user.propose(BALL)
    user.button("clearButton")
    user.wait(lambda: user.preview_mask() is None)
    assert user.rows == []
    user.button("undoPromptButton")
    assert (user.proposal() == mask).all()


def test_cancel_drops_the_proposal_and_keeps_the_prompts(user):
    user.propose(BALL)
    user.button("cancelButton")
    assert user.preview_mask() is None
    assert len(user.rows) == 1
    assert not user.ui.applyButton.isEnabled()


def test_another_reading_of_the_prompts_can_be_chosen(user):
    best = user.propose(BALL)
    user.button("alternativeButton")
    other = user.proposal()
    assert other.sum() < best.sum()
    user.button("alternativeButton")
    assert (user.proposal() == best).all()
    user.button("undoPromptButton")
    assert (user.proposal() == other).all()


def test_the_status_says_which_mask_is_shown(user):
    user.propose(BALL)
    assert user.status == "Mask 1 of 2. Correct with more points, or Apply."
    for number in (2, 1):
        user.button("alternativeButton")
        user.proposal()
        assert user.status.startswith(f"Mask {number} of 2.")


def test_other_mask_is_always_there_and_says_why_there_is_none(user):
    button, tip = user.ui.alternativeButton, user.ui.alternativeButton.toolTip
    assert button.visible and not button.isEnabled()
    assert "place a point" in button.toolTip
    user.propose(BALL)
    assert button.isEnabled() and "next-best mask" in button.toolTip != tip
    user.place((33, 30, 27))
    user.wait(lambda: user.is_busy)
    assert not button.isEnabled() and "still at work" in button.toolTip


def test_the_key_for_another_mask_says_why_there_is_none(user):
    user.session.next_candidate()
    assert "place a point or draw an ROI first" in user.status
    user.propose(BALL)
    shown = user.session._requester.shown
    alone = replace(shown, proposals=(replace(shown.proposals[0], candidates=1),))
    one = shown.request.prompts
    corrected = replace(one, points=(*one.points, Point((33.0, 30, 27))))
    for prompts, reason in ((corrected, "which object is meant"), (one, "only one mask")):
        request = replace(shown.request, prompts=prompts)
        user.session._requester.shown = replace(alone, request=request)
        user.session.next_candidate()
        assert reason in user.status and not user.is_busy


def test_a_further_point_corrects_the_reading_that_was_chosen(user):
    best = user.propose(BALL)
    user.button("alternativeButton")
    user.proposal()
    corrected = user.propose((33, 30, 27))
    assert corrected.sum() < best.sum()


def test_another_first_prompt_has_its_likeliest_reading(user):
    user.propose(BALL)
    user.button("alternativeButton")
    user.proposal()
    user.list(True).SetNthControlPointPositionWorld(0, *SMALL)
    assert user.proposal()[ball(GRID, SMALL, 3)].all()
    assert user.session._prompts.prompts.candidate == 0


def test_an_roi_of_the_users_own_is_followed_and_not_changed(user):
    roi = user.builder.roi(BALL, (30, 30, 30))
    times = roi.GetMTime()
    user.ui.roiSelector.setCurrentNode(roi)
    mask = user.proposal()
    assert dice(mask, TRUTH) > 0.95
    assert user.rows == ["ROI   30 × 30 × 30 mm"]
    assert roi.GetMTime() == times
    roi.SetSize(30, 30, 6)
    assert user.proposal().sum() < mask.sum()


def test_an_roi_that_is_deleted_does_not_pass_its_part_on_to_the_next_one(user):
    chosen, other = user.builder.roi(BALL, (30, 30, 30)), user.builder.roi(SMALL, (14, 14, 14))
    user.ui.roiSelector.setCurrentNode(chosen)
    user.proposal()
    user.scene.RemoveNode(chosen)
    user.wait(lambda: user.rows == [])
    user.application.wait(seconds=0.1)
    assert user.rows == [] and user.preview_mask() is None
    assert user.ui.roiSelector.currentNode() is None
    user.ui.roiSelector.setCurrentNode(other)
    assert user.proposal()[ball(GRID, SMALL, 3)].all()


def test_a_measured_line_is_a_prompt(user):
    line = user.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Long axis")
    line.AddControlPointWorld(BALL[0] - RADIUS, BALL[1], BALL[2])
    line.AddControlPointWorld(BALL[0] + RADIUS, BALL[1], BALL[2])
    user.ui.lineSelector.setCurrentNode(line)
    assert dice(user.proposal(), TRUTH) > 0.95
    assert user.rows == ["Line   24.0 mm"]


@pytest.mark.parametrize("grid_name", ["oblique", "LPS order", "gantry tilt"])
@pytest.mark.parametrize("parent", ["none", "rotated", "sheared"])
def test_wherever_the_volume_lies_the_mask_is_where_the_object_is(make_user, grid_name, parent):
    user = make_user(matrix=GRIDS[grid_name], parent=PARENTS[parent])
    from SlicerHost.scene_builder import world_of
    from TestSupport.scene_answers import geometry_of

    world = geometry_of(user.volume).transformed(world_of(user.volume))
    middle = np.argwhere(TRUTH).mean(0)[::-1]
    mask = user.propose(world.to_ras(middle))
    # Points decide a ball in mm, the object is one in voxels: nearly the same.
    assert (mask & TRUTH).sum() > 0.9 * TRUTH.sum()
    user.apply()
    assert (user.mask() == mask).all()
