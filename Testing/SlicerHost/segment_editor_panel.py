"""The widgets in qMRMLSegmentEditorWidget, with the names and the order of its .ui file."""

from __future__ import annotations

from .ctk_widgets import ctkCollapsibleGroupBox, ctkFittedTextBrowser, ctkRangeWidget
from .node_combo_box import qMRMLNodeComboBox
from .pythonqt import qt
from .segments_table import qMRMLSegmentsTableView

MASK_MODES = (
    ("Everywhere", "EditAllowedEverywhere"),
    ("Inside all segments", "EditAllowedInsideAllSegments"),
    ("Inside all visible segments", "EditAllowedInsideVisibleSegments"),
    ("Outside all segments", "EditAllowedOutsideAllSegments"),
    ("Outside all visible segments", "EditAllowedOutsideVisibleSegments"),
)
OVERWRITE_MODES = (
    ("Overwrite all", "OverwriteAllSegments"),
    ("Overwrite visible", "OverwriteVisibleSegments"),
    ("Allow overlap", "OverwriteNone"),
)


class Panel:
    """All widgets as attributes; `names` become object names."""

    def __init__(self, owner) -> None:
        self.owner = owner
        self.SegmentationNodeComboBox = qMRMLNodeComboBox()
        self.SegmentationNodeComboBox.nodeTypes = ["vtkMRMLSegmentationNode"]
        self.SegmentationNodeComboBox.renameEnabled = True
        self.SourceVolumeNodeComboBox = qMRMLNodeComboBox()
        self.SourceVolumeNodeComboBox.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        self.SourceVolumeNodeComboBox.hideChildNodeTypes = ["vtkMRMLSegmentationNode"]
        self.SourceVolumeNodeComboBox.noneEnabled = True
        self.SourceVolumeNodeComboBox.addEnabled = False
        self.SourceVolumeNodeComboBox.noneDisplay = "Select source volume to enable editing"
        self.AddSegmentButton = qt.QPushButton("Add")
        self.RemoveSegmentButton = qt.QPushButton("Remove")
        self.Show3DButton = qt.QPushButton("Show 3D")
        self.SwitchToSegmentationsButton = qt.QToolButton()
        self.SwitchToSegmentationsButton.setText("Segmentations")
        self.SegmentsTableView = qMRMLSegmentsTableView()
        self.EffectsGroupBox = _frame()
        self.UndoRedoGroupBox = _frame()
        self.UndoButton, self.RedoButton = _undo_button("Undo"), _undo_button("Redo")
        self.OptionsGroupBox = qt.QGroupBox("Options")
        self.EffectHelpBrowser = ctkFittedTextBrowser()
        self.EffectsOptionsFrame = qt.QFrame()
        self.MaskingGroupBox = ctkCollapsibleGroupBox("Masking")
        self.MaskModeComboBox = qt.QComboBox()
        self.SourceVolumeIntensityMaskCheckBox = qt.QCheckBox()
        self.SourceVolumeIntensityMaskRangeWidget = ctkRangeWidget()
        self.OverwriteModeComboBox = qt.QComboBox()
        self.effect_buttons: list = []
        self.mask_modes_fixed = 0
        for name, widget in list(vars(self).items()):
            if isinstance(widget, qt.QWidget) and widget is not owner:
                widget.setObjectName(name)
        self._lay_out()
        self._fill_masking()

    def _lay_out(self) -> None:
        outer = qt.QGridLayout(self.owner)
        nodes = qt.QGridLayout()
        nodes.addWidget(qt.QLabel("Segmentation:"), 0, 0)
        nodes.addWidget(self.SegmentationNodeComboBox, 0, 1)
        nodes.addWidget(qt.QLabel("Source volume:"), 1, 0)
        nodes.addWidget(self.SourceVolumeNodeComboBox, 1, 1)
        outer.addLayout(nodes, 0, 0)
        actions = qt.QHBoxLayout()
        for button in (
            self.AddSegmentButton,
            self.RemoveSegmentButton,
            self.Show3DButton,
            self.SwitchToSegmentationsButton,
        ):
            actions.addWidget(button)
        outer.addLayout(actions, 1, 0)
        columns = qt.QHBoxLayout()
        columns.addLayout(self._left())
        columns.addLayout(self._right(), 1)
        outer.addLayout(columns, 3, 0)

    def _left(self):
        column = qt.QVBoxLayout()
        self.EffectsGroupBox.setLayout(qt.QGridLayout())
        undo = qt.QGridLayout(self.UndoRedoGroupBox)
        undo.addWidget(self.UndoButton, 0, 0)
        undo.addWidget(self.RedoButton, 0, 1)
        column.addWidget(self.EffectsGroupBox)
        column.addWidget(self.UndoRedoGroupBox)
        column.addStretch(1)
        return column

    def _right(self):
        column = qt.QVBoxLayout()
        column.setSpacing(4)
        self.SegmentsTableView.setMinimumHeight(110)
        column.addWidget(self.SegmentsTableView, 1)
        options = qt.QVBoxLayout(self.OptionsGroupBox)
        options.setContentsMargins(4, 4, 4, 4)
        self.EffectHelpBrowser.setFrameShape(qt.QFrame.NoFrame)
        self.EffectHelpBrowser.setSizePolicy(qt.QSizePolicy.Ignored, qt.QSizePolicy.Minimum)
        options.addWidget(self.EffectHelpBrowser)
        options.addWidget(self.EffectsOptionsFrame)
        inside = qt.QVBoxLayout(self.EffectsOptionsFrame)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(0)
        column.addWidget(self.OptionsGroupBox)
        masking = qt.QFormLayout(self.MaskingGroupBox)
        masking.addRow("Editable area:", self.MaskModeComboBox)
        masking.addRow("Editable intensity range:", self.SourceVolumeIntensityMaskCheckBox)
        masking.addRow(self.SourceVolumeIntensityMaskRangeWidget)
        masking.addRow("Modify other segments:", self.OverwriteModeComboBox)
        column.addWidget(self.MaskingGroupBox)
        column.addStretch(1)
        return column

    def _fill_masking(self) -> None:
        import slicer

        for text, name in MASK_MODES:
            self.MaskModeComboBox.addItem(text, getattr(slicer.vtkMRMLSegmentationNode, name))
        self.MaskModeComboBox.insertSeparator(self.MaskModeComboBox.count)
        self.mask_modes_fixed = self.MaskModeComboBox.count
        for text, name in OVERWRITE_MODES:
            value = getattr(slicer.vtkMRMLSegmentEditorNode, name)
            self.OverwriteModeComboBox.addItem(text, value)
        for combo in (self.MaskModeComboBox, self.OverwriteModeComboBox):
            combo.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)


