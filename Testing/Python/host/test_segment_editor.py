"""The editor widget does with nodes and effects what Slicer's does."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.mrml


def test_the_add_button_makes_and_selects_a_segment(desk):
    import qt

    desk.editor.findChild(qt.QPushButton, "AddSegmentButton").click()
    ids = list(desk.segmentation.GetSegmentation().GetSegmentIDs())
    assert len(ids) == 2
    assert desk.editor.currentSegmentID() == ids[1]


def test_the_remove_button_removes_it(desk):
    import qt

    desk.editor.findChild(qt.QPushButton, "RemoveSegmentButton").click()
    assert desk.segmentation.GetSegmentation().GetNumberOfSegments() == 0
    assert desk.application.errors == []


def test_an_effect_button_activates_and_another_leaves(desk):
    import qt

    desk.editor.findChild(qt.QToolButton, "Tiny").click()
    assert desk.editor.activeEffect() is desk.editor.effectByName("Tiny")
    desk.editor.findChild(qt.QToolButton, "NULL").click()
    assert desk.editor.activeEffect() is None
    assert desk.names()[-1] == "deactivate"


def test_an_effect_that_needs_segments_is_off_without_them(desk):
    import qt

    button = desk.editor.findChild(qt.QToolButton, "Tiny")
    assert button.isEnabled()
    desk.segmentation.GetSegmentation().RemoveAllSegments()
    desk.editor.updateWidgetFromMRML()
    assert not button.isEnabled()


def test_the_options_have_the_width_of_the_module_panel(desk):
    desk.editor.setActiveEffectByName("Tiny")
    desk.application.process_events()
    frame = desk.editor.activeEffect().optionsFrame()
    assert frame.isVisible()
    assert 200 < frame.width < 430
    assert frame.parent().objectName == "EffectsOptionsFrame"


def test_choosing_an_effect_ends_place_mode(desk):
    node = desk.editor.interactionNode()
    node.SetCurrentInteractionMode(node.Place)
    desk.editor.setActiveEffectByName("Tiny")
    assert node.GetCurrentInteractionMode() == node.ViewTransform
    assert desk.editor.activeEffect() is not None


def test_another_source_volume_is_told_to_effects(desk):
    desk.tiny.calls.clear()
    desk.editor.setSourceVolumeNode(desk.studio.volume(name="MR"))
    assert desk.names() == ["sourceVolumeNodeChanged"]


def test_a_changed_reference_geometry_is_told_to_nobody(desk):
    # Slicer 5.12 and 5.13 have the code for it, but nothing calls it.
    desk.editor.setActiveEffectByName("Tiny")
    desk.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(
        desk.studio.volume(shape=(8, 8, 8))
    )
    desk.editor.effectByName("Tiny").referenceGeometryImage()
    assert "referenceGeometryChanged" not in desk.names()


def test_another_segmentation_ends_the_effect(desk):
    desk.editor.setActiveEffectByName("Tiny")
    desk.editor.setSegmentationNode(desk.studio.segmentation(desk.volume, name="Other"))
    assert desk.editor.activeEffect() is None


def test_a_removed_segmentation_ends_the_effect(desk):
    desk.editor.setActiveEffectByName("Tiny")
    desk.application.scene.RemoveNode(desk.segmentation)
    assert desk.editor.segmentationNode() is None
    assert desk.application.errors == []


def test_closing_the_scene_with_an_active_effect_is_quiet(desk):
    desk.editor.setActiveEffectByName("Tiny")
    desk.application.close_scene()
    assert desk.editor.activeEffect() is None
    assert desk.names().count("deactivate") == 1
    assert desk.application.errors == []
    # The next case.
    volume = desk.studio.volume()
    desk.studio.host = desk.application
    segmentation = desk.studio.segmentation(volume)
    segmentation.GetSegmentation().AddEmptySegment("", "New")
    desk.editor.setSegmentationNode(segmentation)
    desk.editor.setSourceVolumeNode(volume)
    desk.editor.setActiveEffectByName("Tiny")
    assert desk.editor.activeEffect() is not None


def test_leaving_the_module_ends_the_effect_and_takes_the_keys(desk):
    import qt
    import slicer

    desk.editor.setActiveEffectByName("Tiny")
    keys = slicer.util.mainWindow().findChildren(qt.QShortcut)
    assert {"Z", "Y", "Space", "Esc", "1", "Shift+1", "Q", "W", "I"} <= {
        shortcut.key.toString() for shortcut in keys
    }
    desk.application.editors[0].exit()
    desk.application.process_events()
    assert desk.editor.activeEffect() is None
    assert slicer.util.mainWindow().findChildren(qt.QShortcut) == []


def test_of_ten_states_nine_can_be_undone(desk):
    # One of the ten is the newest, which undo saves before it goes back.
    import qt

    assert desk.editor.maximumNumberOfUndoStates == 10
    undo = desk.editor.findChild(qt.QToolButton, "UndoButton")
    desk.editor.setActiveEffectByName("Tiny")
    assert not undo.isEnabled()
    for _ in range(12):
        desk.editor.activeEffect().self().fillButton.click()
    steps = 0
    while undo.isEnabled():
        undo.click()
        steps += 1
    assert steps == 9


def test_masking_is_written_to_the_node(desk):
    import qt

    desk.editor.setActiveEffectByName("Tiny")
    node = desk.editor.mrmlSegmentEditorNode()
    desk.editor.findChild(qt.QComboBox, "OverwriteModeComboBox").setCurrentIndex(2)
    assert node.GetOverwriteMode() == node.OverwriteNone
    modes = desk.editor.findChild(qt.QComboBox, "MaskModeComboBox")
    modes.setCurrentIndex(modes.findText("Inside First"))
    assert node.GetMaskSegmentID() == desk.segment_id
    desk.editor.findChild(qt.QCheckBox, "SourceVolumeIntensityMaskCheckBox").click()
    assert node.GetSourceVolumeIntensityMask()
    low, high = node.GetSourceVolumeIntensityMaskRange()
    assert low < high


def test_a_closed_editor_cleans_its_effects(desk):
    desk.application.close()
    assert desk.names()[-1] == "cleanup"
    assert desk.application.errors == []


def test_editors_are_found_in_the_main_window(desk):
    import slicer

    found = slicer.util.findChildren(className="qMRMLSegmentEditorWidget")
    assert found == [desk.editor]


def test_an_editor_may_get_its_scene_before_its_node(desk):
    import slicer

    other = slicer.qMRMLSegmentEditorWidget()
    other.setMRMLScene(slicer.mrmlScene)
    assert other.segmentationNode() is desk.segmentation  # the first, chosen by itself
    other.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    assert other.segmentationNode() is None
    other.setSegmentationNode(desk.segmentation)
    other.setSourceVolumeNode(desk.volume)
    other.setActiveEffectByName("Tiny")
    assert other.activeEffect() is not None and desk.editor.activeEffect() is None
    assert desk.application.errors == []
