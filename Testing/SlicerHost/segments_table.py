"""qMRMLSegmentsTableView: the list of segments."""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import slicer

from .cpp import Property, Signal, cpp_class, keep, stored, weak
from .mrml_widgets import Observations, qMRMLWidget
from .pythonqt import qt

_ID = qt.Qt.UserRole
STATUSES = ("Not started", "In progress", "Completed", "Flagged")


@cpp_class
class qMRMLSegmentsTableView(qMRMLWidget):
    selectionChanged = Signal(object, object)
    segmentAboutToBeModified = Signal(str)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(
            self,
            _node=None,
            _watch=Observations(self),
            _table=qt.QTableWidget(0, 4),
            _filling=False,
        )
        layout = qt.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        table = self._table
        table.setObjectName("SegmentsTable")
        table.setHorizontalHeaderLabels(["◉", "Color", "Name", "⚑"])
        table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        table.verticalHeader().hide()
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(2, qt.QHeaderView.Stretch)
        table.connect("itemSelectionChanged()", weak(self._on_selected))
        table.connect("cellClicked(int,int)", weak(self._on_clicked))

    readOnly = stored(bool, "readOnly", False)
    textFilter = stored(str, "textFilter", "")
    jumpToSelectedSegmentEnabled = stored(bool, "jumpToSelectedSegmentEnabled", False)
    segmentCount = Property(int, lambda self: self._table.rowCount)

    def tableWidget(self):
        return self._table

    def segmentationNode(self):
        return self._node

    def setReadOnly(self, on: bool) -> None:
        self.readOnly = on

    def setSegmentationNode(self, node) -> None:
        if node is not self._node:
            self._watch.clear()
            keep(self, _node=node)
            kinds = slicer.vtkSegmentation
            for event in (
                kinds.SegmentAdded,
                kinds.SegmentRemoved,
                kinds.SegmentModified,
                kinds.SegmentsOrderModified,
                slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent,
                "ModifiedEvent",
            ):
                self._watch.connect(node, event, self._fill)
        self._fill()

    def displayedSegmentIDs(self) -> list[str]:
        return [self.segmentIDForRow(row) for row in range(self._table.rowCount)]

    def segmentIDForRow(self, row: int) -> str:
        item = self._table.item(row, 2)
        return item.data(_ID) if item else ""

    def rowForSegmentID(self, segmentID: str) -> int:
        shown = self.displayedSegmentIDs()
        return shown.index(segmentID) if segmentID in shown else -1

    def selectedSegmentIDs(self) -> list[str]:
        rows = self._table.selectionModel().selectedRows()
        return [self.segmentIDForRow(index.row()) for index in rows]

    def setSelectedSegmentIDs(self, segmentIDs) -> None:
        if list(segmentIDs) == self.selectedSegmentIDs():
            return
        rows = [self.rowForSegmentID(i) for i in segmentIDs]
        if any(row >= 0 for row in rows):
            self._table.selectRow(next(row for row in rows if row >= 0))

    def clearSelection(self) -> None:
        self._table.clearSelection()

    def _on_selected(self) -> None:
        if not self._filling:
            self.selectionChanged.emit(None, None)

    def _on_clicked(self, row: int, column: int) -> None:
        if column != 0 or self.readOnly:
            return
        display, segment_id = self._node.GetDisplayNode(), self.segmentIDForRow(row)
        display.SetSegmentVisibility(segment_id, not display.GetSegmentVisibility(segment_id))

    def _fill(self) -> None:
        if self._filling:
            return
        keep(self, _filling=True)
        selected = self.selectedSegmentIDs()
        segmentation = self._node.GetSegmentation() if self._node is not None else None
        ids = list(segmentation.GetSegmentIDs()) if segmentation else []
        self._table.setRowCount(len(ids))
        for row, segment_id in enumerate(ids):
            self._fill_row(row, segment_id, segmentation.GetSegment(segment_id))
        kept = [segment_id for segment_id in selected if segment_id in ids]
        if kept:
            self._table.selectRow(ids.index(kept[0]))
        else:
            self._table.clearSelection()
        keep(self, _filling=False)
        if selected and not kept:
            self.selectionChanged.emit(None, None)

    def _fill_row(self, row: int, segment_id: str, segment) -> None:
        display = self._node.GetDisplayNode()
        visible = display is not None and display.GetSegmentVisibility(segment_id)
        status = slicer.vtkSlicerSegmentationsModuleLogic.GetSegmentStatus(segment)
        texts = ["●" if visible else "○", "", segment.GetName(), "○◐●⚑"[status]]
        for column, text in enumerate(texts):
            item = qt.QTableWidgetItem(text or "")
            item.setFlags(qt.Qt.ItemIsSelectable | qt.Qt.ItemIsEnabled)
            self._table.setItem(row, column, item)
        swatch = qt.QPixmap(16, 16)
        swatch.fill(qt.QColor.fromRgbF(*segment.GetColor()))
        self._table.item(row, 1).setIcon(qt.QIcon(swatch))
        self._table.item(row, 2).setData(_ID, segment_id)
        self._table.item(row, 3).setToolTip(STATUSES[status])
