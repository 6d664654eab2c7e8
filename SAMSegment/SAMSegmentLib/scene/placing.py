"""Placing markups with the mouse: Slicer's place mode, which is as before afterwards."""

from __future__ import annotations

from collections.abc import Callable

import slicer

from .hidden_nodes import is_adding_markups
from .observers import Observers

SELECTION_ID, INTERACTION_ID = "vtkMRMLSelectionNodeSingleton", "vtkMRMLInteractionNodeSingleton"
_INTERACTION, _SELECTION = slicer.vtkMRMLInteractionNode, slicer.vtkMRMLSelectionNode


class Placing:
    """Lets the user place control points of one markups node.

    What Slicer would have placed before, and the mouse mode, come back afterwards; unless the
    user has chosen something else meanwhile, which is then left alone. As
    vtkSlicerMarkupsLogic::SetActiveList and StartPlaceMode do it, and qSlicerMarkupsPlaceWidget.

    Args:
        stopped: called when placing ends otherwise than by `start` and `stop`.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, stopped: Callable[[], None]) -> None:
        self._scene = scene
        self._stopped = stopped
        self._observers = Observers()
        self._node = None
        self._before: tuple | None = None

    def active_node(self):
        """The node in which the next click places a point, if it is one of `start`; or None."""
        return self._node if self._node is not None and self._is_placing() else None

    @property
    def is_mouse_placing(self) -> bool:
        """Whether the next click places something, whatever it is."""
        interaction = self._singletons()[1]
        return interaction is not None and (
            interaction.GetCurrentInteractionMode() == interaction.Place
        )

    def start(self, markups_node: slicer.vtkMRMLMarkupsNode, persistent: bool = True) -> None:
        """The next click places a point of this node.

        Args:
            persistent: and the clicks after it, until `stop` or the user ends it; else one point,
                or as many as the node needs (an ROI).
        """
        selection, interaction = self._singletons()
        if selection is None or interaction is None:
            return
        if self._before is None:
            self._before = (
                selection.GetActivePlaceNodeClassName(),
                selection.GetActivePlaceNodeID(),
                interaction.GetCurrentInteractionMode(),
                interaction.GetPlaceModePersistence(),
            )
        self._observers.release()
        self._node = markups_node
        selection.SetReferenceActivePlaceNodeClassName(markups_node.GetClassName())
        selection.SetActivePlaceNodeID(markups_node.GetID())
        if persistent:
            interaction.SwitchToPersistentPlaceMode()
        else:
            interaction.SwitchToSinglePlaceMode()
        self._observe(selection, interaction)

    def stop(self) -> None:
        """Ends placing, if it was begun here; all as before."""
        self._end(was_placing=self._node is not None and self._is_placing())

    def _observe(self, selection, interaction) -> None:
        changes = [_INTERACTION.InteractionModeChangedEvent]
        self._observers.add(interaction, changes, self._on_mode_changed)
        changes = [
            _SELECTION.ActivePlaceNodeIDChangedEvent,
            _SELECTION.ActivePlaceNodeClassNameChangedEvent,
        ]
        self._observers.add(selection, changes, self._on_mode_changed)
        # Without a node to place in, Slicer would make a new one at the next click.
        self._observers.add(self._scene, [self._scene.NodeRemovedEvent], self._on_node_removed)
        self._observers.add(self._scene, [self._scene.StartCloseEvent], self.stop)

    def _on_mode_changed(self) -> None:
        if not is_adding_markups() and not self._is_placing():
            self._end(was_placing=False)
            self._stopped()

    def _on_node_removed(self) -> None:
        if self._node.GetScene() is None:
            self._end(was_placing=True)
            self._stopped()

    def _end(self, was_placing: bool) -> None:
        self._observers.release()
        node, self._node = self._node, None
        before, self._before = self._before, None
        selection, interaction = self._singletons()
        if node is None or before is None or selection is None or interaction is None:
            return
        class_name, node_id, mode, persistence = before
        if was_placing:
            # The mode first: a node that becomes active in place mode gets a point at the mouse.
            placing = interaction.GetCurrentInteractionMode() == interaction.Place
            if placing and mode != interaction.Place:
                interaction.SetCurrentInteractionMode(mode)
            elif placing:
                interaction.SwitchToViewTransformMode()
        if interaction.GetCurrentInteractionMode() != interaction.Place:
            interaction.SetPlaceModePersistence(persistence)
            if selection.GetActivePlaceNodeID() in (None, node.GetID()):
                if node_id is not None and self._scene.GetNodeByID(node_id) is None:
                    node_id = None
                selection.SetReferenceActivePlaceNodeClassName(class_name)
                selection.SetActivePlaceNodeID(node_id)

    def _is_placing(self) -> bool:
        selection, interaction = self._singletons()
        return (
            selection is not None
            and interaction is not None
            and self._node.GetScene() is not None
            and interaction.GetCurrentInteractionMode() == interaction.Place
            and selection.GetActivePlaceNodeID() == self._node.GetID()
            and selection.GetActivePlaceNodeClassName() == self._node.GetClassName()
        )

    def _singletons(self):
        return self._scene.GetNodeByID(SELECTION_ID), self._scene.GetNodeByID(INTERACTION_ID)
