"""The flat module `qt`: all of QtCore, QtGui, QtWidgets and QtUiTools."""

from __future__ import annotations

import types

from PySide6 import QtCore

from .. import errors
from .attributes import MODULES


class _Module(types.ModuleType):
    def __getattr__(self, name):
        if not name.startswith("__"):
            for source in MODULES:
                if hasattr(source, name):
                    setattr(self, name, getattr(source, name))
                    return self.__dict__[name]
        raise AttributeError(f"module 'qt' has no attribute {name!r}")


def _single_shot(milliseconds, *target) -> None:
    """`QTimer.singleShot(0, f)`; what `f` raises is printed."""
    call = target[-1] if callable(target[-1]) else getattr(target[0], target[1].split("(")[0])

    def guarded():
        try:
            call()
        except Exception as error:
            errors.exception("slot", error)

    _raw_single_shot(milliseconds, guarded)


_raw_single_shot = QtCore.QTimer.singleShot
QtCore.QTimer.singleShot = staticmethod(_single_shot)

module = _Module("qt", "Qt as PythonQt serves it in Slicer, by PySide6.")
