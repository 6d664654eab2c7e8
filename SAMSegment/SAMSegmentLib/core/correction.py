"""Corrects a mask by a click: locally, and only in the direction of the click.

A positive click adds voxels and removes none; a negative click does the reverse. The changes lie
within a radius of the click, and nearer to it than to any click of the opposite sign, so clicks
never undo each other. Within that region, three things change: what a model takes for the object
under the click, voxels about which it was as uncertain as about the clicked one, and voxels of
similar intensity next to the click.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from scipy import ndimage
from scipy.spatial import cKDTree

from .errors import InputError
from .patch import BACKGROUND_LOGIT

#: Logit of a voxel that was decided by a click: certain at every threshold.
DECIDED_LOGIT = -BACKGROUND_LOGIT
# The error around a click extends at least to the nearest voxel that is already right; changes
# extend this many times as far, but not less than LEAST_RADIUS_MM.
REACH = 2.0
LEAST_RADIUS_MM = 5.0
# Assumed size of the error where no voxel is right: a positive click on an empty mask.
ALONE_MM = 10.0
# Radius around the click in which voxels of similar intensity change even if a model disagrees.
SURE_MM = 4.0
# Speed, relative to that within the object, at which the front crosses the strongest edge.
SLOWEST = 0.02
# A model is uncertain about a voxel whose logit is nearer to zero than DOUBT. A click on such a
# voxel also decides those around it that are as uncertain, or less certain by up to DOUBT_STEP.
DOUBT, DOUBT_STEP = 3.5, 0.2

Voxel = tuple[int, int, int]


def apply_click(
    logits: np.ndarray,
    voxel: Voxel,
    positive: bool,
    proposed: np.ndarray | None,
    values: np.ndarray,
    spacing: np.ndarray,
    opposite: np.ndarray,
) -> np.ndarray:
    """The logits after a click; the given array is not changed.

    Args:
        logits: float32, (k, j, i).
        voxel: the clicked voxel, within the array.
        positive: the sign of the click.
        proposed: boolean, what a model takes for the object under the click; None if unknown.
        values: intensities, same shape.
        spacing: mm along (k, j, i).
        opposite: (N, 3) voxels of earlier clicks of the opposite sign; they may lie outside the
            array.

    Raises:
        InputError: if an opposite click lies in the same voxel.
    """
    opposite = np.asarray(opposite, dtype=int).reshape(-1, 3)
    if (opposite == voxel).all(1).any():
        raise InputError(
            "A positive and a negative point lie in the same voxel: move or remove one of them."
        )
    mask = logits > 0
    size = distance_to_right(mask, voxel, positive, spacing)
    box = _box_around(voxel, radius_of(size), spacing, logits.shape)
    own = tuple(int(n) - part.start for n, part in zip(voxel, box, strict=True))
    others = opposite - [part.start for part in box]
    free = _nearer(mask[box].shape, own, others, radius_of(size), spacing)

    if proposed is None:
        changed = geodesic_ball(values[box], own, size, spacing)
    else:
        changed = geodesic_ball(values[box], own, min(size, SURE_MM), spacing) | proposed[box]
    changed |= _as_doubtful(logits[box], own, positive)
    changed &= free & (mask[box] != positive)
    changed[own] = True
    changed = _component(changed, own)
    result = logits.copy()
    part = result[box]
    decided = np.float32(DECIDED_LOGIT if positive else -DECIDED_LOGIT)
    part[changed] = (
        np.maximum(part[changed], decided) if positive else np.minimum(part[changed], decided)
    )
    return result


def distance_to_right(mask: np.ndarray, voxel: Voxel, positive: bool, spacing: np.ndarray) -> float:
    """mm from a click to the nearest voxel that is right: in the mask for a positive click.

    0 if the clicked voxel is right already; ALONE_MM if no voxel is.
    """
    right = mask if positive else ~mask
    if not right.any():
        return ALONE_MM
    if right[tuple(voxel)]:
        return 0.0
    radius = LEAST_RADIUS_MM
    while True:
        box = _box_around(voxel, radius, spacing, mask.shape)
        here = np.argwhere(right[box])
        if len(here):
            offset = (here + [part.start for part in box] - np.array(voxel)) * spacing
            nearest = float(np.sqrt((offset**2).sum(1).min()))
            # A corner of the box may be farther than a voxel just outside one of its faces.
            if nearest <= radius or all(
                part.start == 0 and part.stop == n for part, n in zip(box, mask.shape, strict=True)
            ):
                return nearest
        radius *= 2


def radius_of(size: float) -> float:
    """Radius of the changes of a click in mm, from `distance_to_right`."""
    return max(REACH * size, LEAST_RADIUS_MM)


def geodesic_ball(
    values: np.ndarray, voxel: Voxel, radius: float, spacing: np.ndarray
) -> np.ndarray:
    """Voxels within `radius` mm of a voxel along paths of similar intensity, boolean.

    A front moves at full speed where intensities are similar to those at the click, and is slowed
    down where they differ: in homogeneous tissue the result is a ball, and it stops at a border. By
    SimpleITK's fast marching (Sethian 1996).
    """
    smooth = ndimage.gaussian_filter(values.astype(np.float32), 0.5)
    around = tuple(slice(max(n - 1, 0), n + 2) for n in voxel)
    here = float(np.median(values[around]))
    spread = float(np.std(values[around])) + 0.1 * float(np.std(values)) + 1e-6
    speed = np.exp(-0.5 * ((smooth - here) / (3 * spread)) ** 2)
    image = sitk.GetImageFromArray(np.maximum(speed, SLOWEST).astype(np.float32))
    image.SetSpacing([float(value) for value in np.asarray(spacing)[::-1]])
    front = sitk.FastMarchingImageFilter()
    front.SetTrialPoints([[int(n) for n in reversed(voxel)]])
    front.SetStoppingValue(float(radius) + 1e-3)
    ball = sitk.GetArrayFromImage(front.Execute(image)) <= radius
    ball[tuple(voxel)] = True
    return ball


def _as_doubtful(logits: np.ndarray, voxel: Voxel, positive: bool) -> np.ndarray:
    """Where a model was as uncertain as at the clicked voxel, or tended more to what it says."""
    here = logits[voxel]
    if abs(here) >= DOUBT or (here > 0) == positive:
        return np.zeros(logits.shape, dtype=bool)
    return logits > here - DOUBT_STEP if positive else logits < here + DOUBT_STEP


def _nearer(
    shape: tuple[int, ...],
    voxel: Voxel,
    others: np.ndarray,
    radius: float,
    spacing: np.ndarray,
) -> np.ndarray:
    """Voxels within `radius` mm of a voxel, and nearer to it than to any of the others (N, 3)."""
    grid = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    distance = (((grid - voxel) * spacing) ** 2).sum(-1)
    free = distance <= radius**2
    # Others that are twice as far away cannot be nearer to anything.
    others = others[(((others - voxel) * spacing) ** 2).sum(-1) <= (2.01 * radius) ** 2]
    if len(others):
        within = grid[free]
        _, nearest = cKDTree(others * spacing).query(within * spacing)
        free[free] = distance[free] < (((within - others[nearest]) * spacing) ** 2).sum(-1)
    return free


def _component(mask: np.ndarray, voxel: Voxel) -> np.ndarray:
    """The connected component of a mask that holds a voxel."""
    labels, _ = ndimage.label(mask)
    return labels == labels[tuple(voxel)]


def _box_around(
    voxel: Voxel, radius: float, spacing: np.ndarray, shape: tuple[int, ...]
) -> tuple[slice, ...]:
    reach = np.ceil(radius / np.asarray(spacing)).astype(int)
    return tuple(
        slice(max(int(n) - int(r), 0), min(int(n) + int(r) + 1, size))
        for n, r, size in zip(voxel, reach, shape, strict=True)
    )
