"""Smooths the border of a mask: what is smoothed is the probability, over a distance in mm.

The kernel is a Gaussian twice over, less its own square: 2 g - g * g along each axis. Its second
moment is 0, so that convex borders do not shrink and concave ones do not fill, as with a Gaussian
alone (Taubin 1995 smooths surfaces in the same way). Border voxels change; objects and gaps do not
come or go: what the kernel would take away altogether, such as a vessel or a fissure of one voxel,
stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .answer import UNCHANGED, Answer
from .geometry import Geometry
from .patch import BACKGROUND_LOGIT, Box, Index, Patch, values_at
from .prompts import Point, Prompts
from .voxel_prompts import VoxelPrompts

#: The standard deviation of the Gaussian unless another is asked for. On voxels of about that size
#: it takes out what is toothed from voxel to voxel; on coarser ones it hardly changes a mask.
SMOOTHING_MM = 1.0
#: More would be slow, and change what is found rather than its border.
MOST_MM = 5.0
# Where the kernel ends, in standard deviations; beyond it is less than 0.002 of its height.
REACH = 4.0
# Axes along which the Gaussian is narrower than this part of a voxel are left as they are.
NARROWEST = 0.25
# Blocks in which no border is near are passed over; they fit into a processor's cache.
BLOCK = 32
# Probabilities nearer to 0 or 1 than this are left as they are: 2 p - 1 of logits of about 4.
SURE = 0.96
# Less of a kernel than this within a limit tells too little of what lies there.
LEAST_WEIGHT = 0.2
# A click keeps so many standard deviations around it as they are, if its voxel would change.
AROUND_CLICK = 2.0
# Voxels along each axis of what is looked at as a bridge.
LONGEST_BRIDGE = 5
_NEIGHBOURS = np.array([offset for offset in product((-1, 0, 1), repeat=3) if any(offset)])
_WITH_CORNERS = np.ones((3, 3, 3), dtype=bool)


def smoothed(
    answer: Answer, mm: float, prompts: Prompts | None = None, voxels: VoxelPrompts | None = None
) -> Answer:
    """An answer whose masks have smooth borders; the given one is not changed.

    Voxels that are clicked on stay on their side; no mask gets voxels that the model did not look
    at, that belong to other segments, or that lie outside of the ROI. What a segment holds and only
    clicks are to change, is left as it is.

    Args:
        mm: standard deviation of the Gaussian, at most MOST_MM; 0: nothing is smoothed.
        prompts: to which it is the answer, in its RAS.
        voxels: masks that went with them.
    """
    prompts, voxels = prompts or Prompts(), voxels or VoxelPrompts()
    if mm <= 0 or (voxels.content is not None and not voxels.refine):
        return answer
    masks = [
        replace(mask, logits=smoothed_patch(mask.logits, answer.geometry, mm, prompts))
        for mask in answer.masks
    ]
    warnings = answer.warnings
    if UNCHANGED in warnings and prompts.points:
        # The newest point may keep what would have been smoothed away.
        earlier = replace(prompts, points=prompts.points[:-1])
        before = smoothed_patch(answer.masks[0].logits, answer.geometry, mm, earlier)
        if ((before.values > 0) != (masks[0].logits.values > 0)).any():
            warnings = tuple(other for other in warnings if other != UNCHANGED)
    return replace(answer, masks=tuple(masks), warnings=warnings)


def smoothed_patch(logits: Patch, geometry: Geometry, mm: float, prompts: Prompts) -> Patch:
    """Logits (float32, on a box of a grid) whose mask has a smooth border; see `smoothed`."""
    sigmas = min(mm, MOST_MM) / geometry.spacing[::-1]
    kernels = [
        _kernel(float(sigma)) if sigma >= NARROWEST and n > 1 else None
        for sigma, n in zip(sigmas, logits.values.shape, strict=True)
    ]
    if all(kernel is None for kernel in kernels):
        return logits
    before = logits.values > 0
    values, after, changed = logits.values.copy(), before.copy(), [np.zeros((0, 3), dtype=int)]
    for box in _blocks_at_borders(before, kernels):
        block = _smoothed_block(logits.values, box, kernels)
        values[box] = block
        after[box] = block > 0
        changed.append(np.argwhere(after[box] != before[box]) + [part.start for part in box])
    voxels = np.concatenate(changed)
    kept = _outside_of_roi(voxels[after[tuple(voxels.T)]], logits.start, geometry, prompts)
    radius = np.maximum(1, np.rint(sigmas).astype(int))
    for inside in (True, False):
        lost = voxels[before[tuple(voxels.T)] == inside]
        kept = np.concatenate([kept, lost[is_kept(lost, after == inside, radius)]])
    values[tuple(kept.T)] = logits.values[tuple(kept.T)]
    _keep_clicks(values, logits, geometry, prompts.points, AROUND_CLICK * sigmas)
    return replace(logits, values=values)


@lru_cache(maxsize=16)
def _kernel(sigma: float) -> np.ndarray:
    """2 g - g * g for a Gaussian g, float64, odd length, sum 1."""
    wide = int(np.ceil(REACH * sigma))
    gauss = np.exp(-0.5 * (np.arange(-wide, wide + 1) / sigma) ** 2)
    gauss /= gauss.sum()
    kernel = -np.convolve(gauss, gauss)[wide:-wide] + 2 * gauss
    return kernel / kernel.sum()


def _blocks_at_borders(mask: np.ndarray, kernels: Sequence[np.ndarray | None]) -> Iterator[Box]:
    """Blocks of an array within reach of which there is mask and background."""
    reaches = [0 if kernel is None else len(kernel) // 2 for kernel in kernels]
    for first in product(*(range(0, n, BLOCK) for n in mask.shape)):
        near = tuple(
            slice(max(a - reach, 0), a + BLOCK + reach)
            for a, reach in zip(first, reaches, strict=True)
        )
        here = mask[near]
        if here.any() and not here.all():
            yield tuple(slice(a, min(a + BLOCK, n)) for a, n in zip(first, mask.shape, strict=True))


def _smoothed_block(
    logits: np.ndarray, box: Box, kernels: Sequence[np.ndarray | None]
) -> np.ndarray:
    """The logits of a block, smoothed; background beyond limits has no part in it."""
    weights, near = [], []
    for kernel, part, n in zip(kernels, box, logits.shape, strict=True):
        reach = 0 if kernel is None else len(kernel) // 2
        around = slice(max(part.start - reach, 0), min(part.stop + reach, n))
        near.append(around)
        size, offset = part.stop - part.start, part.start - around.start
        weights.append(_weights(kernel, size, around.stop - around.start, offset))
    around = logits[tuple(near)]
    own = logits[box]
    share = np.tanh(np.float32(0.5) * around)
    seen = around > BACKGROUND_LOGIT
    if seen.all():
        share = _convolved(share, weights)
    else:
        share[~seen] = 0
        share = _convolved(share, weights)
        weight = _convolved(seen.astype(np.float32), weights)
        told = (weight > LEAST_WEIGHT) & (own > BACKGROUND_LOGIT)
        share = np.divide(share, weight, out=np.tanh(np.float32(0.5) * own), where=told)
    np.clip(share, -0.9999, 0.9999, out=share)
    changed = (np.abs(share) < SURE) | ((share > 0) != (own > 0))
    changed &= own > BACKGROUND_LOGIT
    result = own.copy()
    result[changed] = 2 * np.arctanh(share[changed])
    return result


def _weights(kernel: np.ndarray | None, size: int, around: int, offset: int) -> np.ndarray | None:
    """(size, around): the kernel at each voxel of a block, on the block and what lies around."""
    if kernel is None:
        return None
    return _toeplitz(tuple(kernel), size, around, offset)


@lru_cache(maxsize=64)
def _toeplitz(kernel: tuple[float, ...], size: int, around: int, offset: int) -> np.ndarray:
    apart = np.arange(around) - np.arange(size)[:, None] - offset + len(kernel) // 2
    inside = (apart >= 0) & (apart < len(kernel))
    rows = np.where(inside, np.array(kernel)[apart.clip(0, len(kernel) - 1)], 0.0)
    # Where the array ends, what there is counts for all.
    return (rows / rows.sum(1, keepdims=True)).astype(np.float32)


def _convolved(values: np.ndarray, weights: Sequence[np.ndarray | None]) -> np.ndarray:
    k, j, i = weights
    if k is not None:
        values = np.tensordot(k, values, (1, 0))
    if j is not None:
        values = np.matmul(j, values)
    return values if i is None else np.matmul(values, i.T)


def _outside_of_roi(
    gained: np.ndarray, start: Index, geometry: Geometry, prompts: Prompts
) -> np.ndarray:
    """Those of the voxels (N, 3), counted from `start`, that lie outside of the ROI."""
    if prompts.roi is None:
        return gained[:0]
    return gained[~prompts.roi.contains(geometry.to_ras((gained + start)[:, ::-1]))]


def _keep_clicks(
    values: np.ndarray, before: Patch, geometry: Geometry, points: Sequence[Point], reach: Sequence
) -> None:
    """Puts back what lies around clicks whose voxels have changed sides, in place."""
    shape = np.array(values.shape)
    reach = np.maximum(1, np.rint(reach).astype(int))
    for point in points:
        voxel = np.rint(geometry.to_ijk(np.array(point.ras))[::-1]).astype(int) - before.start
        if (voxel < 0).any() or (voxel >= shape).any():
            continue
        was, now = (bool(array[tuple(voxel)] > 0) for array in (before.values, values))
        if was == point.positive and now != point.positive:
            low, high = np.maximum(voxel - reach, 0), voxel + reach + 1
            box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
            values[box] = before.values[box]


def is_kept(lost: np.ndarray, left: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Which voxels that a mask would lose are more than the roughness of its border, (N,).

    Those with nothing of what is left within the radius, those that join these to it, and those
    without which what is left around them would fall apart.

    Args:
        lost: (N, 3) by k, j, i, in ascending order.
        left: boolean (k, j, i), the mask without them.
        radius: voxels along (k, j, i), at least 1.
    """
    if not len(lost):
        return np.zeros(0, dtype=bool)
    far = ~_touches(left, lost, _NEIGHBOURS)
    if far.any():
        offsets = product(*(range(-n, n + 1) for n in radius))
        far[far] = ~_touches(left, lost[far], np.array(list(offsets)))
    pairs = _touching(lost, left.shape)
    kept = far.copy()
    for _ in range(int(radius.max()) if far.any() else 0):
        kept[pairs[kept[pairs[:, 0]], 1]] = True
    rest = np.flatnonzero(~kept)
    # Of pieces, what is put back already is no part.
    number = np.full(len(lost), -1)
    number[rest] = np.arange(len(rest))
    pairs = number[pairs]
    piece = _components(pairs[(pairs >= 0).all(1)], len(rest))
    with_kept = left
    if kept.any():
        with_kept = left.copy()
        with_kept[tuple(lost[kept].T)] = True
    kept[rest] = _is_bridge(lost[rest], piece, with_kept)[piece]
    return kept


