"""Whatever the user does at whatever moment: nothing breaks, nothing is lost, nothing stays."""

import pytest
import slicer

from SlicerHost.studio import segments_of
from TestSupport.phantoms import ball, dice
from TestSupport.quick_engine import CRASHING, FAILING, SLOW, WITHOUT_MEMORY

from .conftest import BALL, GRID, NAME, RADIUS, SMALL, SMALL_RADIUS

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)
TRUTHS = {BALL: TRUTH, SMALL: ball(GRID, SMALL, SMALL_RADIUS)}


def empty_moment(desk) -> None:
    """Nothing was placed yet."""


def proposed(desk) -> None:
    """A proposal is shown."""
    desk.propose(BALL)


def asking(desk) -> None:
    """The model is at work, and would be for a minute."""
    desk.set_modality(SLOW)
    desk.place(BALL)
    desk.wait(lambda: desk.is_asking and "Slice" in desk.status)


def applied(desk) -> None:
    """The proposal was applied."""
    desk.propose(BALL)
    desk.apply()


MOMENTS = pytest.mark.parametrize("moment", [empty_moment, proposed, asking, applied])


@MOMENTS
def test_leaving_the_effect_leaves_nothing_behind(desk, moment):
    moment(desk)
    desk.choose_effect("")
    desk.application.wait(seconds=0.2)
    assert desk.nodes() == desk.nodes_before
    interaction = desk.application.app.GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform


@MOMENTS
def test_coming_back_to_the_effect_brings_the_prompts_back(desk, moment):
    moment(desk)
    rows = desk.rows
    desk.choose_effect("")
    desk.choose_effect()
    desk.wait(lambda: desk.rows == rows)


@MOMENTS
def test_the_scene_can_be_closed(desk, moment):
    moment(desk)
    desk.application.close_scene()
    desk.application.wait(seconds=0.2)
    assert desk.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert desk.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsFiducialNode") == 0


@MOMENTS
@pytest.mark.parametrize("what", ["volume", "segmentation", "segment", "points", "preview"])
def test_any_node_in_use_can_be_deleted(desk, moment, what):
    moment(desk)
    others = segments_of(desk.segmentation)
    if what == "segment":
        desk.segmentation.GetSegmentation().RemoveSegment(desk.first)
    else:
        node = {
            "volume": desk.volume,
            "segmentation": desk.segmentation,
            "points": desk.list(True),
            "preview": desk.preview,
        }[what]
        if node is not None:
            desk.scene.RemoveNode(node)
    desk.application.wait(seconds=0.2)
    if what not in ("segmentation", "segment"):
        assert segments_of(desk.segmentation) == others
    if what == "preview" and moment is proposed:
        assert desk.propose((33, 30, 27)) is not None
    desk.choose_effect("")
    assert desk.nodes() <= desk.nodes_before


@MOMENTS
def test_another_segment_begins_without_prompts_and_the_first_keeps_its_own(desk, moment):
    moment(desk)
    rows = desk.rows
    desk.editor.setCurrentSegmentID(desk.second)
    desk.set_modality(None)
    assert desk.rows == []
    assert dice(desk.propose(SMALL), TRUTHS[SMALL]) > 0.8
    desk.apply()
    desk.editor.setCurrentSegmentID(desk.first)
    desk.wait(lambda: desk.rows == rows)


def test_a_proposal_that_was_not_applied_comes_back_with_its_segment(desk):
    mask = desk.propose(BALL)
    desk.editor.setCurrentSegmentID(desk.second)
    assert desk.preview_mask() is None
    desk.editor.setCurrentSegmentID(desk.first)
    assert (desk.proposal() == mask).all()


def test_prompts_are_saved_and_loaded_with_the_scene(desk, tmp_path):
    desk.propose(BALL)
    desk.apply()
    mask = desk.propose((33, 30, 27), positive=False)
    desk.ui.thresholdSlider.value = 0.6
    desk.choose_effect("")
    (tmp_path / "scene").mkdir()
    (tmp_path / "cache").mkdir()
    desk.application.save_mrb(tmp_path / "scene" / "scene.mrb")
    desk.application.load_mrb(tmp_path / "scene" / "scene.mrb", tmp_path / "cache")
    scene = desk.scene
    desk.segmentation = scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
    desk.volume = scene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    desk.first, desk.second = desk.segmentation.GetSegmentation().GetSegmentIDs()
    desk.editor.setSegmentationNode(desk.segmentation)
    desk.editor.setSourceVolumeNode(desk.volume)
    desk.editor.setCurrentSegmentID(desk.first)
    desk.choose_effect()
    desk.wait(lambda: len(desk.rows) == 2)
    assert desk.ui.thresholdSlider.value == pytest.approx(0.6)
    desk.ui.thresholdSlider.value = 0.5
    again = desk.propose((33, 21, 18), positive=False)
    assert again.sum() < mask.sum() and not (again & ~mask).any()


