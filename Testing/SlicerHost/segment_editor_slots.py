"""What qMRMLSegmentEditorWidget does when a button is pressed or a node changes: its slots."""

from __future__ import annotations

from .segment_editor_masking import connect_masking, fill_mask_segments, show_masking
from .segment_editor_panel import effect_button

_IMAGES = (
    "AlignedSourceVolume",
    "ModifierLabelmap",
    "MaskLabelmap",
    "SelectedSegmentLabelmap",
    "ReferenceGeometryImage",
)


class Slots:
    """The part of the editor widget that hears of clicks, nodes and the scene."""

    def _initialize_parameters(self, old=None) -> None:
        if self._node is None:
            return
        modifying = self._node.StartModify()
        for effect in self._effects:
            self._give_parameters(effect, old)
        self._node.EndModify(modifying)

    def _give_parameters(self, effect, old=None) -> None:
        effect.setParameterSetNode(self._node)
        effect._core.call("setMRMLDefaults")
        event = self._node.EffectParameterModified
        call = effect.updateGUIFromMRML
        self._watch.reconnect(old or self._node, self._node, event, call)

    def _adopt(self, effect) -> None:
        core = effect._core
        core.select, core.save_state = self.setActiveEffectByName, self.saveStateForUndo
        core.update_volume = self._update_image
        core.logic = self._logic
        if self._node is not None:
            self._give_parameters(effect)
        core.volumes = {name: getattr(self._logic, f"Get{name}")() for name in _IMAGES}
        self._add_button(effect)
        core.call("setupOptionsFrame")
        core.frame.setVisible(False)
        self._panel.EffectsOptionsFrame.layout().addWidget(core.frame)

    def _add_button(self, effect) -> None:
        button = effect_button(effect, self._panel.EffectsGroupBox)
        button.setToolButtonStyle(self._style)
        button.connect("clicked()", lambda: self.setActiveEffect(effect))
        self._panel.effect_buttons.append(button)
        self._by_button[button] = effect

    def _update_image(self, name: str) -> bool:
        if name == "ModifierLabelmap":
            return self._logic.ResetModifierLabelmapToDefault()
        return getattr(self._logic, f"Update{name}")()

    def _connect_panel(self) -> None:
        panel = self._panel
        panel.SegmentationNodeComboBox.currentNodeChanged.connect(self._on_segmentation_chosen)
        panel.SourceVolumeNodeComboBox.currentNodeChanged.connect(self._on_volume_chosen)
        panel.SegmentsTableView.selectionChanged.connect(self._on_segment_chosen)
        panel.SegmentsTableView.segmentAboutToBeModified.connect(lambda _: self.saveStateForUndo())
        panel.AddSegmentButton.connect("clicked()", self._on_add)
        panel.RemoveSegmentButton.connect("clicked()", self._on_remove)
        panel.Show3DButton.setCheckable(True)
        panel.Show3DButton.connect("toggled(bool)", self._on_show_3d)
        panel.UndoButton.connect("clicked()", self.undo)
        panel.RedoButton.connect("clicked()", self.redo)
        connect_masking(self)

    def _on_segmentation_chosen(self, node) -> None:
        if self._scene is not None and not self._scene.IsBatchProcessing():
            self.setSegmentationNode(node)

    def _on_volume_chosen(self, node) -> None:
        if self._scene is not None and not self._scene.IsBatchProcessing():
            self.setSourceVolumeNode(node)

    def _on_segment_chosen(self, *_) -> None:
        if self._node is None:
            return
        chosen = self._panel.SegmentsTableView.selectedSegmentIDs()
        segment_id = chosen[0] if chosen else ""
        if segment_id == (self._node.GetSelectedSegmentID() or ""):
            return
        if segment_id:
            self._node.SetSelectedSegmentID(segment_id)
        else:
            self._node.SetSelectedSegmentID(None)
            if self._active is not None and self._active.perSegment:
                self.setActiveEffect(None)
        self.updateWidgetFromMRML()
        self.currentSegmentIDChanged.emit(segment_id)

    def _on_add(self) -> None:
        self._logic.AddEmptySegment(self._panel.SegmentsTableView.textFilter, 0)

    def _on_remove(self) -> None:
        segment_id = self._logic.RemoveSelectedSegment()
        if segment_id:
            self._panel.SegmentsTableView.setSelectedSegmentIDs([segment_id])

    def _on_show_3d(self, on: bool) -> None:
        self._logic.ToggleSegmentationSurfaceRepresentation(on)

    def _on_segments(self) -> None:
        fill_mask_segments(self)

    def _on_segment_modified(self) -> None:
        show_masking(self)

    def _on_display(self) -> None:
        """Which views may show the segmentation may have changed."""
        if self._views.active and self._views.outdated():
            self._on_layout()

    def _on_image(self) -> None:
        image = self._volume.GetImageData() if self._volume is not None else None
        widget = self._panel.SourceVolumeIntensityMaskRangeWidget
        widget.setEnabled(image is not None)
        if image is not None:
            before = widget.blockSignals(True)
            widget.setRange(*image.GetScalarRange())
            widget.blockSignals(before)

    def _on_interaction_node(self) -> None:
        if self._interaction is not None and self._active is not None:
            self._active._core.interaction_node_modified(self._interaction)

    def _on_layout(self, *_) -> None:
        if not self._views.active:
            return
        self.setupViewObservations()
        if self.autoShowSourceVolumeNode:
            self.showSourceVolumeInSliceViewers()
        for effect in self._effects:
            effect._core.call("layoutChanged")

    def _on_scene_closed(self) -> None:
        self._initialize_parameters()
        self.updateWidgetFromMRML()

    def _on_batch_done(self) -> None:
        if self._scene is None:
            return
        panel = self._panel
        if self._node is not None:
            node = panel.SegmentationNodeComboBox.currentNode()
            if self._node.GetSegmentationNode() is not node:
                self.setSegmentationNode(node)
            volume = panel.SourceVolumeNodeComboBox.currentNode()
            if self._node.GetSourceVolumeNode() is not volume:
                self.setSourceVolumeNode(volume)
        self.updateWidgetFromMRML()
