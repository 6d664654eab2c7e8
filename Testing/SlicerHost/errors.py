"""What Slicer would have printed, kept for tests: exceptions, critical messages, VTK's errors."""

from __future__ import annotations

import contextlib
import sys
import traceback
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One message. `source` says who met it: "slot", "effect", "python", "VTK", "Qt" or "host"."""

    source: str
    text: str
    exception: BaseException | None = None

    def __str__(self) -> str:
        return f"[{self.source}] {self.text}"


# Lists that stay the same objects, so that whoever holds one sees what comes later.
errors: list[Problem] = []
warnings: list[Problem] = []
# Each is called with level, origin and text of what goes into Slicer's log.
listeners: list = []


def clear() -> None:
    errors.clear()
    warnings.clear()


def _tell(level: str, origin: str, text: str) -> None:
    for listener in listeners:
        listener(level, origin, text)


def exception(source: str, error: BaseException) -> None:
    """Keeps and prints an exception that Slicer prints and swallows."""
    text = "".join(traceback.format_exception(error))
    errors.append(Problem(source, text, error))
    _tell("Critical", "Stream", text)  # Python prints it
    print(text, file=sys.stderr, end="")


@contextlib.contextmanager
def swallowed(source: str):
    """Around calls into Qt: PySide6 raises there what a virtual method raised, PythonQt prints."""
    try:
        yield
    except Exception as error:
        exception(source, error)


def critical(text: str, source: str = "host") -> None:
    """What Slicer's C++ says with qCritical."""
    errors.append(Problem(source, text))
    _tell("Critical", "Qt", text)
    print(text, file=sys.stderr)


def warning(text: str, source: str = "host") -> None:
    """What Slicer's C++ says with qWarning."""
    warnings.append(Problem(source, text))
    _tell("Warning", "Qt", text)
    print(text, file=sys.stderr)


class Recorder:
    """While installed, keeps what Python, VTK and Qt print without anybody being told."""

    def __init__(self) -> None:
        self._undo = []

    def install(self) -> None:
        clear()
        self._hook_python()
        self._observe_vtk()
        self._hook_qt()

    def uninstall(self) -> None:
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()

    def _hook_python(self) -> None:
        # VTK and PySide print what an observer or a virtual method raises through these.
        def note(value) -> None:
            text = "".join(traceback.format_exception(value))
            errors.append(Problem("python", text, value))
            _tell("Critical", "Stream", text)

        def keep(kind, value, trace, before=sys.excepthook):
            note(value)
            before(kind, value, trace)

        def keep_unraisable(unraisable, before=sys.unraisablehook):
            note(unraisable.exc_value)
            before(unraisable)

        hook, unraisable_hook = sys.excepthook, sys.unraisablehook
        sys.excepthook, sys.unraisablehook = keep, keep_unraisable
        self._undo.append(lambda: setattr(sys, "excepthook", hook))
        self._undo.append(lambda: setattr(sys, "unraisablehook", unraisable_hook))

    def _observe_vtk(self) -> None:
        import vtk

        window = vtk.vtkOutputWindow.GetInstance()
        for level, kept in [("Error", errors), ("Warning", warnings)]:

            @vtk.calldata_type(vtk.VTK_STRING)
            def keep(caller, name, text, level=level, kept=kept):
                kept.append(Problem("VTK", text))
                _tell(level, "VTK", text)

            tag = window.AddObserver(f"{level}Event", keep)
            self._undo.append(lambda tag=tag: window.RemoveObserver(tag))

    def _hook_qt(self) -> None:
        from PySide6 import QtCore

        def keep(kind, context, text):
            if "propagateSizeHints" in text:  # the offscreen platform says so of every window
                return
            serious = kind in (QtCore.QtMsgType.QtCriticalMsg, QtCore.QtMsgType.QtFatalMsg)
            if serious:
                critical(text, "Qt")
            elif kind == QtCore.QtMsgType.QtWarningMsg:
                warning(text, "Qt")

        before = QtCore.qInstallMessageHandler(keep)
        self._undo.append(lambda: QtCore.qInstallMessageHandler(before))
