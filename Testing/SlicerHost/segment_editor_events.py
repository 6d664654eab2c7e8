"""Events of the views, handed to the active effect (`qMRMLSegmentEditorWidget::processEvents`)."""

from __future__ import annotations

import slicer
import vtk

IN_ALL_VIEWS = (
    "LeftButtonPressEvent",
    "LeftButtonReleaseEvent",
    "RightButtonPressEvent",
    "RightButtonReleaseEvent",
    "MiddleButtonPressEvent",
    "MiddleButtonReleaseEvent",
    "MouseMoveEvent",
    "MouseWheelForwardEvent",
    "MouseWheelBackwardEvent",
    "MouseWheelLeftEvent",
    "MouseWheelRightEvent",
    "KeyPressEvent",
    "KeyReleaseEvent",
    "EnterEvent",
    "LeaveEvent",
)
IN_SLICE_VIEWS = (
    "LeftButtonDoubleClickEvent",
    "RightButtonDoubleClickEvent",
    "MiddleButtonDoubleClickEvent",
)
PRIORITY = 1.0


class ViewObservations:
    """Observers of interactors and nodes of the views in which the segmentation may be shown."""

    def __init__(self, editor) -> None:
        self._editor = editor
        self._observers = []
        self._shown_in = {}
        self.active = False

    def set_up(self) -> None:
        self.remove()
        self._shown_in = self._view_nodes()
        layout = slicer.app.layoutManager()
        for name in layout.sliceViewNames():
            widget = layout.sliceWidget(name)
            node = widget.mrmlSliceNode()
            if self._editor._logic.IsSegmentationDisplayableInView(node):
                self._interactor(widget, IN_ALL_VIEWS + IN_SLICE_VIEWS)
                self._node(node, widget)
        for index in range(layout.threeDViewCount):
            widget = layout.threeDWidget(index)
            node = widget.mrmlViewNode()
            if self._editor._logic.IsSegmentationDisplayableInView(node):
                self._interactor(widget, IN_ALL_VIEWS)
                self._node(node, widget)
        self.active = True

    def remove(self) -> None:
        for caller, tag in self._observers:
            caller.RemoveObserver(tag)
        self._observers.clear()
        self.active = False

    def outdated(self) -> bool:
        """Whether a display node names other views than when this was set up."""
        return self._shown_in != self._view_nodes()

    def _view_nodes(self) -> dict:
        node = self._editor._segmentation
        displays = range(node.GetNumberOfDisplayNodes()) if node is not None else ()
        nodes = [node.GetNthDisplayNode(n) for n in displays]
        return {d.GetID(): tuple(d.GetViewNodeIDs()) for d in nodes if d is not None}

    def _interactor(self, widget, events) -> None:
        interactor = widget.viewWidget().interactor()
        for name in events:
            event_id = getattr(vtk.vtkCommand, name)
            self._observe(interactor, event_id, widget)

    def _node(self, node, widget) -> None:
        self._observe(node, vtk.vtkCommand.ModifiedEvent, widget)

    def _observe(self, caller, event_id, widget) -> None:
        def hand_over(source, name) -> None:
            effect = self._effect()
            if effect is None:
                return
            if not source.IsA("vtkRenderWindowInteractor"):
                effect._core.process_view_node_events(source, event_id, widget)
            elif effect._core.process_interaction_events(source, event_id, widget):
                source.GetCommand(tag).SetAbortFlag(1)

        tag = caller.AddObserver(event_id, hand_over, PRIORITY)
        self._observers.append((caller, tag))

    def _effect(self):
        scene = self._editor.mrmlScene()
        if scene is None or scene.IsClosing() or self._editor.mrmlSegmentEditorNode() is None:
            return None
        return self._editor.activeEffect()
