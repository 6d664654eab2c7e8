"""The part of a scripted effect that is C++ in Slicer and that Python cannot call."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import PurePosixPath

import slicer

from . import errors
from .python_methods import NO_RESULT, PythonMethods
from .pythonqt import qt


class EffectCore:
    """What the editor widget calls: each callback as qSlicerSegmentEditorScriptedEffect has it.

    Attributes:
        effect: the qSlicerSegmentEditorScriptedEffect that Python sees.
        node: vtkMRMLSegmentEditorNode, or None.
        logic: vtkSlicerSegmentEditorLogic, or None before an editor widget has taken the effect.
        select, update_volume, save_state: the widget's slots, or None.
        volumes: the logic's five images by name.
    """

    def __init__(self, effect) -> None:
        self.effect = effect
        self.name = "UnnamedScriptedEffect"
        self.title = ""
        self.per_segment = self.require_segments = True
        self.cursor_in_slice_view, self.cursor_in_threed_view = True, False
        self.is_active = False
        self.node = self.logic = None
        self.select = self.update_volume = self.save_state = None
        self.volumes = {}
        self.confirmed_segment = None
        self.saved_cursor = qt.QCursor(qt.Qt.ArrowCursor)
        self.source, self.python = "", PythonMethods(None)
        self.frame = _options_frame()

    # From Python's file

    def load(self, path: str) -> bool:
        """Makes the Python effect: the class named after the file, in the folder's module."""
        if not path.endswith((".py", ".pyc")):
            return False
        where = PurePosixPath(path)
        class_name = where.name.split(".")[0]
        if not class_name.endswith("Effect"):
            class_name += "Effect"
        kind = _find_class(where.parent.name, class_name, path)
        if kind is None:
            errors.critical(f"class {class_name} was not found in {path}")
            return False
        try:
            instance = kind(self.effect)
        except Exception as error:
            errors.exception("effect", error)
            return False
        self.python = PythonMethods(instance)
        self.source = path
        setattr(slicer, where.parent.name, instance)
        return True

    # Called by the factory and the editor widget

    def clone(self):
        copy = self.python.call("clone")
        if copy is NO_RESULT:
            errors.critical(f"{self.source}: clone: Failed to call mandatory clone method!")
            return None
        if not isinstance(copy, type(self.effect)):
            errors.critical(f"{self.source}: clone: Invalid cloned effect object returned")
            return None
        return copy

    def icon(self):
        icon = self.python.call("icon")
        return icon if isinstance(icon, qt.QIcon) else qt.QIcon()

    def help_text(self) -> str:
        text = self.python.call("helpText")
        if text is NO_RESULT:
            return ""
        if not isinstance(text, str):
            errors.warning(f"{self.source}: 'helpText' is expected to return a string!")
            return ""
        return text

    def activate(self) -> None:
        self.frame.setVisible(True)
        self.is_active = True
        self.update_gui_from_mrml()
        self.python.call("activate")

    def deactivate(self) -> None:
        self.frame.setVisible(False)
        self.is_active = False
        self.python.call("deactivate")

    def create_cursor(self, view_widget):
        cursor = self.python.call("createCursor", view_widget)
        if cursor is NO_RESULT:
            return _default_cursor(self.icon())
        return cursor if isinstance(cursor, qt.QCursor) else qt.QCursor()

    def process_interaction_events(self, interactor, event_id, view_widget) -> bool:
        result = self.python.call("processInteractionEvents", interactor, event_id, view_widget)
        if result is NO_RESULT:
            return False
        if not isinstance(result, bool):
            errors.warning(
                f"{self.source} - function 'processInteractionEvents' "
                "is expected to return a boolean"
            )
            return False
        return result

    def process_view_node_events(self, view_node, event_id, view_widget) -> None:
        self.python.call("processViewNodeEvents", view_node, event_id, view_widget)

    def interaction_node_modified(self, node) -> None:
        if self.python.call("interactionNodeModified", node) is not NO_RESULT:
            return
        if node and node.GetCurrentInteractionMode() != node.ViewTransform:
            self.select_effect("")

    def update_gui_from_mrml(self) -> None:
        if self.is_active:
            self.python.call("updateGUIFromMRML")

    def call(self, name: str) -> None:
        """A callback whose C++ part does nothing."""
        self.python.call(name)

    # Requests to the editor widget

    def select_effect(self, name: str) -> None:
        if self.select:
            self.select(name)

    def updated(self, name: str):
        """One of the logic's images, brought up to date; None when that failed."""
        if not self.update_volume or not self.update_volume(name):
            return None
        return self.volumes[name]


# Names in sys.modules of what was loaded from a file alone, for the application to take out.
loaded: list[str] = []


def _find_class(module_name: str, class_name: str, path: str):
    module = sys.modules.get(module_name)
    if module is not None and hasattr(module, class_name):
        return getattr(module, class_name)
    spec = importlib.util.spec_from_file_location(module_name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    loaded.append(module_name)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        errors.exception("effect", error)
        return None
    return getattr(module, class_name, None)


def _options_frame():
    frame = qt.QFrame()
    frame.setFrameShape(qt.QFrame.NoFrame)
    frame.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.MinimumExpanding)
    layout = qt.QFormLayout(frame)
    layout.setContentsMargins(4, 4, 4, 4)
    layout.setSpacing(4)
    # Qt's default depends on the platform; Slicer's builds use the Fusion style.
    layout.setFieldGrowthPolicy(qt.QFormLayout.AllNonFixedFieldsGrow)
    return frame


def _default_cursor(icon):
    """An arrow with the effect's icon below it."""
    if icon.isNull():
        return qt.QCursor(qt.Qt.ArrowCursor)
    return qt.QCursor(icon.pixmap(icon.availableSizes()[0]), 0, 0)
