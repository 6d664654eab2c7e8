"""Lines that tell the user how things are, in a colour that says how they are meant."""

from __future__ import annotations

import qt

from ..effect.panel_state import ERROR, GOOD, WARNING

# On light and on dark: no colour is readable (contrast 4.5 : 1) on both of Slicer's themes.
COLORS = {
    ERROR: ("#c0302b", "#ff8a80"),
    WARNING: ("#8f6000", "#f0b13c"),
    GOOD: ("#1d7a38", "#6cd08a"),
}


def say(label, text: str, kind: str) -> None:
    """Writes a line into a QLabel; `kind` is one of panel_state's."""
    colors = COLORS.get(kind)
    label.setText(text)
    label.setStyleSheet(f"color: {colors[_is_dark(label)]}" if colors else "")


def _is_dark(label) -> bool:
    """Whether Slicer has a dark theme now."""
    return label.palette.color(qt.QPalette.Window).lightness() < 128
