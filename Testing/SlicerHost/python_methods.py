"""What Slicer's C++ may call of a scripted effect, and what it makes of the answer."""

from __future__ import annotations

from . import errors

CALLBACKS = (
    "icon",
    "helpText",
    "clone",
    "activate",
    "deactivate",
    "setupOptionsFrame",
    "createCursor",
    "processInteractionEvents",
    "processViewNodeEvents",
    "setMRMLDefaults",
    "referenceGeometryChanged",
    "sourceVolumeNodeChanged",
    "masterVolumeNodeChanged",
    "layoutChanged",
    "interactionNodeModified",
    "updateGUIFromMRML",
    "updateMRMLFromGUI",
    "cleanup",
)

# A method that is missing or raised. None is a result like any other.
NO_RESULT = object()


class PythonMethods:
    """The methods of one scripted effect, looked up once, when it is made."""

    def __init__(self, instance) -> None:
        self.instance = instance
        self._methods = {
            name: getattr(instance, name) for name in CALLBACKS if hasattr(instance, name)
        }

    def call(self, name: str, *arguments):
        """The method's result; NO_RESULT when there is none, or when it raised, which is kept."""
        if name not in self._methods:
            return NO_RESULT
        try:
            return self._methods[name](*arguments)
        except Exception as error:
            errors.exception("effect", error)
            return NO_RESULT
