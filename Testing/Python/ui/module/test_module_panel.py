"""The module's panel: guide, installation, device, test of the model, help."""

import gc
import subprocess
import sys
import types
import weakref
from pathlib import Path

import pytest

import SAMSegmentLib
from TestSupport.fake_worker_service import NARROW, FakeWorkerService

MODULE = Path(__file__).parents[4] / "SAMSegment" / "SAMSegment.py"
TIMEOUT_S = 120.0

pytestmark = pytest.mark.mrml


@pytest.fixture
def panel(make_panel, service):
    return make_panel(service)


@pytest.fixture
def idle_panel(make_panel):
    return make_panel(FakeWorkerService())


def finished(panel) -> bool:
    return not panel.ui.testProgress.isVisible()


# What it shows


def test_versions_are_shown(idle_panel):
    import slicer

    ui = idle_panel.ui
    assert ui.versionLabel.text == SAMSegmentLib.__version__
    assert ui.slicerLabel.text == slicer.app.applicationVersion
    assert ui.torchLabel.text.startswith("2.")
    assert not ui.installButton.isVisible() and not ui.missingLabel.isVisible()


def test_the_console_example_can_be_run(application, idle_panel, tmp_path):
    import slicer

    from SlicerHost.scene_builder import SceneBuilder

    builder = SceneBuilder(application)
    volume = builder.volume()
    volume.SetName("CTChest")
    roi = builder.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "R")
    called = {}

    class Logic:
        def segment(self, *nodes, roi=None):
            called.update(nodes=nodes, roi=roi)
            return "Segment_1"

    module = types.ModuleType("SAMSegment")
    module.SAMSegmentLogic = Logic
    before = sys.modules.get("SAMSegment")
    sys.modules["SAMSegment"] = module
    try:
        exec(
            idle_panel.ui.consoleExample.plainText,
            {"slicer": slicer, "getNode": slicer.util.getNode},
        )
    finally:
        sys.modules.pop("SAMSegment")
        if before is not None:
            sys.modules["SAMSegment"] = before
    assert called["nodes"][0] is volume and called["roi"] is roi
    assert called["nodes"][1].IsA("vtkMRMLSegmentationNode")


# The model


def test_opening_the_panel_starts_no_worker(make_panel, application):
    from SAMSegmentLib.ui.common.worker_service import WorkerService

    started = []
    service = WorkerService(started.append)
    panel = make_panel(service)
    application.wait(seconds=0.6)
    assert started == []
    assert "not started" in panel.ui.workerLabel.text
    service.close()


def test_the_test_of_the_model_says_how_long_it_took(application, panel):
    panel.ui.testButton.click()
    assert panel.ui.testProgress.isVisible()
    assert application.wait(lambda: finished(panel), TIMEOUT_S)
    text = panel.ui.setupMessage.text
    assert text.startswith("LiteMedSAM works: test object found in")
    assert "Dice 0.9" in text or "Dice 1.00" in text
    assert "PyTorch" in panel.ui.workerLabel.text and "threads" in panel.ui.workerLabel.text


def test_a_wrong_mask_is_not_called_working(application, panel, monkeypatch):
    monkeypatch.setattr("SAMSegmentLib.ui.module.model_check.GOOD_DICE", 1.01)
    panel.ui.testButton.click()
    assert application.wait(lambda: finished(panel), TIMEOUT_S)
    assert "its mask is wrong" in panel.ui.setupMessage.text


def test_the_test_can_be_stopped_and_repeated(application, panel):
    panel.ui.testButton.click()
    panel.ui.testButton.click()
    assert finished(panel)
    assert panel.ui.testButton.text == "Test the model"
    panel.ui.testButton.click()
    assert application.wait(lambda: finished(panel), TIMEOUT_S)
    assert "works" in panel.ui.setupMessage.text


def test_a_worker_that_cannot_start_is_reported(application, make_panel):
    from SAMSegmentLib.ui.common.worker_service import WorkerService
    from SAMSegmentLib.worker.client.process_client import WorkerClient

    service = WorkerService(lambda device: WorkerClient(device, ["no-such-python"]))
    panel = make_panel(service)
    panel.ui.testButton.click()
    assert application.wait(lambda: finished(panel), 5)
    assert "could not be started" in panel.ui.setupMessage.text
    service.close()


