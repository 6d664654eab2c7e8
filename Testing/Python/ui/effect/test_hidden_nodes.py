"""What stays of the effect while the user works with another one: nodes that nobody sees."""

import pytest
import slicer

from SlicerHost.scene_builder import PARENTS, items_of
from TestSupport.effect_user import NAME

from ..conftest import BALL

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


def ours(user) -> list:
    """Our nodes with their displays, in the order in which they came into the scene."""
    scene = user.scene
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    mains = [node for node in nodes if node.GetName() in OURS]
    return [node for main in mains for node in (main, main.GetDisplayNode())]


def items(user) -> list[str]:
    """Names of our items in the subject hierarchy."""
    names = [name for _, _, name in items_of(user.application.hierarchy)]
    return [name for name in names if name in OURS]


def assert_works(user) -> None:
    """The effect can be chosen, and a click is answered, with the points drawn on top."""
    user.choose_effect()
    assert user.propose(BALL) is not None
    assert [node.GetName() for node in ours(user)[::2]] == [PREVIEW, *POINTS]
    for node in ours(user):
        if node.IsA("vtkMRMLDisplayNode"):
            assert node.GetVisibility()


def test_switching_between_effects_adds_and_removes_no_node(user):
    user.propose(BALL)
    user.apply()
    count = NodeCount(user.scene)
    for other in ("Paint", "Threshold", "Paint"):
        user.choose_effect(other)
        user.choose_effect()
    assert (count.added, count.removed) == (0, 0)
    assert user.ui.positiveButton.isChecked()
    assert user.propose((33, 30, 20)) is not None


def test_beside_another_effect_nothing_of_ours_is_seen_listed_or_saved(user):
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLSegmentationNode", "vtkMRMLMarkupsNode"]
    selector.setMRMLScene(user.scene)
    for node in (user.segmentation, user.volume):
        user.builder.under(node, PARENTS["translated"])
    user.propose((BALL[0] + 15, BALL[1] - 20, BALL[2] + 7))
    assert user.preview.GetTransformNodeID() is not None
    user.choose_effect("Paint")
    nodes = ours(user)
    assert len(nodes) == 6
    for node in nodes:
        assert node.GetHideFromEditors() and not node.GetSaveWithScene()
        if node.IsA("vtkMRMLDisplayNode"):
            assert not node.GetVisibility()
        else:
            assert node.GetTransformNodeID() is None
    assert user.preview_mask() is None
    assert [user.list(sign).GetNumberOfControlPoints() for sign in (True, False)] == [0, 0]
    assert items(user) == []
    assert selector.nodeCount() == 1
    active = user.application.app.GetSelectionNode().GetActivePlaceNodeID()
    assert active not in [node.GetID() for node in nodes]


def test_beside_another_effect_we_listen_to_nothing_of_ours(user):
    user.choose_effect("Paint")
    user.list(True).AddControlPointWorld(*BALL)
    user.application.wait(seconds=0.05)
    assert not user.is_busy
    user.choose_effect()
    assert user.rows == []
    assert user.list(True).GetNumberOfControlPoints() == 0


@pytest.mark.parametrize("other", ["Paint", "Threshold"])
def test_nothing_stays_once_no_effect_is_chosen(user, other):
    user.propose(BALL)
    user.choose_effect(other)
    user.choose_effect("")
    assert user.nodes() == user.nodes_before
    assert_works(user)


def test_an_roi_that_is_being_drawn_goes_at_once(user):
    user.button("roiButton", True)
    roi = user.scene.GetFirstNodeByName("SAM Segment ROI")
    roi.AddControlPointWorld(0, 0, 0)
    user.choose_effect("Paint")
    assert roi.GetScene() is None
    interaction = user.application.app.GetInteractionNode()
    assert interaction.GetCurrentInteractionMode() == interaction.ViewTransform
    assert_works(user)


def test_what_was_done_with_the_lists_is_not_there_the_next_time(user):
    points = user.list(True)
    points.SetLocked(True)
    user.builder.under(points, PARENTS["translated"])
    points.GetDisplayNode().SetVisibility(False)
    points.GetDisplayNode().SetGlyphScale(9)
    user.choose_effect("Paint")
    assert_works(user)
    assert user.list(True) is points
    assert not points.GetLocked()
    assert points.GetTransformNodeID() is None
    assert points.GetDisplayNode().GetGlyphScale() < 3


def test_the_preview_lies_where_the_segmentation_lies_by_then(user):
    user.choose_effect("Paint")
    user.builder.under(user.segmentation, PARENTS["translated"])
    user.builder.under(user.volume, PARENTS["translated"])
    assert user.preview.GetTransformNodeID() is None
    user.choose_effect()
    assert user.preview.GetTransformNodeID() == user.segmentation.GetTransformNodeID()


def test_a_scene_saved_beside_another_effect_holds_nothing_of_ours(user, tmp_path):
    user.propose(BALL)
    user.choose_effect("Paint")
    for folder in ("scene", "cache"):
        (tmp_path / folder).mkdir()
    user.application.save_mrb(tmp_path / "scene" / "scene.mrb")
    user.application.load_mrb(tmp_path / "scene" / "scene.mrb", tmp_path / "cache")
    assert items(user) == []
    assert ours(user) == []


@pytest.mark.parametrize("name", ["preview", "preview display", "+", "+ display"])
def test_an_own_node_that_is_deleted_meanwhile_is_made_again(user, name):
    user.choose_effect("Paint")
    node = user.scene.GetFirstNodeByName(f"SAM Segment {name.split()[0]}")
    user.scene.RemoveNode(node.GetDisplayNode() if "display" in name else node)
    if name.startswith("+"):
        user.choose_effect()
        assert user.propose(BALL) is not None
    else:
        assert_works(user)
    user.choose_effect("")
    assert user.nodes() == user.nodes_before


def test_the_segmentation_may_be_deleted_meanwhile(user):
    user.choose_effect("Paint")
    user.scene.RemoveNode(user.segmentation)
    user.application.process_events()
    assert ours(user) == []


def test_the_scene_may_be_closed_meanwhile(user):
    user.choose_effect("Paint")
    user.application.close_scene()
    assert ours(user) == []


def test_nothing_stays_when_the_editor_goes(user):
    user.choose_effect("Paint")
    user.effect.cleanup()
    assert ours(user) == []


def test_nothing_stays_when_the_editor_gets_another_parameter_node(user):
    user.choose_effect("Paint")
    user.editor.setMRMLSegmentEditorNode(user.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    assert ours(user) == []


def test_undo_of_prompts_begins_anew(user):
    user.propose(BALL)
    assert user.ui.undoPromptButton.isEnabled()
    user.choose_effect("Paint")
    user.choose_effect()
    user.wait(lambda: len(user.rows) == 1)
    assert not user.ui.undoPromptButton.isEnabled()


def test_two_editors_keep_their_own(user):
    volume = user.volume
    segmentation = user.builder.segmentation(volume, name="Other segmentation")
    segmentation.GetSegmentation().AddEmptySegment("", "Segment")
    other = slicer.qMRMLSegmentEditorWidget()
    other.setMRMLScene(user.scene)
    other.setMRMLSegmentEditorNode(user.scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    other.setSegmentationNode(segmentation)
    other.setSourceVolumeNode(volume)
    mask = user.propose(BALL)
    other.setActiveEffectByName(NAME)
    user.application.wait(seconds=0.05)
    other.setActiveEffectByName("Paint")
    assert (user.preview_mask() == mask).all()
    other.setActiveEffectByName("")
    assert len(ours(user)) == 6
    user.apply()
    assert (user.mask() == mask).all()