def test_damaged_prompts_are_told_and_do_no_harm(desk):
    desk.choose_effect("")
    segment = desk.segmentation.GetSegmentation().GetSegment(desk.first)
    segment.SetTag("SAMSegment.Prompts", "{damaged")
    desk.choose_effect()
    assert "cannot be read" in desk.status
    assert dice(desk.propose(BALL), TRUTH) > 0.95


@pytest.mark.parametrize(
    ("modality", "message"),
    [
        (CRASHING, "ended unexpectedly"),
        (WITHOUT_MEMORY, "not enough memory"),
        (FAILING, "model failed"),
    ],
)
def test_a_model_that_fails_is_told_and_the_next_click_works(desk, modality, message):
    desk.set_modality(modality)
    desk.place(BALL)
    desk.wait(lambda: desk.is_asking)
    desk.wait(lambda: not desk.is_asking)
    assert message in desk.status
    assert desk.rows and not desk.ui.applyButton.isEnabled()
    desk.set_modality(None)
    assert desk.propose((33, 30, 20)) is not None


def test_a_failed_correction_keeps_the_last_good_proposal(desk):
    mask = desk.propose(BALL)
    desk.set_modality(WITHOUT_MEMORY)
    desk.place((33, 30, 27), positive=False)
    desk.wait(lambda: desk.is_asking)
    desk.wait(lambda: not desk.is_asking)
    assert (desk.preview_mask() == mask).all()


def test_cancel_stops_the_model_and_the_next_click_works(desk):
    asking(desk)
    desk.button("cancelButton")
    assert not desk.is_asking
    desk.set_modality(None)
    assert dice(desk.propose((33, 30, 20)), TRUTH) > 0.9


def test_clicks_in_quick_succession_are_all_answered_by_the_last_proposal(desk):
    for ras, positive in ((BALL, True), ((33, 30, 27), False), ((33, 30, 9), False)):
        desk.place(ras, positive)
    mask = desk.proposal()
    desk.wait(lambda: not desk.is_asking and len(desk.rows) == 3)
    for ras in ((33, 30, 27), (33, 30, 9)):
        assert not mask[ball(GRID, ras, 3)].any()


def test_a_volume_whose_voxels_change_drops_the_proposal_and_says_so(desk):
    desk.propose(BALL)
    slicer.util.arrayFromVolume(desk.volume)[:] += 1
    slicer.util.arrayFromVolumeModified(desk.volume)
    desk.wait(lambda: desk.preview_mask() is None)
    assert "volume has changed" in desk.status
    assert dice(desk.propose((33, 30, 20)), TRUTH) > 0.9


def test_a_point_outside_the_volume_is_told(desk):
    desk.place((500, 0, 0))
    desk.wait(lambda: "outside the volume" in desk.status)


def test_only_a_negative_point_is_told(desk):
    desk.place(BALL, positive=False)
    desk.wait(lambda: "positive point" in desk.status)


def test_two_editors_have_their_own_panels_and_do_not_disturb_each_other(desk):
    mask = desk.propose(BALL)
    volume = desk.studio.volume(GRID.ijk_to_ras, name="Other CT")
    segmentation = desk.studio.segmentation(volume, name="Other segmentation")
    segmentation.GetSegmentation().AddEmptySegment("", "Segment")
    node = desk.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    other = slicer.qMRMLSegmentEditorWidget()
    other.setMRMLScene(desk.scene)
    other.setMRMLSegmentEditorNode(node)
    other.setSegmentationNode(segmentation)
    other.setSourceVolumeNode(volume)
    other.setActiveEffectByName(NAME)
    desk.application.wait(seconds=0.1)
    other.setActiveEffectByName("")
    assert (desk.preview_mask() == mask).all()
    desk.apply()
    assert (desk.mask() == mask).all()


def test_placing_ends_when_somebody_else_changes_the_mouse_mode(desk):
    assert desk.ui.positiveButton.isChecked()
    desk.application.app.GetInteractionNode().SwitchToViewTransformMode()
    desk.application.process_events()
    assert not desk.ui.positiveButton.isChecked()
    assert desk.session.is_active


def test_coming_back_without_a_segmentation_does_not_make_the_preview_the_one_to_edit(desk):
    desk.propose()
    module = desk.editor._module
    module.exit()
    desk.scene.RemoveNode(desk.segmentation)
    desk.application.process_events()
    module.enter()
    desk.application.process_events()
    taken = desk.editor.segmentationNode()
    assert not taken.GetHideFromEditors() and taken.GetName() == "Segmentation"


def test_a_segmentation_deleted_in_the_middle_of_the_work_does_not_hand_over_to_the_preview(desk):
    desk.propose()
    desk.scene.RemoveNode(desk.segmentation)
    desk.application.process_events()
    assert desk.editor.segmentationNode() is None
    desk.editor._module.exit()
    desk.editor._module.enter()
    assert not desk.editor.segmentationNode().GetHideFromEditors()
