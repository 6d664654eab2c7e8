"""Weights that the user has on a disk already: the button that asks where, and its dialogs."""

from __future__ import annotations

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from ...weights.catalogue import ModelEntry
from ..common.connections import Connections

ENDINGS = "*.pth *.pt *.safetensors"


class SourceButton:
    """A button with two choices: a file, or a folder in which it lies.

    Args:
        button: the QPushButton; it gets a menu.
        entry: the model that is meant when the user chooses.
        chosen: called with a path.
    """

    def __init__(
        self,
        button: qt.QAbstractButton,
        entry: Callable[[], ModelEntry | None],
        chosen: Callable[[str], None],
    ) -> None:
        self._button, self._entry, self._chosen = button, entry, chosen
        self._connections = Connections()
        menu = qt.QMenu(button)
        self._add(menu, _("A file ..."), self._choose_file)
        self._add(menu, _("A folder, such as a USB stick ..."), self._choose_folder)
        button.setMenu(menu)

    def release(self) -> None:
        """Lets go of the button."""
        self._connections.disconnect()

    def _add(self, menu, text: str, slot: Callable) -> None:
        action = qt.QAction(text, menu)
        self._connections.connect(action.triggered, slot)
        menu.addAction(action)

    def _choose_file(self, checked=False) -> None:
        if (entry := self._entry()) is not None:
            self._use(choose_file(self._button.window(), entry))

    def _choose_folder(self, checked=False) -> None:
        if (entry := self._entry()) is not None:
            title = _("The folder with {file}").format(file=entry.file)
            self._use(choose_folder(self._button.window(), title))

    def _use(self, path: str) -> None:
        if path:
            self._chosen(path)


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
