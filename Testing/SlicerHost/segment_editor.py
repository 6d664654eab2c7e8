"""qMRMLSegmentEditorWidget around the real vtkSlicerSegmentEditorLogic."""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import weakref

import slicer
import vtk

from . import effects, errors, segment_editor_keys
from .cpp import Property, Signal, cpp_class, keep, stored
from .mrml_widgets import Observations, qMRMLWidget
from .pythonqt import qt
from .segment_editor_events import ViewObservations
from .segment_editor_panel import Panel
from .segment_editor_slots import Slots
from .segment_editor_update import FromMrml
from .segments_table import qMRMLSegmentsTableView

EFFECT_ORDER = (
    "Threshold",
    "Paint",
    "Draw",
    "Erase",
    "Level tracing",
    "Grow from seeds",
    "Fill between slices",
    "Margin",
    "Hollow",
    "Smoothing",
    "Scissors",
    "Islands",
    "Logical operators",
    "Mask volume",
)

# Editors that were not closed; the application's end closes them.
alive = weakref.WeakSet()


@cpp_class
class qMRMLSegmentEditorWidget(FromMrml, Slots, qMRMLWidget):
    currentSegmentIDChanged = Signal(str)
    sourceVolumeNodeChanged = Signal(object)
    masterVolumeNodeChanged = Signal(object)
    segmentationNodeChanged = Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        logic = slicer.vtkSlicerSegmentEditorLogic()
        keep(self, _logic=logic, _node=None, _segmentation=None, _volume=None, _interaction=None)
        keep(self, _effects=[], _active=None, _last_effect=None, _locked=False, _shortcuts=[])
        keep(self, _watch=Observations(self), _panel=Panel(self), _views=ViewObservations(self))
        keep(self, _order=list(EFFECT_ORDER), _columns=2, _unordered=True, _custom_cursors=set())
        keep(self, _masking_visible=True, _style=qt.Qt.ToolButtonIconOnly, _closed=False)
        keep(self, _by_button={}, _undo_visible=True)
        self._connect_panel()
        alive.add(self)
        event = slicer.vtkSlicerSegmentEditorLogic.SegmentationHistoryChangedEvent
        self._watch.connect(logic, event, self._show_history)
        logic_class = slicer.vtkSlicerSegmentEditorLogic
        self._watch.connect(logic, logic_class.PauseRenderEvent, lambda: slicer.app.pauseRender())
        self._watch.connect(logic, logic_class.ResumeRenderEvent, lambda: slicer.app.resumeRender())
        self.updateEffectList()
        self._panel.OptionsGroupBox.hide()
        self._panel.MaskingGroupBox.hide()

    # Nodes

    def mrmlSegmentEditorNode(self):
        return self._node

    def segmentationNode(self):
        return self._panel.SegmentationNodeComboBox.currentNode()

    def segmentationNodeID(self) -> str:
        return self._panel.SegmentationNodeComboBox.currentNodeID

    def sourceVolumeNode(self):
        return self._logic.GetSourceVolumeNode()

    def sourceVolumeNodeID(self) -> str:
        return self._volume.GetID() if self._volume is not None else ""

    def currentSegmentID(self) -> str:
        return self._logic.GetCurrentSegmentID()

    def interactionNode(self):
        return self._interaction

    def setMRMLScene(self, scene) -> None:
        if scene is self._scene:
            return
        combos = (self._panel.SegmentationNodeComboBox, self._panel.SourceVolumeNodeComboBox)
        before = [combo.blockSignals(True) for combo in combos]
        qMRMLWidget.setMRMLScene(self, scene)
        for combo, blocked in zip(combos, before, strict=True):
            combo.setMRMLScene(scene)
            combo.blockSignals(blocked)
        self._logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
        self._logic.SetMRMLScene(scene)
        self._logic.SetVerbose(True)
        slicer.app.layoutManager().connect("layoutChanged(int)", self._on_layout)
        node = scene.GetNodeByID("vtkMRMLInteractionNodeSingleton") if scene else None
        self.setInteractionNode(node)
        self.updateWidgetFromMRML()
        events = slicer.vtkMRMLScene
        self._watch.connect(scene, events.EndCloseEvent, self._on_scene_closed)
        self._watch.connect(scene, events.EndBatchProcessEvent, self._on_batch_done)

    def setInteractionNode(self, node) -> None:
        if node is self._interaction:
            return
        modified = vtk.vtkCommand.ModifiedEvent
        self._watch.reconnect(self._interaction, node, modified, self._on_interaction_node)
        keep(self, _interaction=node)

    def setMRMLSegmentEditorNode(self, node) -> None:
        if node is self._node:
            return
        modified = vtk.vtkCommand.ModifiedEvent
        self._watch.reconnect(self._node, node, modified, self.updateWidgetFromMRML)
        old = self._node
        keep(self, _node=node)
        self._logic.SetSegmentEditorNode(node)
        if node is None:
            return
        self._initialize_parameters(old)
        self.updateWidgetFromMRML()

    def setSegmentationNode(self, node) -> None:
        if self._logic.GetSegmentationNode() is node:
            return
        self._logic.SetSegmentationNode(node)
        self.setActiveEffect(None)

    def setSegmentationNodeID(self, nodeID: str) -> None:
        self.setSegmentationNode(self._scene.GetNodeByID(nodeID))

    def setSourceVolumeNode(self, node) -> None:
        self._logic.SetSourceVolumeNode(node)

    def setSourceVolumeNodeID(self, nodeID: str) -> None:
        self._logic.SetSourceVolumeNodeID(nodeID or "")

    def setCurrentSegmentID(self, segmentID: str) -> None:
        if self._node is not None:
            self._node.SetSelectedSegmentID(segmentID)

    # Effects

    def activeEffect(self):
        return self._active

    def setActiveEffect(self, effect) -> None:
        if self._node is None:
            if effect is not None:
                errors.critical("Invalid segment editor parameter set node")
            return
        self._node.SetActiveEffectName(effect.name if effect is not None else "")

    def setActiveEffectByName(self, effectName: str) -> None:
        self.setActiveEffect(self.effectByName(effectName))

    def effectByName(self, name: str):
        return next((e for e in self._effects if name and e.name == name), None)

    def availableEffectNames(self) -> list[str]:
        return [effect.name for effect in self._effects]

    def effectCount(self) -> int:
        return self._panel.EffectsGroupBox.layout().count()

    def effectByIndex(self, index: int):
        item = self._panel.EffectsGroupBox.layout().itemAt(index) if index >= 0 else None
        return self._by_button.get(item.widget()) if item else None

    def setEffectNameOrder(self, effectNames) -> None:
        keep(self, _order=list(effectNames))
        self.updateEffectList()

    def effectNameOrder(self) -> list[str]:
        return list(self._order)

    def updateEffectList(self) -> None:
        panel = self._panel
        if not panel.effect_buttons:
            self._add_button(None)
        for effect in effects.clones_of_new(self._effects):
            self._effects.append(effect)
            self._adopt(effect)
        layout = panel.EffectsGroupBox.layout()
        while layout.count():
            layout.takeAt(0)
        for button in panel.effect_buttons:
            button.hide()
        ordered = [self.effectByName(name) for name in self._order]
        shown = [None, *[e for e in ordered if e is not None]]
        if self._unordered:
            shown += [e for e in self._effects if e not in shown]
        for place, effect in enumerate(shown):
            button = next(b for b, e in self._by_button.items() if e is effect)
            button.show()
            layout.addWidget(button, *divmod(place, self._columns))

    def setEffectCursor(self, effect) -> None:
        layout = slicer.app.layoutManager()
        slices = [layout.sliceWidget(name) for name in layout.sliceViewNames()]
        threed = [layout.threeDWidget(n) for n in range(layout.threeDViewCount)]
        for widget in slices + threed:
            view, wanted = widget.viewWidget(), False
            if effect is not None:
                in_slice = effect.showEffectCursorInSliceView
                wanted = in_slice if widget in slices else effect.showEffectCursorInThreeDView
            cursor = effect._core.create_cursor(widget) if wanted else qt.QCursor()
            view.setViewCursor(cursor)
            view.setDefaultViewCursor(cursor)

    # Undo

    def saveStateForUndo(self) -> None:
        self._logic.SaveStateForUndo()

    def undo(self) -> None:
        self._logic.Undo()

    def redo(self) -> None:
        self._logic.Redo()

    def setMaximumNumberOfUndoStates(self, states: int) -> None:
        self._logic.SetMaximumNumberOfUndoStates(states)

    def setUndoEnabled(self, enabled: bool) -> None:
        if enabled:
            self._logic.ClearUndoState()
        self._panel.UndoRedoGroupBox.setVisible(enabled)

    maximumNumberOfUndoStates = Property(
        int, lambda self: self._logic.GetMaximumNumberOfUndoStates(), setMaximumNumberOfUndoStates
    )
    undoEnabled = Property(
        bool, lambda self: self._panel.UndoRedoGroupBox.isVisible(), setUndoEnabled
    )

    # Views and keys

    def setupViewObservations(self) -> None:
        self._views.set_up()

    def removeViewObservations(self) -> None:
        self._views.remove()

    def installKeyboardShortcuts(self, parent=None) -> None:
        self.uninstallKeyboardShortcuts()
        parent = parent or slicer.util.mainWindow() or self
        keep(self, _shortcuts=segment_editor_keys.install(self, parent))

    def uninstallKeyboardShortcuts(self) -> None:
        segment_editor_keys.uninstall(self._shortcuts)

    def selectPreviousSegment(self) -> None:
        self.selectSegmentAtOffset(-1)

    def selectNextSegment(self) -> None:
        self.selectSegmentAtOffset(1)

    def selectSegmentAtOffset(self, offset: int) -> None:
        display = self._segmentation.GetDisplayNode() if self._segmentation is not None else None
        table = self._panel.SegmentsTableView
        row = table.rowForSegmentID(self.currentSegmentID())
        if display is None or row < 0:
            return
        for _ in range(table.segmentCount):
            row = max(0, (row + offset) % table.segmentCount)
            if display.GetSegmentVisibility(table.segmentIDForRow(row)):
                self.setCurrentSegmentID(table.segmentIDForRow(row))
                return

    # Looks

    def setReadOnly(self, on: bool) -> None:
        keep(self, _locked=bool(on))
        if on:
            self.setActiveEffect(None)
        self.updateWidgetFromMRML()

    def setMaskingSectionVisible(self, on: bool) -> None:
        keep(self, _masking_visible=bool(on))
        self._show_effects()

    def setEffectColumnCount(self, columns: int) -> None:
        keep(self, _columns=columns)
        self.updateEffectList()

    def setUnorderedEffectsVisible(self, on: bool) -> None:
        keep(self, _unordered=bool(on))
        self.updateEffectList()

    def setEffectButtonStyle(self, style) -> None:
        keep(self, _style=style)
        panel = self._panel
        for button in [*panel.effect_buttons, panel.UndoButton, panel.RedoButton]:
            button.setToolButtonStyle(style)

    def toggleSourceVolumeIntensityMaskEnabled(self) -> None:
        self._logic.ToggleSourceVolumeIntensityMask()

    readOnly = Property(bool, lambda self: self._locked, setReadOnly)
    maskingSectionVisible = Property(
        bool, lambda self: self._masking_visible, setMaskingSectionVisible
    )
    effectColumnCount = Property(int, lambda self: self._columns, setEffectColumnCount)
    unorderedEffectsVisible = Property(
        bool, lambda self: self._unordered, setUnorderedEffectsVisible
    )
    effectButtonStyle = Property(int, lambda self: int(self._style), setEffectButtonStyle)
    autoShowSourceVolumeNode = stored(bool, "autoShowSourceVolumeNode", True)

    def setAutoShowSourceVolumeNode(self, on: bool) -> None:
        self.autoShowSourceVolumeNode = on


WIDGETS = (qMRMLSegmentEditorWidget, qMRMLSegmentsTableView)


def close(editor) -> None:
    """What the widget's destructor does: effects are cleaned up, observers go."""
    if editor._closed:
        return
    alive.discard(editor)
    editor.removeViewObservations()
    editor.uninstallKeyboardShortcuts()
    for effect in editor._effects:
        effect._core.call("cleanup")
    slicer.app.layoutManager().disconnect("layoutChanged(int)", editor._on_layout)
    editor._watch.clear()
    panel = editor._panel
    for combo in (panel.SegmentationNodeComboBox, panel.SourceVolumeNodeComboBox):
        combo._watch.clear()
        combo._nodes_watch.clear()
    panel.SegmentsTableView._watch.clear()
    keep(editor, _closed=True)
    editor._logic.SetSegmentEditorNode(None)
    editor.close()
    editor.setParent(None)
    editor.deleteLater()
