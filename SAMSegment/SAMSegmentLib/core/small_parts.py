"""Fills small holes in a mask and removes its crumbs: noise of a network, and not anatomy.

A hole is background that is enclosed by the mask: no path over voxels that share a face leads from
it to the outside. A crumb is a part of the mask that lies apart from the rest of it: they touch not
even at corners. Both are small if they fit into a cube of MOST_MM along the grid's axes, or, where
voxels are larger than that, if they are one voxel thick. Vessels and airways that lead out of an
organ are therefore not holes, and cysts or lesions that are large enough to be measured are not
small. A mask of which a crumb is more than MOST_SHARE may mean several small objects.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .geometry import Geometry
from .patch import Index

# Half of what RECIST 1.1 regards as measurable (10 mm), and the distance of two of the slices,
# 2.5 mm apart, that LiteMedSAM gets.
MOST_MM = 5.0
# A crumb is far smaller than the object: of half its diameter, it is an eighth.
MOST_SHARE = 1 / 20
# About a millisecond of searching for edges.
VOXELS_PER_STEP = 500_000
_NEAR = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class SmallParts:
    """Which holes and crumbs are done away with, in masks on a box of a grid.

    Attributes:
        most: the largest size of a small part, voxels along (k, j, i).
        closed: axes along which no path leads outside, because the grid has a single voxel there.
        kept: voxels (k, j, i) of the box; a hole at or next to one of them is not filled.
        clicked: the same of crumbs, which are not removed.
        taken: boolean, on the box: voxels that do not become mask; None: all may.
        fills, cleans: whether holes are filled, whether crumbs are removed.
    """

    most: Index
    closed: tuple[bool, bool, bool] = (False, False, False)
    kept: tuple[Index, ...] = ()
    clicked: tuple[Index, ...] = ()
    taken: np.ndarray | None = None
    fills: bool = True
    cleans: bool = False

    @classmethod
    def of(
        cls,
        geometry: Geometry,
        start: Index = (0, 0, 0),
        kept_ras: Sequence[Sequence[float]] = (),
        clicked_ras: Sequence[Sequence[float]] = (),
        taken: np.ndarray | None = None,
        fills: bool = True,
        cleans: bool = False,
    ) -> SmallParts:
        """The rules for a box of a grid.

        Args:
            start: first voxel (k, j, i) of the box.
            kept_ras, clicked_ras: positions at which holes, and crumbs, stay, mm in the grid's RAS.
            others: see the attributes.
        """
        spacing = geometry.spacing[::-1]
        most = np.maximum(1, np.floor(MOST_MM / spacing + 1e-6)).astype(int)
        kept, clicked = (
            tuple(
                tuple(int(n) for n in np.rint(geometry.to_ijk(np.array(ras))[::-1]) - start)
                for ras in positions
            )
            for positions in (kept_ras, clicked_ras)
        )
        return cls(
            tuple(int(n) for n in most),
            tuple(n == 1 for n in geometry.shape),
            kept,
            clicked,
            taken,
            fills,
            cleans,
        )

    def tidying(self, mask: np.ndarray) -> Iterator[None]:
        """Changes a boolean mask (k, j, i) in place, in steps of about a millisecond."""
        if mask.size == 0:
            return
        if self.fills:
            places = yield from self._small(mask, self.closed, self.kept)
            free = slice(None) if self.taken is None else ~self.taken[places]
            mask[tuple(place[free] for place in places)] = True
            yield
        if self.cleans:
            yield from self._cleaning(mask)

    def _cleaning(self, mask: np.ndarray) -> Iterator[None]:
        most = MOST_SHARE * np.count_nonzero(mask)
        background = np.empty_like(mask)
        for part in _slabs(mask.shape):
            np.logical_not(mask[part], out=background[part])
            yield
        # What ends at the box lies apart from what is beyond: there is nothing.
        closed = True, True, True
        places = yield from self._small(background, closed, self.clicked, True, most)
        mask[places] = False
        yield

    def _small(
        self,
        mask: np.ndarray,
        closed: Sequence[bool],
        kept: Sequence[Index],
        apart: bool = False,
        most_voxels: float = np.inf,
    ) -> Generator[None, None, tuple[np.ndarray, ...]]:
        """Voxels (k, j, i) of the small parts that a mask encloses.

        Args:
            closed: axes along which no path leads outside.
            kept: voxels at or next to which parts are none.
            apart: whether parts that touch others at corners or edges are none.
            most_voxels: of one part.
        """
        # Rows run along an axis with several voxels, if the grid has one.
        order = sorted(range(3), key=lambda axis: not self.closed[axis])
        view = mask.transpose(order)
        found = yield from _short_gaps(view, self.most[order[2]])
        if not len(found):
            return (np.zeros(0, dtype=int),) * 3
        shape = view.shape
        gaps = _Gaps(found, shape)
        link = yield from gaps.links(view, [closed[axis] for axis in order])
        part_of, small = gaps.holes(link, [self.most[axis] for axis in order])
        owner = part_of[gaps.gap_of]
        small &= np.bincount(owner, minlength=len(small)) <= most_voxels
        yield
        if apart:
            small[owner[gaps.touching_others(view, part_of)]] = False
            yield
        for voxel in kept:
            near = (np.array(voxel) + _NEAR)[:, order]
            inside = ((near >= 0) & (near < shape)).all(1)
            there = gaps.gap_at(np.ravel_multi_index(tuple(near[inside].T), shape))
            small[part_of[there[there >= 0]]] = False
        places = np.unravel_index(gaps.voxels[small[owner]], shape)
        return tuple(places[order.index(axis)] for axis in range(3))


def _slabs(shape: Index) -> Iterator[slice]:
    """Parts of an array of so many voxels that each takes about a millisecond."""
    height = max(1, VOXELS_PER_STEP // (shape[1] * shape[2]))
    for first in range(0, shape[0], height):
        yield slice(first, first + height)


def _short_gaps(mask: np.ndarray, most: int) -> Generator[None, None, np.ndarray]:
    """Gaps in rows, (N, 2): first voxel (flat index) and length, in ascending order."""
    found = [np.zeros((0, 2), dtype=np.int64)]
    length = mask.shape[2]
    per_step = max(1, VOXELS_PER_STEP // (mask.shape[1] * length))
    for first in range(0, mask.shape[0], per_step):
        rows = mask[first : first + per_step].reshape(-1, length)
        edges = np.flatnonzero(rows[:, 1:] != rows[:, :-1])
        row, column = np.divmod(edges, max(length - 1, 1))
        size = np.diff(column)
        gap = (size > 0) & (size <= most) & (row[1:] == row[:-1])
        gap &= rows[row[:-1], column[:-1]]
        start = (row[:-1] + first * mask.shape[1]) * length + column[:-1] + 1
        found.append(np.stack([start[gap], size[gap]], axis=1))
        yield
    return np.concatenate(found)


class _Gaps:
    """Short gaps in the rows of a mask, and how they are connected.

    Attributes:
        voxels: flat indices of their voxels, ascending.
        gap_of: the gap to which each voxel belongs.
    """

    def __init__(self, found: np.ndarray, shape: Index) -> None:
        self._shape = shape
        self._first, self._size = found.T
        self.gap_of = np.repeat(np.arange(len(found)), self._size)
        offset = np.arange(len(self.gap_of)) - np.repeat(
            np.cumsum(self._size) - self._size, self._size
        )
        self.voxels = self._first[self.gap_of] + offset

    def gap_at(self, voxels: np.ndarray) -> np.ndarray:
        """The gap to which each voxel belongs; -1 for none."""
        place = np.searchsorted(self.voxels, voxels).clip(max=len(self.voxels) - 1)
        return np.where(self.voxels[place] == voxels, self.gap_of[place], -1)

    def touching_others(self, mask: np.ndarray, part_of: np.ndarray) -> np.ndarray:
        """Which of `voxels` have a neighbour, if only at a corner, of another part, boolean.

        Args:
            part_of: the part to which each gap belongs.
        """
        places = np.stack(np.unravel_index(self.voxels, self._shape), axis=1)
        own, touching = part_of[self.gap_of], np.zeros(len(places), dtype=bool)
        for offset in _NEAR[np.any(_NEAR != 0, axis=1)]:
            beside = places + offset
            inside = np.flatnonzero(((beside >= 0) & (beside < self._shape)).all(1))
            inside = inside[~mask[tuple(beside[inside].T)]]
            there = self.gap_at(np.ravel_multi_index(tuple(beside[inside].T), self._shape))
            touching[inside] |= (there < 0) | (part_of[there] != own[inside])
        return touching

    def links(self, mask: np.ndarray, closed: Sequence[bool]) -> Generator[None, None, np.ndarray]:
        """Pairs of neighbouring gaps, (N, 2); the second is -1 where a gap leads outside."""
        pairs = [np.zeros((0, 2), dtype=np.int64)]
        _, width, length = self._shape
        places = self.voxels // (width * length), self.voxels // length % width
        for axis, stride in ((0, width * length), (1, length)):
            for side in (-1, 1):
                end = 0 if side < 0 else self._shape[axis] - 1
                at_end = places[axis] == end
                if not closed[axis]:
                    out = self.gap_of[at_end]
                    pairs.append(np.stack([out, np.full_like(out, -1)], axis=1))
                within = np.flatnonzero(~at_end)
                beside = self.voxels[within] + side * stride
                empty = ~mask[np.unravel_index(beside, self._shape)]
                there = self.gap_at(beside[empty])
                pairs.append(np.stack([self.gap_of[within[empty]], there], axis=1))
                yield
        return np.concatenate(pairs)

    def holes(self, pairs: np.ndarray, most: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """The hole to which each gap belongs, and which of the holes are enclosed and small."""
        count = len(self._first)
        joined = pairs[pairs[:, 1] >= 0]
        graph = coo_array((np.ones(len(joined), bool), joined.T), shape=(count, count))
        number, hole_of = connected_components(graph, directed=False)
        small = np.ones(number, dtype=bool)
        small[hole_of[pairs[pairs[:, 1] < 0, 0]]] = False
        low = np.array(np.unravel_index(self._first, self._shape))
        high = np.array(np.unravel_index(self._first + self._size - 1, self._shape))
        for axis in range(3):
            ends = np.full((2, number), np.iinfo(np.int64).max)
            np.minimum.at(ends[0], hole_of, low[axis])
            np.minimum.at(ends[1], hole_of, -high[axis])
            small &= -ends[1] - ends[0] + 1 <= most[axis]
        return hole_of, small
