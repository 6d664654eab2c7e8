"""qMRMLWidget and qMRMLNodeComboBox: widgets that show a scene."""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import weakref

import shiboken6
import slicer
import vtk

from .cpp import Property, Signal, cpp_class, keep, stored, weak
from .pythonqt import qt


class Observations:
    """VTK observers that go with a Qt object, like CTK's qvtkConnect."""

    def __init__(self, owner) -> None:
        self._tags = []
        self._owner = weakref.ref(owner)
        owner.destroyed.connect(weak(self.clear))

    def connect(self, caller, event, call) -> None:
        if caller is None:
            return
        held = weak(call)

        def hear(*_) -> None:
            owner = self._owner()
            if owner is not None and shiboken6.isValid(owner):
                held()

        # Compared, not held: a bound method is a new object each time it is asked for.
        key = (id(getattr(call, "__self__", call)), getattr(call, "__name__", ""))
        self._tags.append((caller, event, key, caller.AddObserver(event, hear)))

    def disconnect(self, caller) -> None:
        for entry in [e for e in self._tags if e[0] is caller]:
            self._tags.remove(entry)
            caller.RemoveObserver(entry[3])

    def reconnect(self, old, new, event, call) -> None:
        """Moves one connection from an object to another; either may be None."""
        key = (id(getattr(call, "__self__", call)), getattr(call, "__name__", ""))
        for entry in [e for e in self._tags if e[0] is old and e[1:3] == (event, key)]:
            self._tags.remove(entry)
            old.RemoveObserver(entry[3])
        self.connect(new, event, call)

    def clear(self) -> None:
        for caller, _, _, tag in self._tags:
            caller.RemoveObserver(tag)
        self._tags.clear()


@cpp_class
class qMRMLWidget(qt.QWidget):
    """A widget that knows a scene."""

    mrmlSceneChanged = Signal(object)

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        keep(self, _scene=None)

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene) -> None:
        if scene is self._scene:
            return
        keep(self, _scene=scene)
        self.mrmlSceneChanged.emit(scene)


