"""The section "Masking" of the editor widget: editable area, intensity range, other segments."""

from __future__ import annotations


def connect_masking(editor) -> None:
    panel = editor._panel

    def on_mask_mode(index: int) -> None:
        node = editor._node
        if node is None or index < 0:
            return
        data = panel.MaskModeComboBox.itemData(index)
        if index >= panel.mask_modes_fixed:
            node.SetMaskSegmentID(data)
            node.SetMaskMode(_segmentation_node().EditAllowedInsideSingleSegment)
        else:
            node.SetMaskMode(int(data))

    def on_range(low: float, high: float) -> None:
        if editor._node is not None:
            editor._node.SetSourceVolumeIntensityMaskRange(low, high)

    def on_checked(checked: bool) -> None:
        if editor._node is not None:
            editor._node.SetSourceVolumeIntensityMask(checked)

    def on_overwrite(index: int) -> None:
        if editor._node is not None and index >= 0:
            editor._node.SetOverwriteMode(int(panel.OverwriteModeComboBox.itemData(index)))

    panel.MaskModeComboBox.connect("currentIndexChanged(int)", on_mask_mode)
    panel.SourceVolumeIntensityMaskRangeWidget.valuesChanged.connect(on_range)
    panel.SourceVolumeIntensityMaskCheckBox.connect("toggled(bool)", on_checked)
    panel.OverwriteModeComboBox.connect("currentIndexChanged(int)", on_overwrite)


def show_masking(editor) -> None:
    """From the segment editor node (`updateMaskingSection`)."""
    node, panel, scene = editor._node, editor._panel, editor._scene
    if node is None or scene is None or scene.IsClosing():
        return
    single = _segmentation_node().EditAllowedInsideSingleSegment
    inside = node.GetMaskMode() == single
    data = (node.GetMaskSegmentID() or "") if inside else node.GetMaskMode()
    with _blocked(panel.MaskModeComboBox) as combo:
        combo.setCurrentIndex(combo.findData(data))
        _rename_segments(combo, panel.mask_modes_fixed, node.GetSegmentationNode())
    with _blocked(panel.SourceVolumeIntensityMaskCheckBox) as box:
        box.setChecked(bool(node.GetSourceVolumeIntensityMask()))
    low, high = node.GetSourceVolumeIntensityMaskRange()
    if node.GetSourceVolumeIntensityMask() and low == high:
        low, high = _default_range(editor)
        node.SetSourceVolumeIntensityMaskRange(low, high)
    with _blocked(panel.SourceVolumeIntensityMaskRangeWidget) as widget:
        widget.setVisible(bool(node.GetSourceVolumeIntensityMask()))
        widget.setMinimumValue(low)
        widget.setMaximumValue(high)
    with _blocked(panel.OverwriteModeComboBox) as combo:
        combo.setCurrentIndex(combo.findData(node.GetOverwriteMode()))


def fill_mask_segments(editor) -> None:
    """The segments in the list of editable areas (`onSegmentAddedRemoved`)."""
    node = editor._node.GetSegmentationNode() if editor._node is not None else None
    panel = editor._panel
    with _blocked(panel.MaskModeComboBox) as combo:
        chosen = combo.currentData if combo.currentIndex >= panel.mask_modes_fixed else None
        while combo.count > panel.mask_modes_fixed:
            combo.removeItem(combo.count - 1)
        if node is not None:
            segmentation = node.GetSegmentation()
            for segment_id in segmentation.GetSegmentIDs():
                name = segmentation.GetSegment(segment_id).GetName()
                combo.addItem(f"Inside {name}", segment_id)
            if chosen:
                combo.setCurrentIndex(combo.findData(chosen))
    if node is not None and panel.MaskModeComboBox.currentIndex < 0:
        panel.MaskModeComboBox.setCurrentIndex(0)


def _rename_segments(combo, first: int, node) -> None:
    if node is None:
        return
    for index in range(first, combo.count):
        segment = node.GetSegmentation().GetSegment(combo.itemData(index))
        if segment is not None:
            combo.setItemText(index, segment.GetName())


def _default_range(editor) -> tuple[float, float]:
    image = editor._volume.GetImageData() if editor._volume is not None else None
    low, high = image.GetScalarRange() if image else (0.0, 0.0)
    return low + 0.25 * (high - low), low + 0.75 * (high - low)


class _blocked:  # noqa: N801
    """A widget whose signals are held back for a while."""

    def __init__(self, widget) -> None:
        self._widget = widget

    def __enter__(self):
        self._before = self._widget.blockSignals(True)
        return self._widget

    def __exit__(self, *_) -> None:
        self._widget.blockSignals(self._before)


def _segmentation_node():
    import slicer

    return slicer.vtkMRMLSegmentationNode
