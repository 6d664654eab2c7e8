"""The module `ctk`: the CTK widgets that an effect's panel uses, with their real property names."""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import types

from .cpp import Property, Signal, cpp_class, keep, weak
from .pythonqt import qt


@cpp_class
class ctkCollapsibleButton(qt.QAbstractButton):
    """A heading that shows and hides what lies below it.

    Folded, it still takes `collapsedHeight` pixels below its heading: 14 unless told otherwise.
    """

    contentsCollapsed = Signal(bool)

    HEADING = 22

    def __init__(self, *arguments) -> None:
        text = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        parent = arguments[-1] if arguments and not isinstance(arguments[-1], str) else None
        super().__init__(parent)
        keep(self, _collapsed=False, _height=14)
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, self.HEADING, 0, 0)
        self.setSizePolicy(qt.QSizePolicy.Minimum, qt.QSizePolicy.Preferred)
        self.connect("toggled(bool)", weak(self._on_toggled))

    def setCollapsed(self, collapsed: bool) -> None:
        if bool(collapsed) == self._collapsed:
            return
        keep(self, _collapsed=bool(collapsed))
        self.setChecked(not collapsed)
        for child in self.children():
            if isinstance(child, qt.QWidget):
                child.setVisible(not collapsed)
        self.setMaximumHeight(self.HEADING + self._height if collapsed else 16777215)
        self.updateGeometry()
        self.contentsCollapsed.emit(bool(collapsed))

    def _on_toggled(self, on: bool) -> None:
        self.setCollapsed(not on)

    def setCollapsedHeight(self, height: int) -> None:
        keep(self, _height=height)

    collapsed = Property(bool, lambda self: self._collapsed, setCollapsed)
    collapsedHeight = Property(int, lambda self: self._height, setCollapsedHeight)

    def sizeHint(self):
        return self._with_heading(self.layout().sizeHint() if self.layout() else qt.QSize(0, 0))

    def minimumSizeHint(self):
        return self._with_heading(self.layout().minimumSize() if self.layout() else qt.QSize(0, 0))

    def _with_heading(self, inside):
        text = self.fontMetrics().horizontalAdvance(self.text) + 40
        if self._collapsed:
            return qt.QSize(max(inside.width(), text), self.HEADING + self._height)
        height = inside.height() if self.layout() else self.HEADING
        return qt.QSize(max(inside.width(), text), max(height, self.HEADING))

    def hitButton(self, position) -> bool:
        return position.y() < self.HEADING

    def paintEvent(self, event) -> None:
        painter = qt.QPainter(self)
        option = qt.QStyleOptionButton()
        option.initFrom(self)
        option.rect = qt.QRect(0, 0, self.width, self.HEADING)
        option.text = f"{'▸' if self._collapsed else '▾'} {self.text}"
        self.style().drawControl(qt.QStyle.CE_PushButton, option, painter, self)
        painter.end()


