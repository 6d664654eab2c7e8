"""Random anatomy: synthetic label maps with organs, vessels, walls and lesions.

The shapes are smooth implicit functions on a warped grid. As in SynthMorph and SynthSeg's
successors (Hoffmann et al., arXiv:2004.10282; Billot et al., arXiv:2107.09559), they need not be
realistic to teach a network what a border is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F

#: Smallest and largest number of objects drawn over the regions, and of regions.
OBJECTS = (4, 18)
REGIONS = (2, 28)


def smooth_field(
    random: np.random.Generator, n: int, cells: int, channels: int = 1
) -> torch.Tensor:
    """Smooth noise (channels, n, n, n), mean 0, deviation about 1, with `cells` waves per axis."""
    coarse = torch.from_numpy(
        random.standard_normal((1, channels, *(cells + 3,) * 3), dtype=np.float32)
    )
    # Smoothed first, because linear interpolation alone leaves edges along the cells.
    coarse = F.avg_pool3d(F.interpolate(coarse, scale_factor=2, mode="trilinear"), 3, 1)
    field = F.interpolate(coarse, size=(n,) * 3, mode="trilinear", align_corners=True)[0]
    return field / (field.std() + 1e-6)


def random_anatomy(random: np.random.Generator, n: int) -> np.ndarray:
    """A label map, uint8 (n, n, n); each label is one tissue."""
    grid = _warped_grid(random, n)
    labels = torch.zeros((n,) * 3, dtype=torch.uint8)
    if random.random() < 0.8:
        labels = _regions(random, grid)
    number = int(labels.max())
    for _ in range(random.integers(*OBJECTS)):
        if number > 240:
            break
        number = _draw(random, grid, labels, number)
    return labels.numpy()


def blob(
    random: np.random.Generator, n: int, center: Sequence[float], radius: float
) -> torch.Tensor:
    """A lobulated object as an implicit function (n, n, n), negative inside; in voxels."""
    axes = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float32) - c for c in center), indexing="ij"
    )
    stretch = random.uniform(0.6, 1.5, 3)
    distance = sum((a / (radius * s)) ** 2 for a, s in zip(axes, stretch, strict=True)) ** 0.5
    cells = int(np.clip(1.5 * n / radius, 2, 16))
    return distance - 1 + random.uniform(0.05, 0.35) * smooth_field(random, n, cells)[0]


def _warped_grid(random: np.random.Generator, n: int) -> torch.Tensor:
    """Warped positions (3, n, n, n) in units of the edge, about -0.5 to 0.5."""
    axis = torch.linspace(-0.5, 0.5, n)
    grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))
    for cells, size in ((2, 0.06), (5, 0.02), (12, 0.006)):
        grid = grid + random.uniform(0, size) * smooth_field(random, n, cells, 3)
    return grid


def _regions(random: np.random.Generator, grid: torch.Tensor) -> torch.Tensor:
    """A partition of the space around random seeds, like adjacent organs."""
    n, count = grid.shape[1], int(random.integers(*REGIONS))
    seeds = torch.from_numpy(random.uniform(-0.6, 0.6, (count, 3)).astype(np.float32))
    weights = torch.from_numpy(random.uniform(0.0, 0.1, count).astype(np.float32))
    distance = torch.cdist(grid.reshape(3, -1).T, seeds) - weights
    return distance.argmin(1).reshape((n,) * 3).to(torch.uint8)


def _draw(
    random: np.random.Generator, grid: torch.Tensor, labels: torch.Tensor, number: int
) -> int:
    """Draws one object, sometimes with a core; returns the highest label used."""
    kind = random.choice(["ellipsoid", "tube", "blob", "shell"], p=[0.4, 0.25, 0.25, 0.1])
    if kind == "tube":
        function, size = _tube(random, grid)
    else:
        function, size = _ellipsoid(random, grid)
        if kind == "blob":
            cells = int(np.clip(0.6 / size, 2, 20))
            noise = smooth_field(random, grid.shape[1], cells)[0]
            function = function + random.uniform(0.1, 0.5) * size * noise
        elif kind == "shell":
            function = function.abs() - random.uniform(0.08, 0.3) * size
    labels[function < 0] = number + 1
    if kind in ("ellipsoid", "blob", "tube") and random.random() < 0.35:
        labels[function < -random.uniform(0.1, 0.6) * size] = number + 2
        return number + 2
    return number + 1


def _ellipsoid(random: np.random.Generator, grid: torch.Tensor) -> tuple[torch.Tensor, float]:
    size = float(np.exp(random.uniform(np.log(0.025), np.log(0.4))))
    turn = np.linalg.qr(random.standard_normal((3, 3)))[0]
    scale = random.uniform(0.6, 1.7, 3)
    matrix = torch.from_numpy((turn / scale).T.astype(np.float32))
    center = torch.from_numpy(random.uniform(-0.5, 0.5, 3).astype(np.float32))
    moved = (matrix @ (grid - center[:, None, None, None]).reshape(3, -1)).reshape(grid.shape)
    return moved.square().sum(0).sqrt() - size, size


def _tube(random: np.random.Generator, grid: torch.Tensor) -> tuple[torch.Tensor, float]:
    size = float(np.exp(random.uniform(np.log(0.012), np.log(0.09))))
    place, way = random.uniform(-0.5, 0.5, 3), random.standard_normal(3)
    line = []
    for _ in range(int(random.integers(6, 24))):
        way = way / np.linalg.norm(way) + random.normal(0, 0.35, 3)
        place = place + 0.07 * way / np.linalg.norm(way)
        line.append(place)
    points = torch.from_numpy(np.array(line, np.float32))
    steps = torch.linspace(0, 1, 6)[:-1, None, None]
    dense = (points[:-1] * (1 - steps) + points[1:] * steps).reshape(-1, 3)
    # Computed only in a box around the tube.
    low = dense.min(0).values - 1.5 * size
    high = dense.max(0).values + 1.5 * size
    near = ((grid >= low[:, None, None, None]) & (grid <= high[:, None, None, None])).all(0)
    function = torch.full(grid.shape[1:], 1.0)
    if near.any():
        function[near] = torch.cdist(grid[:, near].T, dense).amin(1) - size
    return function, size
