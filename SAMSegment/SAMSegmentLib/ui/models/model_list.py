"""The module panel's section "Models": what there is, what it is, and what can be done with it."""

from __future__ import annotations

import os

import qt
import slicer
from slicer.i18n import tr as _

from ...core.errors import SAMSegmentError
from ...weights.catalogue import ModelEntry, catalogue, problems
from ...weights.folder import VARIABLE, folder_is_fixed, models_folder
from ..common.connections import Connections
from ..common.delay import Delay
from ..common.status import ERROR, show_status
from .model_actions import ModelActions, choose_folder
from .model_states import DAMAGED, PARTLY, ModelState, sharing
from .model_store import ModelStore, RunningJob
from .model_texts import (
    amount,
    breakable,
    details,
    megabytes,
    place_text,
    state_text,
    with_size,
)

MODEL, STATE, SIZE = range(3)
NAME = "SAM Segment"
# Between a text and the border of its cell, in pixels.
TEXT_MARGIN = 4


class ModelList:
    """All models of the catalogue; what is below the list is about the selected one.

    Args:
        ui: the module's widgets.
    """

    def __init__(self, ui: object, store: ModelStore) -> None:
        self._ui, self._store = ui, store
        self._connections = Connections()
        self._actions = ModelActions(ui, "model", store, self._entry)
        self._folder_tip = ui.modelChangeFolderButton.property("toolTip")
        self._show_tip = ui.modelShowFolderButton.property("toolTip")
        self._folder_message = ""
        # Rows get their new height after the column has its new width.
        self._fit_soon = Delay(0, self._fit_height)
        self._names: list[str] = []
        self._fill()
        self._size_columns()
        self._connect()
        self.refresh()
        store.add(self)

    def release(self) -> None:
        """Lets go of everything."""
        self._store.drop(self)
        self._fit_soon.release()
        self._actions.release()
        self._connections.disconnect()

    def refresh(self) -> None:
        """Looks again at what is installed."""
        tree = self._ui.modelTree
        if list(catalogue()) != self._names:
            self._fill()
        for row, entry in enumerate(catalogue().values()):
            item = tree.topLevelItem(row)
            item.setText(MODEL, entry.title)
            item.setToolTip(MODEL, entry.title)
            item.setText(STATE, self._state_text(entry))
            item.setToolTip(STATE, self._state_tip(entry))
            item.setText(SIZE, megabytes(entry.size))
        self._fit_height()
        self._show_selected()
        self._show_folder()

    def on_model_progress(self) -> None:
        """See model_store.Listener."""
        self._actions.show_progress(self._job())

    def on_models_changed(self, names: tuple[str, ...]) -> None:
        """See model_store.Listener."""
        self._folder_message = ""
        self.refresh()

    def _fill(self) -> None:
        """Makes a row for each model; those of the user's own folder may come and go."""
        tree, chosen = self._ui.modelTree, self._entry()
        tree.clear()
        self._names = list(catalogue())
        for _name in self._names:
            tree.addTopLevelItem(qt.QTreeWidgetItem())
        row = self._names.index(chosen.name) if chosen and chosen.name in self._names else 0
        tree.setCurrentItem(tree.topLevelItem(row))

    def _size_columns(self) -> None:
        header = self._ui.modelTree.header()
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setSectionResizeMode(MODEL, qt.QHeaderView.Stretch)
        for column in (STATE, SIZE):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)

    def _connect(self) -> None:
        ui, connect = self._ui, self._connections.connect
        connect(ui.modelTree.itemSelectionChanged, self._show_selected)
        connect(ui.modelTree.header().sectionResized, self._on_column_resized)
        connect(ui.modelVerifyButton.clicked, self._verify)
        connect(ui.modelRemoveButton.clicked, self._remove)
        connect(ui.modelShowFolderButton.clicked, self._open_folder)
        connect(ui.modelChangeFolderButton.clicked, self._change_folder)

    def _fit_height(self) -> None:
        """Makes the list as high as its rows, whatever the size of the font.

        A name that is too long for its column takes two lines; Qt breaks it, but leaves the row as
        it was.
        """
        tree, metrics = self._ui.modelTree, self._ui.modelTree.fontMetrics()
        column = qt.QRect(0, 0, max(tree.columnWidth(MODEL) - 2 * TEXT_MARGIN, 1), 1)
        inside = 0
        for row in range(tree.property("topLevelItemCount")):
            item = tree.topLevelItem(row)
            text = metrics.boundingRect(column, qt.Qt.TextWordWrap, item.text(MODEL))
            height = text.height() + TEXT_MARGIN
            item.setSizeHint(MODEL, qt.QSize(1, height))
            inside += height
        heading = _height(tree.header().sizeHint)
        tree.setFixedHeight(inside + heading + 2 * tree.property("frameWidth"))

    def _on_column_resized(self, column, before=0, after=0) -> None:
        if column == MODEL:
            self._fit_soon.start()

    def _entry(self) -> ModelEntry | None:
        tree = self._ui.modelTree
        row = tree.indexOfTopLevelItem(tree.currentItem())
        name = self._names[row] if 0 <= row < len(self._names) else None
        return catalogue().get(name)

    def _job(self) -> RunningJob | None:
        entry = self._entry()
        return None if entry is None else self._store.job_on(entry)

    def _state_text(self, entry: ModelEntry) -> str:
        job = self._store.job_on(entry)
        if job is None:
            return state_text(entry, self._store.state(entry))
        return _("being installed") if job.is_install else _("being verified")

    def _state_tip(self, entry: ModelEntry) -> str:
        """At length, for half a download."""
        state = self._store.state(entry)
        if state.kind != PARTLY or self._store.job_on(entry) is not None:
            return self._state_text(entry)
        return _("{amount} downloaded").format(amount=amount(state.partial, entry.size))

    def _show_selected(self) -> None:
        ui, entry, job = self._ui, self._entry(), self._job()
        self._actions.show_progress(job)
        if entry is None:
            return
        state = self._store.state(entry)
        ui.modelDetails.setText(details(entry))
        self._actions.show_state(entry, state, job)
        text = with_size(self._actions.download_text(entry, state), entry, state)
        self._actions.show_download(entry, text, ui.modelVerifyButton, ui.modelRemoveButton)
        ui.modelPlace.setText(place_text(entry))
        is_wanted = entry.is_installable and not state.is_usable
        can_verify = state.is_usable or state.kind == DAMAGED
        ui.modelGetBox.setVisible(job is None and is_wanted)
        ui.modelKeepBox.setVisible(job is None and (can_verify or state.has_files))
        ui.modelVerifyButton.setVisible(can_verify)
        ui.modelRemoveButton.setVisible(state.has_files)

    def _show_folder(self) -> None:
        ui, folder = self._ui, models_folder()
        ui.modelFolderPath.setText(breakable(_("Folder: {path}").format(path=folder)))
        message = self._folder_message or " ".join(problems())
        show_status(ui.modelFolderMessage, breakable(message), ERROR)
        ui.modelFolderMessage.setVisible(bool(message))
        is_there = folder.is_dir()
        ui.modelShowFolderButton.setEnabled(is_there)
        ui.modelShowFolderButton.setToolTip(
            self._show_tip if is_there else _("The folder will be made for the first model.")
        )
        is_fixed = folder_is_fixed()
        ui.modelChangeFolderButton.setEnabled(not is_fixed and self._store.running_job is None)
        fixed = _("The environment variable {name} says which folder it is.")
        ui.modelChangeFolderButton.setToolTip(
            fixed.format(name=VARIABLE) if is_fixed else self._folder_tip
        )

    def _verify(self, checked=False) -> None:
        if (entry := self._entry()) is not None:
            self._store.verify(entry.name)

    def _remove(self, checked=False) -> None:
        entry = self._entry()
        if entry is None:
            return
        question = _question(entry, self._store.state(entry))
        if slicer.util.confirmOkCancelDisplay(question, NAME):
            self._store.remove(entry.name)

    def _open_folder(self, checked=False) -> None:
        qt.QDesktopServices.openUrl(qt.QUrl(models_folder().as_uri()))

    def _change_folder(self, checked=False) -> None:
        title = _("The folder for downloaded models")
        folder = choose_folder(self._ui.modelTree.window(), title, str(models_folder()))
        if not folder:
            return
        self._folder_message = ""
        try:
            self._store.use_folder(folder)
        except SAMSegmentError as error:
            self._folder_message = str(error)
        self._show_folder()


def _question(entry: ModelEntry, state: ModelState) -> str:
    """What else is lost, and how much room is won."""
    text = _("Remove the weights of {model} ({size}) from this computer?")
    size = state.partial or _size_on_disk(entry)
    text = text.format(model=entry.title, size=megabytes(size))
    others = [catalogue()[name].title for name in sharing(entry) if name != entry.name]
    if others:
        shared = _("The same file is used by {models}, which goes with it.")
        text += "\n\n" + shared.format(models=", ".join(others))
    return text


def _size_on_disk(entry: ModelEntry) -> int:
    try:
        return os.path.getsize(entry.path)
    except OSError:
        return entry.size


def _height(size) -> int:
    """Of what is a property in Slicer's Python, and a method in PySide6's own."""
    return (size() if callable(size) else size).height()
