"""The panel of the module: a guide, what is installed, the device, the models, help."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from ... import __version__
from ...core.errors import SAMSegmentError
from ..common import device_settings
from ..common.connections import Connections
from ..common.device_selector import DeviceSelector
from ..common.status import ERROR, GOOD, HINT, show_status
from ..models.model_list import ModelList
from ..models.model_store import shared_model_store
from . import packages
from .diagnostics import diagnostics
from .model_check import ModelCheck

if TYPE_CHECKING:
    from ...worker.client.process_client import WorkerClient
    from ..common.worker_service import WorkerService
    from ..models.model_store import ModelStore

UI_FILE = Path(__file__).parents[3] / "Resources" / "UI" / "SAMSegment.ui"
EFFECT = "SAM Segment"
# How often the worker's state is shown anew while the panel is open.
REFRESH_INTERVAL_MS = 500

CONSOLE_EXAMPLE = """\
from SAMSegment import SAMSegmentLogic

logic = SAMSegmentLogic()
volume = getNode("CTChest")
segmentation = slicer.mrmlScene.AddNewNodeByClass(
    "vtkMRMLSegmentationNode"
)
segmentation.SetReferenceImageGeometryParameterFromVolumeNode(
    volume
)
segmentId = logic.segment(
    volume, segmentation, roi=getNode("R")
)
"""


class ModulePanel:
    """The widgets of the module and what they do.

    Attributes:
        widget: the QWidget that goes into the module's layout.

    Args:
        service: the shared WorkerService; the panel starts no worker by itself.
        store: the ModelStore; Slicer's own if left out.
    """

    def __init__(self, service: WorkerService, store: ModelStore | None = None) -> None:
        self._service = service
        self._connections = Connections()
        self._check = ModelCheck(service, self._show_check)
        self._drawn_worker: str | None = None
        self.widget = slicer.util.loadUI(str(UI_FILE))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self._timer = qt.QTimer()
        self._timer.setInterval(REFRESH_INTERVAL_MS)
        self._fill()
        self._devices = DeviceSelector(self.ui.deviceSelector, self._on_device)
        self._models = ModelList(self.ui, store or shared_model_store())
        self._connect()
        self.refresh()

    def enter(self) -> None:
        """The module was opened."""
        self.refresh()
        self._timer.start()

    def exit(self) -> None:
        """Another module was opened."""
        self._timer.stop()

    def release(self) -> None:
        """Disconnects everything."""
        self._timer.stop()
        self._check.stop()
        self._models.release()
        self._devices.release()
        self._connections.disconnect()

    def refresh(self) -> None:
        """Shows anew what is installed."""
        ui = self.ui
        ui.versionLabel.setText(__version__)
        ui.slicerLabel.setText(slicer.app.applicationVersion)
        missing = packages.missing()
        ui.torchLabel.setText(packages.version_of("torch") or _("not installed"))
        ui.missingTitle.setVisible(bool(missing))
        ui.missingLabel.setVisible(bool(missing))
        ui.missingLabel.setText(", ".join(missing))
        ui.installButton.setVisible(bool(missing))
        self._devices.refresh()
        self._models.refresh()
        self._show_worker()
        self._show_check()

    # Within

    def _fill(self) -> None:
        ui = self.ui
        ui.guideLabel.setText(_guide())
        example = ui.consoleExample
        example.setPlainText(CONSOLE_EXAMPLE)
        example.setFont(qt.QFontDatabase.systemFont(qt.QFontDatabase.FixedFont))
        # All lines and a scroll bar, whatever the size of the font.
        lines = CONSOLE_EXAMPLE.count("\n") + 3
        example.setMinimumHeight(lines * example.fontMetrics().lineSpacing())
        for label in (ui.guideMessage, ui.setupMessage, ui.helpMessage):
            _show_status(label, "")

    def _connect(self) -> None:
        ui, connect = self.ui, self._connections.connect
        connect(ui.openEditorButton.clicked, self._open_editor)
        connect(ui.sampleDataButton.clicked, self._open_sample_data)
        connect(ui.installButton.clicked, self._install)
        connect(ui.testButton.clicked, self._test)
        connect(ui.diagnosticsButton.clicked, self._copy_diagnostics)
        connect(self._timer.timeout, self._show_worker)

    def _open_editor(self, checked=False) -> None:
        if not self._select("SegmentEditor"):
            return
        editor = slicer.util.getModuleWidget("SegmentEditor").editor
        if editor.currentSegmentID():
            editor.setActiveEffectByName(EFFECT)

    def _open_sample_data(self, checked=False) -> None:
        self._select("SampleData")

    def _select(self, module: str) -> bool:
        try:
            slicer.util.selectModule(module)
        except RuntimeError as error:  # no such module, or no main window
            _show_status(self.ui.guideMessage, str(error), ERROR)
            return False
        _show_status(self.ui.guideMessage, "")
        return True

    def _install(self, checked=False) -> None:
        text, kind = "", HINT  # if the user declines
        try:
            if packages.install_missing():
                text, kind = _("All packages are installed."), GOOD
                self._service.stop()  # a worker that runs does not see them
        except SAMSegmentError as error:
            text, kind = str(error), ERROR
        except Exception as error:  # whatever pip or the other extension met
            logging.exception("SAMSegment: packages could not be installed")
            text = _("The packages could not be installed: {error}").format(error=error)
            kind = ERROR
        self.refresh()
        _show_status(self.ui.setupMessage, text, kind)

    def _on_device(self, name: str) -> None:
        device_settings.set_device(name)
        if self._service.client is not None:
            self._service.restart_if_device_changed()
        self._show_worker()

    def _test(self, checked=False) -> None:
        if self._check.is_running:
            self._check.stop()
        else:
            self._check.start()

    def _show_check(self) -> None:
        check, ui = self._check, self.ui
        ui.testProgress.setVisible(check.is_running)
        ui.testButton.setText(_("Stop the test") if check.is_running else _("Test the model"))
        _show_status(ui.setupMessage, check.status, check.status_kind)
        self._show_worker()

    def _show_worker(self) -> None:
        text = worker_text(self._service.client)
        if text != self._drawn_worker:
            self._drawn_worker = text
            self.ui.workerLabel.setText(text)

    def _copy_diagnostics(self, checked=False) -> None:
        slicer.app.clipboard().setText(diagnostics(self._service.client))
        text = _("Copied. Paste it into your report; it names no patient, file or image.")
        _show_status(self.ui.helpMessage, text, GOOD)


def worker_text(client: WorkerClient | None) -> str:
    """The state of the process with the model."""
    if client is None:
        return _("not started; it starts with the effect, or with the test below")
    info = client.info
    if info is None:
        return {
            "off": _("not started"),
            "starting": _("starting ..."),
            "failed": _("cannot be started"),
        }.get(client.state.value, "")
    device = info.device_name or device_settings.device_name(info.device)
    text = _("{device}, PyTorch {torch}, {threads} threads")
    text = text.format(device=device, torch=info.torch, threads=info.threads)
    return f"{text}. {info.notice}" if info.notice else text


def _guide() -> str:
    steps = (
        _("Load a volume (CT, MR or other), or take sample data."),
        _("In the Segment Editor select the volume, add a segment, and choose <b>SAM Segment</b>."),
        _("Click on the object, or draw an ROI around it; its measured diameter will do, too."),
        _(
            "Look at the proposal in the views. Where it is wrong, add a positive or negative"
            " point, drag one, or move the threshold."
        ),
        _("Press <b>Apply</b>. Ctrl+Z takes it back."),
    )
    return "<ol>{}</ol>".format("".join(f"<li>{step}</li>" for step in steps))


def _show_status(label, text: str, kind: str = HINT) -> None:
    show_status(label, text, kind)
    label.setVisible(bool(text))