def _touches(mask: np.ndarray, voxels: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Whether the mask holds any of the voxels beside each of (N, 3), by the offsets; (N,)."""
    touches = np.zeros(len(voxels), dtype=bool)
    last = np.array(mask.shape) - 1
    for offset in offsets:
        rest = np.flatnonzero(~touches)
        touches[rest] = mask[tuple((voxels[rest] + offset).clip(0, last).T)]
    return touches


def _touching(voxels: np.ndarray, shape: Index) -> np.ndarray:
    """Pairs (M, 2) of voxels (N, 3) that share a corner, both ways."""
    places = np.ravel_multi_index(tuple(voxels.T), shape)
    order = np.argsort(places)
    ordered, last, found = places[order], np.array(shape) - 1, []
    for offset in _NEIGHBOURS:
        beside = np.ravel_multi_index(tuple((voxels + offset).clip(0, last).T), shape)
        at = np.searchsorted(ordered, beside).clip(max=len(ordered) - 1)
        own = np.flatnonzero(ordered[at] == beside)
        found.append(np.stack([own, order[at[own]]], axis=1))
    return np.concatenate(found)


def _components(pairs: np.ndarray, count: int) -> np.ndarray:
    """The number of the component of each of `count` nodes that pairs (M, 2) join, (count,)."""
    graph = coo_array((np.ones(len(pairs), dtype=bool), pairs.T), shape=(count, count))
    return connected_components(graph, directed=False)[1]


def _is_bridge(voxels: np.ndarray, piece: np.ndarray, left: np.ndarray) -> np.ndarray:
    """For each piece of voxels (N, 3), whether what is left around it is in several parts, (P,).

    Pieces longer than LONGEST_BRIDGE voxels lie along a border.
    """
    if not len(voxels):
        return np.zeros(0, dtype=bool)
    order = np.argsort(piece)
    first = np.searchsorted(piece[order], np.arange(piece.max() + 1))
    low = np.minimum.reduceat(voxels[order], first)
    size = (np.maximum.reduceat(voxels[order], first) - low).max(1) + 1
    result = np.zeros(len(low), dtype=bool)
    # Most are single voxels.
    for least, most in ((1, 1), (2, LONGEST_BRIDGE)):
        these = (size >= least) & (size <= most)
        own = these[piece]
        number = (np.cumsum(these) - 1)[piece[own]]
        result[these] = _falls_apart(voxels[own], number, low[these], most, left)
    return result


def _falls_apart(
    voxels: np.ndarray, piece: np.ndarray, low: np.ndarray, longest: int, left: np.ndarray
) -> np.ndarray:
    """The same of pieces that fit into cubes of `longest` voxels, the first of which are given."""
    # Each piece in a block of its own, with a rim of one voxel, and nothing between blocks.
    side = longest + 2
    blocks = np.zeros((len(low), side + 1, side, side), dtype=bool)
    blocks[(piece, *(voxels - low[piece] + 1).T)] = True
    around = blocks.copy()
    for axis in (1, 2, 3):
        ahead, behind = ((slice(None),) * axis + (part,) for part in (slice(1, None), slice(-1)))
        before = around.copy()
        around[ahead] |= before[behind]
        around[behind] |= before[ahead]
    number, *at = np.nonzero(around[:, :side] & ~blocks[:, :side])
    place = low[number] + np.stack(at, axis=1) - 1
    there = values_at(left, place, False)
    blocks[:] = False
    blocks[(number[there], *(axis[there] for axis in at))] = True
    parts, count = ndimage.label(blocks.reshape(-1, side, side), _WITH_CORNERS)
    filled = np.flatnonzero(blocks)
    owner = np.zeros(count, dtype=int)
    owner[parts.ravel()[filled] - 1] = filled // blocks[:1].size
    return np.bincount(owner, minlength=len(low)) > 1
