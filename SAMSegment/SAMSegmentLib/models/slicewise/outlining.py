"""The border of an object that another model has found: its sections, asked once as boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...core.patch import Patch, bounding_box
from ..regions import RoiOnGrid, roi_of_voxels
from .fusion import bounded
from .model import Box
from .object_finder import FoundObject, ObjectFinder, decided
from .tracking import nothing
from .views import KEY_SPACING_MM, SliceMask, View, intersect, spread

#: Boxes are larger than the sections by so much of these, half of it on either side.
BOX_GROWTH = 0.15
#: So many slices at most are looked at; what lies between is interpolated. Eight pictures.
MOST_SLICES = 32


@dataclass(frozen=True, eq=False)
class Outline:
    """What a slice-wise network makes of an object that is known roughly.

    Attributes:
        found: the object, as far along the slices as it was known.
        quality: mean IoU that the network expects of its sections.
        likeness: mean IoU of its sections with those known before.
    """

    found: FoundObject
    quality: float
    likeness: float


def outlined(
    finder: ObjectFinder, mask: Patch, show: Callable[[], None], least_quality: float
) -> Outline | None:
    """The object whose mask is known roughly, on the scan's own slices.

    Each section is asked about once: measured, asking again with the new sections, or along
    other axes too, is worse.

    Args:
        mask: logits on the volume's grid.
        show: called before each slice.
        least_quality: mean IoU that must be expected of the sections.

    Returns:
        None if the mask is empty; or as soon as the quality cannot be reached any more, even if the
        slices that are left were perfect.
    """
    there = Patch(mask.values > 0, mask.start).cropped()
    if there is None:
        return None
    view = _view_of(finder, there)
    known = view.own(there.on_box(view.native_start, view.native_inside.shape))
    masks: dict[int, SliceMask] = {}
    likeness: list[float] = []
    quality: list[float] = []
    count = sum(bool(known[key].any()) for key in view.keys)
    for done, key in enumerate(view.keys):
        finder.watch.step(done, len(view.keys), f"Border on slice {done + 1} of {len(view.keys)}")
        show()
        box = _box_around(view, known[key], key)
        if box is None:
            masks[key] = nothing(view)
            continue
        (masks[key],) = view.ask(key, [box])
        quality.append(masks[key].quality)
        if sum(quality) + (count - len(quality)) < least_quality * count:
            return None
        either = np.count_nonzero(masks[key].mask | known[key])
        likeness.append(np.count_nonzero(masks[key].mask & known[key]) / either)
    if not quality:  # all its sections lie between the slices that were looked at
        return None
    logits = view.native(view.between({key: bounded(one.logits) for key, one in masks.items()}))
    found = FoundObject(Patch(decided(logits, view.native_inside), view.native_start), [view])
    return Outline(found, float(np.mean(quality)), float(np.mean(likeness)))


def _view_of(finder: ObjectFinder, there: Patch) -> View:
    """The slices of an object and, on each, some room around it."""
    stack = finder.stacks[0]
    low, high = np.array(there.start), np.array(there.stop) - 1
    room = np.ceil((high - low + 1) * BOX_GROWTH / 2).astype(int) + 1
    room[stack.orientation.axes[0]] = 0
    low = np.maximum(low - room, 0)
    high = np.minimum(high + room, np.array(stack.image.geometry.shape) - 1)
    region = RoiOnGrid(roi_of_voxels(low, high, stack.image.geometry), stack.geometry)
    count = len(region.slices)
    wanted = int(np.ceil(count * min(1.0, stack.geometry.spacing[2] / KEY_SPACING_MM)))
    return View(stack, region, spread(count, min(wanted, MOST_SLICES)), finder.decode)


def _box_around(view: View, section: np.ndarray, key: int) -> Box | None:
    """On the tile, around a section (row, column), and larger; None if that is empty."""
    box = bounding_box(section)
    if box is None:
        return None
    first = np.array([part.start for part in box], dtype=float)
    behind = np.array([part.stop for part in box], dtype=float)
    grown = BOX_GROWTH / 2 * (behind - first)
    corner = view.region.start[1:]
    return intersect(
        view.tile.box(corner + first - grown, corner + behind + grown), view.limit(key)
    )
