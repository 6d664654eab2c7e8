"""A simulated user who knows the truth and gives an ROI and clicks, exact or inexact.

Source of the clicks: CVPR25_iter_eval.py of the CVPR 2025 challenge on interactive 3D segmentation
(JunMa11/CVPR-MedSegFMCompetition).
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ..core.errors import InputError
from ..core.geometry import Geometry
from ..core.patch import bounding_box
from ..core.prompts import Point, Roi

#: Margin of an ROI around the object, mm.
ROI_MARGIN_MM = 5.0
#: Largest displacement of a face of an inexact ROI, as a share of its edge.
FACE_SHAKE = 0.1
#: Largest displacement of an inexact click, mm.
POINT_SHAKE_MM = 3.0
# The challenge chooses among equally good voxels with this seed.
TIE_SEED = 42
NEIGHBOURS_26 = np.ones((3, 3, 3), dtype=bool)
_TRIES = 100


def roi_around(mask: np.ndarray, geometry: Geometry, margin_mm: float = ROI_MARGIN_MM) -> Roi:
    """The box around a mask (k, j, i) along the grid's axes, with a margin on each side.

    Raises:
        InputError: if the mask is empty.
    """
    box = bounding_box(mask)
    if box is None:
        raise InputError("The mask is empty: there is nothing to draw an ROI around.")
    low = np.array([part.start for part in box[::-1]]) - 0.5
    high = np.array([part.stop for part in box[::-1]]) - 0.5
    size = (high - low) * geometry.spacing + 2 * margin_mm
    return Roi.from_box(geometry.to_ras((low + high) / 2), size, geometry.directions)


def next_click(truth: np.ndarray, mask: np.ndarray, geometry: Geometry) -> Point | None:
    """The click that corrects a mask best: in the middle of its largest error.

    The largest error is the largest 26-connected component of wrong voxels, missing or surplus.
    The click is at its voxel farthest from the component's border, counted in voxels, and positive
    if that voxel was missing.

    Args:
        truth, mask: boolean, (k, j, i).
        geometry: their grid.

    Returns:
        The click at the voxel's centre in RAS; None if mask and truth are equal.
    """
    truth, mask = truth.astype(bool, copy=False), mask.astype(bool, copy=False)
    box = bounding_box(truth != mask)
    if box is None:
        return None
    voxel = _middle_voxel(_largest_component((truth != mask)[box]))
    start = np.array([part.start for part in box])
    voxel = voxel + start
    return Point(tuple(geometry.to_ras(voxel[::-1])), bool(truth[tuple(voxel)]))


def shaken_roi(roi: Roi, rng: np.random.Generator) -> Roi:
    """The ROI with each face moved by up to FACE_SHAKE of its edge, outwards or inwards."""
    shift = rng.uniform(-FACE_SHAKE, FACE_SHAKE, (2, 3))
    low, high = shift[0] - 0.5, shift[1] + 0.5
    shake = np.eye(4)
    shake[:3, :3] = np.diag(high - low)
    shake[:3, 3] = (low + high) / 2
    return Roi(roi.box_to_ras @ shake)


def shaken_point(point: Point, geometry: Geometry, rng: np.random.Generator) -> Point:
    """The point displaced by up to POINT_SHAKE_MM, within the volume.

    It is not displaced if the volume is so thin that no position within it is found.
    """
    for _ in range(_TRIES):
        offset = rng.uniform(-POINT_SHAKE_MM, POINT_SHAKE_MM, 3)
        moved = np.array(point.ras) + offset
        if np.linalg.norm(offset) <= POINT_SHAKE_MM and geometry.contains(moved):
            return Point(tuple(moved), point.positive)
    return point


def _largest_component(error: np.ndarray) -> np.ndarray:
    labels, count = ndimage.label(error, NEIGHBOURS_26)
    if count == 0:
        return error
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return labels == sizes.argmax()


def _middle_voxel(component: np.ndarray) -> np.ndarray:
    """(k, j, i) of a voxel farthest from the border of a component that is not empty."""
    box = bounding_box(component)
    # Outside the volume there is no error.
    distance = ndimage.distance_transform_edt(np.pad(component[box], 1))
    middles = np.argwhere(distance == distance.max())
    # RandomState instead of Generator, for the same choice as in the challenge.
    chosen = middles[np.random.RandomState(TIE_SEED).choice(len(middles))]
    return chosen - 1 + [part.start for part in box]
