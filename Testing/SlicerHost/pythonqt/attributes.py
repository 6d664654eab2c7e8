"""Attributes of Qt objects as in PythonQt: a property is a value, an unknown name cannot be set.

What PythonQt does is in `PythonQtInstanceWrapper.cpp` (`getattro`, `setattro`) and
`PythonQtClassInfo.cpp` (`lookForPropertyAndCache`, which also maps `name` to `objectName`).
"""

from __future__ import annotations

import functools
import gc
import inspect

from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

from .signals import BoundSignal, connect, disconnect

MODULES = (QtCore, QtGui, QtWidgets, QtUiTools)

_raw_property = QtCore.QObject.property
_raw_set_property = QtCore.QObject.setProperty
_raw_find_child = QtCore.QObject.findChild
_raw_children = QtCore.QObject.children
_raw_meta_object = QtCore.QObject.metaObject
_raw_top_level_widgets = QtWidgets.QApplication.topLevelWidgets
_raw_name = QtCore.QObject.objectName
_raw_dynamic_names = QtCore.QObject.dynamicPropertyNames

_properties: dict[type, frozenset] = {}
_being_read: set = set()
_MISSING = object()


def is_cpp(kind: type) -> bool:
    """Whether a class is C++ in Slicer: PySide6's own, or one that the host marks as such."""
    return "__cpp_class__" in kind.__dict__ or _is_shiboken(kind)


@functools.cache
def _is_shiboken(kind: type) -> bool:
    return kind.__module__.split(".")[0] in ("PySide6", "Shiboken", "shiboken6")


@functools.cache
def _python_names(kind: type) -> frozenset:
    """Names that Python classes above PySide6's define: methods and properties of their own."""
    names = set()
    for base in kind.__mro__:
        if _is_shiboken(base) or base is object:
            continue
        names.update(base.__dict__)
    return frozenset(names)


def property_names(qobject) -> frozenset:
    kind = type(qobject)
    if kind not in _properties:
        meta = _raw_meta_object(qobject)
        _properties[kind] = frozenset(meta.property(i).name() for i in range(meta.propertyCount()))
    return _properties[kind]


def install() -> None:
    """Puts the rules on QObject and all classes below it."""
    for module in MODULES:
        for name in dir(module):
            getattr(module, name)  # PySide6 makes its classes when they are first asked for
    for kind in _classes_below(QtCore.QObject):
        if "__getattribute__" in kind.__dict__:
            kind.__getattribute__ = _getter(kind.__getattribute__)
        if "__setattr__" in kind.__dict__:
            kind.__setattr__ = _put
    for name, function in _METHODS.items():
        setattr(QtCore.QObject, name, function)
    QtWidgets.QApplication.topLevelWidgets = staticmethod(_top_level_widgets)


def _top_level_widgets() -> list:
    """All windows; PySide6 makes their wrappers one by one from a list of addresses.

    If Python's garbage were collected in between, windows that only garbage holds would end before
    their turn, and the process with them.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return _raw_top_level_widgets()
    finally:
        if collects:
            gc.enable()


def _classes_below(root) -> list[type]:
    found, waiting = [], [root]
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.append(kind)
            waiting += type.__subclasses__(kind)
    return found


def _getter(plain):
    def get(self, name):
        if name in _INTERCEPTED:
            return functools.partial(_INTERCEPTED[name], self)
        if name.startswith("__") or name in _python_names(type(self)):
            value = plain(self, name)
            return BoundSignal(self, name, value) if _is_signal(value) else value
        actual = _actual(self, name)
        if actual in property_names(self) and (id(self), actual) not in _being_read:
            return _read(self, actual)
        try:
            value = plain(self, name)
        except AttributeError:
            if not name.startswith("_") and name.encode() in _dynamic_names(self):
                return _raw_property(self, name)
            child = _child_named(self, name)
            if child is not None:
                return child
            raise
        return BoundSignal(self, name, value) if _is_signal(value) else value

    return get


def _dynamic_names(qobject) -> list[bytes]:
    return [bytes(name) for name in _raw_dynamic_names(qobject)]


def _actual(qobject, name: str) -> str:
    """`name` means `objectName` where no property is called `name`."""
    return "objectName" if name == "name" and name not in property_names(qobject) else name


def _is_signal(value) -> bool:
    return type(value) is QtCore.SignalInstance


def _read(qobject, name):
    # Reading may call a virtual getter, and PySide6 then looks for a Python one by the same name.
    key = (id(qobject), name)
    _being_read.add(key)
    try:
        return _raw_property(qobject, name)
    finally:
        _being_read.discard(key)


def _child_named(qobject, name):
    if name.startswith("_"):
        return None
    return next((child for child in _raw_children(qobject) if _raw_name(child) == name), None)


def _put(self, name, value):
    kind = type(self)
    descriptor = inspect.getattr_static(kind, name, None)
    actual = _actual(self, name)
    if isinstance(descriptor, property):
        descriptor.__set__(self, value)
    elif actual in property_names(self):
        _write(self, actual, value)
    elif is_cpp(kind) and not (_is_signal(value) or _is_loaded_child(name, value)):
        raise AttributeError(
            f"{kind.__name__!r} object has no attribute {name!r}, and a C++ object takes none"
        )
    else:  # Python's own, and what PySide6 keeps with an object: signals in use, loaded children
        self.__dict__[name] = value


def _is_loaded_child(name, value) -> bool:
    """Whether PySide6's QUiLoader gives a widget the attribute under which PythonQt finds it."""
    return isinstance(value, QtCore.QObject) and _raw_name(value) == name


def _write(qobject, name, value) -> None:
    meta = _raw_meta_object(qobject)
    declared = meta.property(meta.indexOfProperty(name))
    if not declared.isWritable():
        raise AttributeError(f"Property {name!r} of {type(qobject).__name__!r} is read-only")
    if not _raw_set_property(qobject, name, value):
        raise AttributeError(
            f"Property {name!r} of type {declared.typeName()!r} does not accept {value!r}"
        )


# Methods that differ.


def _property(self, name):
    """A declared property, or what was kept under a name that is none."""
    return _read(self, name) if name in property_names(self) else _raw_property(self, name)


def _set_property(self, name, value) -> bool:
    """False for a name that is no declared property, whose value is kept all the same."""
    return bool(_raw_set_property(self, name, value)) and name in property_names(self)


def _find_child(self, kind=_MISSING, name="", *options):
    """The child, or None; also None when the type is left out, as measured."""
    if not isinstance(kind, type):
        return None
    return _raw_find_child(self, kind, name, *options)


def _class_name(self) -> str:
    return _raw_meta_object(self).className()


_METHODS = {
    "property": _property,
    "setProperty": _set_property,
    "findChild": _find_child,
    "className": _class_name,
}
# Not set on the class: PySide6's own functions of these names are static as well.
_INTERCEPTED = {"connect": connect, "disconnect": disconnect}
