"""From a click to boxes: the network knows boxes only, so a click has to find its own.

Boxes of several sizes are put around the click; each is replaced by the box around the mask that it
gives, until it stays. Boxes that fit an object attract, and there the network expects a good mask:
on a CT of 3 mm, the best expected IoU names the organ under the click nearly always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy import ndimage

from .montage import Box
from .slices import PixelGrid
from .tracking import best_unlike
from .views import SliceMask

#: Edge lengths in mm of the first boxes, from a vessel to a liver.
SIZES_MM = (12.0, 24.0, 48.0, 96.0, 160.0)
ROUNDS = 3
MARGIN = 2
ALIKE = 0.85
OFFERS = 4

Ask = Callable[[Sequence[Box]], Iterable[SliceMask]]
BoxOf = Callable[[np.ndarray], Box | None]


def search(
    ask: Ask,
    box_of: BoxOf,
    boxes: Sequence[Box],
    seed: tuple[int, int],
    show: Callable[[SliceMask], None] = lambda mask: None,
) -> list[SliceMask]:
    """What may lie under a click on a slice, by expected IoU, no two nearly alike.

    Args:
        ask: the network's masks for boxes.
        box_of: the box around a mask, a little larger.
        boxes: where to begin.
        seed: row and column of the click in the masks.
        show: is called with each mask that is better than all before.
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
        for mask in ask(boxes):
            of_click = piece_at(mask, seed)
            if of_click is None:
                continue
            here.append(of_click)
            if of_click.quality > best:
                best = of_click.quality
                show(of_click)
        found += here
        boxes = [box_of(mask.mask) for mask in here]
    return best_unlike(found, lambda mask: mask.quality, lambda mask: mask.mask, ALIKE, OFFERS)


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
    sizes: Sequence[float] = SIZES_MM,
) -> list[Box]:
    """Boxes of all sizes around a point, cut to `limit`; those that would fill it are left out.

    Args:
        centre: x and y in pixels.
        pixels_per_mm: along x and y.
        sizes: edge lengths in mm.
    """
    boxes = []
    width, height = limit[2] - limit[0], limit[3] - limit[1]
    for size in sizes:
        half = [size / 2 * scale for scale in pixels_per_mm]
        if min(half) < 2 or (2 * half[0] > 1.5 * width and 2 * half[1] > 1.5 * height):
            continue
        low = [max(int(c - h), edge) for c, h, edge in zip(centre, half, limit[:2], strict=True)]
        high = [min(int(c + h), edge) for c, h, edge in zip(centre, half, limit[2:], strict=True)]
        boxes.append((*low, *high))
    return boxes or [limit]


def box_on_slice(grid: PixelGrid, mask: np.ndarray) -> Box | None:
    """The box around a whole slice's mask, a little larger, on the network's picture."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if rows.size == 0:
        return None
    x0, y0, x1, y1 = grid.box_of_voxels((rows[0], columns[0], rows[-1], columns[-1]))
    margin = MARGIN
    height, width = grid.fitted
    return (
        int(max(x0 - margin, 0)),
        int(max(y0 - margin, 0)),
        int(min(x1 + margin, width)),
        int(min(y1 + margin, height)),
    )
