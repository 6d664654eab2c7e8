"""How qMRMLSegmentEditorWidget follows its nodes (`updateWidgetFromMRML` and what it calls)."""

from __future__ import annotations

import slicer
import vtk

from . import errors
from .cpp import keep
from .segment_editor_masking import fill_mask_segments, show_masking


class FromMrml:
    """The part of the editor widget that reads the segment editor node and acts on it."""

    def updateWidgetFromMRML(self) -> None:
        scene, panel = self._scene, self._panel
        if self._closed or scene is None or scene.IsClosing() or scene.IsBatchProcessing():
            return
        if self._node is None:
            for widget in (panel.EffectsGroupBox, panel.MaskingGroupBox, panel.EffectsOptionsFrame):
                widget.setEnabled(False)
            panel.SegmentationNodeComboBox.setEnabled(False)
            panel.SourceVolumeNodeComboBox.setEnabled(False)
            return
        panel.SegmentationNodeComboBox.setEnabled(True)
        modifying = self._node.StartModify()
        self._show_segmentation()
        self._show_volume()
        chosen = self._segmentation is not None
        panel.EffectsGroupBox.setEnabled(chosen)
        panel.MaskingGroupBox.setEnabled(chosen)
        panel.EffectsOptionsFrame.setEnabled(chosen)
        panel.SourceVolumeNodeComboBox.setEnabled(chosen)
        segment_id = self._valid_segment_id()
        panel.AddSegmentButton.setEnabled(self._logic.CanAddSegments())
        panel.RemoveSegmentButton.setEnabled(bool(segment_id) and not self._locked)
        panel.SwitchToSegmentationsButton.setEnabled(True)
        if segment_id:
            panel.SegmentsTableView.setSelectedSegmentIDs([segment_id])
        else:
            panel.SegmentsTableView.clearSelection()
        panel.SegmentsTableView.setReadOnly(self._locked)
        self._show_effects()
        self._show_history()
        show_masking(self)
        fill_mask_segments(self)
        self._node.EndModify(modifying)

    def _valid_segment_id(self) -> str:
        segment_id = self._node.GetSelectedSegmentID() or ""
        segmentation = self._segmentation.GetSegmentation() if self._segmentation else None
        return segment_id if segmentation and segmentation.GetSegment(segment_id) else ""

    def _show_segmentation(self) -> None:
        node, combo = self._logic.GetSegmentationNode(), self._panel.SegmentationNodeComboBox
        if combo.currentNode() is not node:
            before = combo.blockSignals(True)
            combo.setCurrentNode(node)
            combo.blockSignals(before)
        if node is not self._segmentation:
            self._take_segmentation(node)
        fill_mask_segments(self)

    def _take_segmentation(self, node) -> None:
        old, kinds = self._segmentation, slicer.vtkSegmentation
        for event, call in (
            (vtk.vtkCommand.ModifiedEvent, self.updateWidgetFromMRML),
            (kinds.ContainedRepresentationNamesModified, self._on_segments),
            (kinds.SegmentAdded, self._on_segments),
            (kinds.SegmentRemoved, self._on_segments),
            (kinds.SegmentModified, self._on_segment_modified),
            (slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent, self._on_display),
        ):
            self._watch.reconnect(old, node, event, call)
        keep(self, _segmentation=node)
        table = self._panel.SegmentsTableView
        before = table.blockSignals(True)
        table.setSegmentationNode(node)
        table.blockSignals(before)
        if node is not None:
            role = node.GetReferenceImageGeometryReferenceRole()
            self._panel.SourceVolumeNodeComboBox.setCurrentNode(node.GetNodeReference(role))
            node.CreateDefaultDisplayNodes()
            _prefer_editable_display(node)
            ids = self._logic.GetSegmentIDs()
            if ids:
                table.setSelectedSegmentIDs([ids[0]])
            self._for_composite_nodes(lambda composite: composite.SetLabelVolumeID(None))
        self.segmentationNodeChanged.emit(node)

    def _show_volume(self) -> None:
        if self._node.GetSegmentationNode() is None:
            return
        volume = self._logic.GetSourceVolumeNode()
        if volume is self._volume:
            return
        event = slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent
        self._watch.reconnect(self._volume, volume, event, self._on_image)
        keep(self, _volume=volume)
        combo = self._panel.SourceVolumeNodeComboBox
        before = combo.blockSignals(True)
        combo.setCurrentNode(volume)
        combo.blockSignals(before)
        if volume is not None and self.autoShowSourceVolumeNode:
            self.showSourceVolumeInSliceViewers()
        self._on_image()
        self.sourceVolumeNodeChanged.emit(volume)
        self.masterVolumeNodeChanged.emit(volume)
        for effect in self._effects:
            effect._core.call("sourceVolumeNodeChanged")
            effect._core.call("masterVolumeNodeChanged")

    def showSourceVolumeInSliceViewers(self, forceShowInBackground=False, fitSlice=False) -> None:
        volume_id = self._volume.GetID() if self._volume is not None else None

        def show(composite) -> None:
            shown = (composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID())
            if volume_id and (volume_id not in shown or forceShowInBackground):
                composite.SetBackgroundVolumeID(volume_id)
                composite.SetForegroundVolumeID(None)
                composite.SetLabelVolumeID(None)

        self._for_composite_nodes(show, fitSlice)

    def _for_composite_nodes(self, change, fit=False) -> None:
        logics = slicer.app.applicationLogic().GetSliceLogics()
        for index in range(logics.GetNumberOfItems()):
            logic = logics.GetItemAsObject(index)
            if self._logic.IsSegmentationDisplayableInView(logic.GetSliceNode()):
                change(logic.GetSliceCompositeNode())
                if fit:
                    logic.FitSliceToBackground()

    def _show_effects(self) -> None:
        if self._node is None:
            errors.critical("Invalid segment editor parameter set node")
            return
        enabled = self._node.GetSourceVolumeNode() is not None and not self._locked
        self._panel.EffectsGroupBox.setEnabled(enabled)
        self._panel.OptionsGroupBox.setEnabled(enabled)
        if enabled:
            self._enable_buttons()
        wanted = self.effectByName(self._node.GetActiveEffectName() or "")
        if wanted is not self._active:
            self._switch_effect(wanted)

    def _enable_buttons(self) -> None:
        node = self._node.GetSegmentationNode()
        available = bool(node) and node.GetSegmentation().GetNumberOfSegments() > 0
        selected = bool(self._node.GetSelectedSegmentID())
        for button, effect in self._by_button.items():
            if effect is not None:
                usable = available and (selected or not effect.perSegment)
                button.setEnabled(not effect.requireSegments or usable)

    def _switch_effect(self, effect) -> None:
        panel, before = self._panel, self._active
        if before is not None:
            before._core.deactivate()
        if effect is not None and not self._make_editable():
            effect = None
        if effect is not None:
            self.setupViewObservations()
            self._leave_place_mode()
            effect._core.activate()
            panel.OptionsGroupBox.show()
            panel.OptionsGroupBox.setTitle(effect.title)
            panel.EffectHelpBrowser.setCollapsibleText(effect._core.help_text())
            panel.MaskingGroupBox.setVisible(self._masking_visible)
        else:
            panel.OptionsGroupBox.hide()
            panel.OptionsGroupBox.setTitle("")
            panel.EffectHelpBrowser.setText("")
            panel.MaskingGroupBox.hide()
            self.removeViewObservations()
        for button, of in self._by_button.items():
            blocked = button.blockSignals(True)
            button.setChecked(of is effect)
            button.blockSignals(blocked)
        node = self._interaction
        if node is None or node.GetCurrentInteractionMode() == node.ViewTransform:
            self.setEffectCursor(effect)
        keep(self, _last_effect=before, _active=effect)

    def _leave_place_mode(self) -> None:
        node = self._interaction
        if node is not None and node.GetCurrentInteractionMode() != node.ViewTransform:
            node.SetCurrentInteractionMode(node.ViewTransform)

    def _make_editable(self) -> bool:
        """Binary labelmaps as the source representation; the user's yes is taken for given."""
        if self._logic.CanTriviallyConvertSourceRepresentationToBinaryLabelMap():
            return self._logic.TrivialSetSourceRepresentationToBinaryLabelmap()
        return bool(self._segmentation) and self._logic.SetSourceRepresentationToBinaryLabelMap()

    def _show_history(self) -> None:
        self._panel.UndoButton.setEnabled(not self._locked and self._logic.CanUndo())
        self._panel.RedoButton.setEnabled(not self._locked and self._logic.CanRedo())


def _prefer_editable_display(node) -> None:
    converter, display = slicer.vtkSegmentationConverter, node.GetDisplayNode()
    segmentation = node.GetSegmentation()
    surface = converter.GetSegmentationClosedSurfaceRepresentationName()
    labelmap = converter.GetSegmentationBinaryLabelmapRepresentationName()
    if display and segmentation.ContainsRepresentation(surface):
        display.SetPreferredDisplayRepresentationName3D(surface)
    if display and segmentation.ContainsRepresentation(labelmap):
        display.SetPreferredDisplayRepresentationName2D(labelmap)
