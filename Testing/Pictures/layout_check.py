"""What is wrong with a layout of widgets: texts that are cut, widgets that lie over each other."""

from __future__ import annotations

import re
from itertools import combinations

from SlicerHost.pythonqt import qt

# Rounding, and frames that share a line.
TOLERANCE = 1


def defects(widget) -> list[str]:
    """All that is cut or overlaps among the visible widgets in a widget, as sentences."""
    found = []
    for one in [widget, *_descendants(widget)]:
        missing = _missing_width(one)
        if missing > TOLERANCE:
            found.append(f"{_name(one)} lacks {missing} pixels for its text")
        if _missing_height(one) > TOLERANCE:
            found.append(f"{_name(one)} lacks {_missing_height(one)} pixels of height")
        if isinstance(one, qt.QTreeWidget):
            found += _cut_cells(one)
        if not _holds_its_own(one):
            found += _misplaced(one)
    return found


def _descendants(widget):
    for child in widget.children():
        if isinstance(child, qt.QWidget) and child.isVisible() and not child.isWindow():
            yield child
            # What is inside a number field or a selector is Qt's own.
            if not isinstance(child, qt.QAbstractSpinBox | qt.QComboBox | qt.QAbstractItemView):
                yield from _descendants(child)


def _missing_width(widget) -> int:
    """Pixels by which a text is wider than its place."""
    if isinstance(widget, qt.QComboBox):
        if widget.parent().className() == "qMRMLNodeComboBox":
            return 0  # the names of nodes may be as long as users like
        option = qt.QStyleOptionComboBox()
        option.initFrom(widget)
        field = widget.style().subControlRect(
            qt.QStyle.CC_ComboBox, option, qt.QStyle.SC_ComboBoxEditField, widget
        )
        return _text_width(widget, widget.currentText) - field.width()
    if isinstance(widget, qt.QListWidget):
        return widget.sizeHintForColumn(0) - widget.viewport().width
    if isinstance(widget, qt.QLabel) and widget.wordWrap:
        longest = max(_words(widget), key=len, default="")
        return _text_width(widget, longest) - widget.width
    if isinstance(widget, qt.QLabel | qt.QAbstractButton | qt.QAbstractSpinBox):
        return _least(widget).width() - widget.width
    return 0


def _cut_cells(tree) -> list[str]:
    """Cells of a table whose text is not seen whole."""
    margin = 2 * (tree.style().pixelMetric(qt.QStyle.PM_FocusFrameHMargin) + 1)
    items = [tree.topLevelItem(row) for row in range(tree.topLevelItemCount)]
    return [
        f'{_name(tree)} cuts "{item.text(column)}"'
        for item in items
        for column in range(tree.columnCount)
        if not _fits(tree, item, column, margin)
    ]


def _fits(tree, item, column: int, margin: int) -> bool:
    room = tree.visualItemRect(item)
    room.setWidth(tree.columnWidth(column) - margin)
    needed = tree.fontMetrics().boundingRect(room, qt.Qt.TextWordWrap, item.text(column))
    return room.adjusted(-1, -1, 1, 1).contains(needed)


def _words(label) -> list[str]:
    """What stays on one line: Qt begins another one at a space, and within a path."""
    text = label.text
    if label.textFormat == qt.Qt.RichText:
        document = qt.QTextDocument()
        document.setHtml(text)
        text = document.toPlainText()
    return re.sub("([/\u200b])", r"\1 ", text).split()


def _missing_height(widget) -> int:
    if isinstance(widget, qt.QLabel) and widget.wordWrap:
        return widget.heightForWidth(widget.width) - widget.height
    if isinstance(widget, qt.QLabel | qt.QAbstractButton | qt.QComboBox | qt.QAbstractSpinBox):
        return _least(widget).height() - widget.height
    return 0


def _least(widget):
    """The smallest sensible QSize: a property of Qt's widgets, a method of those made in Python."""
    hint = widget.minimumSizeHint
    return hint() if callable(hint) else hint


def _text_width(widget, text: str) -> int:
    return widget.fontMetrics().horizontalAdvance(text)


def _holds_its_own(widget) -> bool:
    """Whether its children are Qt's own business."""
    return isinstance(widget, qt.QAbstractScrollArea | qt.QAbstractSpinBox | qt.QComboBox)


def _misplaced(parent) -> list[str]:
    children = [
        child
        for child in parent.children()
        if isinstance(child, qt.QWidget) and child.isVisible() and not child.isWindow()
    ]
    inside = parent.rect.adjusted(-TOLERANCE, -TOLERANCE, TOLERANCE, TOLERANCE)
    found = [
        f"{_name(c)} leaves {_name(parent)}" for c in children if not inside.contains(c.geometry)
    ]
    for one, other in combinations(children, 2):
        common = one.geometry.intersected(other.geometry)
        if min(common.width(), common.height()) > TOLERANCE:
            found.append(f"{_name(one)} lies over {_name(other)}")
    return found


def _name(widget) -> str:
    text = widget.property("text") or ""
    name = widget.objectName or type(widget).__name__
    return f'{name} "{text}"' if text else name
