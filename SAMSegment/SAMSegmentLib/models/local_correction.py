"""A click that changes a mask near itself only, by a network's proposal; see core.correction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.correction import DECIDED_LOGIT, apply_click, distance_to_right, radius_of
from ..core.geometry import Geometry
from ..core.image import Image
from ..core.patch import Patch
from ..core.prompts import Point, positions_of
from .regions import voxel_of


def certain(content: Patch) -> Patch:
    """What a segment holds, as an answer that no threshold changes."""
    sure = np.float32(DECIDED_LOGIT)
    return Patch(np.where(content.values, sure, -sure), content.start)


@dataclass(frozen=True, eq=False)
class Error:
    """The error that a click marks.

    Attributes:
        mask: on a box in which the click may change it.
        voxel: (k, j, i) of the click in the volume.
        radius: mm around it in which the change may lie.
        opposite: voxels (N, 3) of earlier clicks of the other sign.
    """

    mask: Patch
    voxel: np.ndarray
    radius: float
    opposite: np.ndarray


def corrected(
    image: Image,
    mask: Patch,
    point: Point,
    earlier: Sequence[Point],
    propose: Callable[[Error], np.ndarray | None],
) -> Patch:
    """The mask after a click.

    Args:
        earlier: the clicks before this one.
        propose: what a network takes for the object under the click, boolean on the box of the
            error's mask; None: nothing. Not asked where the mask is as the click wants it.
    """
    voxel = voxel_of(image.geometry, np.array(point.ras))
    others = positions_of([other for other in earlier if other.positive != point.positive])
    opposite = voxel_of(image.geometry, others)
    mask, size = _room_for(mask, voxel, point.positive, image.geometry)
    proposed = None
    if size > 0.0:
        proposed = propose(Error(mask, voxel, radius_of(size), opposite))
    return _clicked(image, mask, voxel, point.positive, proposed, opposite)


def _room_for(
    mask: Patch, voxel: np.ndarray, positive: bool, geometry: Geometry
) -> tuple[Patch, float]:
    """The mask on a box in which a click may change it, and the size of the error in mm."""
    spacing = geometry.spacing[::-1]
    mask = mask.enlarged(voxel, voxel + 1)
    here = tuple(int(n) for n in voxel - mask.start)
    size = distance_to_right(mask.values > 0, here, positive, spacing)
    reach = np.ceil(radius_of(size) / spacing).astype(int)
    low, high = np.maximum(voxel - reach, 0), np.minimum(voxel + reach + 1, geometry.shape)
    return mask.enlarged(low, high), size


def _clicked(
    image: Image,
    mask: Patch,
    voxel: np.ndarray,
    positive: bool,
    proposed: np.ndarray | None,
    opposite: np.ndarray,
) -> Patch:
    """The mask after a click; see core.correction.apply_click."""
    box = tuple(slice(a, b) for a, b in zip(mask.start, mask.stop, strict=True))
    logits = apply_click(
        mask.values,
        tuple(int(n) for n in voxel - mask.start),
        positive,
        proposed,
        image.voxels[box],
        image.geometry.spacing[::-1],
        opposite - np.array(mask.start),
    )
    return Patch(logits, mask.start)
