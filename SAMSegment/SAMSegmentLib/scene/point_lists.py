"""The two lists of points that the user places: positive and negative, in one order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import slicer
import vtk

from ..core.prompts import Point
from .hidden_nodes import add_markups, set_colors


class Style(NamedTuple):
    """How points look."""

    name: str
    color: tuple[float, float, float]
    active_color: tuple[float, float, float]
    glyph: str


# Light green circles and darker red diamonds: they differ in shape and lightness, too.
STYLES = {
    True: Style("SAM Segment +", (0.30, 1.0, 0.35), (0.80, 1.0, 0.80), "Sphere3D"),
    False: Style("SAM Segment -", (1.0, 0.15, 0.15), (1.0, 0.65, 0.60), "Diamond2D"),
}
# Percent of the screen, as Slicer counts (its own are 3 and 3): a diamond fills half its square. In
# a view of 500 pixels that shows 400 mm, they hide less than half of a lesion of 10 mm.
GLYPH_SCALES = {True: 1.7, False: 2.1}
TEXT_SCALE = 2.4
# Behind the numbers, so that they can be read on bone and on outlines.
TEXT_BACKGROUND, TEXT_BACKGROUND_OPACITY = (0.0, 0.0, 0.0), 0.4
POINT_LIST = "vtkMRMLMarkupsFiducialNode"


@dataclass(frozen=True)
class PlacedPoint:
    """A point as it lies in its list.

    Attributes:
        number: names the point as long as it exists, also when it is moved or flipped.
        point: position in world RAS, mm, and sign; None if it has lost its position.
        index: of the control point in its list.
    """

    number: int
    point: Point | None
    index: int


class PointList:
    """One of the lists.

    Attributes:
        positive: sign of its points.
        hidden, node: the vtkMRMLMarkupsFiducialNode.
        in_use: False between `hide` and `reset`.
        has_lost: whether a point had no position at the last `placed`.

    Which point is which is kept in the control points' descriptions: Slicer gives the ID of a
    removed control point to the next one.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, positive: bool) -> None:
        self.positive, self.has_lost, self.in_use = positive, False, True
        self.hidden = add_markups(scene, POINT_LIST, STYLES[positive].name)
        self.node = self.hidden.node
        self._set_style()

    def hide(self) -> None:
        """Empties it and takes it out of the views; it stays in the scene."""
        self.in_use = False
        self._empty()
        self.hidden.display.SetVisibility(False)

    def reset(self) -> None:
        """Makes it as it was when it was new, whatever was done with it."""
        self.in_use = True
        self._empty()
        self._set_style()

    def _empty(self) -> None:
        self.node.RemoveAllControlPoints()
        self.node.SetAndObserveTransformNodeID(None)

    def _set_style(self) -> None:
        with slicer.util.NodeModify(self.hidden.display):
            self._set_display(STYLES[self.positive])
        self.node.SetLocked(False)
        # The point that follows the mouse needs no label; placed ones get theirs from `label`.
        self.node.SetControlPointLabelFormat("")

    def _set_display(self, style: Style) -> None:
        display, positive = self.hidden.display, self.positive
        set_colors(display, style.color, style.active_color)
        display.SetVisibility(True)
        display.SetGlyphTypeFromString(style.glyph)
        display.SetUseGlyphScale(True)
        display.SetGlyphScale(GLYPH_SCALES[positive])
        display.SetTextScale(TEXT_SCALE)
        text = display.GetTextProperty()
        text.SetBold(True)
        text.SetShadow(False)
        text.SetBackgroundColor(TEXT_BACKGROUND)
        text.SetBackgroundOpacity(TEXT_BACKGROUND_OPACITY)
        display.SetPointLabelsVisibility(True)
        display.SetPropertiesLabelVisibility(False)
        display.SetSnapMode(display.SnapModeUnconstrained)
        # What lies inside the proposal is not seen through it: it would seem to lie on it.
        display.SetOccludedVisibility(False)

    def placed(self, numbers_in_use: set[int], new_number: Callable[[], int]) -> list[PlacedPoint]:
        """All defined points; those without a number of their own get one from `new_number`.

        A position with NaN or infinity (from a broken transform, or a script) is no position: of
        such points, only those are given that had a number already.
        """
        node, points = self.node, []
        self.has_lost = False
        for index, ras in self._defined():
            self.has_lost |= not np.isfinite(ras).all()
            number = _number(node.GetNthControlPointDescription(index))
            # A copy of a point is another point.
            known = number is not None and number not in numbers_in_use
            if not (known or np.isfinite(ras).all()):
                continue
            if not known:
                number = new_number()
                node.SetNthControlPointDescription(index, str(number))
            numbers_in_use.add(number)
            point = Point(ras, self.positive) if np.isfinite(ras).all() else None
            points.append(PlacedPoint(number, point, index))
        return points

    def remove_lost(self, places: Mapping[int, tuple[float, float, float]]) -> int:
        """Puts points without a position where they were (world RAS, mm, by number), or removes
        them; how many there were."""
        lost = [index for index, ras in self._defined() if not np.isfinite(ras).all()]
        for index in reversed(lost):
            number = _number(self.node.GetNthControlPointDescription(index))
            if number in places:
                self.node.SetNthControlPointPositionWorld(index, *places[number])
            else:
                self.node.RemoveNthControlPoint(index)
        return len(lost)

    def add(self, number: int, ras: Sequence[float]) -> None:
        """Adds a point, world RAS in mm."""
        index = self.node.AddControlPointWorld(vtk.vtkVector3d(*ras))
        self.node.SetNthControlPointDescription(index, str(number))

    def _defined(self) -> list[tuple[int, tuple[float, float, float]]]:
        """Index and world RAS, mm, of what is placed; not of what follows the mouse."""
        node = self.node
        return [
            (index, tuple(node.GetNthControlPointPositionWorld(index)))
            for index in range(node.GetNumberOfControlPoints())
            if node.GetNthControlPointPositionStatus(index) == node.PositionDefined
        ]

    def label(self, index: int, text: str) -> None:
        """What is written beside a point."""
        if self.node.GetNthControlPointLabel(index) != text:
            self.node.SetNthControlPointLabel(index, text)


def _number(description: str) -> int | None:
    return int(description) if description.isdecimal() else None