def effect_button(effect, parent):
    """A button of the effects section; `effect` None is the arrow that ends editing."""
    button = qt.QToolButton(parent)
    button.setCheckable(True)
    button.setIconSize(qt.QSize(24, 24))
    button.setSizePolicy(qt.QSizePolicy.Minimum, qt.QSizePolicy.Preferred)
    if effect is None:
        button.setObjectName("NULL")
        button.setText("None")
        button.setToolTip("No editing")
        button.setIcon(_arrow_icon())
        return button
    button.setObjectName(effect.name)
    button.setIcon(effect._core.icon())
    button.setText(effect.title)
    button.setToolTip(effect.title)
    button.setAccessibleName(effect.title)
    return button


def _frame():
    frame = qt.QFrame()
    frame.setFrameShape(qt.QFrame.StyledPanel)
    frame.setFrameShadow(qt.QFrame.Raised)
    return frame


def _undo_button(text: str):
    button = qt.QToolButton()
    button.setText(text)
    button.setIconSize(qt.QSize(24, 24))
    shape = qt.QStyle.SP_ArrowBack if text == "Undo" else qt.QStyle.SP_ArrowForward
    button.setIcon(button.style().standardIcon(shape))
    return button


def _arrow_icon():
    """A mouse arrow, as on the button that ends editing."""
    picture = qt.QPixmap(21, 21)
    picture.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter(picture)
    painter.setRenderHint(qt.QPainter.Antialiasing)
    painter.setBrush(qt.QColor("white"))
    corners = [(5, 2), (5, 16), (8, 13), (11, 19), (13, 18), (10, 12), (15, 12)]
    painter.drawPolygon(qt.QPolygon([qt.QPoint(*corner) for corner in corners]))
    painter.end()
    return qt.QIcon(picture)