def test_damaged_weights_are_reported_before_anything_is_started(make_panel, monkeypatch, tmp_path):
    from SAMSegmentLib.ui.common.worker_service import WorkerService

    started = []
    service = WorkerService(started.append)
    panel = make_panel(service)
    monkeypatch.setattr("SAMSegmentLib.weights.entry.MODELS_FOLDER", tmp_path)
    panel.ui.testButton.click()
    assert "missing" in panel.ui.setupMessage.text
    assert started == []
    service.close()


def test_a_model_that_is_not_installed_is_reported_before_anything_is_started(
    application, monkeypatch, tmp_path
):
    from SAMSegmentLib.ui.common.worker_service import WorkerService
    from SAMSegmentLib.ui.module.model_check import ModelCheck

    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path))
    started, said = [], []
    service = WorkerService(started.append)
    check = ModelCheck(service, lambda: said.append(check.status))
    check.start("sam-med3d-turbo")
    assert "SAM-Med3D turbo is not installed" in check.status and "402 MB" in check.status
    assert not check.is_running and started == [] and len(said) == 1
    service.close()


def test_the_device_is_kept_and_starts_no_worker(idle_panel):
    from SAMSegmentLib.ui.common import device_settings

    selector = idle_panel.ui.deviceSelector
    assert selector.currentText == "automatic"
    selector.setCurrentIndex(selector.findData("cpu"))
    assert device_settings.device() == "cpu"
    assert idle_panel.ui.workerLabel.text.startswith("not started")


def test_a_device_chosen_elsewhere_is_shown_when_the_panel_opens_again(idle_panel):
    from SAMSegmentLib.ui.common import device_settings

    device_settings.set_device("cpu")
    idle_panel.exit()
    idle_panel.enter()
    assert idle_panel.ui.deviceSelector.currentText == "processor"
    assert device_settings.device() == "cpu"


