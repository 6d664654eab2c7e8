"""Icons of the prompts and their undo: they differ in shape and colour, and fit any screen."""

from __future__ import annotations

from functools import lru_cache

import qt

from .panel_state import LINE, NEGATIVE, POSITIVE, ROI

# Large enough for any button on any screen; Qt scales it down.
SIDE = 64
UNDO, REDO = "Undo", "Redo"
# Readable on light, dark and highlighted rows and buttons.
COLORS = {
    POSITIVE: "#1f8a3b",
    NEGATIVE: "#c23b2e",
    ROI: "#c58a0a",
    LINE: "#9a6fe0",
    UNDO: "#3d87cc",
    REDO: "#3d87cc",
}


@lru_cache(maxsize=8)
def icon(kind: str):
    """The QIcon of a kind of prompt (see panel_state), or of UNDO or REDO."""
    pixmap = qt.QPixmap(SIDE, SIDE)
    pixmap.fill(qt.QColor(0, 0, 0, 0))
    painter = qt.QPainter(pixmap)
    try:
        painter.setRenderHint(qt.QPainter.Antialiasing)
        _DRAW[kind](painter, qt.QColor(COLORS[kind]))
    finally:
        painter.end()
    result = qt.QIcon(pixmap)
    # Else Qt would tint it in a selected row.
    result.addPixmap(pixmap, qt.QIcon.Selected)
    return result


def _positive(painter, color) -> None:
    _fill(painter, qt.QColor("white"))
    painter.drawEllipse(2, 2, 60, 60)
    _fill(painter, color)
    painter.drawEllipse(5, 5, 54, 54)
    _pen(painter, qt.QColor("white"), 7)
    painter.drawLine(32, 18, 32, 46)
    painter.drawLine(18, 32, 46, 32)


def _negative(painter, color) -> None:
    painter.save()
    painter.translate(32, 32)
    painter.rotate(45)
    _fill(painter, qt.QColor("white"))
    painter.drawRect(-22, -22, 44, 44)
    _fill(painter, color)
    painter.drawRect(-19, -19, 38, 38)
    painter.restore()
    _pen(painter, qt.QColor("white"), 7)
    painter.drawLine(19, 32, 45, 32)


def _roi(painter, color) -> None:
    _pen(painter, color, 6)
    painter.drawRect(11, 11, 42, 42)
    _fill(painter, color)
    for x in (11, 53):
        for y in (11, 53):
            painter.drawEllipse(x - 8, y - 8, 16, 16)


def _line(painter, color) -> None:
    _pen(painter, color, 7)
    painter.drawLine(12, 52, 52, 12)
    painter.drawLine(4, 44, 20, 60)
    painter.drawLine(44, 4, 60, 20)


def _undo(painter, color) -> None:
    """An arrow back around a point: not the Segment Editor's undo, which is of voxels."""
    _pen(painter, color, 7)
    # Angles in sixteenths of a degree, against the clock from three o'clock.
    painter.drawArc(10, 12, 44, 44, -100 * 16, 270 * 16)
    painter.drawLine(10, 36, 2, 24)
    painter.drawLine(10, 36, 22, 28)
    _fill(painter, color)
    painter.drawEllipse(26, 28, 12, 12)


def _redo(painter, color) -> None:
    painter.translate(SIDE, 0)
    painter.scale(-1, 1)
    _undo(painter, color)


_DRAW = {
    POSITIVE: _positive,
    NEGATIVE: _negative,
    ROI: _roi,
    LINE: _line,
    UNDO: _undo,
    REDO: _redo,
}


def _fill(painter, color) -> None:
    painter.setPen(qt.QPen(color, 1))
    painter.setBrush(qt.QBrush(color))


def _pen(painter, color, width: int) -> None:
    pen = qt.QPen(color, width)
    pen.setCapStyle(qt.Qt.RoundCap)
    painter.setPen(pen)
