"""The module `qt`, as PythonQt serves it in Slicer, on top of PySide6.

Importing this puts PythonQt's rules on all Qt objects of the process, for good: properties are
attributes, unknown attributes cannot be set, signals connect and fail as in PythonQt.
"""

from __future__ import annotations

import ctypes
import os
import sys

# In PythonQt enums are ints. PySide6 reads this when it is first imported: 2 is "inherit int".
if "PySide6" not in sys.modules:
    os.environ["PYSIDE6_OPTION_PYTHON_ENUM"] = "0x02"
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6 import QtCore

from . import attributes

if not isinstance(QtCore.Qt.Horizontal, int):
    raise ImportError("PySide6 was imported before SlicerHost.pythonqt: its enums are not ints.")

attributes.install()

# PySide6 6.12 returns None, True and False without taking a reference, as is right from Python 3.12
# on, where they live for ever. On 3.11 each call takes one away until the process ends with a fatal
# error (measured: -1 for `setEnabled`, for `emit`). Here they get a supply that lasts.
if sys.version_info < (3, 12):
    for singleton in (None, True, False, NotImplemented, Ellipsis):
        ctypes.c_ssize_t.from_address(id(singleton)).value += 1 << 40

from .module import module as qt  # noqa: E402

__all__ = ["qt"]
