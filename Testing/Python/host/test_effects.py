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


def test_the_defaults_are_those_of_slicer(desk):
    effect = desk.editor.effectByName("Tiny")
    assert effect.perSegment and effect.requireSegments
    assert effect.showEffectCursorInSliceView and not effect.showEffectCursorInThreeDView
    assert effect.title == "Tiny effect"


@pytest.mark.parametrize("name", ["setName", "icon", "clone", "setVolumes", "segmentEditorNode"])
def test_what_python_cannot_call_is_not_there(desk, name):
    with pytest.raises(AttributeError):
        getattr(desk.editor.effectByName("Tiny"), name)


def test_an_unknown_attribute_of_the_adaptor_cannot_be_set(desk):
    with pytest.raises(AttributeError):
        desk.editor.effectByName("Tiny").somethingOfMine = 3


def test_a_property_of_the_adaptor_cannot_be_called(desk):
    with pytest.raises(TypeError):
        desk.editor.effectByName("Tiny").name()


def test_activation_shows_the_values_before_the_effect_hears_of_it(desk):
    desk.editor.setActiveEffectByName("Tiny")
    assert desk.tiny.calls[-2:] == [("updateGUIFromMRML",), ("activate", True)]
    desk.editor.setActiveEffect(None)
    assert desk.tiny.calls[-1] == ("deactivate", False)
    assert desk.application.errors == []


def test_values_are_shown_only_while_active(desk):
    effect = desk.editor.effectByName("Tiny")
    effect.setParameter("Amount", 7)
    assert "updateGUIFromMRML" not in desk.names()
    desk.editor.setActiveEffectByName("Tiny")
    assert effect.self().amountSpinBox.value == 7
    effect.setParameter("Amount", 9)
    assert effect.self().amountSpinBox.value == 9


def test_parameters_are_attributes_of_the_node(desk):
    effect = desk.editor.effectByName("Tiny")
    node = effect.parameterSetNode()
    assert node.GetAttribute("Tiny.Amount") == "3"
    effect.setParameter("Factor", 0.1234567)
    assert node.GetAttribute("Tiny.Factor") == "0.123457"
    effect.setCommonParameter("Shared", "yes")
    assert effect.parameter("Shared") == "yes"
    assert not effect.parameterDefined("Shared") and effect.commonParameterDefined("Shared")


def test_a_missing_parameter_is_an_error_in_the_log(desk):
    assert desk.editor.effectByName("Tiny").parameter("Nothing") == ""
    assert "Nothing" in str(desk.application.errors[-1])


def test_a_parameter_wakes_observers_of_its_own_event_only(desk):
    effect, heard = desk.editor.effectByName("Tiny"), []
    node = effect.parameterSetNode()
    node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: heard.append("modified"))
    node.AddObserver(node.EffectParameterModified, lambda *_: heard.append("parameter"))
    effect.setParameter("Amount", 8)
    effect.setParameter("Amount", 8)
    assert heard == ["parameter"]


def test_the_button_writes_and_undo_takes_back(desk):
    import slicer

    desk.editor.setActiveEffectByName("Tiny")
    desk.editor.activeEffect().self().fillButton.click()
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(
        desk.segmentation, desk.segment_id, desk.volume
    )
    assert mask.all()
    desk.editor.undo()
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(
        desk.segmentation, desk.segment_id, desk.volume
    )
    assert not mask.any()
    assert desk.application.errors == []


def test_an_extent_and_bypass_may_follow_the_mode(desk):
    import slicer

    effect = desk.editor.effectByName("Tiny")
    labelmap = effect.defaultModifierLabelmap()
    slicer.vtkOrientedImageDataResample.FillImage(labelmap, 1)
    add = slicer.qSlicerSegmentEditorAbstractEffect.ModificationModeAdd
    effect.modifySegmentByLabelmap(
        desk.segmentation, desk.segment_id, labelmap, add, [0, 1, 0, 1, 0, 1], True
    )
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(
        desk.segmentation, desk.segment_id, desk.volume
    )
    assert mask.sum() == 8


def test_a_callback_that_raises_is_kept_and_the_default_runs(desk):
    desk.tiny.raising.add("interactionNodeModified")
    desk.editor.setActiveEffectByName("Tiny")
    node = desk.editor.interactionNode()
    node.SetCurrentInteractionMode(node.Place)
    assert desk.editor.activeEffect() is None  # the default leaves the effect
    assert "interactionNodeModified was told to raise" in str(desk.application.errors[0])


def test_a_callback_that_answers_is_not_followed_by_the_default(desk):
    desk.editor.setActiveEffectByName("Tiny")
    node = desk.editor.interactionNode()
    node.SetCurrentInteractionMode(node.Place)
    assert desk.editor.activeEffect() is not None
    assert ("interactionNodeModified", node.Place) in desk.tiny.calls


def test_methods_are_looked_up_once(desk, monkeypatch):
    monkeypatch.setattr(desk.tiny, "activate", lambda self: 1 / 0)
    desk.editor.setActiveEffectByName("Tiny")
    assert desk.application.errors == []
    assert "activate" in desk.names()


def test_an_effect_whose_constructor_raises_does_not_load(application, tmp_path):
    folder = tmp_path / "BrokenLib"
    folder.mkdir()
    path = folder / "SegmentEditorEffect.py"
    path.write_text("class SegmentEditorEffect:\n    def __init__(self, e): raise ValueError('no')")
    assert not application.register_effect(path)
    assert "no" in str(application.errors[0])


def test_a_hidden_segment_is_asked_for(desk):
    import qt

    effect = desk.editor.effectByName("Tiny")
    assert effect.confirmCurrentSegmentVisible() == effect.ConfirmedWithoutDialog
    display = desk.segmentation.GetDisplayNode()
    display.SetSegmentVisibility(desk.segment_id, False)
    desk.application.answer(qt.QMessageBox.Cancel, qt.QMessageBox.Yes)
    assert effect.confirmCurrentSegmentVisible() == effect.NotConfirmed
    assert effect.confirmCurrentSegmentVisible() == effect.ConfirmedWithDialog
    assert display.GetSegmentVisibility(desk.segment_id)


def test_a_question_without_an_answer_does_not_hang(desk):
    desk.segmentation.GetDisplayNode().SetSegmentVisibility(desk.segment_id, False)
    with pytest.raises(RuntimeError, match="hidden"):
        desk.editor.effectByName("Tiny").confirmCurrentSegmentVisible()
