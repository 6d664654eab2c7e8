"""Masks that networks predict in windows: on the volume's grid, and in another window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from ...core.answer import logit
from ...core.geometry import Geometry, corners_between
from ...core.patch import BACKGROUND_LOGIT, Patch, bounding_box
from ...core.proposal import LOWEST_THRESHOLD
from ...core.resample import interpolated, resample_linear
from ..regions import REACHED
from .windows import Window

# Grids count as parallel if their axes run apart by less than this part of a voxel over their whole
# length: far above rounding, far below what anyone can see.
PARALLEL = 0.05

#: First voxel (k, j, i) of a box, and the one behind its last.
Ends = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class WindowMask:
    """What a network predicts in a window.

    Attributes:
        logits: float32, by x, y, z; at the window's resolution, or a whole number of times coarser.
    """

    window: Window
    logits: np.ndarray

    @property
    def spacing(self) -> float:
        """Side of a voxel of the mask, mm."""
        return self._factor * self.window.spacing

    @cached_property
    def grid(self) -> Geometry:
        """The mask's voxels; array axes are x, y, z."""
        return self.window.coarser(self._factor)

    @cached_property
    def box(self) -> tuple[slice, slice, slice] | None:
        """Voxels around the mask, by x, y, z; None if there are none."""
        return bounding_box(self.logits > 0)

    @property
    def extent(self) -> np.ndarray:
        """mm of the mask along x, y, z."""
        return np.array([part.stop - part.start for part in self.box]) * self.spacing

    def ends(self) -> np.ndarray:
        """(2, 3) RAS mm: two opposite corners of the box around the mask."""
        edges = np.array([[part.start, part.stop] for part in self.box]).T - 0.5
        return self.grid.to_ras(edges[:, ::-1])

    @cached_property
    def faces(self) -> tuple[tuple[int, int], ...]:
        """Faces (axis, side) that it reaches and beyond which the volume continues.

        Not with a few voxels, as of a leak: with a section of it.
        """
        if self.box is None:
            return ()
        found = []
        for axis, part in enumerate(self.box):
            at_face = (-1, part.start == 0), (1, part.stop == self.logits.shape[axis])
            sides = [side for side, at in at_face if at and self.window.continues(axis, side)]
            if not sides:
                continue
            mask = self.logits[self.box] > 0
            least = REACHED * np.count_nonzero(mask.any(axis))
            found += [
                (axis, side)
                for side in sides
                if np.count_nonzero(np.take(mask, 0 if side < 0 else -1, axis)) > least
            ]
        return tuple(found)

    @property
    def _factor(self) -> int:
        return self.window.shape[0] // self.logits.shape[0]


def on_volume(masks: Sequence[WindowMask], geometry: Geometry, within: Ends | None = None) -> Patch:
    """The masks of several windows on a volume's grid, interpolated once.

    Where windows overlap, each counts the more the farther a voxel is from its faces, so that no
    seam is seen. What no threshold could show is left out.

    Args:
        within: a box that no mask leaves; None: the volume.
    """
    boxes = [_visible_box(mask.logits, mask.grid, geometry) for mask in masks]
    low = np.min([box[0] for box in boxes], axis=0)
    high = np.max([box[1] for box in boxes], axis=0)
    if within is not None:
        low, high = np.maximum(low, within[0]), np.minimum(high, within[1])
    if (high <= low).any():
        return Patch(np.full((1, 1, 1), BACKGROUND_LOGIT, dtype=np.float32), (0, 0, 0))
    start = tuple(int(n) for n in low)
    if len(masks) == 1:
        return Patch(_on_box(*_visible_part(masks[0]), geometry, (low, high)), start)
    weighted = np.zeros(high - low, dtype=np.float32)
    weights = np.zeros(high - low, dtype=np.float32)
    for mask in masks:
        part = _overlap(_box_of(mask.grid, geometry), (low, high))
        if part is None:
            continue
        here = tuple(slice(a, b) for a, b in zip(part[0] - low, part[1] - low, strict=True))
        weight = _on_box(_taper(mask.logits.shape), mask.grid, geometry, part, 0.0)
        weights[here] += weight
        weight *= _on_box(mask.logits, mask.grid, geometry, part, 0.0)
        weighted[here] += weight
    # In place: around windows that lie far apart is much of the volume.
    seen = weights > 0
    np.divide(weighted, weights, out=weighted, where=seen)
    weighted[~seen] = BACKGROUND_LOGIT
    return Patch(weighted, start)


