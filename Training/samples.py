"""Training samples: the network's input for a window, and some objects in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from scipy import ndimage

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.models.samsegment3d.picture import picture_of

from .anatomy import SIZE, blob, random_anatomy
from .appearance import Scanner, pasted, rendered, textured
from .pack import CT_LEVELS, Case
from .scenes import FEWEST, Bank, Object, Scene, mixed, scene_from
from .shapes import smooth_field
from .visibility import raggedness, smoothed, visible_share
from .windows import linear, nearest, outside_of, random_place

#: Largest share of a window's voxels that an object fills; its fewest are FEWEST.
MOST = 0.9
#: Smallest share of an object's surface that can be seen.
LEAST_VISIBLE = 0.35
#: Largest surface of an object in voxel faces, relative to a ball of the same volume; pseudo-labels
#: that are more ragged are noise or foam. Trees and sheets of label maps may be.
RAGGED = 2.6
#: Number of random anatomies, and of mixed label maps, from which windows are taken, and how often
#: one is replaced.
BANK, RENEWED = 12, 1 / 16
#: How often a label map is made of two.
MIXED = 0.4
#: How often a part of the window lies outside the volume, apart from windows of real images that
#: end there, and how often the window shows one slice only.
CUT, FLAT = 0.25, 0.05
#: Largest share of a window outside the volume.
MOST_OUTSIDE = 0.7
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


@dataclass(eq=False)
class View:
    """What is in a window, before a scanner saw it.

    Attributes:
        image: float32 (n, n, n).
        layers: uint8 (n, n, n) each, labels.
        objects: layer and labels of what can be asked for; the one for which the window was
            chosen first.
        outside: voxels outside the volume, boolean (n, n, n).
        real: layers whose objects were found in real images, and may be noise.
    """

    image: torch.Tensor
    layers: list[np.ndarray]
    objects: list[tuple[int, tuple[int, ...]]]
    outside: np.ndarray
    real: set[int] = field(default_factory=set)


class SampleMaker:
    """Makes random samples.

    Args:
        cases: the training set.
        shares: of samples of random "anatomy", of a "label_map", of "real" images, and of
            "composite" ones, which are real with shapes of label maps; their sum is 1.
        objects: number of objects per sample.
        seed: of all random choices.
    """

    def __init__(
        self, cases: list[Case], shares: dict[str, float], objects: int, seed: int
    ) -> None:
        self._random = np.random.default_rng(seed)
        scenes = [scene_from(case, self._random) for case in cases]
        scenes = [scene for scene in scenes if scene.objects]
        self._maps = [scene for scene in scenes if scene.image is None]
        self._images = [scene for scene in scenes if scene.image is not None]
        self._shares, self._objects = shares, objects
        self._scanner = Scanner(seed)
        self._map_chances = _chances(self._maps)
        self._image_chances = _chances(self._images)
        self._anatomies = Bank(lambda: random_anatomy(self._random, SIZE), BANK, RENEWED)
        self._mixtures = Bank(self._mixture, BANK, RENEWED)
        self._makers = {
            "anatomy": self._anatomy,
            "label_map": self._label_map,
            "real": self._real,
            "composite": self._composite,
        }

    def sample(self, n: int) -> Sample:
        """The next sample, with n voxels along each edge."""
        while True:
            kind = self._random.choice(list(self._shares), p=list(self._shares.values()))
            view = self._makers[kind](n)
            if kind != "composite" and self._random.random() < 0.3:
                self._add_lesion(view)
            if float(view.image.std()) < 1e-4:
                continue
            view.image = self._scanner(self._random, view.image)
            if self._random.random() < CUT and view.outside.mean() < 0.05:
                view.outside |= _cut(self._random, n)
            if view.outside.mean() > MOST_OUTSIDE:
                continue
            if self._random.random() < FLAT:
                _flatten(self._random, view)
            try:
                picture = picture_of(
                    view.image.numpy(), view.outside if view.outside.any() else None
                )
            except InputError:  # one grey level
                continue
            masks = self._chosen(picture, view)
            if masks is not None:
                return Sample(picture.astype(np.float16), masks)

    def _anatomy(self, n: int) -> View:
        return self._synthetic(self._anatomies.scene(self._random), n)

    def _label_map(self, n: int) -> View:
        return self._synthetic(self._map(), n)

    def _map(self) -> Scene:
        if self._random.random() < MIXED:
            return self._mixtures.scene(self._random)
        return self._maps[self._random.choice(len(self._maps), p=self._map_chances)]

    def _mixture(self) -> Scene:
        """Two label maps as one; both are taken as often, whatever they show."""
        one, other = (self._maps[self._random.integers(len(self._maps))] for _ in range(2))
        labels = mixed(self._random, one.layers[0], other.layers[0], SIZE)
        return scene_from(Case("labels/mixed", labels[None], None, one.spacing), self._random)

    def _synthetic(self, scene: Scene, n: int) -> View:
        """A rendered window of a label map."""
        random = self._random
        place = random_place(random, scene, n)
        labels = nearest(scene.layers[:1], place.grid)[0]
        outside = np.zeros(labels.shape, bool)
        if scene.name:
            beyond = outside_of(scene.layers.shape[1:], place.grid)
            if random.random() < 0.5:
                outside = beyond
            labels[beyond] = 0
        chances = [0.35, 0.3, 0.25, 0.1] if not scene.name else [0.5, 0.15, 0.25, 0.1]
        modality = random.choice(["any", "ct", "mr", "pet"], p=chances)
        image = rendered(random, labels, self._texture(n), scene.tissues, modality)
        if modality == "ct" and random.random() < 0.5:
            image = _windowed(random, image)
        return View(image, [labels], self._asked(scene, place.target), outside)

    def _asked(self, scene: Scene, target: Object) -> list[tuple[int, tuple[int, ...]]]:
        order = self._random.permutation(len(scene.objects))
        others = [scene.objects[i] for i in order]
        return [(each.layer, each.labels) for each in [target, *others]]

    def _image(self) -> Scene:
        return self._images[self._random.choice(len(self._images), p=self._image_chances)]

    def _real(self, n: int) -> View:
        scene, random = self._image(), self._random
        place = random_place(random, scene, n)
        if scene.ct:
            image = linear(scene.image, place.grid, CT_LEVELS)
            if random.random() < 0.6:
                image = _windowed(random, image)
        else:
            image = linear(scene.image, place.grid) / 255
        layers = nearest(scene.layers, place.grid)
        outside = outside_of(scene.image.shape, place.grid)
        for layer in layers:
            layer[outside] = 0
        return View(
            image, layers, self._asked(scene, place.target), outside, set(range(len(layers)))
        )

    def _composite(self, n: int) -> View:
        """A real image with objects of label maps in it."""
        random, view = self._random, self._real(n)
        fine = textured(view.image)
        covered = np.zeros((n,) * 3, bool)
        added = []
        for _ in range(int(random.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))):
            scene = self._shapes()
            place = random_place(random, scene, n)
            labels = nearest(scene.layers[:1], place.grid)[0]
            wanted = np.zeros(256, bool)
            wanted[list(place.target.labels)] = True
            labels[~wanted[labels]] = 0
            labels[view.outside] = 0
            fine = fine.flip(int(random.integers(3)))
            number = len(view.layers)
            for label in place.target.labels:
                part = labels == label
                if part.any():
                    view.image = pasted(random, view.image, part, fine)
                    added.append((number, (label,)))
            if len(place.target.labels) > 1:
                added.append((number, place.target.labels))
            view.layers.append(labels)
            covered |= labels > 0
        order = random.permutation(len(added))
        # Of the real objects, those that are still there.
        view.objects = [added[i] for i in order] + view.objects
        for layer in view.real:
            before = np.bincount(view.layers[layer].ravel(), minlength=256)
            hidden = np.bincount(view.layers[layer][covered], minlength=256)
            view.layers[layer][(hidden > 0.2 * before)[view.layers[layer]]] = 0
        return view

    def _shapes(self) -> Scene:
        if self._maps and self._random.random() < 0.35:
            return self._map()
        return self._anatomies.scene(self._random)

    def _texture(self, n: int) -> torch.Tensor | None:
        if not self._images or self._random.random() < 0.5:
            return None
        scene = self._image()
        return textured(linear(scene.image, random_place(self._random, scene, n).grid) / 255)

    def _add_lesion(self, view: View) -> None:
        random, n = self._random, view.image.shape[0]
        radius = float(np.exp(random.uniform(np.log(1.8), np.log(n / 5))))
        shape = blob(random, n, random.uniform(0.1, 0.9, 3) * n, radius)
        if shape is None:
            return
        layer = np.zeros((n,) * 3, np.uint8)
        layer[shape.box] = shape.function < 0
        if layer.any():
            fine = smooth_field(random, n, int(random.integers(4, n // 2)))[0]
            view.image = pasted(random, view.image, layer > 0, fine)
            view.layers.append(layer)
            view.objects.insert(int(random.integers(2)), (len(view.layers) - 1, (1,)))

    def _chosen(self, picture: np.ndarray, view: View) -> np.ndarray | None:
        """Masks of visible objects; None if there is none."""
        outside = view.outside if view.outside.any() else None
        most = MOST * (view.outside.size - np.count_nonzero(view.outside))
        for layer in view.layers:
            layer[view.outside] = 0
        counts = [np.bincount(layer.ravel(), minlength=256) for layer in view.layers]
        smooth: dict[int, np.ndarray] = {}
        found: list[np.ndarray] = []
        tried = 0
        for layer, labels in dict.fromkeys(view.objects):
            if not FEWEST <= counts[layer][list(labels)].sum() <= 1.2 * most:
                continue
            if len(found) == self._objects or tried == 5 * self._objects:
                break
            tried += 1
            wanted = np.zeros(256, bool)
            wanted[list(labels)] = True
            mask = self._component(wanted[view.layers[layer]])
            if not FEWEST <= np.count_nonzero(mask) <= most:
                continue
            if layer in view.real and raggedness(mask) > RAGGED:
                continue
            for channel in (1, 0):
                if channel not in smooth:
                    smooth[channel] = smoothed(picture[channel])
                if visible_share(smooth[channel], mask, outside) >= LEAST_VISIBLE:
                    found.append(mask)
                    break
        if not found:
            return None
        return np.stack([found[i % len(found)] for i in range(self._objects)]).astype(np.uint8)

    def _component(self, mask: np.ndarray) -> np.ndarray:
        """A connected component, chosen with a probability proportional to its size."""
        box = ndimage.find_objects(mask.view(np.uint8))[0]
        labels, count = ndimage.label(mask[box], _EVERYWHERE)
        if count < 2:
            return mask
        sizes = np.bincount(labels.ravel())[1:]
        chosen = np.zeros_like(mask)
        chosen[box] = labels == 1 + self._random.choice(count, p=sizes / sizes.sum())
        return chosen


def _windowed(random: np.random.Generator, image: torch.Tensor) -> torch.Tensor:
    """A CT clipped to a range of Hounsfield units."""
    low = random.choice([-1000, -500, -200, -100]) + random.uniform(-50, 50)
    return image.clamp(low, random.uniform(max(low + 300, 120), 1500))


def _cut(random: np.random.Generator, n: int) -> np.ndarray:
    """Where a volume ends in a window, boolean (n, n, n): along one to three axes."""
    outside = np.zeros((n,) * 3, bool)
    for axis in random.permutation(3)[: random.choice([1, 2, 3], p=[0.75, 0.17, 0.08])]:
        share = random.uniform(0.03, 0.45)
        # A volume that is smaller than the window lies in its middle.
        first, last = (share, share) if random.random() < 0.6 else (share, 0)
        if random.random() < 0.5:
            first, last = last, first
        across = np.moveaxis(outside, axis, 0)
        across[: round(first * n)] = True
        across[n - round(last * n) :] = True
    return outside


def _flatten(random: np.random.Generator, view: View) -> None:
    """Leaves one slice, the same in front and behind, as a network sees a single slice."""
    axis = int(random.integers(3))
    layer, labels = view.objects[0]
    inside = np.isin(view.layers[layer], labels).any(tuple(a for a in range(3) if a != axis))
    places = np.flatnonzero(inside)
    chosen = int(random.choice(places)) if places.size else view.image.shape[axis] // 2

    def one(array: np.ndarray) -> np.ndarray:
        return np.repeat(np.take(array, [chosen], axis), array.shape[axis], axis)

    view.image = torch.from_numpy(one(view.image.numpy()))
    view.layers = [one(layer) for layer in view.layers]
    view.outside = one(view.outside)


def _chances(scenes: Sequence[Scene]) -> np.ndarray:
    """The probability of each scene.

    Larger ones come more often, because there is more to see; and no body part and modality is so
    rare that it would not be learned.
    """
    kinds = [_kind(scene.name) for scene in scenes]
    shares = np.array(
        [
            (s.layers[0].size / kinds.count(kind)) ** 0.5
            for s, kind in zip(scenes, kinds, strict=True)
        ]
    )
    return shares / shares.sum()


def _kind(name: str) -> str:
    """What a scene shows: the folder, or for patients the modality."""
    folder, *rest = name.split("/")
    return f"{folder}/{rest[-1].split('_')[0] if folder == 'sarcoma' else rest[0]}"
