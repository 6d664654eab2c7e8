"""Own nodes in the user's scene: neither saved, nor listed, nor part of Slicer's undo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .hierarchy import add_hidden_item

if TYPE_CHECKING:
    import slicer


class HiddenNode:
    """A displayable node that users do not see in lists, with its display.

    Attributes:
        node: in the scene, unless somebody else removes it.
        display: its display node, likewise.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, class_name: str, name: str) -> None:
        self._scene = scene
        # Hidden before it is in the scene: lists of nodes ask when it is added.
        node = scene.CreateNodeByClass(class_name)
        # Python holds a reference now; the one from the creation would keep the node for good.
        node.UnRegister(None)
        _hide(node)
        node.SetName(name)
        self.node = scene.AddNode(node)
        if self.node.IsA("vtkMRMLSegmentationNode"):
            add_hidden_item(self.node)
        self.node.CreateDefaultDisplayNodes()
        self.display = self.node.GetDisplayNode()
        _hide(self.display)

    @property
    def is_in_scene(self) -> bool:
        """Whether both are still in the scene."""
        return self.node.GetScene() is not None and self.display.GetScene() is not None

    def show_placed(self, visible: bool) -> None:
        """Shows or hides what was placed in a markups node; not what follows the mouse."""
        node, placed = self.node, self.node.PositionDefined
        if not node.IsA("vtkMRMLMarkupsFiducialNode"):
            self.display.SetVisibility(visible)
            return
        for index in range(node.GetNumberOfControlPoints()):
            if node.GetNthControlPointPositionStatus(index) == placed:
                node.SetNthControlPointVisibility(index, visible)

    def remove(self) -> None:
        """Takes what is left of it out of the scene; Slicer leaves displays behind."""
        for node in (self.node, self.display):
            if node.GetScene() is not None:
                self._scene.RemoveNode(node)


_nodes_being_added: list[str] = []


def is_adding_markups() -> bool:
    """Whether Slicer has changed what is placed next, and `add_markups` is about to restore it."""
    return bool(_nodes_being_added)


def add_markups(scene: slicer.vtkMRMLScene, class_name: str, name: str) -> HiddenNode:
    """A hidden markups node that does not change what the next click places."""
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    if selection is None:
        return HiddenNode(scene, class_name, name)
    # The markups logic makes every new markup the one that is placed next.
    active = selection.GetActivePlaceNodeClassName(), selection.GetActivePlaceNodeID()
    _nodes_being_added.append(name)
    try:
        hidden = HiddenNode(scene, class_name, name)
        selection.SetReferenceActivePlaceNodeClassName(active[0])
        selection.SetActivePlaceNodeID(active[1])
    finally:
        _nodes_being_added.pop()
    return hidden


def set_colors(
    markups_display: slicer.vtkMRMLMarkupsDisplayNode,
    color: Sequence[float],
    active_color: Sequence[float],
) -> None:
    """The colours of points and lines: as a rule, and under the mouse."""
    markups_display.SetColor(color)
    markups_display.SetSelectedColor(color)
    markups_display.SetActiveColor(active_color)


def _hide(node) -> None:
    node.SetSaveWithScene(False)
    node.SetHideFromEditors(True)
    node.SetUndoEnabled(False)
