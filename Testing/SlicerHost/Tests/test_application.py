"""The application gives Python what Slicer gives it, and takes it away again."""

from __future__ import annotations

import importlib
import locale
import sys

import pytest

from TestSupport.decimal_comma import decimal_comma

pytestmark = pytest.mark.mrml

MODULE = """
import qt, slicer
from slicer.ScriptedLoadableModule import *
from slicer.i18n import tr as _

class Little(ScriptedLoadableModule):
    def __init__(self, parent):
        super().__init__(parent)
        parent.title = _("Little")
        parent.hidden = True
        slicer.app.connect("startupCompleted()", self.started)
        self.count = 0

    def started(self):
        self.count += 1

class LittleWidget(ScriptedLoadableModuleWidget):
    def setup(self):
        super().setup()
        self.logic = LittleLogic()
        self.layout.addWidget(qt.QLabel("hello"))

class LittleLogic(ScriptedLoadableModuleLogic):
    pass
"""


@pytest.fixture
def module_path(tmp_path):
    path = tmp_path / "Little.py"
    path.write_text(MODULE)
    return path


def test_a_module_loads_starts_and_has_a_panel(application, module_path):
    import slicer

    module = application.load_module(module_path)
    application.start()
    assert module.title == "Little" and module.hidden
    assert slicer.modules.LittleInstance.count == 1
    assert slicer.util.modulePath("Little") == str(module_path)
    logic = slicer.util.getModuleLogic("Little")
    node = logic.getParameterNode()
    assert node is logic.getParameterNode()
    assert application.errors == []


def test_a_module_that_fails_to_load_is_kept(application, tmp_path):
    path = tmp_path / "Broken.py"
    path.write_text("raise RuntimeError('broken')")
    assert application.load_module(path) is None
    assert "broken" in str(application.errors[0])


def test_submodules_of_slicer_are_attributes_only_after_their_import(application):
    import slicer

    for name in ("packaging", "i18n", "ScriptedLoadableModule"):
        assert not hasattr(slicer, name)
        module = importlib.import_module(f"slicer.{name}")
        assert getattr(slicer, name) is module


def test_closing_takes_everything_out(module_path):
    import slicer

    from SlicerHost.application import Application

    before, modules = set(vars(slicer)), set(sys.modules)
    for _ in range(2):
        with Application() as application:
            application.load_module(module_path)
            application.start()
            assert slicer.modules.LittleInstance.count == 1
            application.open_segment_editor()
        left = {name for name in set(vars(slicer)) - before if not name.startswith("__")}
        assert left == set()
        assert "qt" not in sys.modules and "Little" not in sys.modules
    assert "ctk" not in set(sys.modules) - modules


def test_waiting_runs_the_event_loop(application):
    import qt

    done = []
    qt.QTimer.singleShot(20, lambda: done.append(1))
    assert application.wait(lambda: done, seconds=5)
    assert not application.wait(lambda: False, seconds=0.01)


def test_the_version_is_that_of_slicer_core(application):
    import slicer

    assert (slicer.app.majorVersion, slicer.app.minorVersion) in [(5, 12), (5, 13)]
    assert slicer.app.applicationVersion.startswith("5.1")


def test_settings_start_empty_and_are_forgotten(application):
    import qt
    import slicer

    qt.QSettings().setValue("SAMSegment/Device", "cpu")
    assert slicer.util.settingsValue("SAMSegment/Device", "auto") == "cpu"
    application.close()
    from SlicerHost.application import Application

    with Application():
        assert slicer.util.settingsValue("SAMSegment/Device", "auto") == "auto"


def test_messages_are_answered_beforehand(application):
    import qt
    import slicer

    application.answer(qt.QMessageBox.Ok, qt.QMessageBox.Cancel)
    assert slicer.util.confirmOkCancelDisplay("Remove the model?")
    assert not slicer.util.confirmOkCancelDisplay("Remove the model?")


def test_rendering_is_paused_in_pairs(application):
    import slicer

    heard = []
    slicer.app.renderPaused.connect(heard.append)
    with slicer.util.RenderBlocker():
        assert heard == [True]
    assert heard == [True, False]


def test_sample_data_is_registered_once(application):
    import SampleData
    import slicer

    for _ in range(2):
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category="SAM Segment", sampleName="Phantom", uris="https://example.org/p.nrrd"
        )
    sources = slicer.modules.sampleDataSources["SAM Segment"]
    assert [source.sampleName for source in sources] == ["Phantom"]


def test_a_node_selector_follows_the_scene(application):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    heard = []
    selector.currentNodeChanged.connect(heard.append)
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is None
    first = application.add("vtkMRMLScalarVolumeNode", "first")
    assert selector.currentNode() is None and selector.nodeCount() == 1
    selector.setCurrentNode(first)
    assert selector.currentNodeID == first.GetID()
    slicer.mrmlScene.RemoveNode(first)
    assert selector.currentNode() is None
    assert heard == [None, first, None]


@pytest.fixture
def selector(application):
    """A selector of volumes with "None" and without commands, in the scene."""
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.noneEnabled = True
    selector.addEnabled = selector.removeEnabled = False
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


@pytest.mark.parametrize("with_commands", [False, True])
def test_a_selector_without_none_takes_the_first_node_unless_it_has_commands(
    application, with_commands
):
    import slicer

    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    selector.addEnabled = selector.removeEnabled = with_commands
    selector.setMRMLScene(slicer.mrmlScene)
    first = application.add("vtkMRMLScalarVolumeNode", "first")
    assert selector.currentNode() is (None if with_commands else first)
    other = slicer.qMRMLNodeComboBox()
    other.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    other.setMRMLScene(slicer.mrmlScene)
    assert other.currentNode() is first


def test_a_selector_takes_the_next_node_for_one_that_is_removed_and_calls_it_no_choice(
    application, selector
):
    import slicer

    nodes = [application.add("vtkMRMLScalarVolumeNode", name) for name in "abc"]
    selector.setCurrentNode(nodes[1])
    changed, chosen = [], []
    selector.currentNodeChanged.connect(changed.append)
    selector.nodeActivated.connect(chosen.append)
    slicer.mrmlScene.RemoveNode(nodes[1])
    assert selector.currentNode() is nodes[2] and changed == [nodes[2]]
    slicer.mrmlScene.RemoveNode(nodes[2])
    assert selector.currentNode() is nodes[0]
    nodes[0].SetHideFromEditors(True)
    assert selector.currentNode() is None and selector.nodeCount() == 0
    assert chosen == []


def test_a_selector_forgets_its_node_when_something_is_read_into_the_scene(application, selector):
    import slicer

    node = application.add("vtkMRMLScalarVolumeNode", "a")
    selector.setCurrentNode(node)
    slicer.mrmlScene.StartState(slicer.mrmlScene.ImportState)
    slicer.mrmlScene.EndState(slicer.mrmlScene.ImportState)
    assert selector.currentNode() is None and selector.nodeCount() == 1


def test_text_can_be_drawn_anywhere(application):
    import qt

    assert "DejaVu Sans" in qt.QFontDatabase.families()


def test_numbers_have_a_decimal_point_for_a_user_whose_numbers_have_a_comma(tmp_path, monkeypatch):
    from SlicerHost.application import Application

    with decimal_comma(tmp_path, monkeypatch), Application():
        import qt

        assert locale.localeconv()["decimal_point"] == "."
        assert qt.QLocale().toString(1.5) == "1.5"
