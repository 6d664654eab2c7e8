"""Prompts in a window, in the form that SAMSegment 3D's network takes.

ROI and mask before are maps at half the window's resolution, from -1 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from ...core.geometry import Geometry
from ...core.patch import Patch
from ...core.prompts import Point, Roi
from ...core.resample import sample_linear
from ..regions import at_least_a_voxel
from ..windowed.masks import WindowMask
from ..windowed.windows import Window, filled_share

#: An ROI is taken to be larger than its object by so much at each face, but for small objects.
ROI_MARGIN_MM, LEAST_OF_ROI = 5.0, 0.5
# A click belongs to a component of the mask that is at most so many voxels away: edges are rounded.
_NEAR = 2
_WITH_CORNERS = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class WindowPrompt:
    """What the network gets for a window.

    Attributes:
        points: the clicks in it, the newest last.
        roi, before: maps (x/2, y/2, z/2); None if there is none.
        wanted: masks, at most.
        ramp: how far the ROI's faces are, (x/2, y/2, z/2), for networks that know it.
    """

    points: tuple[Point, ...] = ()
    roi: np.ndarray | None = None
    before: np.ndarray | None = None
    wanted: int = 1
    ramp: np.ndarray | None = None


def mask_map(mask: WindowMask, window: Window) -> np.ndarray:
    """A mask as the network takes it in a window: twice the probability less 1.

    What the mask's own window does not show is background.
    """
    sure = np.tanh(mask.logits * np.float32(0.5))
    if window != mask.window:
        sure = sample_linear(sure, mask.window.geometry, window.geometry, -1.0)
    return halved(sure)


def content_map(mask: Patch, geometry: Geometry, window: Window) -> np.ndarray:
    """A mask on a volume's grid as the network takes it: by how much of each voxel it fills."""
    return halved(2 * filled_share(mask, geometry, window) - 1)


def roi_map(roi: Roi, window: Window) -> np.ndarray:
    """An ROI as the network takes it: 1 inside and -1 outside.

    The network learned from boxes as large as the object; users draw theirs a little larger.
    """
    share = np.maximum(1 - 2 * ROI_MARGIN_MM / roi.size, LEAST_OF_ROI)
    object_box = Roi(roi.box_to_ras @ np.diag([*share, 1.0]))
    half = window.coarser(2)
    # A flat one, as of a single slice, would lie between the voxels.
    inside = at_least_a_voxel(object_box, half).contains_voxels(half)
    return np.where(inside, np.float32(1), np.float32(-1))


def roi_ramp(roi: Roi, window: Window) -> np.ndarray:
    """1 in the middle of an ROI, 0 on its faces, -1 from twice its size on; float32."""
    half = window.coarser(2)
    to_box = np.linalg.inv(at_least_a_voxel(roi, half).box_to_ras) @ half.ijk_to_ras
    # Array axes x, y, z are counted k, j, i.
    x, y, z = (np.arange(n, dtype=float) for n in half.shape)
    farthest = None
    for row in to_box[:3]:
        place = (row[2] * x + row[3])[:, None, None] + (row[1] * y)[:, None] + row[0] * z
        away = np.abs(place, out=place)
        farthest = away if farthest is None else np.maximum(farthest, away, out=farthest)
    return np.clip(1 - 2 * farthest, -1, 1).astype(np.float32)


def halved(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 x 2 voxels."""
    values = values[0::2] + values[1::2]
    values = values[:, 0::2] + values[:, 1::2]
    return (values[:, :, 0::2] + values[:, :, 1::2]) / np.float32(8)


def prompted_components(
    mask: WindowMask,
    clicks: np.ndarray,
    roi: np.ndarray | None = None,
    before: np.ndarray | None = None,
) -> WindowMask:
    """The components of a mask that prompts mean: those at positive clicks, and as below.

    What else there was, is now as unlikely as it was likely.

    Args:
        clicks: (N, 3), RAS mm.
        roi: a map; its largest component is kept.
        before: a map; components with a part of that mask are kept.
    """
    if mask.box is None:
        return mask
    inside = mask.logits[mask.box] > 0
    components, count = ndimage.label(inside, _WITH_CORNERS)
    kept = np.zeros(count + 1, dtype=bool)
    for voxel in np.unique(mask.window.voxels(clicks), axis=0):
        kept[_component_at(components, voxel - [part.start for part in mask.box])] = True
    at_half = np.ix_(*(np.arange(part.start, part.stop) // 2 for part in mask.box))
    if roi is not None:
        sizes = np.bincount(components[roi[at_half] > 0], minlength=count + 1)
        kept[1 + sizes[1:].argmax()] = True
    if before is not None:
        kept[np.unique(components[before[at_half] > 0])] = True
    kept[0] = False
    if kept[1:].all():
        return mask
    logits = mask.logits.copy()
    part = logits[mask.box]
    np.negative(part, out=part, where=inside & ~kept[components])
    return WindowMask(mask.window, logits)


def _component_at(components: np.ndarray, voxel: np.ndarray) -> int:
    """The component nearest to a voxel that was clicked on, 0 if none is near."""
    low = np.maximum(voxel - _NEAR, 0)
    near = components[
        tuple(slice(a, max(b, 0)) for a, b in zip(low, voxel + _NEAR + 1, strict=True))
    ]
    there = np.argwhere(near)
    if not len(there):
        return 0
    nearest = np.abs(there + low - voxel).sum(1).argmin()
    return int(near[tuple(there[nearest])])
