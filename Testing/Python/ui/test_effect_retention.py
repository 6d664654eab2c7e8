"""What stays of the effect while the user works with another one: nodes that nobody sees."""

import pytest
import slicer

from SlicerHost.studio import PARENTS, items_of

from .conftest import BALL, NAME

pytestmark = pytest.mark.mrml

PREVIEW, POINTS = "SAM Segment preview", ("SAM Segment +", "SAM Segment -")
OURS = (PREVIEW, *POINTS, "SAM Segment ROI")


class NodeCount:
    """Counts the nodes that are added to a scene and removed from it."""

    def __init__(self, scene) -> None:
        self.added = self.removed = 0
        scene.AddObserver(scene.NodeAddedEvent, self._on_added)
        scene.AddObserver(scene.NodeRemovedEvent, self._on_removed)

    def _on_added(self, *_) -> None:
        self.added += 1

    def _on_removed(self, *_) -> None:
        self.removed += 1


def ours(desk) -> list:
    """Our nodes with their displays, in the order in which they came into the scene."""
    scene = desk.scene
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    mains = [node for node in nodes if node.GetName() in OURS]
    return [node for main in mains for node in (main, main.GetDisplayNode())]


def items(desk) -> list[str]:
    """Names of our items in the subject hierarchy."""
    names = [name for _, _, name in items_of(desk.application.hierarchy)]
    return [name for name in names if name in OURS]


def assert_works(desk) -> None:
    """The effect can be chosen, and a click is answered, with the points drawn on top."""
    desk.choose_effect()
    assert desk.propose(BALL) is not None
    assert [node.GetName() for node in ours(desk)[::2]] == [PREVIEW, *POINTS]
    for node in ours(desk):
        if node.IsA("vtkMRMLDisplayNode"):
            assert node.GetVisibility()


def test_switching_between_effects_adds_and_removes_no_node(desk):
    desk.propose(BALL)
    desk.apply()
    count = NodeCount(desk.scene)
    for other in ("Paint", "Threshold", "Paint"):
        desk.choose_effect(other)
        desk.choose_effect()
    assert (count.added, count.removed) == (0, 0)
    assert desk.ui.positiveButton.isChecked()
    assert desk.propose((33, 30, 20)) is not None


def test_beside_another_effect_nothing_of_ours_is_seen_listed_or_saved(desk):
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLSegmentationNode", "vtkMRMLMarkupsNode"]
    selector.setMRMLScene(desk.scene)
    for node in (desk.segmentation, desk.volume):
        desk.studio.under(node, PARENTS["translated"])
    desk.propose((BALL[0] + 15, BALL[1] - 20, BALL[2] + 7))
    assert desk.preview.GetTransformNodeID() is not None
    desk.choose_effect("Paint")
    nodes = ours(desk)
    assert len(nodes) == 6
    for node in nodes:
        assert node.GetHideFromEditors() and not node.GetSaveWithScene()
        if node.IsA("vtkMRMLDisplayNode"):
            assert not node.GetVisibility()
        else:
            assert node.GetTransformNodeID() is None
    assert desk.preview_mask() is None
    assert [desk.list(sign).GetNumberOfControlPoints() for sign in (True, False)] == [0, 0]
    assert items(desk) == []
    assert selector.nodeCount() == 1
    active = desk.application.app.GetSelectionNode().GetActivePlaceNodeID()
    assert active not in [node.GetID() for node in nodes]


def test_beside_another_effect_we_listen_to_nothing_of_ours(desk):
    desk.choose_effect("Paint")
    desk.list(True).AddControlPointWorld(*BALL)
    desk.application.wait(seconds=0.05)
    assert not desk.is_asking
    desk.choose_effect()
    assert desk.rows == []
    assert desk.list(True).GetNumberOfControlPoints() == 0


@pytest.mark.parametrize("other", ["Paint", "Threshold"])
def test_nothing_stays_once_no_effect_is_chosen(desk, other):
    desk.propose(BALL)
    desk.choose_effect(other)
    desk.choose_effect("")
    assert desk.nodes() == desk.nodes_before
    assert_works(desk)


