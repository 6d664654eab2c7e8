"""Training samples: the network's input for a window, and some objects in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from SAMSegmentLib.models.samsegment3d.picture import picture_of

from .anatomy import blob, random_anatomy, smooth_field
from .appearance import Scanner, rendered, textured, with_lesion
from .pack import Case

#: Extent of the object for which a window is chosen, as a share of the window's edge.
SHARE = (0.15, 0.95)
#: Smallest and largest share of a window that an object fills, and its fewest voxels: in use, the
#: window is as fine as the object needs.
LEAST, MOST, FEWEST = 5e-4, 0.5, 20
# Smallest step of grey levels across the border of a visible object, in standard deviations within.
VISIBLE = 0.6
# Largest surface of an object in voxel faces, relative to a ball of the same volume: anything more
# ragged is noise or foam.
RAGGED = 2.6
_EVERYWHERE = np.ones((3, 3, 3), bool)


@dataclass(frozen=True, eq=False)
class Sample:
    """A window and objects in it.

    Attributes:
        picture: the network's input, float16 (2, n, n, n).
        masks: the objects, uint8 (K, n, n, n).
    """

    picture: np.ndarray
    masks: np.ndarray


class SampleMaker:
    """Makes random samples.

    Args:
        cases: the training set.
        shares: of samples of random "anatomy", of a "label_map" and of "real" images; their sum is
            1.
        objects: number of objects per sample.
        seed: of all random choices.
    """

    def __init__(
        self, cases: list[Case], shares: dict[str, float], objects: int, seed: int
    ) -> None:
        self._random = np.random.default_rng(seed)
        self._maps = [case for case in cases if case.image is None]
        self._images = [case for case in cases if case.image is not None]
        self._shares, self._objects = shares, objects
        self._scanner = Scanner(seed)
        self._map_chances = _chances(self._maps)
        self._image_chances = _chances(self._images)
        self._boxes = {id(case): _boxes(case) for case in cases}
        self._makers = {
            "anatomy": self._anatomy,
            "label_map": self._label_map,
            "real": self._real,
        }

    def sample(self, n: int) -> Sample:
        """The next sample, with n voxels along each edge."""
        while True:
            kind = self._random.choice(list(self._shares), p=list(self._shares.values()))
            image, layers = self._makers[kind](n)
            for _ in range(int(self._random.choice([0, 1, 2], p=[0.5, 0.3, 0.2]))):
                image, layers = self._with_lesion(image, layers)
            image = self._scanner(self._random, image).numpy()
            if image.max() - image.min() < 1e-3:
                continue
            masks = self._chosen(image, layers)
            if masks is not None:
                return Sample(picture_of(image, None).astype(np.float16), masks)

    def _anatomy(self, n: int) -> tuple[torch.Tensor, list[np.ndarray]]:
        labels = random_anatomy(self._random, n)
        return rendered(self._random, labels, self._texture(n)), [labels]

    def _label_map(self, n: int) -> tuple[torch.Tensor, list[np.ndarray]]:
        case = self._maps[self._random.choice(len(self._maps), p=self._map_chances)]
        labels = _nearest(case.layers, self._grid(case, n))[0]
        # Some tissues get the same intensity in this image, and become one object.
        table = np.arange(256, dtype=np.uint8)
        for _ in range(self._random.poisson(0.15 * (int(labels.max()) + 1))):
            one, other = self._random.integers(int(labels.max()) + 1, size=2)
            table[table == table[one]] = table[other]
        labels = table[labels]
        return rendered(self._random, labels, self._texture(n)), [labels]

    def _real(self, n: int) -> tuple[torch.Tensor, list[np.ndarray]]:
        case = self._images[self._random.choice(len(self._images), p=self._image_chances)]
        grid = self._grid(case, n)
        image = _linear(case.image, grid) / 255
        if case.ct and self._random.random() < 0.7:
            low = self._random.uniform(0.0, 0.35)
            image = image.clamp(low, self._random.uniform(max(0.55, low + 0.2), 1.0))
        return image, list(_nearest(case.layers, grid))

    def _texture(self, n: int) -> torch.Tensor | None:
        if not self._images:
            return None
        case = self._images[self._random.choice(len(self._images), p=self._image_chances)]
        return textured(_linear(case.image, self._grid(case, n)) / 255)

    def _grid(self, case: Case, n: int) -> torch.Tensor:
        """Positions of a window's voxels in a case, (3, n, n, n): rotated, flipped, warped."""
        random, spacing = self._random, np.array(case.spacing)
        boxes = self._boxes[id(case)]
        low, high = boxes[random.integers(len(boxes))]
        extent = float(((high - low) * spacing).max())
        mm = extent / n / np.exp(random.uniform(*np.log(SHARE)))
        whole = float((np.array(case.layers.shape[1:]) * spacing).max())
        mm = np.clip(mm, 0.6 * spacing.min(), max(0.7 * whole / n, 0.6 * spacing.min()))
        center = (low + (high - low) * random.uniform(0.25, 0.75, 3)) * spacing
        center += random.normal(0, 0.12, 3) * mm * n
        matrix = _orientation(random) * mm * random.uniform(0.85, 1.18, (1, 3))
        axis = torch.linspace(-(n - 1) / 2, (n - 1) / 2, n)
        grid = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"))
        if random.random() < 0.6:
            grid = grid + random.uniform(0, 0.03) * n * smooth_field(random, n, 3, 3)
        matrix = torch.from_numpy((matrix / spacing[:, None]).astype(np.float32))
        center = torch.from_numpy((center / spacing).astype(np.float32))
        return (matrix @ grid.reshape(3, -1) + center[:, None]).reshape(grid.shape)

    def _with_lesion(
        self, image: torch.Tensor, layers: list[np.ndarray]
    ) -> tuple[torch.Tensor, list[np.ndarray]]:
        n = image.shape[0]
        radius = float(np.exp(self._random.uniform(np.log(max(2.5, n / 20)), np.log(n / 5))))
        function = blob(self._random, n, self._random.uniform(0.15, 0.85, 3) * n, radius)
        layer = (function < 0).numpy().astype(np.uint8)
        # First, so that it is chosen more often than others.
        return with_lesion(self._random, image, function), [layer, *layers]

    def _chosen(self, image: np.ndarray, layers: list[np.ndarray]) -> np.ndarray | None:
        """Masks of visible objects; None if there is none."""
        n, found = image.shape[0], []
        fewest = max(FEWEST, LEAST * n**3)
        kinds = [
            (layer, number)
            for layer in layers
            for number in np.flatnonzero(np.bincount(layer.ravel()) >= fewest)
            if number or layer is layers[-1]
        ]
        for index in self._random.permutation(len(kinds))[: 4 * self._objects]:
            layer, number = kinds[index]
            mask = self._component(layer == number)
            if not fewest <= np.count_nonzero(mask) <= MOST * n**3:
                continue
            if self._random.random() < 0.9 and not _visible(image, mask):
                continue
            if self._random.random() < 0.85 and _raggedness(mask) > RAGGED:
                continue
            found.append(mask)
            if len(found) == self._objects:
                return np.stack(found).astype(np.uint8)
        if not found:
            return None
        return np.stack([found[i % len(found)] for i in range(self._objects)]).astype(np.uint8)

    def _component(self, mask: np.ndarray) -> np.ndarray:
        """A connected component, chosen with a probability proportional to its size."""
        labels, count = ndimage.label(mask, _EVERYWHERE)
        if count < 2:
            return mask
        sizes = np.bincount(labels.ravel())[1:]
        return labels == 1 + self._random.choice(count, p=sizes / sizes.sum())


