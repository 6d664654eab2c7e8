"""Nodes of ours in the user's scene: neither saved, nor listed, nor part of Slicer's undo."""

from __future__ import annotations

from .hierarchy import add_hidden_item


class HiddenNode:
    """A displayable node of ours, with its display.

    Attributes:
        node: in the scene, unless somebody else removes it.
        display: its display node, likewise.
    """

    def __init__(self, scene, class_name: str, name: str) -> None:
        self._scene = scene
        # Hidden before it is in the scene: lists of nodes ask when it is added.
        node = scene.CreateNodeByClass(class_name)
        # Python holds it now, and need not be told twice.
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
    def alive(self) -> bool:
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


_choices_on_loan: list[object] = []


def choice_is_on_loan() -> bool:
    """Whether what is placed next is just about to be what it was a moment ago."""
    return bool(_choices_on_loan)


def add_markups(scene, class_name: str, name: str) -> HiddenNode:
    """A hidden markups node that leaves the choice of what is placed next as it is."""
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    if selection is None:
        return HiddenNode(scene, class_name, name)
    # The markups logic makes every new markup the one that is placed next.
    active = selection.GetActivePlaceNodeClassName(), selection.GetActivePlaceNodeID()
    _choices_on_loan.append(selection)
    try:
        hidden = HiddenNode(scene, class_name, name)
        selection.SetReferenceActivePlaceNodeClassName(active[0])
        selection.SetActivePlaceNodeID(active[1])
    finally:
        _choices_on_loan.pop()
    return hidden


def set_colors(markups_display, color, active_color) -> None:
    """The colours of points and lines: as a rule, and under the mouse."""
    markups_display.SetColor(color)
    markups_display.SetSelectedColor(color)
    markups_display.SetActiveColor(active_color)


def _hide(node) -> None:
    node.SetSaveWithScene(False)
    node.SetHideFromEditors(True)
    node.SetUndoEnabled(False)
