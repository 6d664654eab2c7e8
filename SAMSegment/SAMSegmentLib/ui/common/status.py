"""Status lines: what they can mean, and how a label shows that."""

from __future__ import annotations

import qt

#: What a status line means.
HINT, BUSY, GOOD, WARNING, ERROR = "hint", "busy", "good", "warning", "error"
# On light and on dark: no colour is readable (contrast 4.5 : 1) on both of Slicer's themes.
COLORS = {
    ERROR: ("#c0302b", "#ff8a80"),
    WARNING: ("#8f6000", "#f0b13c"),
    GOOD: ("#1d7a38", "#6cd08a"),
}


def show_status(label: qt.QLabel, text: str, kind: str) -> None:
    """Writes a line into a QLabel, in the colour of its kind."""
    colors = COLORS.get(kind)
    # Slicer's theme may have changed since the last line.
    is_dark = label.palette.color(qt.QPalette.Window).lightness() < 128
    label.setText(text)
    label.setStyleSheet(f"color: {colors[is_dark]}" if colors else "")
