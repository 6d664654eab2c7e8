"""The module `qt` allows what PythonQt allows and refuses what it refuses."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.mrml


@pytest.fixture
def qt(application):
    import qt

    return qt


def test_a_property_is_a_value_and_cannot_be_called(qt):
    label = qt.QLabel("Dose")
    assert label.text == "Dose"
    with pytest.raises(TypeError, match="'str' object is not callable"):
        label.text()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        ("QSpinBox", "value"),
        ("QDoubleSpinBox", "value"),
        ("QSlider", "value"),
        ("QProgressBar", "value"),
        ("QComboBox", "currentText"),
        ("QComboBox", "currentIndex"),
        ("QComboBox", "count"),
        ("QCheckBox", "text"),
        ("QGroupBox", "title"),
        ("QLineEdit", "text"),
        ("QListWidget", "count"),
        ("QTableWidget", "rowCount"),
        ("QPlainTextEdit", "plainText"),
        ("QWidget", "sizeHint"),
        ("QWidget", "width"),
        ("QTimer", "interval"),
        ("QAction", "text"),
    ],
)
def test_getters_named_like_a_property_fail(qt, make, name):
    thing = getattr(qt, make)()
    assert getattr(thing, name) is not None
    with pytest.raises(TypeError, match="not callable"):
        getattr(thing, name)()


def test_getters_with_another_name_than_the_property_work(qt):
    box = qt.QCheckBox()
    box.setChecked(True)
    assert box.isChecked() and box.checked
    assert box.isEnabled() and box.enabled
    assert box.property("checked") is True


def test_properties_are_set_as_attributes(qt):
    button = qt.QPushButton()
    button.text, button.checkable, button.checked = "Apply", True, True
    assert button.property("text") == "Apply"
    assert button.isChecked()


def test_an_unknown_attribute_cannot_be_set(qt):
    with pytest.raises(AttributeError):
        qt.QPushButton().aplied = True


def test_a_value_of_the_wrong_type_is_refused(qt):
    with pytest.raises(AttributeError):
        qt.QLabel().text = object()


def test_an_attribute_of_a_python_subclass_can_be_set(qt):
    class Panel(qt.QWidget):
        def __init__(self):
            super().__init__()
            self.mine = 3

        def sizeHint(self):
            return qt.QSize(77, 88)

    panel = Panel()
    assert panel.mine == 3
    panel.adjustSize()
    assert panel.width == 77


def test_name_means_object_name(qt):
    button = qt.QPushButton()
    button.name = "ApplyButton"
    assert button.objectName == "ApplyButton"


def test_enums_are_ints(qt):
    assert qt.Qt.Horizontal == 1
    assert isinstance(qt.Qt.AlignLeft | qt.Qt.AlignTop, int)


def test_a_signal_gives_its_arguments_as_connected(qt):
    got = []
    button = qt.QPushButton()
    button.clicked.connect(lambda *given: got.append(("attribute", *given)))
    assert button.connect("clicked()", lambda *given: got.append(("()", *given)))
    assert button.connect("clicked(bool)", lambda *given: got.append(("(bool)", *given)))
    button.click()
    assert got == [("attribute", False), ("()",), ("(bool)", False)]


def test_a_function_without_arguments_gets_none(qt):
    got = []
    spin_box = qt.QSpinBox()
    spin_box.valueChanged.connect(lambda: got.append("nothing"))
    spin_box.connect("valueChanged(int)", lambda value: got.append(value))
    spin_box.setValue(7)
    assert got == ["nothing", 7]


def test_an_unknown_signal_gives_false(qt, application):
    assert qt.QPushButton().connect("klicked()", print) is False
    assert application.warnings


def test_only_what_was_connected_so_can_be_disconnected(qt):
    class Listener:
        def hear(self, *_):
            heard.append(1)

    heard, listener, button = [], Listener(), qt.QPushButton()
    button.clicked.connect(listener.hear)
    assert button.disconnect("clicked()", listener.hear) is False
    assert button.clicked.disconnect(listener.hear) is True
    button.click()
    assert heard == []


def test_an_exception_in_a_slot_is_swallowed_and_kept(qt, application):
    def fail():
        raise ValueError("slot")

    got = []
    button = qt.QPushButton()
    button.clicked.connect(fail)
    button.clicked.connect(lambda: got.append("the next"))
    button.click()
    assert got == ["the next"]
    assert [str(problem.exception) for problem in application.errors] == ["slot"]


def test_an_exception_in_a_timer_is_kept(qt, application):
    qt.QTimer.singleShot(0, lambda: 1 / 0)
    assert application.wait(lambda: application.errors, seconds=5)
    assert isinstance(application.errors[0].exception, ZeroDivisionError)


def test_an_exception_in_a_virtual_method_is_kept(qt, application):
    class Broken(qt.QWidget):
        def paintEvent(self, event):
            raise ValueError("paint")

    broken = Broken()
    broken.show()
    application.process_events()
    assert any("paint" in str(problem) for problem in application.errors)


def test_an_exception_in_an_observer_is_kept(application):
    tag = application.scene.AddObserver("ModifiedEvent", lambda *_: 1 / 0)
    application.scene.Modified()
    # The scene may live on into another test.
    application.scene.RemoveObserver(tag)
    assert isinstance(application.errors[0].exception, ZeroDivisionError)


def test_an_error_of_vtk_is_kept(application):
    import vtk

    vtk.vtkXMLImageDataReader().Update()
    assert [problem.source for problem in application.errors][:1] == ["VTK"]


def test_find_child_needs_the_type(qt):
    panel = qt.QWidget()
    button = qt.QPushButton(panel)
    button.setObjectName("Apply")
    assert panel.findChild(qt.QPushButton, "Apply") is button
    assert panel.Apply is button
    assert panel.findChild(qt.QLabel, "Apply") is None
    assert panel.findChild("Apply") is None


@pytest.mark.parametrize("value", ["Segment_1", 5, {"a": [1]}])
def test_setting_a_dynamic_property_gives_false_and_keeps_the_value(qt, value):
    button = qt.QPushButton()
    assert button.setProperty("segment", value) is False
    assert button.property("segment") == value
    assert button.segment == value
    assert button.property("another") is None
    with pytest.raises(AttributeError):
        _ = button.another


def test_items_are_no_qobjects_and_keep_their_methods(qt):
    rows = qt.QListWidget()
    rows.addItem("liver")
    assert rows.item(0).text() == "liver"
    assert qt.QColor("red").name() == "#ff0000"


def test_a_ui_file_loads_with_ctk_and_slicer_widgets(qt, application, tmp_path):
    import slicer

    path = tmp_path / "panel.ui"
    path.write_text(UI)
    widget = slicer.util.loadUI(str(path))
    ui = slicer.util.childWidgetVariables(widget)
    assert ui.slider.className() == "ctkSliderWidget"
    assert ui.slider.value == 2.5 and ui.slider.maximum == 10
    assert ui.advanced.collapsed is True
    ui.selector.setMRMLScene(slicer.mrmlScene)
    assert ui.selector.nodeTypes == ["vtkMRMLScalarVolumeNode"]
    assert application.errors == []


def test_a_folded_section_keeps_room_below_its_heading_unless_told_otherwise(qt, application):
    import ctk

    section = ctk.ctkCollapsibleButton("Advanced")
    layout = qt.QVBoxLayout(section)
    layout.addWidget(qt.QLabel("inside"))
    section.collapsed = True
    with_room = section.sizeHint().height()
    section.collapsedHeight = 0
    assert with_room - section.sizeHint().height() == 14


def test_a_collapsible_text_is_cut_at_its_first_line_break_and_goes_on_in_the_same_line(
    qt, application
):
    import ctk

    browser = ctk.ctkFittedTextBrowser()
    browser.setCollapsibleText("<html>Paint<br>. With a brush.</html>")
    assert browser.plainText == "Paint… Show details."
    browser.anchorClicked.emit(qt.QUrl("#"))
    assert browser.plainText == "Paint. With a brush."


UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0"><class>Panel</class>
 <widget class="QWidget" name="Panel"><layout class="QVBoxLayout" name="layout">
  <item><widget class="ctkSliderWidget" name="slider">
   <property name="maximum"><double>10.0</double></property>
   <property name="value"><double>2.5</double></property></widget></item>
  <item><widget class="ctkCollapsibleButton" name="advanced">
   <property name="text"><string>Advanced</string></property>
   <property name="collapsed"><bool>true</bool></property></widget></item>
  <item><widget class="qMRMLNodeComboBox" name="selector">
   <property name="nodeTypes"><stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist>
   </property></widget></item>
 </layout></widget>
 <customwidgets>
  <customwidget><class>ctkSliderWidget</class><extends>QWidget</extends>
   <header>ctkSliderWidget.h</header></customwidget>
  <customwidget><class>ctkCollapsibleButton</class><extends>QWidget</extends>
   <header>ctkCollapsibleButton.h</header><container>1</container></customwidget>
  <customwidget><class>qMRMLNodeComboBox</class><extends>QWidget</extends>
   <header>qMRMLNodeComboBox.h</header></customwidget>
 </customwidgets></ui>
"""
