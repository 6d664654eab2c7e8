"""From a position to sections of the object on the slices through it.

Networks know boxes best, so a click has to find its own. Boxes of several sizes are put around the
click; each is replaced by the box around the mask that it gives, until it stays. Boxes that fit an
object attract, and there the network expects a good mask: on a CT of 3 mm, the best expected IoU
names the organ under the click nearly always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product

import numpy as np
from scipy import ndimage

from ...core.geometry import Geometry
from ...core.orientation import Reorientation
from ...core.overlap import dice
from ...core.patch import bounding_box
from .model import Box
from .slices import PixelGrid
from .tracking import best_unlike
from .views import SliceMask, View

#: Edge lengths in mm of the first boxes, from a vessel to a liver.
SIZES_MM = (12.0, 24.0, 48.0, 96.0, 160.0)
ROUNDS = 3
# By which boxes are larger than masks, and half of the smallest box that is tried; shares of the
# picture's side.
MARGIN, SMALLEST_HALF = 1 / 128, 1 / 128
ALIKE = 0.85
MOST_MASKS = 4
# What agreement of two planes on the line that they share counts, against the expected IoU.
AGREEMENT = 0.5
# Around what is known of an object, as a share of its size, and at least: elsewhere it may be
# larger.
MARGIN_SHARE, MARGIN_MM = 0.2, 6.0

Ask = Callable[[Sequence[Box]], Iterable[SliceMask]]
BoxOf = Callable[[np.ndarray], Box | None]
#: First and last voxel (k, j, i) of a box.
VoxelBox = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Section:
    """A mask on a slice through a click.

    Attributes:
        orientation: of the slice's stack.
        seed: row and column of the click in the mask.
    """

    orientation: Reorientation
    seed: tuple[int, int]
    mask: SliceMask

    def line_across(self, axis: int) -> np.ndarray:
        """The mask on the line through the click that leaves the plane of another view.

        Args:
            axis: the native axis along which that view's slices are stacked.

        Returns:
            Boolean, along the third axis, in native direction.
        """
        row, column = self.seed
        row_axis = self.orientation.axes[1]
        _, rows_flipped, columns_flipped = self.orientation.flips
        if axis == row_axis:
            line, flipped = self.mask.mask[row], columns_flipped
        else:
            line, flipped = self.mask.mask[:, column], rows_flipped
        return line[::-1] if flipped else line


def search(
    ask: Ask,
    box_of: BoxOf,
    boxes: Sequence[Box],
    seed: tuple[int, int],
    show: Callable[[SliceMask], None] = lambda mask: None,
    known: Iterable[SliceMask] = (),
) -> list[SliceMask]:
    """What may lie under a click on a slice, by expected IoU, no two nearly alike.

    Args:
        ask: the network's masks for boxes.
        box_of: the box around a mask, a little larger.
        boxes: where to begin.
        seed: row and column of the click in the masks.
        show: is called with each mask that is better than all before.
        known: masks to begin with, beside those for the boxes.
    """
    found: list[SliceMask] = []
    best = -np.inf
    asked: set[Box] = set()
    for _ in range(ROUNDS + 1):
        boxes = [box for box in dict.fromkeys(boxes) if box is not None and box not in asked]
        if not boxes:
            break
        asked.update(boxes)
        here = []
        for mask in chain(known, ask(boxes)):
            of_click = piece_at(mask, seed)
            if of_click is None:
                continue
            here.append(of_click)
            if of_click.quality > best:
                best = of_click.quality
                show(of_click)
        known = ()
        found += here
        boxes = [box_of(mask.mask) for mask in here]
    return best_unlike(found, lambda mask: mask.quality, lambda mask: mask.mask, ALIKE, MOST_MASKS)


def piece_at(mask: SliceMask, seed: tuple[int, int]) -> SliceMask | None:
    """The connected piece of a mask at the seed, or beside it; None if there is none."""
    pieces, count = ndimage.label(mask.mask)
    if count == 0:
        return None
    row, column = seed
    around = pieces[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
    piece = pieces[row, column] or around.max()
    if piece == 0:
        return None
    logits = np.where((pieces == piece) | ~mask.mask, mask.logits, np.float32(-1))
    return SliceMask(logits, mask.quality)


def boxes_around(
    centre: tuple[float, float],
    pixels_per_mm: tuple[float, float],
    limit: Box,
    smallest_half: float,
    sizes: Sequence[float] = SIZES_MM,
) -> list[Box]:
    """Boxes of all sizes around a point, cut to `limit`; those that would fill it are left out.

    Args:
        centre: x and y in pixels.
        pixels_per_mm: along x and y.
        smallest_half: half of the smallest box, in pixels.
        sizes: edge lengths in mm.
    """
    boxes = []
    width, height = limit[2] - limit[0], limit[3] - limit[1]
    for size in sizes:
        half = [size / 2 * scale for scale in pixels_per_mm]
        too_large = 2 * half[0] > 1.5 * width and 2 * half[1] > 1.5 * height
        if min(half) < smallest_half or too_large:
            continue
        low = [max(int(c - h), edge) for c, h, edge in zip(centre, half, limit[:2], strict=True)]
        high = [min(int(c + h), edge) for c, h, edge in zip(centre, half, limit[2:], strict=True)]
        boxes.append((*low, *high))
    return boxes or [limit]


def box_on_slice(grid: PixelGrid, mask: np.ndarray) -> Box | None:
    """The box around a whole slice's mask, a little larger, on the network's picture."""
    box = bounding_box(mask)
    if box is None:
        return None
    rows, columns = box
    x0, y0, x1, y1 = grid.box_of_voxels(
        (rows.start, columns.start, rows.stop - 1, columns.stop - 1)
    )
    margin = grid.pixels(MARGIN)
    height, width = grid.fitted
    return (
        int(max(x0 - margin, 0)),
        int(max(y0 - margin, 0)),
        int(min(x1 + margin, width)),
        int(min(y1 + margin, height)),
    )


def masks_at(view: View, key: int, row: int, column: int) -> list[SliceMask]:
    """What may lie at a pixel (of the region) of a key slice, by expected IoU."""
    scale = np.array(view.tile.scale) / view.spacing[1:]
    centre = view.tile.centre_of(np.array([row, column]) + view.region.start[1:])
    smallest = view.stack.grid.pixels(SMALLEST_HALF)
    return search(
        lambda boxes: view.ask(key, boxes),
        lambda mask: view.box_of(mask, MARGIN, key),
        boxes_around(centre, tuple(scale[::-1]), view.limit(key), smallest),
        (row, column),
        known=view.ask_point(key, row, column),
    )


def sections_in_view(view: View, ras: np.ndarray) -> list[Section]:
    """What may lie under a click (RAS mm) on the key slice nearest to it."""
    slice_, row, column = view.voxel_at(ras)
    masks = masks_at(view, view.nearest_key(slice_), row, column)
    return [Section(view.stack.orientation, (row, column), mask) for mask in masks]


def matching(by_plane: Sequence[Sequence[Section]], count: int) -> list[tuple[Section, ...]]:
    """The best combinations of one section from each plane: good ones, of the same object.

    On the line that two planes share, sections of one object are alike.
    """
    by_plane = [of_plane for of_plane in by_plane if of_plane]
    scored = [(_match(sections), sections) for sections in product(*by_plane)] if by_plane else []
    scored.sort(key=lambda pair: -pair[0])
    return [sections for _, sections in scored[:count]]


def _match(sections: tuple[Section, ...]) -> float:
    quality = sum(section.mask.quality for section in sections) / len(sections)
    alike = [
        dice(one.line_across(other.orientation.axes[0]), other.line_across(one.orientation.axes[0]))
        for one, other in combinations(sections, 2)
    ]
    return quality + (AGREEMENT * sum(alike) / len(alike) if alike else 0.0)


def region_of(sections: Sequence[Section], voxel: np.ndarray, geometry: Geometry) -> VoxelBox:
    """A box around a voxel that should hold the object of the sections through it."""
    low, high = voxel.copy(), voxel.copy()
    across = []
    for section in sections:
        axes, flips = section.orientation.axes, section.orientation.flips
        for axis, flipped, there in (
            (axes[1], flips[1], section.mask.mask.any(1)),
            (axes[2], flips[2], section.mask.mask.any(0)),
        ):
            hits = np.flatnonzero(there[::-1] if flipped else there)
            if hits.size:
                low[axis], high[axis] = min(low[axis], hits[0]), max(high[axis], hits[-1])
        across.append(axes[0])
    spacing = geometry.spacing[::-1]
    size = (high - low + 1) * spacing
    # Along an axis that no section shows, the object is taken for as long as it is wide.
    for axis in across if len(sections) == 1 else []:
        half = np.ceil(np.delete(size, axis).mean() / 2 / spacing[axis]).astype(int)
        low[axis], high[axis] = low[axis] - half, high[axis] + half
    return with_margin(low, high, size, geometry)


def with_margin(
    low: np.ndarray, high: np.ndarray, size: np.ndarray, geometry: Geometry
) -> VoxelBox:
    """A box enlarged for an object of `size` mm (k, j, i), within the volume."""
    margin = np.maximum(MARGIN_SHARE * size, MARGIN_MM) / geometry.spacing[::-1]
    margin = np.ceil(margin).astype(int)
    return np.maximum(low - margin, 0), np.minimum(high + margin, np.array(geometry.shape) - 1)
