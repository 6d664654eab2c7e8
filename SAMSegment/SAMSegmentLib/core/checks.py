"""Checks of prompts against a volume: cheap, so done before a slow model is started."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .errors import InputError
from .geometry import BORDER_TOLERANCE, Geometry
from .prompts import Prompts, Roi

ROI_OUTSIDE = (
    "The ROI lies outside the volume: move it onto the object. (If it looks right, check that the "
    "right volume is selected.)"
)


def check_prompts_in_volume(prompts: Prompts, geometry: Geometry) -> None:
    """Refuses prompts that lie outside a volume; both in the same RAS.

    Raises:
        InputError: if a point or an end of the line lies outside, or no part of the ROI lies in the
            volume.
    """
    for point in prompts.points:
        _check_inside(point.ras, "point", geometry)
    if prompts.line is not None:
        _check_inside(prompts.line.start, "line's first end", geometry)
        _check_inside(prompts.line.end, "line's second end", geometry)
    if prompts.roi is not None and not _overlaps(prompts.roi, geometry):
        raise InputError(ROI_OUTSIDE)


def _overlaps(roi: Roi, geometry: Geometry) -> bool:
    """Whether an ROI and a volume share more than a face, an edge or a corner.

    By the separating axis theorem (S. Gottschalk, OBBTree, SIGGRAPH 1996), in voxel indices, where
    the volume is a box along the axes and the ROI a parallelepiped: if they are separate, then
    along a face normal of either of them, or along the cross product of an edge of each.
    """
    size = np.array(geometry.shape[::-1], dtype=float)
    edges = (geometry.ras_to_ijk[:3, :3] @ roi.box_to_ras[:3, :3]).T
    between = geometry.to_ijk(roi.center) - (size - 1) / 2
    normals = [np.cross(edges[a], edges[b]) for a, b in ((0, 1), (1, 2), (2, 0))]
    across = [np.cross(axis, edge) for axis in np.eye(3) for edge in edges]
    for direction in (*np.eye(3), *normals, *across):
        length = np.linalg.norm(direction)
        if length == 0:  # parallel edges
            continue
        reach = np.abs(direction) @ size / 2 + np.abs(edges @ direction).sum() / 2
        if abs(direction @ between) >= reach - BORDER_TOLERANCE * length:
            return False
    return True


def size_with_thickness(
    size: Sequence[float], axes: Sequence[Sequence[float]] | None, geometry: Geometry
) -> Sequence[float]:
    """The size of an ROI; one drawn on a single slice without a thickness becomes as thick as it.

    Args:
        size: edge lengths, mm.
        axes: 3x3, unit edge directions as columns; None: R, A, S.
    """
    if geometry.slice_axis is None or np.shape(size) != (3,) or np.shape(axes) not in ((), (3, 3)):
        return size
    column = 2 - geometry.slice_axis
    edges = np.eye(3) if axes is None else np.asarray(axes, dtype=float)
    across = int(np.abs(edges.T @ geometry.directions[:, column]).argmax())
    size = np.array(size, dtype=float)
    if size[across] == 0:
        size[across] = geometry.spacing[column]
    return size


def _check_inside(ras: tuple[float, float, float], what: str, geometry: Geometry) -> None:
    if not geometry.contains(np.array(ras)):
        position = ", ".join(f"{value:.1f}" for value in ras)
        raise InputError(
            f"The {what} at R, A, S = ({position}) mm lies outside the volume: move or remove "
            "it. (If it looks right, check that the right volume is selected.)"
        )