def test_an_roi_that_is_being_drawn_goes_at_once(desk):
    desk.button("roiButton", True)
    roi = desk.scene.GetFirstNodeByName("SAM Segment ROI")
    roi.AddControlPointWorld(0, 0, 0)
    desk.choose_effect("Paint")
    assert roi.GetScene() is None
    interaction = desk.application.app.GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform
    assert_works(desk)


def test_what_was_done_with_the_lists_is_not_there_the_next_time(desk):
    points = desk.list(True)
    points.SetLocked(True)
    desk.studio.under(points, PARENTS["translated"])
    points.GetDisplayNode().SetVisibility(False)
    points.GetDisplayNode().SetGlyphScale(9)
    desk.choose_effect("Paint")
    assert_works(desk)
    assert desk.list(True) is points
    assert not points.GetLocked()
    assert points.GetTransformNodeID() is None
    assert points.GetDisplayNode().GetGlyphScale() < 3


def test_the_preview_lies_where_the_segmentation_lies_by_then(desk):
    desk.choose_effect("Paint")
    desk.studio.under(desk.segmentation, PARENTS["translated"])
    desk.studio.under(desk.volume, PARENTS["translated"])
    assert desk.preview.GetTransformNodeID() is None
    desk.choose_effect()
    assert desk.preview.GetTransformNodeID() == desk.segmentation.GetTransformNodeID()


def test_a_scene_saved_beside_another_effect_holds_nothing_of_ours(desk, tmp_path):
    desk.propose(BALL)
    desk.choose_effect("Paint")
    for folder in ("scene", "cache"):
        (tmp_path / folder).mkdir()
    desk.application.save_mrb(tmp_path / "scene" / "scene.mrb")
    desk.application.load_mrb(tmp_path / "scene" / "scene.mrb", tmp_path / "cache")
    assert items(desk) == []
    assert ours(desk) == []


@pytest.mark.parametrize("name", ["preview", "preview display", "+", "+ display"])
def test_a_node_of_ours_that_is_deleted_meanwhile_is_made_again(desk, name):
    desk.choose_effect("Paint")
    node = desk.scene.GetFirstNodeByName(f"SAM Segment {name.split()[0]}")
    desk.scene.RemoveNode(node.GetDisplayNode() if "display" in name else node)
    if name.startswith("+"):
        desk.choose_effect()
        assert desk.propose(BALL) is not None
    else:
        assert_works(desk)
    desk.choose_effect("")
    assert desk.nodes() == desk.nodes_before


def test_the_segmentation_may_be_deleted_meanwhile(desk):
    desk.choose_effect("Paint")
    desk.scene.RemoveNode(desk.segmentation)
    desk.application.process_events()
    assert ours(desk) == []


def test_the_scene_may_be_closed_meanwhile(desk):
    desk.choose_effect("Paint")
    desk.application.close_scene()
    assert ours(desk) == []


def test_nothing_stays_when_the_editor_goes(desk):
    desk.choose_effect("Paint")
    desk.effect.cleanup()
    assert ours(desk) == []


def test_nothing_stays_when_the_editor_gets_another_parameter_node(desk):
    desk.choose_effect("Paint")
    desk.editor.setMRMLSegmentEditorNode(desk.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    assert ours(desk) == []


def test_undo_of_prompts_begins_anew(desk):
    desk.propose(BALL)
    assert desk.ui.undoPromptButton.isEnabled()
    desk.choose_effect("Paint")
    desk.choose_effect()
    desk.wait(lambda: len(desk.rows) == 1)
    assert not desk.ui.undoPromptButton.isEnabled()


def test_two_editors_keep_their_own(desk):
    volume = desk.volume
    segmentation = desk.studio.segmentation(volume, name="Other segmentation")
    segmentation.GetSegmentation().AddEmptySegment("", "Segment")
    other = slicer.qMRMLSegmentEditorWidget()
    other.setMRMLScene(desk.scene)
    other.setMRMLSegmentEditorNode(desk.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    other.setSegmentationNode(segmentation)
    other.setSourceVolumeNode(volume)
    mask = desk.propose(BALL)
    other.setActiveEffectByName(NAME)
    desk.application.wait(seconds=0.05)
    other.setActiveEffectByName("Paint")
    assert (desk.preview_mask() == mask).all()
    other.setActiveEffectByName("")
    assert len(ours(desk)) == 6
    desk.apply()
    assert (desk.mask() == mask).all()
