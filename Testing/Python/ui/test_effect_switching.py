"""From any other effect to SAM Segment and back, whatever the mouse is at."""

import pytest
import slicer

from SlicerHost.own_effects import NAMES

from .conftest import BALL, NAME

pytestmark = pytest.mark.mrml

OTHERS = ("", *NAMES)


def interaction_of(desk):
    return desk.application.app.GetInteractionNode()


def active(desk) -> str:
    effect = desk.editor.activeEffect()
    return "" if effect is None else effect.name


def place_a_line(desk):
    """What Slicer's toolbar does when the user wants to place a line of his own."""
    line = desk.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Mine")
    slicer.modules.markups.logic().SetActiveList(line)
    interaction_of(desk).SwitchToPersistentPlaceMode()
    return line


def assert_ready_for_a_click(desk) -> None:
    assert active(desk) == NAME
    assert desk.ui.positiveButton.checked
    assert interaction_of(desk).GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place


def test_switching_from_any_effect_and_back_again(desk):
    for other in [*OTHERS, *OTHERS]:
        desk.choose_effect(other)
        assert active(desk) == other
        mode = interaction_of(desk).GetCurrentInteractionMode()
        assert mode == slicer.vtkMRMLInteractionNode.ViewTransform
        desk.choose_effect()
        assert_ready_for_a_click(desk)


def test_switching_while_something_of_the_users_own_is_being_placed(desk):
    for other in OTHERS:
        desk.choose_effect(other)
        line = place_a_line(desk)
        # Slicer leaves its own effects then.
        assert active(desk) == ""
        desk.choose_effect()
        assert_ready_for_a_click(desk)
        place_a_line(desk)
        desk.application.process_events()
        assert active(desk) == NAME
        desk.choose_effect(other)
        assert active(desk) == other
        assert line.GetNumberOfControlPoints() == 0


def test_choosing_another_effect_at_once_places_nothing(desk):
    desk.choose_effect("Paint")
    desk.editor.setActiveEffectByName(NAME)
    desk.choose_effect("Paint")
    desk.application.wait(seconds=0.05)
    assert active(desk) == "Paint"
    assert not desk.ui.positiveButton.checked


def test_what_the_user_begins_to_place_at_once_is_not_taken_from_him(desk):
    desk.choose_effect("")
    desk.editor.setActiveEffectByName(NAME)
    line = place_a_line(desk)
    desk.application.wait(seconds=0.05)
    selection = desk.application.app.GetSelectionNode()
    assert selection.GetActivePlaceNodeID() == line.GetID()
    assert active(desk) == NAME


@pytest.mark.parametrize("other", ["Paint", "Threshold", "Scissors"])
def test_after_switching_a_click_is_answered(desk, other):
    desk.choose_effect(other)
    desk.choose_effect()
    assert desk.propose(BALL) is not None
