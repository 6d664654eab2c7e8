"""The editor widget does with nodes and effects what Slicer's does."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.mrml


def test_the_add_button_makes_and_selects_a_segment(user):
    import qt

    user.editor.findChild(qt.QPushButton, "AddSegmentButton").click()
    ids = list(user.segmentation.GetSegmentation().GetSegmentIDs())
    assert len(ids) == 2
    assert user.editor.currentSegmentID() == ids[1]


def test_the_remove_button_removes_it(user):
    import qt

    user.editor.findChild(qt.QPushButton, "RemoveSegmentButton").click()
    assert user.segmentation.GetSegmentation().GetNumberOfSegments() == 0
    assert user.application.errors == []


def test_an_effect_button_activates_and_another_leaves(user):
    import qt

    user.editor.findChild(qt.QToolButton, "Tiny").click()
    assert user.editor.activeEffect() is user.editor.effectByName("Tiny")
    user.editor.findChild(qt.QToolButton, "NULL").click()
    assert user.editor.activeEffect() is None
    assert user.names()[-1] == "deactivate"


def test_an_effect_that_needs_segments_is_off_without_them(user):
    import qt

    button = user.editor.findChild(qt.QToolButton, "Tiny")
    assert button.isEnabled()
    user.segmentation.GetSegmentation().RemoveAllSegments()
    user.editor.updateWidgetFromMRML()
    assert not button.isEnabled()


def test_the_options_have_the_width_of_the_module_panel(user):
    user.editor.setActiveEffectByName("Tiny")
    user.application.process_events()
    frame = user.editor.activeEffect().optionsFrame()
    assert frame.isVisible()
    assert 200 < frame.width < 430
    assert frame.parent().objectName == "EffectsOptionsFrame"


def test_choosing_an_effect_ends_place_mode(user):
    node = user.editor.interactionNode()
    node.SetCurrentInteractionMode(node.Place)
    user.editor.setActiveEffectByName("Tiny")
    assert node.GetCurrentInteractionMode() == node.ViewTransform
    assert user.editor.activeEffect() is not None


def test_another_source_volume_is_told_to_effects(user):
    user.tiny.calls.clear()
    user.editor.setSourceVolumeNode(user.builder.volume(name="MR"))
    assert user.names() == ["sourceVolumeNodeChanged"]


def test_a_changed_reference_geometry_is_told_to_nobody(user):
    # Slicer 5.12 and 5.13 have the code for it, but nothing calls it.
    user.editor.setActiveEffectByName("Tiny")
    user.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(
        user.builder.volume(shape=(8, 8, 8))
    )
    user.editor.effectByName("Tiny").referenceGeometryImage()
    assert "referenceGeometryChanged" not in user.names()


def test_another_segmentation_ends_the_effect(user):
    user.editor.setActiveEffectByName("Tiny")
    user.editor.setSegmentationNode(user.builder.segmentation(user.volume, name="Other"))
    assert user.editor.activeEffect() is None


def test_a_removed_segmentation_ends_the_effect(user):
    user.editor.setActiveEffectByName("Tiny")
    user.application.scene.RemoveNode(user.segmentation)
    assert user.editor.segmentationNode() is None
    assert user.application.errors == []


def test_closing_the_scene_with_an_active_effect_is_quiet(user):
    user.editor.setActiveEffectByName("Tiny")
    user.application.close_scene()
    assert user.editor.activeEffect() is None
    assert user.names().count("deactivate") == 1
    assert user.application.errors == []
    # The next case.
    volume = user.builder.volume()
    user.builder.host = user.application
    segmentation = user.builder.segmentation(volume)
    segmentation.GetSegmentation().AddEmptySegment("", "New")
    user.editor.setSegmentationNode(segmentation)
    user.editor.setSourceVolumeNode(volume)
    user.editor.setActiveEffectByName("Tiny")
    assert user.editor.activeEffect() is not None


def test_leaving_the_module_ends_the_effect_and_takes_the_keys(user):
    import qt
    import slicer

    user.editor.setActiveEffectByName("Tiny")
    keys = slicer.util.mainWindow().findChildren(qt.QShortcut)
    assert {"Z", "Y", "Space", "Esc", "1", "Shift+1", "Q", "W", "I"} <= {
        shortcut.key.toString() for shortcut in keys
    }
    user.application.editors[0].exit()
    user.application.process_events()
    assert user.editor.activeEffect() is None
    assert slicer.util.mainWindow().findChildren(qt.QShortcut) == []


def test_of_ten_states_nine_can_be_undone(user):
    # One of the ten is the newest, which undo saves before it goes back.
    import qt

    assert user.editor.maximumNumberOfUndoStates == 10
    undo = user.editor.findChild(qt.QToolButton, "UndoButton")
    user.editor.setActiveEffectByName("Tiny")
    assert not undo.isEnabled()
    for _ in range(12):
        user.editor.activeEffect().self().fillButton.click()
    steps = 0
    while undo.isEnabled():
        undo.click()
        steps += 1
    assert steps == 9


def test_masking_is_written_to_the_node(user):
    import qt

    user.editor.setActiveEffectByName("Tiny")
    node = user.editor.mrmlSegmentEditorNode()
    user.editor.findChild(qt.QComboBox, "OverwriteModeComboBox").setCurrentIndex(2)
    assert node.GetOverwriteMode() == node.OverwriteNone
    modes = user.editor.findChild(qt.QComboBox, "MaskModeComboBox")
    modes.setCurrentIndex(modes.findText("Inside First"))
    assert node.GetMaskSegmentID() == user.segment_id
    user.editor.findChild(qt.QCheckBox, "SourceVolumeIntensityMaskCheckBox").click()
    assert node.GetSourceVolumeIntensityMask()
    low, high = node.GetSourceVolumeIntensityMaskRange()
    assert low < high


def test_a_closed_editor_cleans_its_effects(user):
    user.application.close()
    assert user.names()[-1] == "cleanup"
    assert user.application.errors == []


def test_editors_are_found_in_the_main_window(user):
    import slicer

    found = slicer.util.findChildren(className="qMRMLSegmentEditorWidget")
    assert found == [user.editor]


def test_an_editor_may_get_its_scene_before_its_node(user):
    import slicer

    other = slicer.qMRMLSegmentEditorWidget()
    other.setMRMLScene(slicer.mrmlScene)
    assert other.segmentationNode() is user.segmentation  # the first, chosen by itself
    other.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    assert other.segmentationNode() is None
    other.setSegmentationNode(user.segmentation)
    other.setSourceVolumeNode(user.volume)
    other.setActiveEffectByName("Tiny")
    assert other.activeEffect() is not None and user.editor.activeEffect() is None
    assert user.application.errors == []
