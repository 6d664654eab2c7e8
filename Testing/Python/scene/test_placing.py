"""Slicer's place mode is borrowed, and given back."""

import pytest
import slicer

from SAMSegmentLib.scene.placing import Placing
from SAMSegmentLib.scene.prompt_nodes import PromptNodes

pytestmark = pytest.mark.mrml


class Case:
    def __init__(self, builder) -> None:
        self.builder, self.scene = builder, builder.scene
        self.theirs = builder.line([])
        self.nodes = PromptNodes(self.scene, lambda: None)
        self.own_node = self.nodes.point_node(True)
        self.stops = 0
        self.placing = Placing(self.scene, self.stopped)

    def stopped(self):
        self.stops += 1

    @property
    def selection(self):
        return self.scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")

    @property
    def interaction(self):
        return self.scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")

    @property
    def state(self):
        return (
            self.interaction.GetCurrentInteractionMode(),
            self.interaction.GetPlaceModePersistence(),
            self.selection.GetActivePlaceNodeClassName(),
            self.selection.GetActivePlaceNodeID(),
        )

    def quiet(self):
        return len(self.placing._observers) == 0 and self.placing.active_node() is None


@pytest.fixture
def case(builder):
    return Case(builder)


@pytest.mark.parametrize("persistent", [True, False])
def test_the_next_click_places_in_our_node(case, persistent):
    case.placing.start(case.own_node, persistent)
    assert case.placing.active_node() is case.own_node
    place = slicer.vtkMRMLInteractionNode.Place
    expected = (place, persistent, "vtkMRMLMarkupsFiducialNode", case.own_node.GetID())
    assert case.state == expected


def test_stopping_brings_back_what_was_before(case):
    before = case.state
    assert before[2:] == ("vtkMRMLMarkupsLineNode", case.theirs.GetID())
    case.placing.start(case.own_node)
    case.placing.stop()
    assert case.state == before
    assert case.quiet()
    assert case.stops == 0


def test_so_it_does_after_another_node_of_own_node(case):
    before = case.state
    case.placing.start(case.own_node)
    case.placing.start(case.nodes.point_node(False), persistent=False)
    case.placing.start(case.nodes.own_roi_node(), persistent=False)
    assert case.stops == 0
    case.placing.stop()
    assert case.state == before


@pytest.mark.parametrize("mode", ["Select", "AdjustWindowLevel"])
def test_the_mouse_mode_comes_back(case, mode):
    if not hasattr(case.interaction, mode):
        pytest.skip(f"this Slicer has no mouse mode {mode}")
    case.interaction.SetCurrentInteractionMode(getattr(case.interaction, mode))
    before = case.state
    case.placing.start(case.own_node)
    case.placing.stop()
    assert case.state == before


def test_a_user_who_was_placing_something_else_is_not_thrown_back_into_it(case):
    case.interaction.SwitchToPersistentPlaceMode()
    case.placing.start(case.own_node)
    case.placing.stop()
    assert case.interaction.GetCurrentInteractionMode() == case.interaction.ViewTransform
    assert case.selection.GetActivePlaceNodeID() == case.theirs.GetID()


def test_stopping_without_a_start_does_nothing(case):
    before = case.state
    case.placing.stop()
    assert case.state == before


def test_the_end_of_a_single_placement_is_reported(case):
    before = case.state
    case.placing.start(case.own_node, persistent=False)
    # As the markups widget does after the click.
    case.interaction.SwitchToViewTransformMode()
    assert case.stops == 1
    assert case.state == before
    assert case.quiet()


def test_a_user_who_takes_another_tool_keeps_it(case):
    case.placing.start(case.own_node)
    points = case.builder.points([])
    case.selection.SetActivePlaceNodeID(points.GetID())
    case.interaction.SwitchToPersistentPlaceMode()
    assert case.stops == 1
    assert case.selection.GetActivePlaceNodeID() == points.GetID()
    assert case.interaction.GetCurrentInteractionMode() == case.interaction.Place
    case.placing.stop()
    assert case.interaction.GetCurrentInteractionMode() == case.interaction.Place
    assert case.quiet()


def test_making_a_node_of_own_node_meanwhile_does_not_end_it(case):
    case.placing.start(case.own_node)
    case.nodes.own_roi_node()
    assert case.stops == 0
    assert case.placing.active_node() is case.own_node


def test_a_deleted_node_ends_it(case):
    before = case.state
    case.placing.start(case.own_node)
    case.scene.RemoveNode(case.own_node)
    assert case.stops == 1
    assert case.state == before
    assert case.quiet()


def test_a_deleted_node_of_before_is_not_brought_back(case):
    case.placing.start(case.own_node)
    case.scene.RemoveNode(case.theirs)
    case.placing.stop()
    assert case.selection.GetActivePlaceNodeID() is None
    assert case.interaction.GetCurrentInteractionMode() == case.interaction.ViewTransform


def test_closing_the_scene_ends_it(case):
    case.placing.start(case.own_node)
    case.scene.Clear(0)
    assert case.quiet()
    assert case.interaction.GetCurrentInteractionMode() == case.interaction.ViewTransform
    case.placing.stop()


def test_a_scene_without_the_mouse_modes_is_refused():
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode") or scene.AddNode(
        slicer.vtkMRMLMarkupsFiducialNode()
    )
    placing = Placing(scene, lambda: None)
    placing.start(node)
    assert placing.active_node() is None
    placing.stop()
