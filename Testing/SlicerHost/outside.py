"""What a user does outside of Slicer's window: system dialogs for files, and the file manager."""

from __future__ import annotations

from .pythonqt import qt

#: Paths that the user will choose, first in first out; "" is Cancel.
choices: list[str] = []
#: What was given to the system to open: addresses.
opened: list[str] = []

_STATIC = ("getOpenFileName", "getExistingDirectory")
_replaced: list[tuple] = []


def install() -> None:
    """Nothing leaves Slicer from now on."""
    for name in _STATIC:
        _replace(qt.QFileDialog, name, _chosen)
    _replace(qt.QDesktopServices, "openUrl", _open)


def uninstall() -> None:
    for owner, name, before in reversed(_replaced):
        setattr(owner, name, before)
    _replaced.clear()
    choices.clear()
    opened.clear()


def _replace(owner, name: str, function) -> None:
    _replaced.append((owner, name, getattr(owner, name)))
    setattr(owner, name, staticmethod(function))


def _chosen(parent=None, caption="", folder="", *more) -> str:
    """The path alone, also of a file: PythonQt leaves out what comes back by a pointer."""
    if not choices:
        raise RuntimeError(f"Slicer would wait for a file: {caption}")
    return choices.pop(0)


def _open(url) -> bool:
    opened.append(url.toString())
    return True
