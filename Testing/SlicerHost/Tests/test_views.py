"""Mouse and keys in the views reach the active effect first, as in Slicer."""

from __future__ import annotations

import pytest
import vtk

pytestmark = pytest.mark.mrml


@pytest.fixture
def red(user):
    views = pytest.importorskip("SlicerHost.views")
    red, threed = views.SliceView(user.application, "Red"), views.ThreeDView(user.application)
    user.application.add_views(red, threed)
    red.show(user.volume)
    return red


def middle(red):
    width, height = red.size
    return red.ras_of((width // 2, height // 2))


def test_a_click_comes_with_the_view_widget(user, red):
    user.editor.setActiveEffectByName("Tiny")
    red.click(middle(red))
    press = ("processInteractionEvents", vtk.vtkCommand.LeftButtonPressEvent, "qMRMLSliceWidget")
    assert press in user.tiny.calls
    assert user.application.errors == user.application.warnings == []


def test_nothing_comes_without_an_active_effect(user, red):
    user.tiny.calls.clear()
    red.click(middle(red))
    assert user.tiny.calls == []


@pytest.mark.parametrize(("answer", "seen"), [(True, 0), (False, 1)])
def test_true_keeps_an_event_from_the_others(user, red, answer, seen):
    user.editor.setActiveEffectByName("Tiny")
    user.tiny.answers["processInteractionEvents"] = answer
    others = []
    red.interactor.AddObserver("LeftButtonPressEvent", lambda *_: others.append(1), 0.5)
    red.click(middle(red))
    assert len(others) == seen


def test_an_answer_that_is_no_bool_is_warned_about(user, red):
    user.editor.setActiveEffectByName("Tiny")
    user.tiny.answers["processInteractionEvents"] = None
    red.move(middle(red))
    assert "expected to return a boolean" in str(user.application.warnings[0])


def test_a_moved_slice_is_told(user, red):
    user.editor.setActiveEffectByName("Tiny")
    red.set_offset(25)
    assert ("processViewNodeEvents", "vtkMRMLSliceNode") in user.tiny.calls


def test_a_new_layout_is_told_to_effects(user, red):
    user.editor.setActiveEffectByName("Tiny")
    import slicer

    slicer.app.layoutManager().layoutChanged.emit(3)
    assert "layoutChanged" in user.names()


def test_positions_convert_as_in_slicer(user, red):
    import slicer

    user.editor.setActiveEffectByName("Tiny")
    effect = user.editor.activeEffect().self()
    widget = slicer.app.layoutManager().sliceWidget("Red")
    ras = effect.xyToRas((100, 120), widget)
    assert ras == pytest.approx(red.ras_of((100, 120)), abs=1e-4)
    image = effect.scriptedEffect.sourceVolumeImageData()
    i, j, k = effect.xyToIjk((200, 200), widget, image)
    assert 0 <= i < 26 and 0 <= j < 30 and 0 <= k < 22


def test_the_place_widget_places_points(user, red):
    import slicer

    user.editor.setActiveEffectByName("Tiny")
    node = user.application.add("vtkMRMLMarkupsFiducialNode", "P")
    widget = slicer.qSlicerMarkupsPlaceWidget()
    widget.setMRMLScene(slicer.mrmlScene)
    widget.setCurrentNode(node)
    heard = []
    widget.activeMarkupsPlaceModeChanged.connect(heard.append)
    # How many points may be placed is said when placing begins.
    widget.setPlaceMultipleMarkups(widget.ForcePlaceMultipleMarkups)
    assert not widget.placeModePersistency
    widget.setPlaceModeEnabled(True)
    assert widget.placeModeEnabled and widget.placeModePersistency
    widget.setPlaceMultipleMarkups(widget.ForcePlaceSingleMarkup)
    assert not widget.placeModePersistency
    red.click(middle(red))
    assert node.GetNumberOfDefinedControlPoints() == 1
    assert heard == [True, False]
    assert not widget.placeModeEnabled
    assert user.application.errors == []
