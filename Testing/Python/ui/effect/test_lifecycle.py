"""Whatever the user does at whatever moment: nothing breaks, nothing is lost, nothing stays."""

import pytest
import slicer

from SlicerHost.scene_builder import segments_of
from TestSupport.effect_user import NAME
from TestSupport.phantoms import ball, dice
from TestSupport.quick_engine import CRASHING, FAILING, SLOW, WITHOUT_MEMORY

from ..conftest import BALL, GRID, RADIUS, SMALL, SMALL_RADIUS

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)
TRUTHS = {BALL: TRUTH, SMALL: ball(GRID, SMALL, SMALL_RADIUS)}


def empty_moment(user) -> None:
    """Nothing was placed yet."""


def proposed(user) -> None:
    """A proposal is shown."""
    user.propose(BALL)


def busy(user) -> None:
    """The model is at work, and would be for a minute."""
    user.set_modality(SLOW)
    user.place(BALL)
    user.wait(lambda: user.is_busy and "Slice" in user.status)


def applied(user) -> None:
    """The proposal was applied."""
    user.propose(BALL)
    user.apply()


MOMENTS = pytest.mark.parametrize("moment", [empty_moment, proposed, busy, applied])


@MOMENTS
def test_leaving_the_effect_leaves_nothing_behind(user, moment):
    moment(user)
    user.choose_effect("")
    user.application.wait(seconds=0.2)
    assert user.nodes() == user.nodes_before
    interaction = user.application.app.GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform


@MOMENTS
def test_coming_back_to_the_effect_brings_the_prompts_back(user, moment):
    moment(user)
    rows = user.rows
    user.choose_effect("")
    user.choose_effect()
    user.wait(lambda: user.rows == rows)


@MOMENTS
def test_the_scene_can_be_closed(user, moment):
    moment(user)
    user.application.close_scene()
    user.application.wait(seconds=0.2)
    assert user.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert user.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0


@MOMENTS
@pytest.mark.parametrize("what", ["volume", "segmentation", "segment", "points", "preview"])
def test_any_node_in_use_can_be_deleted(user, moment, what):
    moment(user)
    others = segments_of(user.segmentation)
    if what == "segment":
        user.segmentation.GetSegmentation().RemoveSegment(user.first)
    else:
        node = {
            "volume": user.volume,
            "segmentation": user.segmentation,
            "points": user.list(True),
            "preview": user.preview,
        }[what]
        if node is not None:
            user.scene.RemoveNode(node)
    user.application.wait(seconds=0.2)
    if what not in ("segmentation", "segment"):
        assert segments_of(user.segmentation) == others
    if what == "preview" and moment is proposed:
        assert user.propose((33, 30, 27)) is not None
    user.choose_effect("")
    assert user.nodes() <= user.nodes_before


@MOMENTS
def test_another_segment_begins_without_prompts_and_the_first_keeps_its_own(user, moment):
    moment(user)
    rows = user.rows
    user.editor.setCurrentSegmentID(user.second)
    user.set_modality(None)
    assert user.rows == []
    assert dice(user.propose(SMALL), TRUTHS[SMALL]) > 0.8
    user.apply()
    user.editor.setCurrentSegmentID(user.first)
    user.wait(lambda: user.rows == rows)


def test_a_proposal_that_was_not_applied_comes_back_with_its_segment(user):
    mask = user.propose(BALL)
    user.editor.setCurrentSegmentID(user.second)
    assert user.preview_mask() is None
    user.editor.setCurrentSegmentID(user.first)
    assert (user.proposal() == mask).all()


def test_prompts_are_saved_and_loaded_with_the_scene(user, tmp_path):
    user.propose(BALL)
    user.apply()
    mask = user.propose((33, 30, 27), positive=False)
    user.ui.thresholdSlider.value = 0.6
    user.choose_effect("")
    (tmp_path / "scene").mkdir()
    (tmp_path / "cache").mkdir()
    user.application.save_mrb(tmp_path / "scene" / "scene.mrb")
    user.application.load_mrb(tmp_path / "scene" / "scene.mrb", tmp_path / "cache")
    scene = user.scene
    user.segmentation = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    user.volume = scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    user.first, user.second = user.segmentation.GetSegmentation().GetSegmentIDs()
    user.editor.setSegmentationNode(user.segmentation)
    user.editor.setSourceVolumeNode(user.volume)
    user.editor.setCurrentSegmentID(user.first)
    user.choose_effect()
    user.wait(lambda: len(user.rows) == 2)
    assert user.ui.thresholdSlider.value == pytest.approx(0.6)
    user.ui.thresholdSlider.value = 0.5
    again = user.propose((33, 21, 18), positive=False)
    assert again.sum() < mask.sum() and not (again & ~mask).any()


