"""The effect "SAM Segment" of the Segment Editor: the callbacks that Slicer calls.

Thin on purpose: the work is done in `ui.session`. The order of the methods is that of Slicer's own
effects. Slicer finds this class by the names of folder and file.
"""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
import vtk
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect
from slicer.i18n import tr as _

NAME = "SAM Segment"
ICON = Path(__file__).parents[1] / "Resources" / "Icons" / "SAMSegment.png"


class SegmentEditorEffect(AbstractScriptedSegmentEditorEffect):
    """Points, ROI or a measured line to a 3D mask, with a live preview.

    Each Segment Editor has its own clone with its own panel and session; the worker process with
    the model is shared.
    """

    def __init__(self, scriptedEffect: slicer.qSlicerSegmentEditorScriptedEffect):
        scriptedEffect.name = NAME  # never translated: it names the effect and its parameters
        scriptedEffect.title = _("SAM Segment")
        scriptedEffect.perSegment = True
        scriptedEffect.requireSegments = True
        # The markups show where the mouse is.
        scriptedEffect.showEffectCursorInSliceView = False
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)
        self._panel = None
        self._session = None
        self._shortcuts = None

    def clone(self):
        import qSlicerSegmentationsEditorEffectsPythonQt as effects

        clonedEffect = effects.qSlicerSegmentEditorScriptedEffect(None)
        clonedEffect.setPythonSource(__file__.replace("\\", "/"))
        return clonedEffect

    def icon(self):
        return qt.QIcon(str(ICON)) if ICON.exists() else qt.QIcon()

    def helpText(self):
        # What stands before the first line break is always seen, with dots behind it.
        return _(
            "<html>Click on an object, or draw an ROI around it; then correct with points<br>. "
            "A model on this computer proposes the 3D mask; nothing leaves it."
            "<ul>"
            "<li><b>Positive</b> (P): click on the object.</li>"
            "<li><b>Negative</b> (N): click where the proposal is too large.</li>"
            "<li><b>ROI</b> (O): draw a box closely around it.</li>"
            "<li>Drag prompts to move them; <b>U</b> takes the last one back.</li>"
            "<li><b>Apply</b> (Ctrl+Return) writes the segment; Ctrl+Z takes it back.</li>"
            "</ul>"
            "Research software, not a medical device. Check every mask.</html>"
        )

    def activate(self):
        if self._session is None:
            return
        from .logic import SAMSegmentLogic

        self._panel.set_models(SAMSegmentLogic.models())
        self._panel.set_scene(slicer.mrmlScene)
        self._session.activate()
        self._shortcuts.install(self._window())
        self.updateGUIFromMRML()

    def deactivate(self):
        if self._session is None:
            return
        self._shortcuts.remove()
        self._session.deactivate()

    def setupOptionsFrame(self):
        # Not before a panel is wanted: Slicer imports this file at every start.
        from .logic import SAMSegmentLogic
        from .ui.common.worker_service import shared_service
        from .ui.effect.panel import Panel
        from .ui.effect.session import Session
        from .ui.effect.shortcuts import Shortcuts

        session = Session(self.scriptedEffect, shared_service(), self._show, self._segmentEditor)
        self._panel = Panel(session, SAMSegmentLogic.models())
        self._shortcuts = Shortcuts(session, self._panel)
        self._session = session
        self.scriptedEffect.addOptionsWidget(self._panel.widget)

    def processInteractionEvents(
        self, callerInteractor: vtk.vtkRenderWindowInteractor, eventId: int, viewWidget: qt.QWidget
    ):
        if eventId == vtk.vtkCommand.MouseMoveEvent and self._session is not None:
            position = _position_in_slice(callerInteractor, viewWidget)
            if position is not None:
                self._session.mouse_moved(*position)
        return False  # markups do the rest

    def setMRMLDefaults(self):
        from .ui.effect.parameters import set_defaults

        set_defaults(self.scriptedEffect)
        # The editor calls this for each parameter node it gets (initializeParameterSetNode).
        if self._session is not None:
            self._session.parameter_node_changed()

    def updateGUIFromMRML(self):
        if self._session is None or self.scriptedEffect.parameterSetNode() is None:
            return
        from .ui.effect.parameters import parameters_of

        self._panel.show_parameters(parameters_of(self.scriptedEffect))
        self._session.refresh()

    def updateMRMLFromGUI(self):
        """Nothing: widgets write their parameter when the user changes it."""

    def referenceGeometryChanged(self):
        if self._session is not None:
            self._session.scene_changed()

    def sourceVolumeNodeChanged(self):
        if self._session is not None:
            self._session.refresh()

    def interactionNodeModified(self, interactionNode: slicer.vtkMRMLInteractionNode):
        # Defined, so that placing prompts does not end the effect.
        if self._session is not None:
            self._session.interaction_mode_changed()

    def cleanup(self):
        session, self._session = self._session, None
        if session is None:
            return
        self._shortcuts.remove()
        session.release()
        self._panel.release()

    def onApply(self):
        """The Apply button, for scripts."""
        if self._session is not None:
            self._session.apply()

    def _show(self, state):
        if self._panel is not None:
            self._panel.show(state)

    def _segmentEditor(self):
        """The qMRMLSegmentEditorWidget in which this effect's panel lies, or None."""
        widget = self.scriptedEffect.optionsFrame()
        while widget is not None and widget.className() != "qMRMLSegmentEditorWidget":
            widget = widget.parent()
        return widget

    def _window(self):
        editor = self._segmentEditor()
        return slicer.util.mainWindow() or (editor.window() if editor is not None else None)


def _position_in_slice(interactor, viewWidget):
    """World RAS (mm) under the mouse and the slice's normal; None unless this is a slice view."""
    if viewWidget is None or viewWidget.className() != "qMRMLSliceWidget":
        return None
    x, y = interactor.GetEventPosition()
    sliceNode = viewWidget.sliceLogic().GetSliceNode()
    ras = sliceNode.GetXYToRAS().MultiplyPoint((x, y, 0.0, 1.0))[:3]
    return ras, tuple(sliceNode.GetSliceToRAS().GetElement(row, 2) for row in range(3))
