"""What the list of models and the effect's offer share: they get weights, and show how far that is.

Their widgets have the same names but for a prefix: ProgressBox, ProgressBar, ProgressLabel and
CancelButton, Message, Restriction, DownloadButton, and FileButton, which gets a menu with two
choices, a file or a folder in which it lies.
"""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from ...weights.catalogue import ModelEntry
from ..common.connections import Connections
from ..common.status import ERROR, HINT, WARNING, show_status
from .model_states import DAMAGED, ModelState
from .model_store import ModelStore, RunningJob
from .model_texts import breakable, download_text, restriction_text, transfer_texts

ENDINGS = "*.pth *.pt *.safetensors"
STEPS = 1000


class ModelActions:
    """Downloads, installs from a disk, shows progress and how it ended.

    Args:
        ui: holds the widgets.
        prefix: of their names.
        entry: the model that is meant now.
    """

    def __init__(
        self, ui: object, prefix: str, store: ModelStore, entry: Callable[[], ModelEntry | None]
    ) -> None:
        self._ui, self._prefix, self._store, self._entry = ui, prefix, store, entry
        self._connections = Connections()
        connect = self._connections.connect
        connect(self._widget("DownloadButton").clicked, self._download)
        connect(self._widget("CancelButton").clicked, self._cancel)
        self._widget("ProgressBar").setTextVisible(False)
        button = self._widget("FileButton")
        menu = qt.QMenu(button)
        for text, slot in (
            (_("A file ..."), self._install_file),
            (_("A folder, such as a USB stick ..."), self._install_folder),
        ):
            action = qt.QAction(text, menu)
            connect(action.triggered, slot)
            menu.addAction(action)
        button.setMenu(menu)

    def release(self) -> None:
        """Lets go of the widgets."""
        self._connections.disconnect()

    def show_progress(self, job: RunningJob | None) -> None:
        """Draws work on the model as it stands; hidden without any."""
        self._widget("ProgressBox").setVisible(job is not None)
        if job is None:
            return
        bar, transfer = self._widget("ProgressBar"), job.progress
        bar.setMaximum(STEPS if transfer.total > 0 else 0)
        if transfer.total > 0:
            # Bytes may be more than the bar can count.
            bar.setValue(min(int(STEPS * transfer.done / transfer.total), STEPS))
        self._widget("ProgressLabel").setText(transfer_texts().of(transfer))

    def show_state(self, entry: ModelEntry, state: ModelState, job: RunningJob | None) -> None:
        """Says what a licence forbids, what is wrong or how the last work ended.

        Args:
            job: on this model, if any.
        """
        restriction = self._widget("Restriction")
        restriction.setVisible(bool(entry.restriction))
        show_status(restriction, restriction_text(entry), WARNING)
        message, running = self._store.message(entry), self._store.running_job
        text, kind = state.reason, ERROR
        if running is not None:
            text, kind = "", HINT
            if job is None:
                text = _("Wait until {model} is done.").format(model=running.entry.title)
        elif message is not None:
            text, kind = message.text, message.kind
        elif state.kind == DAMAGED and not text:
            text = _("The file is damaged, or another model's.")
        show_status(self._widget("Message"), breakable(text), kind)
        self._widget("Message").setVisible(bool(text))

    def download_text(self, entry: ModelEntry, state: ModelState) -> str:
        """What the button says that begins a download."""
        message = self._store.message(entry)
        return download_text(entry, state, message is not None and message.kind == ERROR)

    def show_download(self, entry: ModelEntry, text: str, *others: qt.QPushButton) -> None:
        """Shows the button with that text; it and `others` wait while there is work."""
        button = self._widget("DownloadButton")
        button.setText(text)
        button.setVisible(bool(entry.downloads))
        for one in (button, self._widget("FileButton"), *others):
            one.setEnabled(self._store.running_job is None)

    def _widget(self, name: str) -> qt.QWidget:
        return getattr(self._ui, self._prefix + name)

    def _download(self, checked=False) -> None:
        if (entry := self._entry()) is not None:
            self._store.install(entry.name)

    def _cancel(self, checked=False) -> None:
        self._store.cancel()

    def _install_file(self, checked=False) -> None:
        if (entry := self._entry()) is not None:
            self._install(entry, choose_file(self._widget("FileButton").window(), entry))

    def _install_folder(self, checked=False) -> None:
        if (entry := self._entry()) is not None:
            title = _("The folder with {file}").format(file=entry.file)
            self._install(entry, choose_folder(self._widget("FileButton").window(), title))

    def _install(self, entry: ModelEntry, path: str) -> None:
        if path:
            self._store.install(entry.name, path)


def choose_file(parent: qt.QWidget, entry: ModelEntry) -> str:
    """Asks for the file with a model's weights; "" if the user chooses none."""
    title = _("The file {file} of {model}").format(file=entry.file, model=entry.title)
    kinds = "{} ({});;{} (*)".format(_("Weights"), ENDINGS, _("All files"))
    chosen = qt.QFileDialog.getOpenFileName(parent, title, "", kinds)
    # Slicer's Python gets the path, PySide6 also the kind that was chosen.
    return chosen if isinstance(chosen, str) else chosen[0]


def choose_folder(parent: qt.QWidget, title: str, start: str = "") -> str:
    """Asks for a folder; "" if the user chooses none."""
    return qt.QFileDialog.getExistingDirectory(parent, title, start)
