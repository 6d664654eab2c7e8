"""Somebody who knows the truth and says it with an ROI and clicks; the hand may shake.

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

#: mm by which people draw a box larger than the object.
ROI_MARGIN_MM = 5.0
#: Share of an ROI's edge by which a face may be off.
FACE_SHAKE = 0.1
#: mm by which a click may be off.
POINT_SHAKE_MM = 3.0
# The challenge chooses between equally good voxels with this seed.
TIE_SEED = 42
NEIGHBOURS_26 = np.ones((3, 3, 3), dtype=bool)
_TRIES = 100


def roi_around(mask: np.ndarray, geometry: Geometry, margin_mm: float = ROI_MARGIN_MM) -> Roi:
    """The box around a mask (k, j, i) along the grid's axes, enlarged on each side.

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

    The largest 26-connected component of all that is wrong, missed or too much, by voxels; in it
    the voxel farthest from the component's border, counted in voxels; positive if it was missed.

    Args:
        truth, mask: boolean, (k, j, i) of the grid `geometry`.

    Returns:
        The centre of that voxel in RAS; None if mask and truth are equal.
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
    """The point moved within a ball of POINT_SHAKE_MM, but not out of the volume.

    A point of a volume so thin that no such place is found stays where it is.
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
    # Beyond the volume lies no part of the error either.
    distance = ndimage.distance_transform_edt(np.pad(component[box], 1))
    middles = np.argwhere(distance == distance.max())
    # RandomState and not Generator: it makes the challenge's own choice.
    chosen = middles[np.random.RandomState(TIE_SEED).choice(len(middles))]
    return chosen - 1 + [part.start for part in box]
