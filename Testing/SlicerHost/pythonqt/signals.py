"""Signals as in PythonQt: strings or attributes, its rule for arguments, errors that go nowhere.

PythonQt trims the arguments to what a plain function takes (`PythonQtSignalReceiver.cpp`,
`PythonQtSignalTarget::call`), keeps what is connected alive, and prints what a slot raises.
"""

from __future__ import annotations

import inspect
import types

import shiboken6
from PySide6 import QtCore

from .. import errors

_raw_connect = QtCore.QObject.connect
_raw_disconnect = QtCore.QObject.disconnect
_raw_meta_object = QtCore.QObject.metaObject
_raw_attribute = QtCore.QObject.__getattribute__

# PySide6 chooses a signal's overload by the number of arguments that a slot takes.
_WITH_ARGUMENTS = (
    lambda f: lambda: f(),
    lambda f: lambda a: f(a),
    lambda f: lambda a, b: f(a, b),
    lambda f: lambda a, b, c: f(a, b, c),
    lambda f: lambda a, b, c, d: f(a, b, c, d),
)

# By C++ address of the sender: (signature, what was connected, how to undo it).
_connections: dict[int, list] = {}


class BoundSignal:
    """`widget.clicked`: connect, disconnect, emit; calling it emits it too."""

    def __init__(self, sender, name, instance) -> None:
        self._sender, self._name, self._instance = sender, name, instance

    def connect(self, *target) -> bool:
        """Connects a callable, another signal, or an object and one of its slots by name."""
        return _connect(self._sender, _first_signature(self._sender, self._name), target)

    def disconnect(self, *target) -> bool:
        return _disconnect(self._sender, _first_signature(self._sender, self._name), target)

    def emit(self, *arguments) -> None:
        self._instance.emit(*arguments)

    __call__ = emit


def connect(self, signal, *target) -> bool:
    """`sender.connect("clicked()", f)`; False when there is no such signal."""
    if isinstance(signal, QtCore.QObject):  # PySide6 itself calls it by this name
        return _raw_connect(signal, *target)
    signature = _signature(self, signal)
    if signature is None:
        errors.warning(f"{type(self).__name__} has no signal {signal}", "Qt")
        return False
    return _connect(self, signature, target)


def disconnect(self, signal=None, *target) -> bool:
    """`sender.disconnect("clicked()", f)`; False when that was not connected in this way."""
    if isinstance(signal, QtCore.QObject):
        return _raw_disconnect(signal, *target)
    if signal is None:
        taken = list(_connections.get(_address(self), ()))
        return all([_undo(self, entry) for entry in taken]) and bool(taken)
    signature = _signature(self, signal)
    return signature is not None and _disconnect(self, signature, target)


def _connect(sender, signature, target) -> bool:
    call = _callable(target)
    if call is None:
        raise TypeError(f"cannot connect {signature} to {target!r}")

    def slot(*arguments):
        try:
            call(*arguments[: accepted(call, len(arguments))])
        except Exception as error:
            errors.exception("slot", error)

    instance = _instance(sender, signature.split("(")[0])
    connection = instance.connect(_WITH_ARGUMENTS[_count(signature)](slot))
    address = _address(sender)
    if address not in _connections:
        _connections[address] = []
        # Another object may come to live at the same address.
        destroyed = _instance(sender, "destroyed")
        destroyed.connect(lambda: _connections.pop(address, None))
    _connections[address].append((signature, target, connection))
    return True


def _disconnect(sender, signature, target) -> bool:
    entries = _connections.get(_address(sender), [])
    found = [e for e in entries if e[0] == signature and (not target or e[1] == target)]
    return all([_undo(sender, entry) for entry in found]) and bool(found)


def _undo(sender, entry) -> bool:
    _connections[_address(sender)].remove(entry)
    return bool(_raw_disconnect(entry[2]))


def _callable(target):
    """What to call: a callable, another object's signal, or an object's slot named by a string."""
    if len(target) == 1:
        return target[0] if callable(target[0]) else None
    receiver, member = target
    name = member.split("(")[0]
    return lambda *arguments: getattr(receiver, name)(*arguments)


def accepted(call, given: int) -> int:
    """How many of the arguments PythonQt passes: those that a plain function has room for."""
    function = call
    hidden = 0
    if isinstance(call, types.MethodType):
        function, hidden = call.__func__, 1
    if not isinstance(function, types.FunctionType):
        return given
    if function.__code__.co_flags & inspect.CO_VARARGS:
        return given
    return min(given, function.__code__.co_argcount - hidden)


def _signatures(qobject) -> list[str]:
    meta = _raw_meta_object(qobject)
    # Methods of a class are found one by one; there are hundreds.
    key = type(qobject), meta.className(), meta.methodCount()
    if key not in _signatures_of:
        methods = [meta.method(index) for index in range(meta.methodCount())]
        signals = [m for m in methods if m.methodType() == QtCore.QMetaMethod.MethodType.Signal]
        _signatures_of[key] = [bytes(signal.methodSignature()).decode() for signal in signals]
    return _signatures_of[key]


_signatures_of: dict[tuple[type, str, int], list[str]] = {}


def _signature(qobject, text: str) -> str | None:
    """The signal's own signature for what a caller wrote, or None."""
    wanted = bytes(QtCore.QMetaObject.normalizedSignature(text)).decode()
    # Qt 6 names types in full where Qt 5 had the same type by a shorter name.
    return next((s for s in _signatures(qobject) if s == wanted), None)


def _first_signature(qobject, name: str) -> str:
    return next(s for s in _signatures(qobject) if s.split("(")[0] == name)


def _instance(qobject, name: str):
    return _raw_attribute(qobject, name)


def _count(signature: str) -> int:
    inside = signature[signature.index("(") + 1 : -1]
    return len(inside.split(",")) if inside else 0


def _address(qobject) -> int:
    return shiboken6.getCppPointer(qobject)[0]
