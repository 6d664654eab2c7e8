"""`qt.QUiLoader` that knows Slicer's and CTK's widgets."""

from __future__ import annotations

from functools import cache

from PySide6 import QtUiTools

from . import ctk_widgets, mrml_widgets, node_combo_box, place_widget, segment_editor
from .pythonqt import qt


class QUiLoader(QtUiTools.QUiLoader):
    """Loads .ui files; widgets of CTK and Slicer become the host's."""

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        for source in (ctk_widgets, mrml_widgets, node_combo_box, place_widget, segment_editor):
            for kind in source.WIDGETS:
                self.registerCustomWidget(kind)


def install() -> None:
    qt.QUiLoader = cache(QUiLoader)  # each new one would register all widgets again


def uninstall() -> None:
    qt.QUiLoader = QtUiTools.QUiLoader
