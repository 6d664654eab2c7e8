"""The windows of training samples: where they lie in a scene, and what is read there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from .scenes import Object, Scene
from .shapes import smooth_noise

#: Extent of the object for which a window is chosen, as a share of the window's edge: an object
#: may be tiny in it, or far larger than it.
SHARE = (0.06, 2.5)
#: Smallest voxel of a window as a share of the scene's smallest: of a label map, which would have
#: steps, and of an image, which would only be blurred.
FINEST_LABELS, FINEST_IMAGE = 0.7, 0.5
#: Largest edge of a window, relative to the scene's sides (their geometric mean).
COARSEST = 1.2


@dataclass(frozen=True, eq=False)
class Place:
    """A window in a scene.

    Attributes:
        target: the object for which it was chosen.
        grid: positions of its voxels in voxels of the scene, float32 (3, n, n, n).
    """

    target: Object
    grid: torch.Tensor


def random_place(random: np.random.Generator, scene: Scene, n: int) -> Place:
    """A window of n voxels along each edge: turned, flipped, stretched and bent.

    It lies as in use: around an object, as one for an ROI does, or around a place in or near the
    border of an object, as one for a click does.
    """
    made = scene.image is None
    spacing = np.array(scene.spacing)
    sides = np.array(scene.layers.shape[1:]) * spacing
    share = float(np.exp(random.uniform(*np.log(SHARE))))
    finest = (FINEST_LABELS if made else FINEST_IMAGE) * spacing.min()
    coarsest = max(COARSEST * np.prod(sides) ** (1 / 3) / n, finest)
    steps = scene.extents / (share * n)
    fitting = np.flatnonzero((steps >= finest) & (steps <= coarsest))
    # The first object of a case with a mask by hand is asked for more often.
    if scene.name.startswith("sarcoma") and random.random() < 0.3:
        fitting = np.zeros(1, int)
    index = int(random.choice(fitting)) if fitting.size else int(random.integers(len(steps)))
    target = scene.objects[index]
    mm = float(np.clip(steps[index], finest, coarsest))
    edge = mm * n
    around = random.random() < 0.45 and edge > 1.1 * scene.extents[index]
    if around:
        room = 0.5 * (edge - scene.extents[index])
        center = target.box.mean(0) * spacing + random.uniform(-0.8, 0.8, 3) * room
    else:
        center = click_like(random, scene, target) * spacing
        center += random.normal(0, 0.06, 3) * edge
    if not made and random.random() < 0.7:  # as in use, moved into the volume
        half = np.minimum(edge, sides) / 2
        center = np.clip(center, half, sides - half)
    stretch = random.uniform(0.75, 1.33, 3) if made else random.uniform(0.87, 1.15, 3)
    # Less often in an image, which ends in the window: in use it ends at right angles.
    matrix = orientation(random, 0.6 if made else 0.35) * (mm * stretch)
    return Place(target, grid_of(random, matrix / spacing[:, None], center / spacing, n, made))


def grid_of(
    random: np.random.Generator, matrix: np.ndarray, center: np.ndarray, n: int, made: bool
) -> torch.Tensor:
    """Positions (3, n, n, n) around a centre in voxels, bent at random."""
    axis = torch.linspace(-(n - 1) / 2, (n - 1) / 2, n)
    bends = random.random() < (0.8 if made else 0.5)
    grid = torch.empty(3, n, n, n)
    if bends:
        cells = int(random.integers(1, 4))
        size = random.uniform(0, 0.12 if made else 0.04) * n / cells
        field = smooth_noise(random, (n,) * 3, (cells,) * 3, 3) * size
    for row in range(3):
        a, b, c = (float(each) for each in matrix[row])
        torch.add(
            (a * axis + float(center[row]))[:, None, None] + (b * axis)[:, None],
            c * axis,
            out=grid[row],
        )
        if bends:
            for column, each in enumerate((a, b, c)):
                grid[row].add_(field[column], alpha=each)
    return grid


def click_like(random: np.random.Generator, scene: Scene, target: Object) -> np.ndarray:
    """A place in voxels within an object, half the time at its border."""
    labels, (low, high) = scene.layers[target.layer], target.box
    place = (low + high) / 2
    for _ in range(8):
        place = np.array([random.integers(a, b) for a, b in zip(low, high, strict=True)])
        axis = int(random.integers(3))
        line = [int(p) for p in place]
        line[axis] = slice(int(low[axis]), int(high[axis]))
        inside = np.isin(labels[tuple(line)], target.labels)
        if not inside.any():
            continue
        ends = np.flatnonzero(np.diff(inside, prepend=False, append=False))
        chosen = ends if random.random() < 0.5 else np.flatnonzero(inside)
        place[axis] = low[axis] + random.choice(chosen)
        break
    return place.astype(float)


def orientation(random: np.random.Generator, turned: float) -> np.ndarray:
    """A random order and direction of axes, with an additional rotation as often as `turned`."""
    matrix = np.eye(3)[random.permutation(3)] * random.choice([-1, 1], 3)
    if random.random() < turned:
        angles = random.normal(0, 0.25 if random.random() < 0.7 else 1.0, 3)
        for (a, b), angle in zip(((0, 1), (0, 2), (1, 2)), angles, strict=True):
            turn = np.eye(3)
            turn[a, a] = turn[b, b] = np.cos(angle)
            turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
            matrix = turn @ matrix
    return matrix


def outside_of(shape: tuple[int, ...], grid: torch.Tensor) -> np.ndarray:
    """Which positions lie outside of a volume, boolean (n, n, n)."""
    found = torch.zeros(grid.shape[1:], dtype=torch.bool)
    for place, size in zip(grid, shape, strict=True):
        found |= (place < -0.5) | (place > size - 0.5)
    return found.numpy()


def nearest(layers: np.ndarray, grid: torch.Tensor) -> list[np.ndarray]:
    """Labels (n, n, n) of each layer; outside, those of the volume's border."""
    shape = layers.shape[1:]
    index = torch.zeros(grid.shape[1:], dtype=torch.int64)
    for place, size in zip(grid, shape, strict=True):
        index.mul_(size).add_(place.round().clamp_(0, size - 1).long())
    return [torch.from_numpy(layer.reshape(-1))[index].numpy() for layer in layers]


def linear(image: np.ndarray, grid: torch.Tensor, table: np.ndarray | None = None) -> torch.Tensor:
    """Grey levels float32 (n, n, n) by linear interpolation; outside, those of the border.

    Args:
        image: uint8 (X, Y, Z).
        grid: positions in voxels.
        table: float32 (256,), what the image's values stand for; None: themselves.
    """
    # Cropped to the part that is needed before the conversion to float.
    shape = np.array(image.shape)
    ends = torch.stack([grid.amin((1, 2, 3)), grid.amax((1, 2, 3))]).numpy()
    low = np.clip(np.floor(ends[0]).astype(int) - 1, 0, shape - 2)
    high = np.clip(np.ceil(ends[1]).astype(int) + 2, low + 2, shape)
    part = image[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    part = part.astype(np.float32) if table is None else table[part]
    size = torch.tensor(part.shape, dtype=torch.float32)
    unit = torch.empty(1, *grid.shape[1:], 3)
    for axis in range(3):
        scale = 2 / float(size[axis] - 1)
        unit[0, ..., 2 - axis] = (grid[axis] - float(low[axis])).mul_(scale).sub_(1)
    voxels = torch.from_numpy(np.ascontiguousarray(part))[None, None]
    return F.grid_sample(voxels, unit, padding_mode="border", align_corners=True)[0, 0]
