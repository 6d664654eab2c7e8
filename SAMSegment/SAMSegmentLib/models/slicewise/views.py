"""A region seen along each axis: some of its slices are shown to the network, the rest follow."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from ...core.patch import bounding_box
from ...core.prompts import Roi
from ..regions import RoiOnGrid
from .model import MASKS, POINTS, Box, SlicePrompts
from .montage import SLICES_PER_PICTURE, Montage, Tile
from .slices import SliceStack

# Logits beyond this mean no more than "sure", so that no slice outweighs all others.
SURE_LOGIT = 4.0
# A mask more of which than this lies where the object cannot be is one of something else.
MOST_FORBIDDEN = 0.5
# Closer slices add nothing.
KEY_SPACING_MM = 2.5
# The rim of an ROI, where the object is not expected; the other axes show where it ends.
RIM_MM = 4.0
FEWEST_KEYS = 3
# A region of fewer of the scan's own slices is a line, not a shape, on the other axes' slices.
LEAST_HEIGHT = 8

#: (montage, slice index, prompts in pixels of that slice's tile) -> logits (N, M, height, width) of
#: the tile, predicted IoU (N, M); see SliceModel.decode.
DecodeTile = Callable[[Montage, int, SlicePrompts], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class SliceMask:
    """The network's mask of one slice.

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
        """The part where the object may be; an empty mask of quality 0 if that is small.

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
        decode: asks the network.
    """

    def __init__(
        self, stack: SliceStack, region: RoiOnGrid, keys: Sequence[int], decode: DecodeTile
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
        self._decode = decode
        self._weights = self.tile.weights(*(range(p.start, p.stop) for p in region.box[1:]))
        self._montages = self._plan()
        self._grey: dict[int, np.ndarray] = {}
        # At the network's own resolution masks take little memory.
        self._known: dict[tuple[int, Hashable], list[tuple[np.ndarray, float]]] = {}

    @property
    def native_inside(self) -> np.ndarray:
        """Which voxels of the region's box the object may hold: boolean, native."""
        return self.native(self.inside)

    @property
    def native_start(self) -> tuple[int, int, int]:
        """First voxel (k, j, i) of the region's box in the volume."""
        stack = self.stack
        return stack.orientation.undo_start(self.region.start, self.shape, stack.geometry.shape)

    @property
    def nbytes(self) -> int:
        """Memory that the network's masks take."""
        return sum(mask.nbytes for masks in self._known.values() for mask, _ in masks)

    def holds(self, low: np.ndarray, high: np.ndarray) -> bool:
        """Whether the region's box holds the voxels from `low` to `high`, (k, j, i)."""
        first = np.array(self.native_start)
        last = first + self.native_inside.shape - 1
        return bool((first <= low).all() and (last >= high).all())

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
            masks = self._asked(key, SlicePrompts(boxes=np.array(unknown, dtype=np.float32)))
            for box, found in zip(unknown, masks, strict=True):
                self._known[key, box] = found
        return [self._at_voxels(key, *self._known[key, box][0]) for box in boxes]

    def ask_point(self, key: int, row: int, column: int) -> list[SliceMask]:
        """The network's masks for a pixel (of the region) of a slice; none if it takes no points.

        What lies under a point is ambiguous: networks give several masks.
        """
        if POINTS not in self.stack.model.prompts:
            return []
        point = self.tile.centre_of(self.region.start[1:] + np.array((row, column)))
        if (key, point) not in self._known:
            prompts = SlicePrompts(points=np.array([point], dtype=np.float32))
            (self._known[key, point],) = self._asked(key, prompts)
        return [self._at_voxels(key, *known) for known in self._known[key, point]]

    def ask_again(self, key: int, box: Box, section: np.ndarray) -> SliceMask:
        """The network's mask for a box around a section that is known roughly.

        Args:
            section: logits (row, column); seen by a network that takes masks as prompts.
        """
        if MASKS not in self.stack.model.prompts:
            return self.ask(key, [box])[0]
        known = self.tile.mask_prompt(section, self.region.start[1:], -SURE_LOGIT)
        prompts = SlicePrompts(np.array([box], dtype=np.float32), masks=known[None])
        ((first, *_),) = self._asked(key, prompts)
        return self._at_voxels(key, *first)

    def grey(self, key: int) -> np.ndarray:
        """Grey levels (row, column) of a slice of the region, as the network sees them, uint8."""
        if key not in self._grey:
            voxels = self.stack.voxels[int(self.region.start[0]) + key][self.region.box[1:]]
            self._grey[key] = self.stack.grey_levels.apply(voxels)
        return self._grey[key]

    def limit(self, key: int) -> Box:
        """The region's cut with a slice, as a box on the tile; of it, where the object may be."""
        if self._allowed is not None:
            allowed = self._box_around(self.inside[key], 0)
            if allowed is not None:
                return allowed
        top, left, bottom, right = self.region.voxel_box(int(self.region.start[0]) + key)
        return self.tile.box((top, left), (bottom, right))

    def box_of(self, mask: np.ndarray, margin: float, key: int) -> Box | None:
        """The box around a slice's mask (row, column), within the region; None without a mask.

        Args:
            margin: by which it is larger, as a share of the picture's side.
        """
        box = self._box_around(mask, self.stack.grid.pixels(margin))
        return None if box is None else intersect(box, self.limit(key))

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

    def voxel_at(self, ras: np.ndarray) -> tuple[int, int, int]:
        """Slice, row and column in the region of the region's voxel nearest to a position."""
        index = np.rint(self.stack.geometry.to_ijk(ras)[::-1]).astype(int) - self.region.start
        return tuple(int(n) for n in np.clip(index, 0, np.array(self.shape) - 1))

    def _asked(self, key: int, prompts: SlicePrompts) -> list[list[tuple[np.ndarray, float]]]:
        """Per prompt, the masks on the tile with their qualities."""
        index = int(self.region.start[0]) + key
        logits, quality = self._decode(self._montages[key], index, prompts)
        return [
            [(tile, float(expected)) for tile, expected in zip(*each, strict=True)]
            for each in zip(logits, quality, strict=True)
        ]

    def _at_voxels(self, key: int, tile: np.ndarray, quality: float) -> SliceMask:
        rows, columns = self._weights
        mask = SliceMask(rows @ tile @ columns.T, quality)
        return mask if self._allowed is None else mask.within(self._allowed[key])

    def _box_around(self, mask: np.ndarray, margin: int) -> Box | None:
        """The box on the tile around a mask (row, column), `margin` pixels larger."""
        box = bounding_box(mask)
        if box is None:
            return None
        first = self.region.start[1:] + [part.start for part in box]
        last = self.region.start[1:] + [part.stop - 1 for part in box]
        return self.tile.box(first, last, margin)

    def _plan(self) -> dict[int, Montage]:
        """Which picture shows which slice: neighbours share one."""
        first = int(self.region.start[0])
        montages = {}
        for start in range(0, len(self.keys), SLICES_PER_PICTURE):
            keys = self.keys[start : start + SLICES_PER_PICTURE]
            montage = Montage(self.stack, self.tile, tuple(first + key for key in keys))
            montages.update(dict.fromkeys(keys, montage))
        return montages


def views_of(stacks: Sequence[SliceStack], roi: Roi, decode: DecodeTile) -> list[View]:
    """The views of a region.

    The scan's own slices are shown about KEY_SPACING_MM apart, those of the other axes as far as
    half as many pictures go as the region has slices.

    Raises:
        InputError: if the region does not touch the volume.
    """
    main = RoiOnGrid(roi, stacks[0].geometry)
    count = len(main.slices)
    if count < LEAST_HEIGHT:
        stacks = stacks[:1]
    others = [RoiOnGrid(roi, stack.geometry) for stack in stacks[1:]]
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
        View(stack, region, of_region, decode)
        for stack, region, of_region in zip(stacks, [main, *others], keys, strict=True)
    ]


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
