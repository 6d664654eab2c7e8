"""Shapes of anatomy on voxel grids, as implicit functions and as balls along curves.

Every shape is computed only in the box that it fills. An implicit function is negative inside, and
roughly the distance to the border in voxels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class Shape:
    """A part of a grid, and the implicit function there (float32)."""

    box: Box
    function: np.ndarray


def smooth_field(
    random: np.random.Generator, n: int, cells: int, channels: int = 1
) -> torch.Tensor:
    """Smooth noise (channels, n, n, n), mean 0, deviation about 1, with `cells` waves per axis."""
    return smooth_noise(random, (n,) * 3, (cells,) * 3, channels)


def smooth_noise(
    random: np.random.Generator,
    shape: tuple[int, ...],
    cells: tuple[int, ...],
    channels: int = 1,
) -> torch.Tensor:
    """Smooth noise (channels, *shape), mean 0, deviation about 1, with so many waves per axis."""
    coarse = torch.from_numpy(
        random.standard_normal((1, channels, *(n + 3 for n in cells)), dtype=np.float32)
    )
    # Smoothed first, because linear interpolation alone leaves edges along the cells.
    coarse = F.avg_pool3d(F.interpolate(coarse, scale_factor=2, mode="trilinear"), 3, 1)
    field = F.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0]
    return field / (field.std() + 1e-6)


def turned(random: np.random.Generator) -> np.ndarray:
    """A random rotation, 3x3."""
    return np.linalg.qr(random.standard_normal((3, 3)))[0].astype(np.float32)


def ellipsoid(
    random: np.random.Generator,
    size: int,
    center: np.ndarray,
    radii: np.ndarray,
    lobes: float = 0.0,
    power: float = 2.0,
    turn: np.ndarray | None = None,
) -> Shape | None:
    """An ellipsoid on a grid of `size` voxels along each axis.

    Args:
        random: for the direction and the lobes.
        size: of the grid.
        center, radii: in voxels.
        lobes: height of bumps on its surface, as a share of the radius.
        power: 2 for an ellipsoid, more for a box with round edges.
        turn: axes, as columns; None: random ones.

    Returns:
        None if it lies outside of the grid.
    """
    turn = turned(random) if turn is None else turn
    room = 1 + 1.6 * lobes + 2 / float(np.min(radii))
    reach = np.sqrt(((turn * radii) ** 2).sum(1)) if power == 2 else np.abs(turn * radii).sum(1)
    box = box_around(center - room * reach, center + room * reach, size)
    if box is None:
        return None
    inside = local(box, center, turn / radii)
    if power == 2:
        function = np.sqrt(inside[0] ** 2 + inside[1] ** 2 + inside[2] ** 2)
    else:
        function = sum(np.abs(axis) ** power for axis in inside) ** np.float32(1 / power)
    function -= 1
    if lobes:
        shape = function.shape
        waves = random.uniform(1.5, 5)
        cells = tuple(max(1, round(waves * n / max(shape))) for n in shape)
        function += lobes * smooth_noise(random, shape, cells)[0].numpy()
    return Shape(box, function * np.float32(np.min(radii)))


def box_around(low: np.ndarray, high: np.ndarray, size: int) -> Box | None:
    """The voxels between two corners; None if there are none."""
    start = np.clip(np.floor(low).astype(int), 0, size)
    stop = np.clip(np.ceil(high).astype(int) + 1, 0, size)
    if (stop - start < 2).any():
        return None
    return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))


def local(box: Box, center: np.ndarray, columns: np.ndarray) -> list[np.ndarray]:
    """Coordinates of a box's voxels along three directions (columns), from a centre."""
    x, y, z = (
        np.arange(part.start, part.stop, dtype=np.float32) - np.float32(c)
        for part, c in zip(box, center, strict=True)
    )
    columns = np.asarray(columns, np.float32)
    return [(c[0] * x)[:, None, None] + (c[1] * y)[:, None] + (c[2] * z) for c in columns.T]


def curve(
    random: np.random.Generator,
    start: np.ndarray,
    way: np.ndarray,
    length: float,
    step: float,
    bend: float,
) -> np.ndarray:
    """Points (N, 3), `step` voxels apart, along a random smooth curve that bends by `bend`."""
    points, drift = [np.asarray(start, float)], np.zeros(3)
    way = np.asarray(way, float) / (np.linalg.norm(way) + 1e-9)
    for _ in range(max(2, int(length / step))):
        drift = 0.8 * drift + 0.2 * random.standard_normal(3)
        way = way + bend * drift
        way /= np.linalg.norm(way)
        points.append(points[-1] + step * way)
    return np.array(points)


def tree(
    random: np.random.Generator, start: np.ndarray, way: np.ndarray, radius: float, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Points (N, 3) and radii (N,) of a vessel tree that tapers and forks, in voxels.

    At a fork the cubes of the radii add up (Murray's law).
    """
    points, radii = [], []
    branches = [(np.asarray(start, float), np.asarray(way, float), radius)]
    bend, thinnest = random.uniform(0.02, 0.2), max(0.7, 0.12 * radius)
    while branches and sum(map(len, points)) < 1500:
        place, way, thick = branches.pop(0)
        length = thick * random.uniform(5, 16) + 3
        step = max(0.6, 0.5 * thick)
        line = curve(random, place, way, length, step, bend)
        inside = ((line > -thick) & (line < size + thick)).all(1)
        line = line[: len(line) if inside.all() else max(1, int(inside.argmin()))]
        thinner = thick * random.uniform(0.8, 0.97)
        points.append(line)
        radii.append(np.linspace(thick, thinner, len(line)))
        if not inside.all() or len(line) < 2:
            continue
        way = line[-1] - line[-2]
        way /= np.linalg.norm(way)
        share = random.uniform(0.5, 0.93)
        side = np.cross(way, random.standard_normal(3))
        side /= np.linalg.norm(side) + 1e-9
        other = (1 - share**3) ** (1 / 3)
        for part, sign in ((share, 1), (other, -1)):
            if part * thinner > thinnest:
                angle = random.uniform(0.2, 0.9) * (1.1 - part)
                branches.append((line[-1], way + sign * 2 * angle * side, part * thinner))
    return np.concatenate(points), np.concatenate(radii)


def balls(mask: np.ndarray, points: np.ndarray, radii: np.ndarray) -> Box | None:
    """Sets all voxels of a mask (n, n, n) in balls around points; returns the box they fill."""
    size = mask.shape[0]
    axes = np.arange(size, dtype=np.float32)
    for place, radius in zip(points.astype(np.float32), radii, strict=True):
        low = np.maximum(np.ceil(place - radius).astype(int), 0)
        high = np.minimum(np.floor(place + radius).astype(int) + 1, size)
        if (high <= low).any():
            nearest = np.rint(place).astype(int)
            if ((nearest >= 0) & (nearest < size)).all():
                mask[tuple(nearest)] = True
            continue
        x, y, z = ((axes[a:b] - c) ** 2 for a, b, c in zip(low, high, place, strict=True))
        part = mask[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
        part |= (x[:, None, None] + y[:, None] + z) < radius**2
    reach = float(np.max(radii))
    return box_around(points.min(0) - reach, points.max(0) + reach, size)
