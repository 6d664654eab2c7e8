"""From any other effect to SAM Segment and back, whatever the mouse is at."""

import pytest
import slicer

from SlicerHost.own_effects import NAMES
from TestSupport.effect_user import NAME

from ..conftest import BALL

pytestmark = pytest.mark.mrml

OTHERS = ("", *NAMES)


def interaction_of(user):
    return user.application.app.GetInteractionNode()


def active(user) -> str:
    effect = user.editor.activeEffect()
    return "" if effect is None else effect.name


def place_a_line(user):
    """What Slicer's toolbar does when the user wants to place a line of his own."""
    line = user.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Mine")
    slicer.modules.markups.logic().SetActiveList(line)
    interaction_of(user).SwitchToPersistentPlaceMode()
    return line


def assert_ready_for_a_click(user) -> None:
    assert active(user) == NAME
    assert user.ui.positiveButton.checked
    assert interaction_of(user).GetCurrentInteractionMode() == slicer.vtkMRMLInteractionNode.Place


def test_switching_from_any_effect_and_back_again(user):
    for other in [*OTHERS, *OTHERS]:
        user.choose_effect(other)
        assert active(user) == other
        mode = interaction_of(user).GetCurrentInteractionMode()
        assert mode == slicer.vtkMRMLInteractionNode.ViewTransform
        user.choose_effect()
        assert_ready_for_a_click(user)


def test_switching_while_something_of_the_users_own_is_being_placed(user):
    for other in OTHERS:
        user.choose_effect(other)
        line = place_a_line(user)
        # Slicer leaves its own effects then.
        assert active(user) == ""
        user.choose_effect()
        assert_ready_for_a_click(user)
        place_a_line(user)
        user.application.process_events()
        assert active(user) == NAME
        user.choose_effect(other)
        assert active(user) == other
        assert line.GetNumberOfControlPoints() == 0


def test_choosing_another_effect_at_once_places_nothing(user):
    user.choose_effect("Paint")
    user.editor.setActiveEffectByName(NAME)
    user.choose_effect("Paint")
    user.application.wait(seconds=0.05)
    assert active(user) == "Paint"
    assert not user.ui.positiveButton.checked


def test_what_the_user_begins_to_place_at_once_is_not_taken_from_him(user):
    user.choose_effect("")
    user.editor.setActiveEffectByName(NAME)
    line = place_a_line(user)
    user.application.wait(seconds=0.05)
    selection = user.application.app.GetSelectionNode()
    assert selection.GetActivePlaceNodeID() == line.GetID()
    assert active(user) == NAME


@pytest.mark.parametrize("other", ["Paint", "Threshold", "Scissors"])
def test_after_switching_a_click_is_answered(user, other):
    user.choose_effect(other)
    user.choose_effect()
    assert user.propose(BALL) is not None
