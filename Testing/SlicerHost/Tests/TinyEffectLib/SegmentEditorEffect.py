"""The smallest effect with a button; it writes down which callbacks it got."""

import qSlicerSegmentationsEditorEffectsPythonQt as effects
import qt
import slicer
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect


class SegmentEditorEffect(AbstractScriptedSegmentEditorEffect):
    # Shared by all clones, for tests: (callback, what it got), names that shall raise, answers.
    calls = []  # noqa: RUF012
    raising = set()  # noqa: RUF012
    answers = {}  # noqa: RUF012

    def __init__(self, scriptedEffect):
        super().__init__(scriptedEffect)
        scriptedEffect.name = "Tiny"
        scriptedEffect.title = "Tiny effect"

    def clone(self):
        clone = effects.qSlicerSegmentEditorScriptedEffect(None)
        clone.setPythonSource(__file__.replace("\\", "/"))
        return clone

    def icon(self):
        picture = qt.QPixmap(16, 16)
        picture.fill(qt.QColor("red"))
        return qt.QIcon(picture)

    def helpText(self):
        return "Fills everything.<br>Really."

    def setupOptionsFrame(self):
        self.fillButton = qt.QPushButton("Fill")
        self.fillButton.setObjectName("FillButton")
        self.scriptedEffect.addOptionsWidget(self.fillButton)
        self.amountSpinBox = qt.QSpinBox()
        self.scriptedEffect.addLabeledOptionsWidget("Amount:", self.amountSpinBox)
        self.fillButton.connect("clicked()", self.onFill)

    def setMRMLDefaults(self):
        self.scriptedEffect.setParameterDefault("Amount", 3)

    def updateGUIFromMRML(self):
        self._came("updateGUIFromMRML")
        self.amountSpinBox.setValue(self.scriptedEffect.integerParameter("Amount"))

    def activate(self):
        self._came("activate", self.scriptedEffect.active())

    def deactivate(self):
        self._came("deactivate", self.scriptedEffect.active())

    def sourceVolumeNodeChanged(self):
        self._came("sourceVolumeNodeChanged")

    def referenceGeometryChanged(self):
        self._came("referenceGeometryChanged")

    def layoutChanged(self):
        self._came("layoutChanged")

    def interactionNodeModified(self, interactionNode):
        self._came("interactionNodeModified", interactionNode.GetCurrentInteractionMode())

    def processInteractionEvents(self, callerInteractor, eventId, viewWidget):
        self._came("processInteractionEvents", eventId, viewWidget.className())
        return self.answers.get("processInteractionEvents", False)

    def processViewNodeEvents(self, callerViewNode, eventId, viewWidget):
        self._came("processViewNodeEvents", callerViewNode.GetClassName())

    def cleanup(self):
        self._came("cleanup")
        self.fillButton.disconnect("clicked()", self.onFill)

    def onFill(self):
        self._came("onFill")
        self.scriptedEffect.saveStateForUndo()
        labelmap = self.scriptedEffect.defaultModifierLabelmap()
        slicer.vtkOrientedImageDataResample.FillImage(labelmap, 1)
        mode = slicer.qSlicerSegmentEditorAbstractEffect.ModificationModeSet
        self.scriptedEffect.modifySelectedSegmentByLabelmap(labelmap, mode)

    def _came(self, name, *details):
        self.calls.append((name, *details))
        if name in self.raising:
            raise ValueError(f"{name} was told to raise")