def _chances(cases: list[Case]) -> np.ndarray:
    """The probability of each case: no body part is so rare that it would not be learned."""
    folders = [case.name.split("/")[:2] for case in cases]
    kinds = ["/".join(folder) if folder[0] == "labels" else folder[0] for folder in folders]
    shares = np.array([1 / kinds.count(kind) ** 0.5 for kind in kinds])
    return shares / shares.sum()


def _boxes(case: Case) -> list[np.ndarray]:
    """The boxes (2, 3) of the objects of a case in voxels; that of the case if there are none."""
    boxes = []
    for layer in case.layers:
        for box in ndimage.find_objects(layer):
            if box is not None:
                boxes.append(np.array([[s.start for s in box], [s.stop for s in box]], float))
    return boxes or [np.array([[0, 0, 0], case.layers.shape[1:]], float)]


def _orientation(random: np.random.Generator) -> np.ndarray:
    """A random order and direction of axes, often with an additional rotation."""
    matrix = np.eye(3)[random.permutation(3)] * random.choice([-1, 1], 3)
    if random.random() < 0.6:
        angles = random.normal(0, 0.25 if random.random() < 0.7 else 1.0, 3)
        for (a, b), angle in zip(((0, 1), (0, 2), (1, 2)), angles, strict=True):
            turn = np.eye(3)
            turn[a, a] = turn[b, b] = np.cos(angle)
            turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
            matrix = turn @ matrix
    return matrix


