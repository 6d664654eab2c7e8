"""A region seen along one axis: some of its slices are shown to the network, the rest follow."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..regions import RoiOnGrid
from .montage import SLICES_PER_PICTURE, Box, Montage, Tile
from .slices import SliceStack

# Logits beyond this say no more than "sure"; so that no slice outvotes all others.
SURE_LOGIT = 4.0
# A mask more of which than this lies where the object cannot be is one of something else.
MOST_FORBIDDEN = 0.5

#: (montage, slice index, boxes on the tile) -> logits (N, side, side), predicted IoU (N,).
DecodeBoxes = Callable[[Montage, int, Sequence[Box]], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class SliceMask:
    """What the network says of one slice.

    Attributes:
        logits: float32 (row, column) of the region.
        quality: the IoU that the network expects.
    """

    logits: np.ndarray
    quality: float

    @property
    def mask(self) -> np.ndarray:
        return self.logits > 0

    def within(self, allowed: np.ndarray | None) -> SliceMask:
        """The part where the object may be; nothing, of which nobody thinks well, if it is small.

        The more is cut off, the worse a mask of this object it was.

        Args:
            allowed: boolean, (row, column); None: everywhere.
        """
        if allowed is None:
            return self
        mask = self.mask
        forbidden = np.count_nonzero(mask & ~allowed) / max(np.count_nonzero(mask), 1)
        if forbidden > MOST_FORBIDDEN:
            return SliceMask(np.full_like(self.logits, -SURE_LOGIT), 0.0)
        logits = np.where(allowed, self.logits, np.float32(-SURE_LOGIT))
        return SliceMask(logits, self.quality * (1 - forbidden))


class View:
    """A region's slices along one axis.

    Slices are counted from the region's first. Arrays are (slice, row, column) of this view; those
    called native are in the order of the volume.

    Args:
        keys: the slices that the network is asked about, ascending.
        decode_boxes: asks the network.
    """

    def __init__(
        self, stack: SliceStack, region: RoiOnGrid, keys: Sequence[int], decode_boxes: DecodeBoxes
    ) -> None:
        self.stack = stack
        self.region = region
        self.keys = list(keys)
        self.shape = region.inside.shape
        self._allowed = stack.allowed(region.start, self.shape)
        #: Which voxels of the region's box the object may hold.
        self.inside = region.inside if self._allowed is None else region.inside & self._allowed
        self.spacing = stack.geometry.spacing[::-1]
        self.tile = Tile.around(region, stack.grid)
        self._decode_boxes = decode_boxes
        self._weights = self.tile.weights(*(range(p.start, p.stop) for p in region.box[1:]))
        self._montages = self._plan()
        self._grey: dict[int, np.ndarray] = {}
        # As the network said it: at its own resolution it takes little memory.
        self._known: dict[tuple[int, Box], tuple[np.ndarray, float]] = {}

    def limited(self, keys: Sequence[int]) -> View:
        """This view with only some of its key slices; what is known of them is shared."""
        other = copy.copy(self)
        other.keys = list(keys)
        return other

    def from_middle(self) -> list[list[int]]:
        """The key slices that share a picture, the middle ones first; so also the pictures."""
        middle = (self.shape[0] - 1) / 2
        keys = sorted(self.keys, key=lambda key: abs(key - middle))
        pictures = dict.fromkeys(self._montages[key] for key in keys)
        return [[key for key in keys if self._montages[key] is each] for each in pictures]

    def native(self, array: np.ndarray) -> np.ndarray:
        """The view of an array of this view in the volume's order."""
        return self.stack.orientation.undo(array)

    def own(self, array: np.ndarray) -> np.ndarray:
        """The view of a native array in this view's order."""
        return self.stack.orientation.apply(array)

    def ask(self, key: int, boxes: Sequence[Box]) -> list[SliceMask]:
        """The network's mask of a slice for each box; never asked twice for the same."""
        unknown = [box for box in dict.fromkeys(boxes) if (key, box) not in self._known]
        if unknown:
            index = int(self.region.start[0]) + key
            logits, quality = self._decode_boxes(self._montages[key], index, unknown)
            for box, tile, expected in zip(unknown, logits, quality, strict=True):
                self._known[key, box] = (tile, float(expected))
        return [self._at_voxels(key, *self._known[key, box]) for box in boxes]

    def grey(self, key: int) -> np.ndarray:
        """Grey levels (row, column) of a slice of the region, as the network sees them, uint8."""
        if key not in self._grey:
            voxels = self.stack.voxels[int(self.region.start[0]) + key][self.region.box[1:]]
            self._grey[key] = self.stack.grey_levels.apply(voxels)
        return self._grey[key]

    def limit(self, key: int) -> Box:
        """The region's cut with a slice, as a box on the tile; of it, where the object may be."""
        if self._allowed is not None and self.inside[key].any():
            rows, columns = (np.flatnonzero(self.inside[key].any(axis)) for axis in (1, 0))
            start = self.region.start[1:]
            return self.tile.box(*(start + np.array([rows[n], columns[n]]) for n in (0, -1)))
        top, left, bottom, right = self.region.voxel_box(int(self.region.start[0]) + key)
        return self.tile.box((top, left), (bottom, right))

    def box_of(self, mask: np.ndarray, margin: int, key: int) -> Box | None:
        """The box around a slice's mask (row, column), `margin` pixels larger, in the region."""
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if rows.size == 0:
            return None
        start = self.region.start[1:]
        first, last = (start + np.array([rows[n], columns[n]]) for n in (0, -1))
        return intersect(self.tile.box(first, last, margin), self.limit(key))

    def between(self, values: dict[int, np.ndarray]) -> np.ndarray:
        """Linear interpolation along the slices; the first and last value hold to the ends.

        Args:
            values: by key slice, any shape (all the same).
        """
        keys = np.array(sorted(values))
        stacked = np.stack([values[key] for key in keys])
        position = np.interp(np.arange(self.shape[0]), keys, np.arange(len(keys)))
        lower = np.floor(position).astype(int)
        share = (position - lower).astype(np.float32).reshape(-1, *[1] * (stacked.ndim - 1))
        upper = np.minimum(lower + 1, len(keys) - 1)
        return stacked[lower] * (1 - share) + stacked[upper] * share

    def distance_to_key(self) -> np.ndarray:
        """mm from each slice to the nearest key slice."""
        slices = np.arange(self.shape[0])
        return np.abs(slices[:, None] - np.array(self.keys)).min(1) * self.spacing[0]

    def nearest_key(self, key: float) -> int:
        """The key slice nearest to a slice."""
        return min(self.keys, key=lambda other: abs(other - key))

    def nearest_allowed(self, key: int, row: int, column: int) -> tuple[int, int]:
        """The pixel of a slice nearest to another one where the object may be; else that one."""
        if self._allowed is None or not self.inside[key].any():
            return row, column
        possible = np.argwhere(self.inside[key])
        distance = (((possible - (row, column)) * self.spacing[1:]) ** 2).sum(1)
        return tuple(int(n) for n in possible[distance.argmin()])

    def _at_voxels(self, key: int, tile: np.ndarray, quality: float) -> SliceMask:
        rows, columns = self._weights
        mask = SliceMask(rows @ tile @ columns.T, quality)
        return mask if self._allowed is None else mask.within(self._allowed[key])

    def _plan(self) -> dict[int, Montage]:
        """Which picture shows which slice: neighbours share one."""
        first = int(self.region.start[0])
        montages = {}
        for start in range(0, len(self.keys), SLICES_PER_PICTURE):
            keys = self.keys[start : start + SLICES_PER_PICTURE]
            montage = Montage(self.stack, self.tile, tuple(first + key for key in keys))
            montages.update(dict.fromkeys(keys, montage))
        return montages


def intersect(box: Box, limit: Box) -> Box:
    """The part of a box inside another; at the limit's edge where they do not meet."""
    x0, x1 = (min(max(value, limit[0]), limit[2]) for value in (box[0], box[2]))
    y0, y1 = (min(max(value, limit[1]), limit[3]) for value in (box[1], box[3]))
    return x0, y0, x1, y1


def spread(count: int, wanted: int, edge: int = 0) -> list[int]:
    """About `wanted` of the numbers 0..count-1, evenly, the first and last `edge` left out."""
    edge = min(edge, (count - 1) // 2)
    inner = count - 2 * edge
    positions = np.linspace(edge, count - 1 - edge, min(max(wanted, 1), inner))
    if len(positions) == 1:
        positions = np.array([(count - 1) / 2])
    return sorted({round(float(position)) for position in positions})
