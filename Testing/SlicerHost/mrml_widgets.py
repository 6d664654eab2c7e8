"""qMRMLWidget: a widget that knows a scene; and how Qt objects of the host observe nodes."""

# ruff: noqa: N801  classes are named as in Slicer

from __future__ import annotations

import weakref

import shiboken6
import vtk

from .cpp import Signal, cpp_class, keep, weak
from .pythonqt import qt


class Observations:
    """VTK observers that go with a Qt object, like CTK's qvtkConnect."""

    def __init__(self, owner) -> None:
        self._tags = []
        self._owner = weakref.ref(owner)
        owner.destroyed.connect(weak(self.clear))

    def connect(self, caller, event, call, gives_node: bool = False) -> None:
        """Calls without arguments, or with the node that the event is about."""
        if caller is None:
            return
        held = weak(call)

        def hear(_caller, _event, *node) -> None:
            owner = self._owner()
            if owner is not None and shiboken6.isValid(owner):
                held(*node)

        if gives_node:
            hear.CallDataType = vtk.VTK_OBJECT

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


WIDGETS = (qMRMLWidget,)