def _nearest(layers: np.ndarray, grid: torch.Tensor) -> np.ndarray:
    """Labels (L, n, n, n) at voxels (3, n, n, n); 0 outside."""
    shape = torch.tensor(layers.shape[1:])[:, None, None, None]
    place = grid.round().long()
    outside = ((place < 0) | (place >= shape)).any(0)
    place = torch.minimum(place.clamp(min=0), shape - 1)
    index = (place[0] * shape[1] + place[1]) * shape[2] + place[2]
    found = torch.from_numpy(layers.reshape(layers.shape[0], -1))[:, index.reshape(-1)]
    found = found.reshape(layers.shape[0], *grid.shape[1:])
    return found.masked_fill(outside, 0).numpy()


def _linear(image: np.ndarray, grid: torch.Tensor) -> torch.Tensor:
    """Grey levels float32 (n, n, n) at voxels (3, n, n, n); outside, those of the border."""
    # Cropped to the part that is needed before the conversion to float.
    shape = np.array(image.shape)
    ends = torch.stack([grid.amin((1, 2, 3)), grid.amax((1, 2, 3))]).numpy()
    low = np.clip(np.floor(ends[0]).astype(int) - 1, 0, shape - 2)
    high = np.clip(np.ceil(ends[1]).astype(int) + 2, low + 2, shape)
    part = image[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    size = torch.tensor(part.shape, dtype=torch.float32)
    start = torch.from_numpy(low.astype(np.float32))
    unit = 2 * (grid.reshape(3, -1) - start[:, None]) / (size[:, None] - 1) - 1
    unit = unit.flip(0).T.reshape(1, *grid.shape[1:], 3)
    voxels = torch.from_numpy(np.ascontiguousarray(part)).float()[None, None]
    return F.grid_sample(voxels, unit, padding_mode="border", align_corners=True)[0, 0]


def _raggedness(mask: np.ndarray) -> float:
    """Surface in voxel faces, relative to a ball of the same volume."""
    faces = sum(np.count_nonzero(np.diff(mask, axis=axis)) for axis in range(3))
    return faces / (7.25 * np.count_nonzero(mask) ** (2 / 3))


def _visible(image: np.ndarray, mask: np.ndarray) -> bool:
    """Whether grey levels change at a mask's border by more than they vary within it."""
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    box = tuple(slice(max(0, s.start - 2), s.stop + 2) for s in box)
    image, mask = image[box], mask[box]
    outer = ndimage.binary_dilation(mask, iterations=2) & ~mask
    if not outer.any():
        return False
    inside = image[mask]
    step = np.abs(image[outer] - np.median(inside)).mean()
    return bool(step > VISIBLE * (inside.std() + 0.01) + 0.01)