@cpp_class
class qMRMLNodeComboBox(qt.QWidget):
    """Chooses a node of some classes; "None", and commands such as "Rename...", at the end."""

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)

    def __init__(self, parent=None) -> None:
        super().__init__(parent)
        keep(self, _scene=None, _types=[], _attributes=[], _watch=Observations(self), _current=None)
        keep(self, _combo=qt.QComboBox(), _count=0, _none=False, _add=True, _hidden_types=[])
        layout = qt.QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._combo)
        self._combo.connect("activated(int)", weak(self._on_activated))
        self.setSizePolicy(qt.QSizePolicy.MinimumExpanding, qt.QSizePolicy.Fixed)

    # Properties

    def setNodeTypes(self, types) -> None:
        keep(self, _types=list(types))
        self._refresh()

    def setNoneEnabled(self, on: bool) -> None:
        keep(self, _none=bool(on))
        self._refresh()

    def setAddEnabled(self, on: bool) -> None:
        keep(self, _add=bool(on))
        self._refresh()

    def setHideChildNodeTypes(self, types) -> None:
        keep(self, _hidden_types=list(types))
        self._refresh()

    nodeTypes = Property("QVariantList", lambda self: self._types, setNodeTypes)
    hideChildNodeTypes = Property(
        "QVariantList", lambda self: self._hidden_types, setHideChildNodeTypes
    )
    noneEnabled = Property(bool, lambda self: self._none, setNoneEnabled)
    addEnabled = Property(bool, lambda self: self._add, setAddEnabled)
    removeEnabled = stored(bool, "removeEnabled", True)
    editEnabled = stored(bool, "editEnabled", False)
    renameEnabled = stored(bool, "renameEnabled", False)
    showHidden = stored(bool, "showHidden", False)
    showChildNodeTypes = stored(bool, "showChildNodeTypes", True)
    selectNodeUponCreation = stored(bool, "selectNodeUponCreation", True)
    noneDisplay = stored(str, "noneDisplay", "None")
    baseName = stored(str, "baseName", "")

    def setRemoveEnabled(self, on: bool) -> None:
        self.removeEnabled = on

    def setEditEnabled(self, on: bool) -> None:
        self.editEnabled = on

    def setRenameEnabled(self, on: bool) -> None:
        self.renameEnabled = on

    def setSelectNodeUponCreation(self, on: bool) -> None:
        self.selectNodeUponCreation = on

    def setNoneDisplay(self, text: str) -> None:
        self.noneDisplay = text
        self._refresh()

    def setBaseName(self, text: str, nodeType: str = "") -> None:
        self.baseName = text

    def setSizeAdjustPolicy(self, policy) -> None:
        self._combo.setSizeAdjustPolicy(policy)

    sizeAdjustPolicy = Property(
        int, lambda self: int(self._combo.sizeAdjustPolicy), setSizeAdjustPolicy
    )

    def addAttribute(self, nodeType: str, attributeName: str, attributeValue=None) -> None:
        self._attributes.append((nodeType, attributeName, attributeValue))
        self._refresh()

    def removeAttribute(self, nodeType: str, attributeName: str) -> None:
        kept = [a for a in self._attributes if a[:2] != (nodeType, attributeName)]
        keep(self, _attributes=kept)
        self._refresh()

    # The scene

    def mrmlScene(self):
        return self._scene

    def setMRMLScene(self, scene) -> None:
        if scene is self._scene:
            return
        self._watch.clear()
        keep(self, _scene=scene)
        if scene is not None:
            events = slicer.vtkMRMLScene
            for event in (events.NodeAddedEvent, events.NodeRemovedEvent, events.EndCloseEvent):
                self._watch.connect(scene, event, self._on_scene)
            self._watch.connect(scene, events.EndBatchProcessEvent, self._on_scene)
        keep(self, _count=0)
        self._follow()

    def nodeCount(self) -> int:
        return len(self._nodes())

    def nodeFromIndex(self, index: int):
        nodes = self._nodes()
        return nodes[index] if 0 <= index < len(nodes) else None

    def currentNode(self):
        return self._current

    def _id(self) -> str:
        return self._current.GetID() if self._current is not None else ""

    def setCurrentNode(self, node) -> None:
        if isinstance(node, str):
            self.setCurrentNodeID(node)
            return
        self._choose(node if node in self._nodes() else None)

    def setCurrentNodeID(self, nodeID: str) -> None:
        self.setCurrentNode(self._scene.GetNodeByID(nodeID) if self._scene and nodeID else None)

    def setCurrentNodeIndex(self, index: int) -> None:
        self.setCurrentNode(self.nodeFromIndex(index))

    currentNodeID = Property(str, _id, setCurrentNodeID)

    def addNode(self, nodeType=None):
        node = self._scene.AddNewNodeByClass(nodeType or self._types[0], self.baseName)
        self.nodeAdded.emit(node)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        return node

    def removeCurrentNode(self) -> None:
        if self._current is not None:
            self._scene.RemoveNode(self._current)

    def renameCurrentNode(self) -> None:
        name, accepted = qt.QInputDialog.getText(self, "Rename", "New name:")
        if accepted:
            self._current.SetName(name)

    # Inside

    def _nodes(self) -> list:
        if self._scene is None:
            return []
        found = []
        for index in range(self._scene.GetNumberOfNodes()):
            node = self._scene.GetNthNode(index)
            fits = any(node.IsA(kind) for kind in self._types)
            wrong = any(node.IsA(kind) for kind in self._hidden_types)
            if fits and not wrong and self._shown(node):
                found.append(node)
        return found

    def _shown(self, node) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        for kind, attribute, value in self._attributes:
            if node.IsA(kind):
                actual = node.GetAttribute(attribute)
                if actual is None or (value is not None and str(value) != actual):
                    return False
        return True

    def _on_scene(self) -> None:
        if self._scene.IsBatchProcessing() and not self._scene.IsClosing():
            return
        self._follow()

    def _follow(self) -> None:
        """As QComboBox does: a removed choice goes to another, a first item chooses itself."""
        nodes = self._nodes()
        was_empty = not self._count
        keep(self, _count=len(nodes))
        gone = self._current is not None and self._current not in nodes
        first = nodes[0] if nodes and not self._none else None
        if gone or (self._current is None and was_empty and first is not None):
            self._choose(first)
        self._refresh()

    def _choose(self, node) -> None:
        if node is self._current:
            self._refresh()
            return
        if self._current is not None:
            self._watch.disconnect(self._current)
        keep(self, _current=node)
        self._watch.connect(node, vtk.vtkCommand.ModifiedEvent, self._refresh)
        self._refresh()
        self.currentNodeChanged.emit(node)
        self.currentNodeIDChanged.emit(self._id())

    def _refresh(self) -> None:
        before = self._combo.blockSignals(True)
        self._combo.clear()
        nodes = self._nodes()
        if self._none or not nodes:
            self._combo.addItem(self.noneDisplay, None)
        for node in nodes:
            self._combo.addItem(node.GetName() or "", node.GetID())
        place = nodes.index(self._current) if self._current in nodes else -1
        self._combo.setCurrentIndex(place + (1 if self._none or not nodes else 0))
        if self._add and self._types:
            self._combo.addItem("Create new node", "create")
        self._combo.blockSignals(before)

    def _on_activated(self, index: int) -> None:
        data = self._combo.itemData(index)
        if data == "create":
            self.addNode()
        else:
            self.setCurrentNodeID(data or "")


WIDGETS = (qMRMLWidget, qMRMLNodeComboBox)
