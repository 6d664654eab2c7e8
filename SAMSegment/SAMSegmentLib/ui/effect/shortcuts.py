"""Keys of the effect: none that the Segment Editor or the slice views own, and only while it is
active."""

from __future__ import annotations

from typing import TYPE_CHECKING

import qt

from ..common.connections import Connections
from .panel_state import NEGATIVE, POSITIVE, ROI

if TYPE_CHECKING:
    from .panel import Panel
    from .session import Session

#: Command -> key. The Segment Editor has z, y, q, w, i, space, Esc, digits, Ctrl+Z; slice views
#: have arrows, b, f, g, r, t, v (vtkMRMLSliceIntersectionWidget), 3D views some more.
KEYS = {
    "positive": "P",
    "negative": "N",
    "roi": "O",
    "undo": "U",
    "redo": "Shift+U",
    "flip": "X",
    "next candidate": "M",
    "cancel": "C",
    "apply": "Ctrl+Return",
}


class Shortcuts:
    """Installs KEYS on a window while the effect is active.

    Args:
        session: carries the commands out.
        panel: knows which prompt is selected.
    """

    def __init__(self, session: Session, panel: Panel) -> None:
        self._actions = {
            "positive": lambda: session.toggle_place(POSITIVE),
            "negative": lambda: session.toggle_place(NEGATIVE),
            "roi": lambda: session.toggle_place(ROI),
            "undo": session.undo,
            "redo": session.redo,
            "flip": panel.flip_selected,
            "next candidate": session.next_candidate,
            "cancel": session.cancel,
            "apply": session.apply,
        }
        self._shortcuts: list[object] = []
        self._connections = Connections()

    def install(self, window: qt.QWidget) -> None:
        """Puts the keys on a window, if there is one."""
        self.remove()
        if window is None:
            return
        for command, key in KEYS.items():
            shortcut = qt.QShortcut(qt.QKeySequence(key), window)
            self._connections.connect(shortcut.activated, self._actions[command])
            self._shortcuts.append(shortcut)

    def remove(self) -> None:
        """Gives the keys back."""
        self._connections.disconnect()
        for shortcut in self._shortcuts:
            shortcut.setParent(None)
            shortcut.deleteLater()
        self._shortcuts.clear()
