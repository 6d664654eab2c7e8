"""A user who places prompts, for tests: what Slicer's widgets do to markups."""

from __future__ import annotations

import slicer
import vtk

from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.scene.prompt_nodes import PromptNodes
from SlicerHost.scene_builder import rotation

NODE = slicer.vtkMRMLMarkupsNode
PROMPTS = Prompts(
    Roi.from_box((1, 2, 3), (10, 20, 30), rotation(10, 20, 30)),
    (Point((1, 1, 1)), Point((2, 2, 2), False), Point((3, 3, 3)), Point((4, 4, 4), False)),
    Line((0, 0, 0), (3, 4, 0)),
)


class PromptUser:
    """Prompt nodes, and how often they reported a change."""

    def __init__(self, builder) -> None:
        self.builder, self.scene = builder, builder.scene
        self._changes = 0
        self.nodes = PromptNodes(self.scene, self._on_changed)

    def _on_changed(self):
        self._changes += 1

    def changes(self) -> int:
        """How often a change was reported since this was asked last."""
        changes, self._changes = self._changes, 0
        return changes

    def list(self, positive=True):
        return self.nodes.point_node(positive)

    def click(self, ras, positive=True):
        """As Slicer's widget does: a point follows the mouse, and is then put down."""
        node = self.list(positive)
        index = self.hover(ras, positive)
        node.SetNthControlPointPosition(index, *ras, NODE.PositionDefined)
        return self.nodes.ids[-1]

    def hover(self, ras, positive=True):
        node = self.list(positive)
        # Slicer adds it without a place; from Python it has one at first.
        node.DisableModifiedEventOn()
        index = node.AddControlPoint(vtk.vtkVector3d(0, 0, 0))
        node.UnsetNthControlPointPosition(index)
        node.DisableModifiedEventOff()
        for part in (0.5, 1):
            position = [value * part for value in ras]
            node.SetNthControlPointPosition(index, *position, NODE.PositionPreview)
        return index

    def drag(self, node, index, ras, let_go=True):
        node.InvokeCustomModifiedEvent(NODE.PointStartInteractionEvent)
        for part in (0.2, 0.7, 1):
            node.SetNthControlPointPosition(index, *[value * part for value in ras])
        if let_go:
            node.InvokeCustomModifiedEvent(NODE.PointEndInteractionEvent)

    def points(self):
        return [(p.ras, p.positive) for p in self.nodes.prompts().points]

    def labels(self, positive):
        node = self.list(positive)
        return [node.GetNthControlPointLabel(n) for n in range(node.GetNumberOfControlPoints())]

    def markups(self):
        return self.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsNode")
