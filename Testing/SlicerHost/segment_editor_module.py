"""The module "Segment Editor": what surrounds the editor widget (`SegmentEditor.py`)."""

from __future__ import annotations

import slicer

from . import effects, segment_editor
from .cpp import keep
from .mrml_widgets import Observations, qMRMLWidget
from .pythonqt import qt

TAG = "SegmentEditor"
UNDO_STATES = 10


class SegmentEditorModule:
    """The module's panel; `editor` is the widget in it."""

    def __init__(self, width: int) -> None:
        self.parent = qMRMLWidget(slicer.util.mainWindow())
        self.parent.setWindowFlags(qt.Qt.Window)
        self.parent.setWindowTitle("Segment Editor")
        self.parent.resize(width, 800)
        layout = qt.QVBoxLayout(self.parent)
        layout.setContentsMargins(4, 0, 4, 0)
        self.editor = segment_editor.qMRMLSegmentEditorWidget()
        self.editor.setMaximumNumberOfUndoStates(UNDO_STATES)
        self.node = None
        self.entered = False
        self.select_node()
        self.editor.setMRMLScene(slicer.mrmlScene)
        layout.addWidget(self.editor)
        self.factory = effects.qSlicerSegmentEditorEffectFactory.instance()
        self.factory.connect("effectRegistered(QString)", self.editor.updateEffectList)
        self._watch = Observations(self.parent)
        scene = slicer.mrmlScene
        self._watch.connect(scene, scene.StartCloseEvent, self._on_close_starts)
        self._watch.connect(scene, scene.EndCloseEvent, self._on_scene_changed)
        self._watch.connect(scene, scene.EndImportEvent, self._on_scene_changed)
        keep(self.editor, _module=self)

    def select_node(self) -> None:
        """The scene's singleton segment editor node, made if it lacks."""
        node = slicer.mrmlScene.GetSingletonNode(TAG, "vtkMRMLSegmentEditorNode")
        if node is None:
            node = slicer.vtkMRMLSegmentEditorNode()
            node.SetSingletonTag(TAG)
            node = slicer.mrmlScene.AddNode(node)
        if node is not self.node:
            self.node = node
            self.editor.setMRMLSegmentEditorNode(node)

    def enter(self) -> None:
        self.entered = True
        self.editor.installKeyboardShortcuts()
        self.select_node()
        self.editor.updateWidgetFromMRML()
        if self.editor.segmentationNodeID():
            return
        # The first one, also if it is hidden.
        segmentation = slicer.mrmlScene.GetFirstNode(None, "vtkMRMLSegmentationNode")
        if segmentation is None:
            segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode")
        self.editor.setSegmentationNode(segmentation)
        if not self.editor.sourceVolumeNodeID():
            self.editor.setSourceVolumeNodeID(_shown_volume_id())

    def exit(self) -> None:
        """The user goes to another module."""
        self.entered = False
        self.editor.setActiveEffect(None)
        self.editor.uninstallKeyboardShortcuts()
        self.editor.removeViewObservations()

    def close(self) -> None:
        self._watch.clear()
        self.factory.disconnect("effectRegistered(QString)", self.editor.updateEffectList)
        segment_editor.close(self.editor)
        self.parent.close()
        self.parent.deleteLater()

    def _on_close_starts(self) -> None:
        self.node = None
        self.editor.setSegmentationNode(None)
        self.editor.removeViewObservations()

    def _on_scene_changed(self) -> None:
        if self.entered:
            self.select_node()
            self.editor.updateWidgetFromMRML()


def _shown_volume_id():
    """Of the first slice view with a background; else the first foreground."""
    foreground, manager = None, slicer.app.layoutManager()
    for name in manager.sliceViewNames():
        composite = manager.sliceWidget(name).mrmlSliceCompositeNode()
        if composite.GetBackgroundVolumeID():
            return composite.GetBackgroundVolumeID()
        foreground = foreground or composite.GetForegroundVolumeID()
    return foreground
