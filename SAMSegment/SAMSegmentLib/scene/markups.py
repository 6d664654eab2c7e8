"""Markups as prompts, in world RAS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import InputError
from ..core.prompts import Line, Point, Prompts, Roi
from .transforms import array_from_matrix, describe, require_class, to_world

if TYPE_CHECKING:
    import slicer


def roi_from_node(roi_node: slicer.vtkMRMLMarkupsROINode) -> Roi:
    """The box that Slicer draws for an ROI node, in world RAS, mm.

    Under a transform with shear Slicer straightens the box (`vtkMRMLMarkupsROINode::
    GenerateOrthogonalMatrix`); so does this, for the box on the screen is what the user means.

    Args:
        roi_node: vtkMRMLMarkupsROINode, of either type (Box, BoundingBox).

    Raises:
        InputError: if it is no ROI, is not drawn yet, has no size, is inside out, or is under a
            non-linear transform.
    """
    require_class(roi_node, "vtkMRMLMarkupsROINode", "ROI")
    to_world(roi_node)
    if not is_drawn(roi_node):
        raise InputError(f"{describe(roi_node)} is not drawn yet: place it first.")
    if roi_node.GetInsideOut():
        raise InputError(
            f"{describe(roi_node)} is inside out, but the object is expected inside: switch "
            "Inside out off (Markups module, ROI settings)."
        )
    # GetPlanesWorld would not do: it forgets the scale of the transforms.
    object_to_world = array_from_matrix(roi_node.GetObjectToWorldMatrix())
    size = roi_node.GetSize()
    if not (np.isfinite(size).all() and np.isfinite(object_to_world).all()):
        raise InputError(
            f"{describe(roi_node)} has no position or size (NaN or infinite): draw it again."
        )
    if min(size) <= 0:
        raise InputError(
            f"{describe(roi_node)} has no size along at least one axis: make it larger."
        )
    return Roi(object_to_world @ np.diag([*size, 1.0]))


def is_drawn(markups_node: slicer.vtkMRMLMarkupsNode) -> bool:
    """Whether an ROI or a line has all its points; what is being drawn lacks one."""
    defined = markups_node.GetNumberOfDefinedControlPoints()
    return defined >= max(1, markups_node.GetRequiredNumberOfControlPoints())


def line_from_node(line_node: slicer.vtkMRMLMarkupsLineNode) -> Line:
    """A measured line, in world RAS, mm.

    Raises:
        InputError: if this is no vtkMRMLMarkupsLineNode, has not two placed ends or no length, or
            is under a non-linear transform.
    """
    require_class(line_node, "vtkMRMLMarkupsLineNode", "line")
    ends = _positions_of(line_node)
    if len(ends) != 2:
        raise InputError(
            f"{describe(line_node)} has {len(ends)} of 2 ends: place both, across the object's "
            "longest diameter."
        )
    return Line(*ends)


def points_from(
    points: slicer.vtkMRMLMarkupsFiducialNode | Iterable[Sequence[float]], positive: bool = True
) -> tuple[Point, ...]:
    """Points of a vtkMRMLMarkupsFiducialNode, or of an iterable of (R, A, S), in world RAS, mm.

    Control points that are not placed (the one that follows the mouse, skipped ones) are left out.

    Raises:
        InputError: if this is neither, or a position is not three finite numbers.
    """
    if points is None:
        return ()
    if hasattr(points, "IsA"):
        return tuple(Point(ras, positive) for ras in _positions_of_node(points))
    if isinstance(points, str) or not isinstance(points, Iterable):
        raise InputError(
            "Points are a point list (vtkMRMLMarkupsFiducialNode) or positions (R, A, S) in mm, "
            f"such as [(10, -20, 35)], not {points!r}."
        )
    return tuple(Point(ras, positive) for ras in points)


def prompts_from(
    roi: slicer.vtkMRMLMarkupsROINode | None = None,
    positive: slicer.vtkMRMLMarkupsFiducialNode | Iterable[Sequence[float]] | None = None,
    negative: slicer.vtkMRMLMarkupsFiducialNode | Iterable[Sequence[float]] | None = None,
) -> Prompts:
    """Prompts in world RAS, mm.

    Args:
        roi: vtkMRMLMarkupsROINode, `Roi` in world RAS, or None.
        positive, negative: see `points_from`, or None.

    Raises:
        InputError: see `roi_from_node` and `points_from`.
    """
    if roi is not None and not isinstance(roi, Roi):
        roi = roi_from_node(roi)
    return Prompts(roi, points_from(positive, True) + points_from(negative, False))


def _positions_of_node(node) -> list[tuple[float, float, float]]:
    require_class(node, "vtkMRMLMarkupsFiducialNode", "point list")
    return _positions_of(node)


def _positions_of(node) -> list[tuple[float, float, float]]:
    to_world(node)
    placed = node.PositionDefined
    positions = []
    for index in range(node.GetNumberOfControlPoints()):
        if node.GetNthControlPointPositionStatus(index) != placed:
            continue
        ras = tuple(node.GetNthControlPointPositionWorld(index))
        if not np.isfinite(ras).all():
            label = node.GetNthControlPointLabel(index) or f"number {index + 1}"
            raise InputError(
                f'The control point "{label}" of {describe(node)} has no position (NaN or '
                "infinite): delete it, or place it anew (Markups module, Control points)."
            )
        positions.append(ras)
    return positions
