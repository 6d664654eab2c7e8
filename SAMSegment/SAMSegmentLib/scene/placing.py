"""Placing markups with the mouse: Slicer's place mode, borrowed and given back."""

from __future__ import annotations

from collections.abc import Callable

import slicer

from .hidden_nodes import choice_is_on_loan
from .observers import Observers

SELECTION_ID, INTERACTION_ID = "vtkMRMLSelectionNodeSingleton", "vtkMRMLInteractionNodeSingleton"
_INTERACTION, _SELECTION = slicer.vtkMRMLInteractionNode, slicer.vtkMRMLSelectionNode


class Placing:
    """Lets the user place control points of one markups node.

    What Slicer would have placed before, and the mouse mode, come back afterwards; unless the
    user has chosen something else meanwhile, which is then left alone. As
    vtkSlicerMarkupsLogic::SetActiveList and StartPlaceMode do it, and qSlicerMarkupsPlaceWidget.
    """

    def __init__(self, scene, stopped: Callable[[], None] | None = None) -> None:
        """`stopped` is called when placing ends otherwise than by `start` and `stop`."""
        self._scene = scene
        self._stopped = stopped
        self._observers = Observers()
        self._node = None
        self._before: tuple | None = None

    def active_node(self):
        """The node in which the next click places a point, if it is one of `start`; or None."""
        return self._node if self._node is not None and self._is_ours() else None

    @property
    def is_mouse_placing(self) -> bool:
        """Whether the next click places something, whatever it is."""
        interaction = self._singletons()[1]
        return interaction is not None and (
            interaction.GetCurrentInteractionMode() == interaction.Place
        )

    def start(self, markups_node, persistent: bool = True) -> bool:
        """The next click places a point of this node; whether that worked.

        Args:
            persistent: and the clicks after it, until `stop` or the user ends it; else one point,
                or as many as the node needs (an ROI).
        """
        selection, interaction = self._singletons()
        if selection is None or interaction is None:
            return False
        if self._before is None:
            self._before = _state(selection, interaction)
        self._observers.release()
        self._node = markups_node
        selection.SetReferenceActivePlaceNodeClassName(markups_node.GetClassName())
        selection.SetActivePlaceNodeID(markups_node.GetID())
        if persistent:
            interaction.SwitchToPersistentPlaceMode()
        else:
            interaction.SwitchToSinglePlaceMode()
        self._listen(selection, interaction)
        return self._is_ours()

    def stop(self) -> None:
        """Ends placing, if it was begun here; all as before."""
        self._end(was_ours=self._node is not None and self._is_ours())

    def _listen(self, selection, interaction) -> None:
        changes = [_INTERACTION.InteractionModeChangedEvent]
        self._observers.add(interaction, changes, self._look)
        changes = [
            _SELECTION.ActivePlaceNodeIDChangedEvent,
            _SELECTION.ActivePlaceNodeClassNameChangedEvent,
        ]
        self._observers.add(selection, changes, self._look)
        # Without a node to place in, Slicer would make a new one at the next click.
        self._observers.add(self._scene, [self._scene.NodeRemovedEvent], self._look_for_node)
        self._observers.add(self._scene, [self._scene.StartCloseEvent], self.stop)

    def _look(self) -> None:
        if not choice_is_on_loan() and not self._is_ours():
            self._end(was_ours=False)
            self._tell()

    def _look_for_node(self) -> None:
        if self._node.GetScene() is None:
            self._end(was_ours=True)
            self._tell()

    def _tell(self) -> None:
        if self._stopped is not None:
            self._stopped()

    def _end(self, was_ours: bool) -> None:
        self._observers.release()
        node, self._node = self._node, None
        before, self._before = self._before, None
        selection, interaction = self._singletons()
        if node is None or before is None or selection is None or interaction is None:
            return
        class_name, node_id, mode, persistence = before
        if was_ours:
            # The mode first: a node that becomes active in place mode gets a point at the mouse.
            placing = interaction.GetCurrentInteractionMode() == interaction.Place
            if placing and mode != interaction.Place:
                interaction.SetCurrentInteractionMode(mode)
            elif placing:
                interaction.SwitchToViewTransformMode()
        if interaction.GetCurrentInteractionMode() != interaction.Place:
            interaction.SetPlaceModePersistence(persistence)
            if selection.GetActivePlaceNodeID() in (None, node.GetID()):
                _restore(selection, self._scene, class_name, node_id)

    def _is_ours(self) -> bool:
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


def _state(selection, interaction) -> tuple:
    return (
        selection.GetActivePlaceNodeClassName(),
        selection.GetActivePlaceNodeID(),
        interaction.GetCurrentInteractionMode(),
        interaction.GetPlaceModePersistence(),
    )


def _restore(selection, scene, class_name, node_id) -> None:
    if node_id is not None and scene.GetNodeByID(node_id) is None:
        node_id = None
    selection.SetReferenceActivePlaceNodeClassName(class_name)
    selection.SetActivePlaceNodeID(node_id)