def test_looking_at_what_is_installed_imports_neither_torch_nor_safetensors():
    # A fresh process: this one has loaded everything.
    code = (
        "import sys\n"
        "from SlicerHost.application import Application\n"
        "with Application() as application:\n"
        f"    module = application.load_module({str(MODULE)!r})\n"
        "    application.start()\n"
        "    module.widgetRepresentation().self().enter()\n"
        "    from SAMSegmentLib.ui.module.diagnostics import diagnostics\n"
        "    diagnostics()\n"
        "    assert not application.errors, application.errors\n"
        "    print(*sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert {"torch", "safetensors"}.isdisjoint(result.stdout.split())


# Ways out


def test_the_segment_editor_opens_with_the_effect_if_a_segment_is_there(
    application, idle_panel, monkeypatch
):
    import slicer

    from SlicerHost.scene_builder import SceneBuilder

    application.load_module(MODULE)
    application.start()
    builder = SceneBuilder(application)
    volume = builder.volume()
    segmentation = builder.segmentation(volume)
    segmentation.GetSegmentation().AddEmptySegment("", "Liver")
    editor = application.open_segment_editor(segmentation, volume)
    opened = []
    monkeypatch.setattr(slicer.util, "selectModule", opened.append)
    module = types.SimpleNamespace(editor=editor)
    monkeypatch.setattr(slicer.util, "getModuleWidget", {"SegmentEditor": module}.get)
    monkeypatch.setattr("SAMSegmentLib.ui.common.worker_service._shared", IdleEffectService())

    idle_panel.ui.openEditorButton.click()
    assert opened == ["SegmentEditor"]
    assert editor.activeEffect().name == "SAM Segment"
    editor.setActiveEffect(None)

    editor.setCurrentSegmentID("")
    segmentation.GetSegmentation().RemoveAllSegments()
    idle_panel.ui.openEditorButton.click()
    assert editor.activeEffect() is None


class IdleEffectService(FakeWorkerService):
    def acquire(self, listener) -> None:
        """The worker would start."""

    def cancel(self, listener) -> None:
        """Nothing is under way."""

    def close(self) -> None:
        """Nothing runs."""


def test_sample_data_are_one_click_away(application, idle_panel, monkeypatch):
    import slicer

    opened = []
    monkeypatch.setattr(slicer.util, "selectModule", opened.append)
    idle_panel.ui.sampleDataButton.click()
    assert opened == ["SampleData"]


def test_without_a_main_window_the_buttons_say_so():
    from SlicerHost.application import Application

    with Application(main_window=False) as application:
        from SAMSegmentLib.ui.module.module_panel import ModulePanel

        panel = ModulePanel(FakeWorkerService())
        for button in (panel.ui.openEditorButton, panel.ui.sampleDataButton):
            button.click()
            assert panel.ui.guideMessage.text == "Could not find main window"
        panel.release()
        panel.widget.deleteLater()
        assert application.errors == []


def test_diagnostics_go_to_the_clipboard(application, idle_panel):
    import slicer

    idle_panel.ui.diagnosticsButton.click()
    assert slicer.app.clipboard().text().startswith("SAM Segment diagnostics\n")
    assert "Copied" in idle_panel.ui.helpMessage.text


# Life


def test_a_released_panel_is_not_kept_alive(application):
    from SAMSegmentLib.ui.module.module_panel import ModulePanel

    panel = ModulePanel(FakeWorkerService())
    known, widget = weakref.ref(panel), panel.widget
    panel.enter()
    panel.release()
    del panel
    gc.collect()
    assert known() is None
    widget.deleteLater()


def test_the_module_can_be_opened_left_and_unloaded(application):
    module = application.load_module(MODULE)
    application.start()
    python = module.widgetRepresentation().self()
    python.enter()
    python.exit()
    python.cleanup()
    python.cleanup()
    assert application.errors == []


# Legibility


def visible(panel, kind):
    return [child for child in panel.widget.findChildren(kind) if child.isVisible()]


def cut_widgets(panel) -> list[str]:
    """Labels and buttons that are too small for their text."""
    import qt

    found = []
    for label in visible(panel, qt.QLabel):
        if label.height < label.heightForWidth(label.width):
            found.append(f"{label.name}: {label.text}")
        if label.width < label.minimumSizeHint.width():
            found.append(f"{label.name}, width: {label.text}")
    for button in visible(panel, qt.QPushButton):
        hint = button.minimumSizeHint
        if button.width < hint.width() or button.height < hint.height():
            found.append(f"{button.name}: {button.text}")
    return found


def test_nothing_is_cut_at_a_narrow_width(application, idle_panel):
    assert idle_panel.widget.minimumSizeHint.width() <= NARROW
    assert idle_panel.widget.width <= NARROW
    assert cut_widgets(idle_panel) == []


def test_long_messages_wrap(application, idle_panel):
    from SAMSegmentLib.ui.module import module_panel

    for label in ("guideMessage", "setupMessage", "helpMessage", "workerLabel"):
        module_panel._show_status(
            getattr(idle_panel.ui, label), "Nothing was found in this place. " * 8
        )
    application.wait(seconds=0.05)
    assert idle_panel.widget.width <= NARROW
    assert cut_widgets(idle_panel) == []


@pytest.mark.parametrize("factor", [1.5, 2.0])
def test_nothing_is_cut_with_large_letters(application, make_panel, factor):
    import slicer

    font = slicer.app.font()
    large = type(font)(font)
    large.setPointSizeF(font.pointSizeF() * factor)
    slicer.app.setFont(large)
    try:
        panel = make_panel(FakeWorkerService(), width=int(NARROW * factor))
        assert panel.widget.width <= NARROW * factor
        assert cut_widgets(panel) == []
    finally:
        slicer.app.setFont(font)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_left_to_the_theme_but_for_the_status(application, idle_panel, theme):
    import qt

    from Pictures import themes
    from SAMSegmentLib.ui.common.status import COLORS

    themes.use(theme)
    application.process_events()
    assert {child.styleSheet for child in visible(idle_panel, qt.QWidget)} == {""}
    idle_panel.ui.diagnosticsButton.click()
    assert idle_panel.ui.helpMessage.styleSheet == f"color: {COLORS['good'][theme == 'dark']}"


def test_folded_sections_lie_close_to_each_other(application, idle_panel):
    ui = idle_panel.ui
    sections = (ui.guideSection, ui.setupSection, ui.modelsSection, ui.helpSection)
    assert [section.collapsedHeight for section in sections] == [0] * 4


def test_every_button_says_what_it_does(idle_panel):
    import qt

    for button in idle_panel.widget.findChildren(qt.QPushButton):
        assert button.text and len(button.toolTip) > 20, button.name
