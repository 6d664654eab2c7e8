"""Parameters of effects: attributes and node references of the segment editor node."""

from __future__ import annotations

import contextlib
import math

import slicer

from . import errors
from .ctk_widgets import ctkMessageBox
from .pythonqt import qt


def text(core, name: str) -> str:
    if core.node is None:
        return ""
    value = core.node.GetAttribute(f"{core.name}.{name}")
    if value is None:
        value = core.node.GetAttribute(name)
    if value is None:
        errors.critical(f"Parameter named {name} cannot be found for effect {core.name}")
        return ""
    return value


def integer(core, name: str) -> int:
    return _converted(core, name, int, "integer", 0)


def number(core, name: str) -> float:
    return _converted(core, name, float, "floating point number", 0.0)


def _converted(core, name, kind, description, nothing):
    if core.node is None:
        return nothing
    with contextlib.suppress(ValueError):
        return kind(text(core, name))
    errors.critical(f"Parameter named {name} cannot be converted to {description}!")
    return nothing


def put(core, full_name: str, value) -> None:
    """Sets an attribute and tells of it with EffectParameterModified alone."""
    if core.node is None:
        errors.critical(f"Invalid segment editor parameter set node set to effect {core.name}")
        return
    value = _as_text(value)
    before = core.node.GetAttribute(full_name)
    if value == (before or ""):
        return
    disabled = core.node.GetDisableModifiedEvent()
    core.node.SetDisableModifiedEvent(1)
    core.node.SetAttribute(full_name, value)
    core.node.SetDisableModifiedEvent(disabled)
    core.node.InvokeCustomModifiedEvent(core.node.EffectParameterModified)


def _as_text(value) -> str:
    """The C++ overloads take a string, an int or a double, which is written with six digits."""
    if isinstance(value, bool | int):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:g}" if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return value
    raise TypeError(f"setParameter takes a string, an int or a float, not {value!r}")


def defined(core, full_name: str) -> bool:
    return core.node is not None and bool(core.node.GetAttribute(full_name))


def node_reference(core, name: str):
    if core.node is None:
        return None
    own = core.node.GetNodeReference(f"{core.name}.{name}")
    return own or core.node.GetNodeReference(name)


def put_node(core, full_name: str, node) -> None:
    if core.node is None:
        errors.critical(f"Invalid segment editor parameter set node set to effect {core.name}")
        return
    if node is core.node.GetNodeReference(full_name):
        return
    core.node.SetNodeReferenceID(full_name, node.GetID() if node else None)
    core.node.InvokeCustomModifiedEvent(core.node.EffectParameterModified)


def confirm_visible(core, kind) -> int:
    """Asks whether to work on a hidden segment."""
    node = core.node.GetSegmentationNode() if core.node else None
    segment_id = core.node.GetSelectedSegmentID() if node else None
    if not segment_id:
        return kind.ConfirmedWithoutDialog
    segment = node.GetSegmentation().GetSegment(segment_id)
    if segment is core.confirmed_segment:
        return kind.ConfirmedWithoutDialog
    displays = [node.GetNthDisplayNode(n) for n in range(node.GetNumberOfDisplayNodes())]
    if any(d.GetVisibility() and d.GetSegmentVisibility(segment_id) for d in displays if d):
        return kind.ConfirmedWithoutDialog
    box = ctkMessageBox(slicer.util.mainWindow())
    box.setText("The currently selected segment is hidden. Would you like to make it visible?")
    answer = box.exec_()
    if answer == qt.QMessageBox.Cancel:
        return kind.NotConfirmed
    if answer == qt.QMessageBox.Yes:
        node.GetDisplayNode().SetVisibility(True)
        node.GetDisplayNode().SetSegmentVisibility(segment_id, True)
    else:
        core.confirmed_segment = segment
    return kind.ConfirmedWithDialog
