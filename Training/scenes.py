"""A scene: a label map or an image with objects, of which many windows are taken."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from scipy import ndimage

from .pack import Case
from .shapes import smooth_noise

#: Objects of fewer voxels are not asked for.
FEWEST = 12
# Objects joined from two neighbours, as a share of the number of labels.
_JOINED = 0.15


class Bank:
    """Some scenes that are made now and then, of each of which several windows are taken.

    Args:
        make: makes a scene.
        size: number of scenes that are kept.
        renewed: how often a scene is replaced, the oldest first.
    """

    def __init__(self, make: Callable[[], Scene], size: int, renewed: float) -> None:
        self._make, self._size, self._renewed = make, size, renewed
        self._scenes: list[Scene] = []

    def scene(self, random: np.random.Generator) -> Scene:
        """One of the scenes."""
        if len(self._scenes) < self._size or random.random() < self._renewed:
            self._scenes = [*self._scenes, self._make()][-self._size :]
        return self._scenes[random.integers(len(self._scenes))]


class Tissue(IntEnum):
    """What a label consists of, which decides its grey levels; ANY may have any."""

    ANY = 0
    AIR = 1
    LUNG = 2
    FAT = 3
    FLUID = 4
    SOFT = 5
    MUSCLE = 6
    ORGAN = 7
    VESSEL = 8
    BONE = 9
    MARROW = 10
    LESION = 11


@dataclass(frozen=True, eq=False)
class Object:
    """An object of a scene.

    Attributes:
        layer: in which its labels are.
        labels: those it consists of.
        box: its voxels, (2, 3), first and last plus one.
    """

    layer: int
    labels: tuple[int, ...]
    box: np.ndarray

    @property
    def extent(self) -> float:
        """Its longest side in voxels."""
        return float((self.box[1] - self.box[0]).max())


@dataclass(eq=False)
class Scene:
    """A label map or an image with labels.

    Attributes:
        layers: uint8 (L, X, Y, Z), labels.
        objects: what can be asked for.
        tissues: Tissue of each label of the first layer, uint8 (256,); synthetic images only.
        image: uint8 (X, Y, Z); None: synthetic images are made of the first layer.
        spacing: mm along X, Y, Z.
        ct: whether the image is a CT.
        name: of the file that it comes from; empty for random anatomy.
        extents: mm, the longest side of each object's box.
    """

    layers: np.ndarray
    objects: list[Object]
    tissues: np.ndarray
    image: np.ndarray | None = None
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    ct: bool = False
    name: str = ""
    extents: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        mm = np.array(self.spacing)
        self.extents = np.array([((o.box[1] - o.box[0]) * mm).max() for o in self.objects])


def scene_of(
    layers: np.ndarray,
    groups: list[tuple[int, ...]],
    tissues: np.ndarray,
    layer: int = 0,
) -> Scene:
    """A scene of voxels of 1 mm, with the objects that are groups of labels of a layer."""
    return Scene(layers, objects_of(layers[layer], groups, layer), tissues)


def objects_of(labels: np.ndarray, groups: list[tuple[int, ...]], layer: int) -> list[Object]:
    """The objects of a layer that have at least FEWEST voxels."""
    boxes = ndimage.find_objects(labels)
    counts = np.bincount(labels.ravel(), minlength=256)
    found = []
    for group in groups:
        there = [n for n in group if n <= len(boxes) and boxes[n - 1] is not None]
        if len(there) < len(group) or counts[there].sum() < FEWEST:
            continue
        ends = np.array([[(s.start, s.stop) for s in boxes[n - 1]] for n in there])
        box = np.stack([ends[:, :, 0].min(0), ends[:, :, 1].max(0)])
        found.append(Object(layer, tuple(group), box))
    return found


def scene_from(case: Case, random: np.random.Generator) -> Scene:
    """The scene of a case of the training set; neighbouring labels also form joint objects."""
    objects = []
    for layer, labels in enumerate(case.layers):
        numbers = np.flatnonzero(np.bincount(labels.ravel(), minlength=1))
        groups = [(int(n),) for n in numbers if n]
        if case.image is None:
            groups += neighbours(random, labels, int(np.ceil(_JOINED * len(groups))))
        objects += objects_of(labels, groups, layer)
    tissues = np.zeros(256, np.uint8)
    return Scene(case.layers, objects, tissues, case.image, case.spacing, case.ct, case.name)


def mixed(random: np.random.Generator, one: np.ndarray, other: np.ndarray, size: int) -> np.ndarray:
    """Parts of two label maps side by side, uint8, at most `size` voxels along each axis.

    The parts are turned and flipped, and meet at a random smooth surface.
    """
    parts = []
    for labels in (one, other):
        starts = [random.integers(max(1, n - size + 1)) for n in labels.shape]
        part = labels[tuple(slice(a, a + size) for a in starts)]
        part = part.transpose(random.permutation(3))
        parts.append(part[tuple(slice(None, None, random.choice([-1, 1])) for _ in range(3))])
    shape = tuple(np.minimum(parts[0].shape, parts[1].shape))
    first, second = (part[tuple(slice(n) for n in shape)] for part in parts)
    # Numbers without gaps, so that those of both fit.
    tables = []
    for part, start in ((first, 0), (second, 128)):
        table = np.zeros(256, np.uint8)
        there = np.flatnonzero(np.bincount(part.ravel(), minlength=256)[1:])[:127] + 1
        table[there] = start + 1 + np.arange(there.size)
        tables.append(table)
    cells = (int(random.integers(1, 4)),) * 3
    where = smooth_noise(random, shape, cells)[0].numpy() > random.uniform(-0.5, 0.5)
    return np.where(where, tables[0][first], tables[1][second])


def neighbours(
    random: np.random.Generator, labels: np.ndarray, count: int
) -> list[tuple[int, int]]:
    """Pairs of labels that touch each other, at most `count`."""
    across = np.moveaxis(labels, int(random.integers(3)), 0)
    one, other = across[:-1, ::2], across[1:, ::2]
    places = np.flatnonzero((one != other) & (one > 0) & (other > 0))
    pairs = set()
    for place in places[random.integers(len(places), size=3 * count)] if len(places) else ():
        pair = int(one.flat[place]), int(other.flat[place])
        pairs.add((min(pair), max(pair)))
    return sorted(pairs)[:count]