def on_grid(masks: Sequence[WindowMask], grid: Geometry) -> np.ndarray:
    """The masks on all of another grid, as of another window, float32; 0 where nothing is known."""
    weighted = np.zeros(grid.shape, dtype=np.float32)
    weights = np.zeros_like(weighted)
    for mask in masks:
        weight = resample_linear(_taper(mask.logits.shape), mask.grid, grid, 0.0)
        weights += weight
        weighted += weight * resample_linear(mask.logits, mask.grid, grid, 0.0)
    return np.divide(weighted, weights, out=np.zeros_like(weighted), where=weights > 0)


@lru_cache(maxsize=4)
def _taper(shape: tuple[int, int, int]) -> np.ndarray:
    """Weights of a mask's voxels: from 1 in its middle towards 0 at its faces."""
    places = [(np.arange(n) + 0.5) / n for n in shape]
    x, y, z = (2 * np.minimum(place, 1 - place) for place in places)
    return (x[:, None, None] * y[:, None] * z).astype(np.float32)


def _visible_part(mask: WindowMask) -> tuple[np.ndarray, Geometry]:
    """The part of a mask that some threshold might show, and the voxels around it.

    Interpolating it, where it might show, gives what interpolating the whole gives, but for
    rounding. A mask coarser than its window is small as it is.
    """
    if mask.spacing > mask.window.spacing:
        return mask.logits, mask.grid
    box = bounding_box(mask.logits > logit(LOWEST_THRESHOLD))
    if box is None:
        return mask.logits, mask.grid
    start = [max(part.start - 1, 0) for part in box]
    part = mask.logits[tuple(slice(a, part.stop + 1) for a, part in zip(start, box, strict=True))]
    return part, mask.grid.crop(tuple(start), part.shape)


def _visible_box(logits: np.ndarray, grid: Geometry, geometry: Geometry) -> Ends:
    """Voxels of a volume that some threshold might show; none if there are none.

    Args:
        logits: on the grid given.
        geometry: of the volume.
    """
    box = bounding_box(logits > logit(LOWEST_THRESHOLD))
    if box is None:
        return np.array(geometry.shape), np.zeros(3, dtype=int)
    # Between a voxel of the mask and the next, it might still show.
    low = np.array([part.start - 1 for part in box], dtype=float)
    high = np.array([part.stop for part in box], dtype=float)
    return _box_of(grid, geometry, low, high)


def _box_of(
    grid: Geometry,
    geometry: Geometry,
    low: np.ndarray | None = None,
    high: np.ndarray | None = None,
) -> Ends:
    """Voxels of a volume between two places of a grid (array axes); by default all of it."""
    low = np.maximum(-0.5 if low is None else low, -0.5) * np.ones(3)
    last = np.array(grid.shape) - 0.5
    high = np.minimum(last if high is None else high, last)
    index = geometry.to_ijk(grid.to_ras(corners_between(low, high)[:, ::-1]))[:, ::-1]
    # Within rounding of a face, a voxel's centre lies in the grid.
    start = np.ceil(index.min(0) - 1e-6).astype(int)
    stop = np.floor(index.max(0) + 1e-6).astype(int) + 1
    return np.clip(start, 0, geometry.shape), np.clip(stop, 0, geometry.shape)


def _on_box(
    values: np.ndarray,
    grid: Geometry,
    geometry: Geometry,
    box: Ends,
    outside: float = BACKGROUND_LOGIT,
) -> np.ndarray:
    """Values on a grid at the voxels of a box of a volume within it, float32 (k, j, i)."""
    start, shape = tuple(int(n) for n in box[0]), tuple(int(n) for n in box[1] - box[0])
    target = geometry.crop(start, shape)
    to_grid = grid.ras_to_ijk @ target.ijk_to_ras
    # Which array axis of the grid runs along each of the volume's, as matrices of (k, j, i).
    matrix, offset = to_grid[:3, :3][::-1, ::-1], to_grid[:3, 3][::-1]
    own = np.abs(matrix).argmax(axis=0)
    astray = np.abs(matrix) * shape
    astray[own, range(3)] = 0
    if len(set(own)) < 3 or astray.sum(axis=1).max() > PARALLEL:
        return resample_linear(values, grid, target, outside)
    places = [matrix[a, axis] * np.arange(shape[axis]) + offset[a] for axis, a in enumerate(own)]
    return interpolated(values.transpose(own), places)


def _overlap(a: Ends, b: Ends) -> Ends | None:
    low, high = np.maximum(a[0], b[0]), np.minimum(a[1], b[1])
    return None if (high <= low).any() else (low, high)