def test_damaged_prompts_are_told_and_do_no_harm(user):
    user.choose_effect("")
    segment = user.segmentation.GetSegmentation().GetSegment(user.first)
    segment.SetTag("SAMSegment.Prompts", "{damaged")
    user.choose_effect()
    assert "cannot be read" in user.status
    assert dice(user.propose(BALL), TRUTH) > 0.95


@pytest.mark.parametrize(
    ("modality", "message"),
    [
        (CRASHING, "ended unexpectedly"),
        (WITHOUT_MEMORY, "not enough memory"),
        (FAILING, "model failed"),
    ],
)
def test_a_model_that_fails_is_reported_and_the_next_click_works(user, modality, message):
    user.set_modality(modality)
    user.place(BALL)
    user.wait(lambda: user.is_busy)
    user.wait(lambda: not user.is_busy)
    assert message in user.status
    assert user.rows and not user.ui.applyButton.isEnabled()
    user.set_modality(None)
    assert user.propose((33, 30, 20)) is not None


def test_a_failed_correction_keeps_the_last_good_proposal(user):
    mask = user.propose(BALL)
    user.set_modality(WITHOUT_MEMORY)
    user.place((33, 30, 27), positive=False)
    user.wait(lambda: user.is_busy)
    user.wait(lambda: not user.is_busy)
    assert (user.preview_mask() == mask).all()


def test_cancel_stops_the_model_and_the_next_click_works(user):
    busy(user)
    user.button("cancelButton")
    assert not user.is_busy
    user.set_modality(None)
    assert dice(user.propose((33, 30, 20)), TRUTH) > 0.9


def test_clicks_in_quick_succession_are_all_answered_by_the_last_proposal(user):
    for ras, positive in ((BALL, True), ((33, 30, 27), False), ((33, 30, 9), False)):
        user.place(ras, positive)
    mask = user.proposal()
    user.wait(lambda: not user.is_busy and len(user.rows) == 3)
    for ras in ((33, 30, 27), (33, 30, 9)):
        assert not mask[ball(GRID, ras, 3)].any()


def test_a_volume_whose_voxels_change_drops_the_proposal_and_says_so(user):
    user.propose(BALL)
    slicer.util.arrayFromVolume(user.volume)[:] += 1
    slicer.util.arrayFromVolumeModified(user.volume)
    user.wait(lambda: user.preview_mask() is None)
    assert "volume has changed" in user.status
    assert dice(user.propose((33, 30, 20)), TRUTH) > 0.9


def test_a_point_outside_the_volume_is_reported(user):
    user.place((500, 0, 0))
    user.wait(lambda: "outside the volume" in user.status)


def test_only_a_negative_point_is_reported(user):
    user.place(BALL, positive=False)
    user.wait(lambda: "positive point" in user.status)


def test_two_editors_have_their_own_panels_and_do_not_disturb_each_other(user):
    mask = user.propose(BALL)
    volume = user.builder.volume(GRID.ijk_to_ras, name="Other CT")
    segmentation = user.builder.segmentation(volume, name="Other segmentation")
    segmentation.GetSegmentation().AddEmptySegment("", "Segment")
    node = user.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    other = slicer.qMRMLSegmentEditorWidget()
    other.setMRMLScene(user.scene)
    other.setMRMLSegmentEditorNode(node)
    other.setSegmentationNode(segmentation)
    other.setSourceVolumeNode(volume)
    other.setActiveEffectByName(NAME)
    user.application.wait(seconds=0.1)
    other.setActiveEffectByName("")
    assert (user.preview_mask() == mask).all()
    user.apply()
    assert (user.mask() == mask).all()


def test_placing_ends_when_somebody_else_changes_the_mouse_mode(user):
    assert user.ui.positiveButton.isChecked()
    user.application.app.GetInteractionNode().SwitchToViewTransformMode()
    user.application.process_events()
    assert not user.ui.positiveButton.isChecked()
    assert user.session.is_active


def test_coming_back_without_a_segmentation_does_not_make_the_preview_the_one_to_edit(user):
    user.propose()
    module = user.editor._module
    module.exit()
    user.scene.RemoveNode(user.segmentation)
    user.application.process_events()
    module.enter()
    user.application.process_events()
    taken = user.editor.segmentationNode()
    assert not taken.GetHideFromEditors() and taken.GetName() == "Segmentation"


def test_a_segmentation_deleted_in_the_middle_of_the_work_does_not_hand_over_to_the_preview(user):
    user.propose()
    user.scene.RemoveNode(user.segmentation)
    user.application.process_events()
    assert user.editor.segmentationNode() is None
    user.editor._module.exit()
    user.editor._module.enter()
    assert not user.editor.segmentationNode().GetHideFromEditors()
