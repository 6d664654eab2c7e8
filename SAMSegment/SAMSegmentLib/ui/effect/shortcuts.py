"""Keys of the effect: none that the Segment Editor or the views have, only while it is active."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt

from ..common.connections import Connections
from .panel_state import NEGATIVE, POSITIVE, ROI

if TYPE_CHECKING:
    from .panel import Panel
    from .session import Session


class Shortcuts:
    """Installs the keys on a window while the effect is active.

    Args:
        session: carries the commands out.
        panel: knows which prompt is selected.
    """

    def __init__(self, session: Session, panel: Panel) -> None:
        # The Segment Editor has z, y, q, w, i, space, Esc, digits, Ctrl+Z; slice views have arrows,
        # b, f, g, r, t, v (vtkMRMLSliceIntersectionWidget), 3D views some more.
        self._actions = {
            "P": lambda: session.toggle_place(POSITIVE),
            "N": lambda: session.toggle_place(NEGATIVE),
            "O": lambda: session.toggle_place(ROI),
            "U": session.undo,
            "Shift+U": session.redo,
            "X": panel.flip_selected,
            "M": session.next_candidate,
            "C": session.cancel,
            "Ctrl+Return": session.apply,
        }
        self._shortcuts: list[object] = []
        self._connections = Connections()

    def install(self, window: qt.QWidget) -> None:
        """Puts the keys on a window, if there is one."""
        self.remove()
        if window is None:
            return
        for key, action in self._actions.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), window)
            self._connections.connect(shortcut.activated, action)
            self._shortcuts.append(shortcut)

    def remove(self) -> None:
        """Takes the keys off the window."""
        self._connections.disconnect()
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts.clear()