@cpp_class
class ctkSliderWidget(qt.QWidget):
    """A slider with a spin box beside it."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _slider=qt.QSlider(qt.Qt.Horizontal), _spin=qt.QDoubleSpinBox(), _tracking=True)
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._slider, 1)
        layout.addWidget(self._spin)
        self._spin.setRange(0, 99)
        self._spin.setSingleStep(1)
        self._spin.setKeyboardTracking(False)
        self._fit_slider()
        self._slider.connect("valueChanged(int)", weak(self._on_slider))
        self._spin.connect("valueChanged(double)", weak(self._on_spin))

    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    def setMinimum(self, value: float) -> None:
        self._spin.setMinimum(value)
        self._fit_slider()

    def setMaximum(self, value: float) -> None:
        self._spin.setMaximum(value)
        self._fit_slider()

    def setRange(self, low: float, high: float) -> None:
        self._spin.setRange(low, high)
        self._fit_slider()

    def setSingleStep(self, step: float) -> None:
        self._spin.setSingleStep(step)
        self._fit_slider()

    def setDecimals(self, decimals: int) -> None:
        self._spin.setDecimals(decimals)
        self._fit_slider()

    def setPageStep(self, step: float) -> None:
        self._slider.setPageStep(max(1, round(step / self._spin.singleStep)))

    def setPrefix(self, text: str) -> None:
        self._spin.setPrefix(text)

    def setSuffix(self, text: str) -> None:
        self._spin.setSuffix(text)

    def setTracking(self, on: bool) -> None:
        keep(self, _tracking=bool(on))
        self._slider.setTracking(on)

    def setSpinBoxVisible(self, on: bool) -> None:
        self._spin.setVisible(on)

    def reset(self) -> None:
        self.setValue(0)

    value = Property(float, lambda self: self._spin.value, setValue)
    minimum = Property(float, lambda self: self._spin.minimum, setMinimum)
    maximum = Property(float, lambda self: self._spin.maximum, setMaximum)
    singleStep = Property(float, lambda self: self._spin.singleStep, setSingleStep)
    pageStep = Property(
        float, lambda self: self._slider.pageStep * self._spin.singleStep, setPageStep
    )
    decimals = Property(int, lambda self: self._spin.decimals, setDecimals)
    prefix = Property(str, lambda self: self._spin.prefix, setPrefix)
    suffix = Property(str, lambda self: self._spin.suffix, setSuffix)
    tracking = Property(bool, lambda self: self._tracking, setTracking)
    spinBoxVisible = Property(bool, lambda self: self._spin.isVisibleTo(self), setSpinBoxVisible)

    def _fit_slider(self) -> None:
        step = self._spin.singleStep or 1
        before = self._slider.blockSignals(True)
        self._slider.setRange(0, round((self._spin.maximum - self._spin.minimum) / step))
        self._slider.setValue(round((self._spin.value - self._spin.minimum) / step))
        self._slider.blockSignals(before)

    def _on_slider(self, position: int) -> None:
        self._spin.setValue(self._spin.minimum + position * self._spin.singleStep)

    def _on_spin(self, value: float) -> None:
        self._fit_slider()
        self.valueChanged.emit(value)


@cpp_class
class ctkRangeWidget(qt.QWidget):
    """Two numbers with a range between them."""

    valuesChanged = Signal(float, float)
    minimumValueChanged = Signal(float)
    maximumValueChanged = Signal(float)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _low=qt.QDoubleSpinBox(), _high=qt.QDoubleSpinBox())
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for box in (self._low, self._high):
            box.setRange(0, 99)
            layout.addWidget(box, 1)
        self._high.setValue(99)
        self._low.connect("valueChanged(double)", weak(self._on_low))
        self._high.connect("valueChanged(double)", weak(self._on_high))

    def setRange(self, low: float, high: float) -> None:
        self._low.setRange(low, high)
        self._high.setRange(low, high)

    def setMinimum(self, value: float) -> None:
        self.setRange(value, self._low.maximum)

    def setMaximum(self, value: float) -> None:
        self.setRange(self._low.minimum, value)

    def setMinimumValue(self, value: float) -> None:
        self._low.setValue(value)

    def setMaximumValue(self, value: float) -> None:
        self._high.setValue(value)

    def setValues(self, low: float, high: float) -> None:
        self._high.setValue(high)
        self._low.setValue(low)

    def setSingleStep(self, step: float) -> None:
        self._low.setSingleStep(step)
        self._high.setSingleStep(step)

    def setDecimals(self, decimals: int) -> None:
        self._low.setDecimals(decimals)
        self._high.setDecimals(decimals)

    minimum = Property(float, lambda self: self._low.minimum, setMinimum)
    maximum = Property(float, lambda self: self._low.maximum, setMaximum)
    minimumValue = Property(float, lambda self: self._low.value, setMinimumValue)
    maximumValue = Property(float, lambda self: self._high.value, setMaximumValue)
    singleStep = Property(float, lambda self: self._low.singleStep, setSingleStep)
    decimals = Property(int, lambda self: self._low.decimals, setDecimals)

    def _on_low(self, value: float) -> None:
        if self._high.value < value:
            self._high.setValue(value)
        self.minimumValueChanged.emit(value)
        self.valuesChanged.emit(self._low.value, self._high.value)

    def _on_high(self, value: float) -> None:
        if self._low.value > value:
            self._low.setValue(value)
        self.maximumValueChanged.emit(value)
        self.valuesChanged.emit(self._low.value, self._high.value)


@cpp_class
class ctkCollapsibleGroupBox(qt.QGroupBox):
    """A group box whose title folds it."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        keep(self, _collapsed=False)

    def setCollapsed(self, collapsed: bool) -> None:
        keep(self, _collapsed=bool(collapsed))
        for child in self.children():
            if isinstance(child, qt.QWidget):
                child.setVisible(not collapsed)

    collapsed = Property(bool, lambda self: self._collapsed, setCollapsed)


