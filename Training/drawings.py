"""Scribbles and lines of the simulated user of the training."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

#: Lengths of scribbles in voxels.
LENGTHS = (4, 40)
#: Points of a scribble that are also told as clicks.
POINTS = 3
# Deviation of the direction from voxel to voxel, radians.
_WOBBLE = 0.2
_DIRECTIONS = 12
#: How far from the border a line's ends are, standard deviation in voxels.
LINE_SHAKE = 0.7


def scribble(region: np.ndarray, start: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A curve in one slice of a boolean region (D, H, W) through a voxel of it: (N, 3), voxels."""
    axes = random.permutation(3)[:2]
    angle, most = random.uniform(0, 2 * np.pi), np.exp(random.uniform(*np.log(LENGTHS)))
    halves = [_walk(region, start, axes, angle + turn, most / 2, random) for turn in (0.0, np.pi)]
    return np.array([*halves[1][::-1], start, *halves[0]], dtype=float).reshape(-1, 3)


def _walk(
    region: np.ndarray,
    start: np.ndarray,
    axes: np.ndarray,
    angle: float,
    most: float,
    random: np.random.Generator,
) -> list[np.ndarray]:
    place, way = np.array(start, dtype=float), []
    for wobble in random.normal(0, _WOBBLE, int(most)):
        angle += wobble
        place = place.copy()
        place[axes] += np.cos(angle), np.sin(angle)
        voxel = np.rint(place).astype(int)
        if (voxel < 0).any() or (voxel >= region.shape).any() or not region[tuple(voxel)]:
            break
        way.append(place)
    return way


def longest_line(mask: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The longest diameter of a mask (D, H, W) in its largest slice along some axis: (2, 3)."""
    axis = int(random.integers(3))
    areas = mask.sum(tuple(other for other in range(3) if other != axis))
    number = int(areas.argmax())
    voxels = np.argwhere(mask.take(number, axis)).astype(float)
    best = None
    for angle in np.arange(_DIRECTIONS) * np.pi / _DIRECTIONS:
        along = voxels @ np.array([np.cos(angle), np.sin(angle)])
        ends = voxels[[along.argmin(), along.argmax()]]
        if best is None or np.ptp(along) > best[0]:
            best = np.ptp(along), ends
    ends = best[1] + random.normal(0, LINE_SHAKE, (2, 2))
    ends = np.clip(ends, 0, np.array(mask.take(0, axis).shape) - 1)
    return np.insert(ends, axis, number, 1)


def drawn(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A polyline (N, 3), in voxels, as a map float32 (D/2, H/2, W/2): 1 where it runs."""
    halves = tuple(n // 2 for n in shape)
    steps = [points[:1]]
    for a, b in pairwise(points):
        count = max(1, int(np.ceil(np.abs(b - a).max())))
        steps.append(a + (b - a) * np.arange(1, count + 1)[:, None] / count)
    voxels = np.clip((np.concatenate(steps) + 0.5) // 2, 0, np.array(halves) - 1).astype(int)
    values = np.zeros(halves, np.float32)
    values[tuple(voxels.T)] = 1
    return values
