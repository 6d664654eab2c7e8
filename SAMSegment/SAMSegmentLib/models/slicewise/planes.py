"""Which slices of a volume are shown to the network: along which axes, and how many."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.image import Image
from ...core.orientation import FEW_SLICES, all_planes
from ...core.prompts import Roi
from ..regions import RoiOnGrid
from .intensity import GreyLevels
from .limits import Limits
from .montage import SLICES_PER_PICTURE
from .slices import SliceStack
from .views import DecodeBoxes, View, spread

# Across slices thicker than this many pixels, a network of square pixels sees steps, not shapes.
LARGEST_ANISOTROPY = 3.0
# Closer slices tell nothing new.
KEY_SPACING_MM = 2.5
# The rim of an ROI, where the object is not expected; the other axes tell where it ends.
RIM_MM = 4.0
FEWEST_KEYS = 3
# A region of fewer of the scan's own slices is a line, not a shape, on the other axes' slices.
LEAST_HEIGHT = 8


def stacks_of(
    image: Image, grey_levels: GreyLevels, size: int, limits: Limits | None = None
) -> list[SliceStack]:
    """The scan's own slices first, then the other two axes.

    Without these, where slices are few or voxels too elongated: they would show lines and steps.
    """
    planes = all_planes(image.geometry)
    spacing = image.geometry.spacing
    few = image.geometry.shape[planes[0].axes[0]] <= FEW_SLICES
    if few or spacing.max() > LARGEST_ANISOTROPY * spacing.min():
        planes = planes[:1]
    return [SliceStack(image, grey_levels, size, plane, limits) for plane in planes]


def views_of(stacks: Sequence[SliceStack], roi: Roi, decode_boxes: DecodeBoxes) -> list[View]:
    """The views of a region.

    The scan's own slices are shown about KEY_SPACING_MM apart, those of the other axes as far as
    half as many pictures go as the region has slices.

    Raises:
        InputError: if the region does not touch the volume.
    """
    main = RoiOnGrid(roi, stacks[0].geometry)
    if len(main.slices) < LEAST_HEIGHT:
        stacks = stacks[:1]
    regions = [main, *(RoiOnGrid(roi, stack.geometry) for stack in stacks[1:])]
    others = regions[1:]
    count = len(main.slices)
    thickness = stacks[0].geometry.spacing[2]
    rim = round(RIM_MM / float(thickness)) if others else 0
    wanted = int(np.ceil(count * min(1.0, thickness / KEY_SPACING_MM)))
    keys = [spread(count, wanted, rim)]
    pictures = count // 2 - -(-len(keys[0]) // SLICES_PER_PICTURE)
    for region, stack in zip(others, stacks[1:], strict=True):
        across = len(region.slices)
        most = max(SLICES_PER_PICTURE * (pictures // len(others)), FEWEST_KEYS)
        rim = round(RIM_MM / float(stack.geometry.spacing[2]))
        keys.append(spread(across, min(most, -(-across // 2)), rim))
    return [
        View(stack, region, of_region, decode_boxes)
        for stack, region, of_region in zip(stacks, regions, keys, strict=True)
    ]


def in_view_first(
    stacks: Sequence[SliceStack], facing: tuple[float, float, float] | None
) -> list[int]:
    """The stacks' numbers, those first whose slices lie most in the plane that the user sees.

    Args:
        facing: across that plane, RAS; None: as they are.
    """
    numbers = range(len(stacks))
    if facing is None:
        return list(numbers)
    across = [abs(float(stack.geometry.directions[:, 2] @ facing)) for stack in stacks]
    return sorted(numbers, key=lambda number: -round(across[number], 3))


def inside_of(views: Sequence[View]) -> np.ndarray:
    """Which voxels of the region's box the object may hold: boolean, native."""
    return views[0].native(views[0].inside)


def native_start(view: View) -> tuple[int, int, int]:
    """First voxel (k, j, i) of the region's box in the volume."""
    stack = view.stack
    return stack.orientation.undo_start(view.region.start, view.shape, stack.geometry.shape)
