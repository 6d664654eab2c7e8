"""qMRMLNodeComboBox: a QComboBox over the nodes of a scene, with rows before and after them.

What is current after rows came or went is Qt's own decision here as there.
"""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import functools
import weakref

import slicer
import vtk

from .cpp import Property, Signal, cpp_class, keep, weak
from .mrml_widgets import Observations
from .pythonqt import qt

_ID = int(qt.Qt.UserRole.value)
_COMMAND = _ID + 1


def _option(kind, name: str, default):
    """A property after whose change the rows are made anew."""
    member = f"_option_{name}"

    def write(self, value) -> None:
        keep(self, **{member: value})
        self._fill()

    return Property(kind, lambda self: self.__dict__.get(member, default), write)


@cpp_class
class qMRMLNodeComboBox(qt.QWidget):
    """Chooses a node of some classes; "None" before, and commands such as "Delete" after them."""

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAddedByUserAction = Signal(object)
    nodeAboutToBeRemoved = Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _scene=None, _attributes=[], _combo=qt.QComboBox(), _rows=[], _before=0)
        keep(self, _watch=Observations(self), _nodes_watch=Observations(self))
        keep(self, _quiet=False, _requested="")
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        # It is currentTextChanged in Slicer; Qt 5 sends that also when the text is the same.
        self._combo.connect("currentIndexChanged(int)", weak(self._tell))
        self._combo.connect("activated(int)", weak(self._on_activated))
        self.setSizePolicy(qt.QSizePolicy.MinimumExpanding, qt.QSizePolicy.Fixed)
        self.setEnabled(False)

    # Properties

    nodeTypes = _option("QVariantList", "nodeTypes", ())
    hideChildNodeTypes = _option("QVariantList", "hideChildNodeTypes", ())
    noneEnabled = _option(bool, "noneEnabled", False)
    noneDisplay = _option(str, "noneDisplay", "None")
    addEnabled = _option(bool, "addEnabled", True)
    removeEnabled = _option(bool, "removeEnabled", True)
    editEnabled = _option(bool, "editEnabled", False)
    renameEnabled = _option(bool, "renameEnabled", False)
    showHidden = _option(bool, "showHidden", False)
    showChildNodeTypes = _option(bool, "showChildNodeTypes", True)
    selectNodeUponCreation = _option(bool, "selectNodeUponCreation", True)
    baseName = _option(str, "baseName", "")

    def setBaseName(self, text: str, nodeType: str = "") -> None:
        self.baseName = text

    def setSizeAdjustPolicy(self, policy) -> None:
        self._combo.setSizeAdjustPolicy(policy)

    sizeAdjustPolicy = Property(
        int, lambda self: int(self._combo.sizeAdjustPolicy), setSizeAdjustPolicy
    )

    def addAttribute(self, nodeType: str, attributeName: str, attributeValue=None) -> None:
        self._attributes.append((nodeType, attributeName, attributeValue))
        self._fill()

    def removeAttribute(self, nodeType: str, attributeName: str) -> None:
        kept = [a for a in self._attributes if a[:2] != (nodeType, attributeName)]
        keep(self, _attributes=kept)
        self._fill()

    # The scene

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene) -> None:
        if scene is self._scene:
            return
        before = self.currentNodeID if self._rows else None
        self._watch.clear()
        keep(self, _scene=scene)
        if scene is not None:
            events = slicer.vtkMRMLScene
            self._watch.connect(scene, events.NodeAddedEvent, self._on_added, True)
            self._watch.connect(scene, events.NodeAboutToBeRemovedEvent, self._on_removed, True)
            for event in (events.EndCloseEvent, events.EndImportEvent):
                self._watch.connect(scene, event, self._update_scene)
        keep(self, _quiet=True)
        self._fill()
        self._combo.setCurrentIndex(-1)
        keep(self, _quiet=False)
        first = self._rows[0] if self._rows and not self.noneEnabled else ""
        requested, _ = self._requested, keep(self, _requested="")
        self.setCurrentNodeID(before if before is not None else requested or first)
        self.setEnabled(scene is not None)

    def nodeCount(self) -> int:
        return len(self._rows)

    def nodeFromIndex(self, index: int):
        return self._node_at(self._before + index)

    def currentNode(self):
        return self._node_at(self._combo.currentIndex)

    def _id(self) -> str:
        node = self.currentNode()
        return node.GetID() if node is not None else ""

    def setCurrentNode(self, node) -> None:
        if isinstance(node, str):
            self.setCurrentNodeID(node)
        else:
            self.setCurrentNodeID((node.GetID() or "") if node is not None else "")

    def setCurrentNodeID(self, nodeID: str) -> None:
        if self._scene is None:
            keep(self, _requested=nodeID)
        if nodeID not in self._rows:
            self._combo.setCurrentIndex(self._before - 1)
            return
        row = self._before + self._rows.index(nodeID)
        if row != self._combo.currentIndex:
            self._combo.setCurrentIndex(row)
            # An Enter is sent to the list to make it so: Qt takes that for the user's choice.
            self._on_activated(row)

    def setCurrentNodeIndex(self, index: int) -> None:
        row = index if index < self.nodeCount() else -1
        self._combo.setCurrentIndex(row + self._before)

    currentNodeID = Property(str, _id, setCurrentNodeID)

    def addNode(self, nodeType=None):
        node = self._scene.AddNewNodeByClass(nodeType or self.nodeTypes[0], self.baseName)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        self._scene.RemoveNode(self.currentNode())

    def renameCurrentNode(self) -> None:
        node = self.currentNode()
        if node is None:
            return
        name, accepted = qt.QInputDialog.getText(self, "Rename", "New name:")
        if accepted and name:
            node.SetName(name)

    # Rows: the model in Slicer

    def _fill(self) -> None:
        """All rows anew, with what is current if it is still there."""
        combo, current = self._combo, self._id()
        before = combo.blockSignals(True)
        combo.clear()
        self._nodes_watch.clear()
        keep(self, _rows=[], _before=0)
        if self._scene is not None:
            if self.noneEnabled:
                combo.addItem(self.noneDisplay, None)
                keep(self, _before=1)
            self._populate()
            for text, command in self._commands():
                combo.addItem(text, None)
                combo.setItemData(combo.count - 1, command, _COMMAND)
        place = self._rows.index(current) if current in self._rows else -1
        combo.setCurrentIndex(place + self._before)
        combo.blockSignals(before)

    def _commands(self) -> list[tuple[str, str]]:
        types = self.nodeTypes or ()
        found = []
        if self.renameEnabled:
            found.append(("Rename current node", "rename"))
        if self.editEnabled:
            found.append(("Edit current node", "edit"))
        if self.addEnabled:
            found += [("Create new node", f"create {kind}") for kind in types]
        if self.removeEnabled:
            found.append(("Delete current node", "delete"))
        return [("", "separator"), *found] if found else []

    def _populate(self) -> None:
        for index in range(self._scene.GetNumberOfNodes()):
            self._on_added(self._scene.GetNthNode(index), True)

    def _update_scene(self) -> None:
        """After a scene was closed or read, all nodes' rows go, and come one by one."""
        keep(self, _rows=[])
        self._nodes_watch.clear()
        count = self._combo.count - self._before - len(self._commands())
        if count:
            self._combo.model().removeRows(self._before, count)
            self._after_removal()
        self._populate()

    def _on_added(self, node, even_so: bool = False) -> None:
        if self._scene.IsImporting() and not even_so:
            return
        if any(node.IsA(kind) for kind in self.nodeTypes or ()):
            look = functools.partial(_look_at, weakref.ref(self), node.GetID())
            self._nodes_watch.connect(node, vtk.vtkCommand.ModifiedEvent, look)
        self._look(node)

    def _on_removed(self, node) -> None:
        """It is still in the scene, and so it is when another becomes current."""
        if self._scene.IsClosing():
            return
        self._nodes_watch.disconnect(node)
        self._take_out(node)

    def _look(self, node) -> None:
        """A node may be shown from now on, or not any more, or by another name."""
        listed = node.GetID() in self._rows
        if self._is_shown(node) and not listed:
            ids = [self._scene.GetNthNode(n).GetID() for n in range(self._scene.GetNumberOfNodes())]
            place = sum(ids.index(other) < ids.index(node.GetID()) for other in self._rows)
            self._rows.insert(place, node.GetID())
            item = qt.QStandardItem(node.GetName() or "")
            item.setData(node.GetID(), _ID)
            self._combo.model().insertRow(self._before + place, item)
            self.nodeAdded.emit(node)
        elif listed and not self._is_shown(node):
            self._take_out(node)
        elif listed:
            row = self._before + self._rows.index(node.GetID())
            if self._combo.itemText(row) != (node.GetName() or ""):
                self._combo.setItemText(row, node.GetName() or "")
                if row == self._combo.currentIndex:
                    self._tell()

    def _take_out(self, node) -> None:
        if node.GetID() not in self._rows:
            return
        self.nodeAboutToBeRemoved.emit(node)
        row = self._rows.index(node.GetID())
        self._rows.remove(node.GetID())
        self._combo.model().removeRow(self._before + row)
        self._after_removal()

    def _after_removal(self) -> None:
        if self.currentNode() is None:
            self.setCurrentNode(None)

    def _is_shown(self, node) -> bool:
        if not any(node.IsA(kind) for kind in self.nodeTypes or ()):
            return False
        if any(node.IsA(kind) for kind in self.hideChildNodeTypes or ()):
            return False
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        for kind, attribute, value in self._attributes:
            if node.IsA(kind):
                actual = node.GetAttribute(attribute)
                if actual is None or (value is not None and str(value) != actual):
                    return False
        return True

    def _node_at(self, row: int):
        node_id = self._combo.itemData(row, _ID) if row >= 0 else None
        return self._scene.GetNodeByID(node_id) if self._scene and node_id else None

    # What the QComboBox tells

    def _tell(self, *_) -> None:
        if self._quiet:
            return
        row = self._combo.currentIndex
        node = self._node_at(row)
        if node is None and row != self._before - 1:
            # A command, or nothing, became current because the row above it went.
            last = self.nodeFromIndex(self.nodeCount() - 1)
            if last is not None:
                self.setCurrentNode(last)
            return
        self.currentNodeChanged.emit(node)
        self.currentNodeIDChanged.emit(node.GetID() if node is not None else "")

    def _on_activated(self, row: int) -> None:
        command = self._combo.itemData(row, _COMMAND)
        if command is None:
            node = self._node_at(row)
            if node is not None or row == self._before - 1:
                self.nodeActivated.emit(node)
        elif command.startswith("create"):
            node = self.addNode(command.split()[1])
            self.setCurrentNode(node)
            self.nodeAddedByUserAction.emit(node)
        elif command == "delete":
            self.removeCurrentNode()
        elif command == "rename":
            self.renameCurrentNode()


def _look_at(selector, node_id: str) -> None:
    """Neither node nor selector are kept by their connection."""
    node = selector()._scene.GetNodeByID(node_id) if selector() else None
    if node is not None:
        selector()._look(node)


WIDGETS = (qMRMLNodeComboBox,)