@cpp_class
class ctkComboBox(qt.QComboBox):
    """A combo box that shows a text of its own when nothing is chosen."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _default="")

    def setDefaultText(self, text: str) -> None:
        keep(self, _default=text)
        self.setPlaceholderText(text)

    defaultText = Property(str, lambda self: self._default, setDefaultText)


@cpp_class
class ctkMessageBox(qt.QMessageBox):
    """A message box with "Don't show again". Nobody sees it: a test answers beforehand."""

    # Answers of the user to come, first in first out; without one, the dialog closes the test.
    answers: list[int] = []  # noqa: RUF012

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _key="", _again=False, _roles=[])

    def setDontShowAgainVisible(self, visible: bool) -> None:
        keep(self, _again=bool(visible))

    def setDontShowAgainSettingsKey(self, key: str) -> None:
        keep(self, _key=key)

    dontShowAgainVisible = Property(bool, lambda self: self._again, setDontShowAgainVisible)
    dontShowAgainSettingsKey = Property(str, lambda self: self._key, setDontShowAgainSettingsKey)

    def exec_(self) -> int:
        if not self.answers:
            raise RuntimeError(f"Slicer would wait for an answer to: {self.text}")
        return int(self.answers.pop(0))

    exec = exec_


@cpp_class
class ctkFittedTextBrowser(qt.QTextBrowser):
    """A text as high as it needs; what follows the first line break is shown on demand."""

    # CTK's own is "Show details..."; as Slicer 5.12.3 shows it.
    DETAILS = "Show details."

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _text="")
        self.setOpenLinks(False)
        self.connect("anchorClicked(QUrl)", weak(self._on_link))
        self.connect("textChanged()", weak(self._fit))
        self.setVerticalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)

    def setCollapsibleText(self, text: str) -> None:
        keep(self, _text=text)
        first, line_break, _ = text.partition("<br>")
        if not line_break:
            self.setHtml(text)
            return
        self.setHtml(f'{first}&hellip; <a href="#">{self.DETAILS}</a>')

    def collapsibleText(self) -> str:
        return self._text

    def _on_link(self, link) -> None:
        if link.toString() == "#":
            # The rest goes on in the same line.
            self.setHtml(self._text.replace("<br>", "", 1))
        else:
            qt.QDesktopServices.openUrl(link)

    def _fit(self) -> None:
        document = qt.QTextDocument()
        document.setDefaultFont(self.font)
        document.setHtml(self.toHtml())
        document.setTextWidth(max(self.width - 8, 50))
        self.setFixedHeight(int(document.size.height()) + 4)

    def resizeEvent(self, event) -> None:
        qt.QTextBrowser.resizeEvent(self, event)
        self._fit()


module = types.ModuleType("ctk", "CTK's widgets, as far as an effect's panel uses them.")
WIDGETS = (
    ctkCollapsibleButton,
    ctkSliderWidget,
    ctkRangeWidget,
    ctkCollapsibleGroupBox,
    ctkComboBox,
    ctkMessageBox,
    ctkFittedTextBrowser,
)
for _widget in WIDGETS:
    setattr(module, _widget.__name__, _widget)
