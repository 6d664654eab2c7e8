"""The adaptor calls a scripted effect when and as Slicer's C++ does."""

from __future__ import annotations

import pytest
import vtk

pytestmark = pytest.mark.mrml


def test_an_effect_registers_once(application, tiny, effect_path):
    assert application.register_effect(effect_path)  # its Python is made, the factory refuses it
    editor = application.open_segment_editor()
    assert editor.availableEffectNames() == ["Tiny"]


def test_two_editors_get_two_clones(application, tiny):
    first, second = application.open_segment_editor(), application.open_segment_editor()
    one, other = first.effectByName("Tiny"), second.effectByName("Tiny")
    assert one is not other
    assert one.self() is not other.self()


def test_an_effect_registered_later_appears(application, effect_path):
    editor = application.open_segment_editor()
    assert editor.availableEffectNames() == []
    application.register_effect(effect_path)
    assert editor.availableEffectNames() == ["Tiny"]


def test_the_defaults_are_those_of_slicer(user):
    effect = user.editor.effectByName("Tiny")
    assert effect.perSegment and effect.requireSegments
    assert effect.showEffectCursorInSliceView and not effect.showEffectCursorInThreeDView
    assert effect.title == "Tiny effect"


@pytest.mark.parametrize("name", ["setName", "icon", "clone", "setVolumes", "segmentEditorNode"])
def test_what_python_cannot_call_is_not_there(user, name):
    with pytest.raises(AttributeError):
        getattr(user.editor.effectByName("Tiny"), name)


def test_an_unknown_attribute_of_the_adaptor_cannot_be_set(user):
    with pytest.raises(AttributeError):
        user.editor.effectByName("Tiny").somethingOfMine = 3


def test_a_property_of_the_adaptor_cannot_be_called(user):
    with pytest.raises(TypeError):
        user.editor.effectByName("Tiny").name()


def test_activation_shows_the_values_before_the_effect_hears_of_it(user):
    user.editor.setActiveEffectByName("Tiny")
    assert user.tiny.calls[-2:] == [("updateGUIFromMRML",), ("activate", True)]
    user.editor.setActiveEffect(None)
    assert user.tiny.calls[-1] == ("deactivate", False)
    assert user.application.errors == []


def test_values_are_shown_only_while_active(user):
    effect = user.editor.effectByName("Tiny")
    effect.setParameter("Amount", 7)
    assert "updateGUIFromMRML" not in user.names()
    user.editor.setActiveEffectByName("Tiny")
    assert effect.self().amountSpinBox.value == 7
    effect.setParameter("Amount", 9)
    assert effect.self().amountSpinBox.value == 9


def test_parameters_are_attributes_of_the_node(user):
    effect = user.editor.effectByName("Tiny")
    node = effect.parameterSetNode()
    assert node.GetAttribute("Tiny.Amount") == "3"
    effect.setParameter("Factor", 0.1234567)
    assert node.GetAttribute("Tiny.Factor") == "0.123457"
    effect.setCommonParameter("Shared", "yes")
    assert effect.parameter("Shared") == "yes"
    assert not effect.parameterDefined("Shared") and effect.commonParameterDefined("Shared")


def test_a_missing_parameter_is_an_error_in_the_log(user):
    assert user.editor.effectByName("Tiny").parameter("Nothing") == ""
    assert "Nothing" in str(user.application.errors[-1])


def test_a_parameter_wakes_observers_of_its_own_event_only(user):
    effect, heard = user.editor.effectByName("Tiny"), []
    node = effect.parameterSetNode()
    node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: heard.append("modified"))
    node.AddObserver(node.EffectParameterModified, lambda *_: heard.append("parameter"))
    effect.setParameter("Amount", 8)
    effect.setParameter("Amount", 8)
    assert heard == ["parameter"]


def test_the_button_writes_and_undo_takes_back(user):
    import slicer

    user.editor.setActiveEffectByName("Tiny")
    user.editor.activeEffect().self().fillButton.click()
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(
        user.segmentation, user.segment_id, user.volume
    )
    assert mask.all()
    user.editor.undo()
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(
        user.segmentation, user.segment_id, user.volume
    )
    assert not mask.any()
    assert user.application.errors == []


def test_an_extent_and_bypass_may_follow_the_mode(user):
    import slicer

    effect = user.editor.effectByName("Tiny")
    labelmap = effect.defaultModifierLabelmap()
    slicer.vtkOrientedImageDataResample.FillImage(labelmap, 1)
    add = slicer.qSlicerSegmentEditorAbstractEffect.ModificationModeAdd
    effect.modifySegmentByLabelmap(
        user.segmentation, user.segment_id, labelmap, add, [0, 1, 0, 1, 0, 1], True
    )
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(
        user.segmentation, user.segment_id, user.volume
    )
    assert mask.sum() == 8


def test_a_callback_that_raises_is_kept_and_the_default_runs(user):
    user.tiny.raising.add("interactionNodeModified")
    user.editor.setActiveEffectByName("Tiny")
    node = user.editor.interactionNode()
    node.SetCurrentInteractionMode(node.Place)
    assert user.editor.activeEffect() is None  # the default leaves the effect
    assert "interactionNodeModified was told to raise" in str(user.application.errors[0])


def test_a_callback_that_answers_is_not_followed_by_the_default(user):
    user.editor.setActiveEffectByName("Tiny")
    node = user.editor.interactionNode()
    node.SetCurrentInteractionMode(node.Place)
    assert user.editor.activeEffect() is not None
    assert ("interactionNodeModified", node.Place) in user.tiny.calls


def test_methods_are_looked_up_once(user, monkeypatch):
    monkeypatch.setattr(user.tiny, "activate", lambda self: 1 / 0)
    user.editor.setActiveEffectByName("Tiny")
    assert user.application.errors == []
    assert "activate" in user.names()


def test_an_effect_whose_constructor_raises_does_not_load(application, tmp_path):
    folder = tmp_path / "BrokenLib"
    folder.mkdir()
    path = folder / "SegmentEditorEffect.py"
    path.write_text("class SegmentEditorEffect:\n    def __init__(self, e): raise ValueError('no')")
    assert not application.register_effect(path)
    assert "no" in str(application.errors[0])


def test_a_hidden_segment_is_asked_for(user):
    import qt

    effect = user.editor.effectByName("Tiny")
    assert effect.confirmCurrentSegmentVisible() == effect.ConfirmedWithoutDialog
    display = user.segmentation.GetDisplayNode()
    display.SetSegmentVisibility(user.segment_id, False)
    user.application.answer(qt.QMessageBox.Cancel, qt.QMessageBox.Yes)
    assert effect.confirmCurrentSegmentVisible() == effect.NotConfirmed
    assert effect.confirmCurrentSegmentVisible() == effect.ConfirmedWithDialog
    assert display.GetSegmentVisibility(user.segment_id)


def test_a_question_without_an_answer_does_not_hang(user):
    user.segmentation.GetDisplayNode().SetSegmentVisibility(user.segment_id, False)
    with pytest.raises(RuntimeError, match="hidden"):
        user.editor.effectByName("Tiny").confirmCurrentSegmentVisible()
