"""Random anatomy: synthetic label maps with organs, vessels, walls, bones, muscles and lesions.

As in SynthMorph and SynthSeg's successors (Hoffmann et al., arXiv:2004.10282; Billot et al.,
arXiv:2107.09559), the shapes need not be realistic to teach a network what a border is; but what
users ask for has to occur: trees, shells, sheets, rows of equal neighbours, objects of two tissues.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from .scenes import Scene, Tissue, scene_of
from .shapes import Shape, balls, curve, ellipsoid, local, smooth_noise, tree, turned

#: Edge in voxels of a label map.
SIZE = 144
#: Number of structures drawn over the background.
STRUCTURES = (8, 28)
_MOST_LABELS = 235


def random_anatomy(random: np.random.Generator, size: int = SIZE) -> Scene:
    """A label map of `size` voxels along each axis, and its objects."""
    drawing = Drawing(random, size)
    random.choice([body, partition, plain], p=[0.4, 0.45, 0.15])(drawing)
    kinds, chances = zip(*STRUCTURE_CHANCES, strict=True)
    for _ in range(random.integers(*STRUCTURES)):
        if drawing.number < _MOST_LABELS:
            kinds[random.choice(len(kinds), p=np.array(chances) / sum(chances))](drawing)
    return drawing.scene()


class Drawing:
    """A label map that is being drawn.

    Attributes:
        random: the generator.
        size: edge in voxels.
        labels: uint8 (n, n, n); each label is one tissue of one structure.
        number: the highest label so far.
    """

    def __init__(self, random: np.random.Generator, size: int) -> None:
        self.random, self.size = random, size
        self.labels = np.zeros((size,) * 3, np.uint8)
        self.number = 0
        self._tissues = [Tissue.ANY]
        self._objects: list[tuple[int, ...]] = []

    def draw(self, box: tuple[slice, ...], mask: np.ndarray, tissue: Tissue) -> int:
        """Draws a structure over what is there; returns its label."""
        self.number += 1
        self.labels[box][mask] = self.number
        self._tissues.append(tissue)
        self._objects.append((self.number,))
        return self.number

    def inside(self, shape: Shape, tissue: Tissue, deep: float = 0.0) -> int:
        """Draws where an implicit function is below -deep."""
        return self.draw(shape.box, shape.function < -deep, tissue)

    def together(self, *labels: int) -> None:
        """Makes several labels an object of their own too."""
        self._objects.append(labels)

    def place(self, margin: float = 0.0) -> np.ndarray:
        """A random place in voxels."""
        return self.random.uniform(margin - 0.05, 1.05 - margin, 3) * self.size

    def length(self, low: float, high: float) -> float:
        """A random length in voxels between two shares of the edge, log-uniform."""
        return float(np.exp(self.random.uniform(np.log(low), np.log(high)))) * self.size

    def tissue(self, *choices: Tissue) -> Tissue:
        return choices[self.random.integers(len(choices))]

    def scene(self) -> Scene:
        """The label map with its objects."""
        tissues = np.zeros(256, np.uint8)
        tissues[: len(self._tissues)] = self._tissues
        tissues[0] = self._tissues[0]
        return scene_of(self.labels[None], self._objects, tissues)

    def surround(self, tissue: Tissue) -> None:
        """Says what label 0 is."""
        self._tissues[0] = tissue


def plain(drawing: Drawing) -> None:
    """One tissue everywhere."""
    drawing.surround(drawing.tissue(Tissue.FAT, Tissue.SOFT, Tissue.ANY, Tissue.AIR))


def partition(drawing: Drawing) -> None:
    """Regions around random seeds that fill the space, like adjacent organs."""
    random, n = drawing.random, drawing.size
    drawing.surround(Tissue.SOFT)
    count = int(random.integers(2, 20))
    seeds = random.uniform(-0.1, 1.1, (count, 3)) * n
    bumps = random.uniform(0, 0.08) * n * smooth_noise(random, (n,) * 3, (4,) * 3)[0].numpy()
    nearest = np.full((n,) * 3, np.inf, np.float32)
    whole = (slice(0, n),) * 3
    labels = np.zeros((n,) * 3, np.uint8)
    for number, seed in enumerate(seeds):
        x, y, z = local(whole, seed, np.eye(3) * random.uniform(0.7, 1.4, 3))
        distance = np.sqrt(x * x + y * y + z * z)
        distance += random.uniform(-0.1, 0.1) * n + (bumps if number % 2 else -bumps)
        closer = distance < nearest
        np.copyto(nearest, distance, where=closer)
        labels[closer] = number
    for number in range(count):
        drawing.draw(whole, labels == number, drawing.tissue(Tissue.SOFT, Tissue.ORGAN, Tissue.ANY))


def body(drawing: Drawing) -> None:
    """A trunk or limb in air: skin and fat, a wall of muscle, and a cavity."""
    random, n = drawing.random, drawing.size
    drawing.surround(Tissue.AIR)
    radii = np.array([random.uniform(0.25, 0.6), random.uniform(0.25, 0.6), 4.0]) * n
    tilt = np.eye(3)[:, random.permutation(3)]
    shape = ellipsoid(
        random, n, random.uniform(0.4, 0.6, 3) * n, radii, 0.0, random.uniform(2, 3.5), tilt
    )
    if shape is None:
        return
    function = shape.function
    cells = (int(random.integers(2, 5)),) * 3
    function += random.uniform(0, 4) * smooth_noise(random, function.shape, cells)[0].numpy()
    fat = drawing.inside(shape, Tissue.FAT)
    depth = random.uniform(1, 14)
    parts = [fat]
    if random.random() < 0.7:
        bumps = random.uniform(0.3, 3) * smooth_noise(random, function.shape, (5,) * 3)[0].numpy()
        wall = drawing.inside(Shape(shape.box, function + bumps), Tissue.MUSCLE, depth)
        depth += random.uniform(2, 10)
        cavity = drawing.inside(
            Shape(shape.box, function - bumps),
            drawing.tissue(Tissue.FAT, Tissue.SOFT, Tissue.LUNG, Tissue.FLUID),
            depth,
        )
        parts += [wall, cavity]
    drawing.together(*parts)


def organ(drawing: Drawing) -> None:
    """A lobulated organ; vessels and lesions within belong to it, a capsule may."""
    random, size = drawing.random, drawing.size
    radius = drawing.length(0.05, 0.45)
    shape = ellipsoid(
        random,
        size,
        drawing.place(),
        radius * random.uniform(0.55, 1.3, 3),
        random.choice([0.0, random.uniform(0.05, 0.4)], p=[0.25, 0.75]),
    )
    if shape is None:
        return
    label = drawing.inside(shape, drawing.tissue(Tissue.ORGAN, Tissue.ORGAN, Tissue.ANY))
    parts = [label]
    if random.random() < 0.3:  # cortex and medulla, or a core
        deep = random.uniform(0.08, 0.5) * radius
        parts.append(drawing.inside(shape, drawing.tissue(Tissue.ORGAN, Tissue.FLUID), deep))
    room = np.zeros((size,) * 3, bool)
    room[shape.box] = shape.function < -1
    spots = np.argwhere(shape.function < -1)
    if radius > 14 and random.random() < 0.6 and len(spots):
        start = spots[random.integers(len(spots))] + [part.start for part in shape.box]
        vessels = np.zeros_like(room)
        points, radii = tree(
            random, start, random.standard_normal(3), radius * random.uniform(0.04, 0.14), size
        )
        box = balls(vessels, points, radii)
        if box is not None:
            parts.append(drawing.draw(box, (vessels & room)[box], Tissue.VESSEL))
    if radius > 8 and random.random() < 0.5:
        for _ in range(random.integers(1, 5)):
            if not len(spots):
                break
            center = spots[random.integers(len(spots))] + [part.start for part in shape.box]
            lump = ellipsoid(
                random,
                size,
                center,
                radius * random.uniform(0.05, 0.4) * random.uniform(0.7, 1.2, 3),
                random.uniform(0, 0.35),
            )
            if lump is not None:
                mask = (lump.function < 0) & room[lump.box]
                parts.append(drawing.draw(lump.box, mask, Tissue.LESION))
    if len(parts) > 1:
        drawing.together(*parts)


def hollow(drawing: Drawing) -> None:
    """A bladder, ventricle or cyst: a wall, and one or two levels of content."""
    random = drawing.random
    radius = drawing.length(0.04, 0.38)
    shape = ellipsoid(
        random,
        drawing.size,
        drawing.place(),
        radius * random.uniform(0.6, 1.3, 3),
        random.choice([0.0, random.uniform(0.05, 0.3)]),
    )
    if shape is None:
        return
    wall = drawing.inside(shape, drawing.tissue(Tissue.SOFT, Tissue.MUSCLE, Tissue.ANY))
    thick = max(1.2, random.uniform(0.05, 0.35) * radius)
    content = drawing.inside(
        shape, drawing.tissue(Tissue.FLUID, Tissue.VESSEL, Tissue.AIR, Tissue.ANY), thick
    )
    drawing.together(wall, content)
    if random.random() < 0.25:  # fluid below gas, or layered fluid
        axis = random.integers(3)
        part = [slice(None)] * 3
        part[axis] = slice(0, int(random.uniform(0.2, 0.8) * shape.function.shape[axis]))
        mask = np.zeros(shape.function.shape, bool)
        mask[tuple(part)] = shape.function[tuple(part)] < -thick
        other = drawing.draw(shape.box, mask, drawing.tissue(Tissue.AIR, Tissue.FLUID))
        drawing.together(content, other)
        drawing.together(wall, content, other)


def tube(drawing: Drawing) -> None:
    """A vessel, airway or piece of bowel: full, or a wall around a lumen."""
    random, n = drawing.random, drawing.size
    radius = max(0.9, drawing.length(0.006, 0.09))
    points = curve(
        random,
        drawing.place(),
        random.standard_normal(3),
        random.uniform(0.3, 1.6) * n,
        max(0.7, 0.4 * radius),
        random.uniform(0.0, 0.35),
    )
    wave = 1 + random.uniform(0, 0.3) * np.sin(
        np.linspace(0, random.uniform(1, 12), len(points)) + random.uniform(0, 6)
    )
    mask = np.zeros((n,) * 3, bool)
    box = balls(mask, points, radius * wave)
    if box is None:
        return
    if radius < 4 or random.random() < 0.5:
        drawing.draw(box, mask[box], drawing.tissue(Tissue.VESSEL, Tissue.ANY))
        return
    wall = drawing.draw(box, mask[box], drawing.tissue(Tissue.SOFT, Tissue.MUSCLE))
    inner = np.zeros_like(mask)
    balls(inner, points, wave * max(1.0, radius * random.uniform(0.4, 0.85)))
    content = drawing.draw(
        box, inner[box], drawing.tissue(Tissue.FLUID, Tissue.AIR, Tissue.VESSEL, Tissue.ANY)
    )
    drawing.together(wall, content)


def vessels(drawing: Drawing) -> None:
    """A vessel tree."""
    random, n = drawing.random, drawing.size
    points, radii = tree(
        random, drawing.place(), random.standard_normal(3), drawing.length(0.012, 0.07), n
    )
    mask = np.zeros((n,) * 3, bool)
    box = balls(mask, points, radii)
    if box is not None:
        drawing.draw(box, mask[box], Tissue.VESSEL)


def row(drawing: Drawing) -> None:
    """Vertebrae or teeth: equal neighbours along a curve, with discs and a canal."""
    random, n = drawing.random, drawing.size
    radius = drawing.length(0.035, 0.13)
    height = radius * random.uniform(0.5, 1.5)
    gap = max(1.0, height * random.uniform(0.1, 0.5))
    line = curve(
        random, drawing.place(), random.standard_normal(3), 1.4 * n, 1.0, random.uniform(0, 0.05)
    )
    step = 2 * height + gap
    middles = [line[int(i)] for i in np.arange(0, len(line) - 3, step)]
    ways = [line[int(i) + 2] - line[int(i)] for i in np.arange(0, len(line) - 3, step)]
    radii = radius * random.uniform(0.75, 1.25, 2)
    power, bodies = random.uniform(2.5, 5), []
    disc = random.random() < 0.6
    behind = random.standard_normal(3)
    canal: list[np.ndarray] = []
    for number, (middle, way) in enumerate(zip(middles, ways, strict=True)):
        if drawing.number > _MOST_LABELS - 4:
            break
        turn = _frame(way, behind)
        size = np.array([*radii, height]) * random.uniform(0.93, 1.07, 3)
        if disc and number + 1 < len(middles):
            between = (middle + middles[number + 1]) / 2
            flat = ellipsoid(
                random, n, between, np.array([*radii * 0.95, 0.5 * gap + 0.5]), 0, 3, turn
            )
            if flat is not None:
                drawing.inside(flat, drawing.tissue(Tissue.SOFT, Tissue.FLUID))
        shape = ellipsoid(random, n, middle, size, 0.0, power, turn)
        canal.append(middle - 1.35 * radii[0] * turn[:, 0])
        if shape is None:
            continue
        parts = [drawing.inside(shape, Tissue.BONE)]
        if random.random() < 0.6:
            parts.append(drawing.inside(shape, Tissue.MARROW, max(1.0, 0.1 * radius)))
        arch = ellipsoid(
            random,
            n,
            canal[-1] - 0.5 * radii[0] * turn[:, 0],
            size * [0.5, 0.9, 0.6],
            0.25,
            2,
            turn,
        )
        if arch is not None and random.random() < 0.6:
            parts.append(drawing.inside(arch, Tissue.BONE))
        bodies.append(parts)
        if len(parts) > 1:
            drawing.together(*parts)
    if len(bodies) > 1:
        drawing.together(*(label for parts in bodies for label in parts))
    if len(canal) > 1 and random.random() < 0.6 and drawing.number < _MOST_LABELS:
        points = np.concatenate([np.linspace(a, b, int(step) + 1) for a, b in pairwise(canal)])
        mask = np.zeros((n,) * 3, bool)
        box = balls(mask, points, np.full(len(points), 0.35 * radius + 0.5))
        if box is not None:
            fluid = drawing.draw(box, mask[box], Tissue.FLUID)
            cord = np.zeros_like(mask)
            balls(cord, points, np.full(len(points), max(0.7, 0.2 * radius)))
            drawing.together(fluid, drawing.draw(box, cord[box], Tissue.SOFT))


def ribs(drawing: Drawing) -> None:
    """Parallel curved rods, like ribs or fingers."""
    random, n = drawing.random, drawing.size
    radius = max(0.9, drawing.length(0.008, 0.035))
    across = turned(random)
    bow, gap = random.uniform(0.25, 0.7) * n, radius * random.uniform(2.4, 6)
    center, span = drawing.place(0.1), random.uniform(0.7, 3)
    start = random.uniform(0, 6.3)
    for number in range(int(random.integers(3, 12))):
        angles = start + np.linspace(0, span, int(bow * span / max(0.7, 0.5 * radius)) + 2)
        flat = np.stack([bow * np.cos(angles), 0.8 * bow * np.sin(angles)], 1)
        points = center + flat @ across[:2] + (number * gap + 0.1 * flat[:, :1]) * across[2]
        mask = np.zeros((n,) * 3, bool)
        box = balls(mask, points, np.full(len(points), radius))
        if box is None or drawing.number > _MOST_LABELS - 2:
            continue
        bone = drawing.draw(box, mask[box], Tissue.BONE)
        if radius > 2.5 and random.random() < 0.5:
            inner = np.zeros_like(mask)
            balls(inner, points, np.full(len(points), 0.6 * radius))
            drawing.together(bone, drawing.draw(box, inner[box], Tissue.MARROW))


def muscles(drawing: Drawing) -> None:
    """Long muscles side by side, with thin fascia between, around a bone or not."""
    random, n = drawing.random, drawing.size
    length = random.uniform(0.25, 0.8) * n
    turn = turned(random)
    thick = drawing.length(0.08, 0.3)
    radii = np.array([thick * random.uniform(0.7, 1.3), thick, length])
    hull = ellipsoid(random, n, drawing.place(0.15), radii, 0.05, random.uniform(2, 3), turn)
    if hull is None:
        return
    center = np.array([(part.start + part.stop) / 2 for part in hull.box])
    u, v, w = local(hull.box, center, turn)
    bend = random.uniform(-0.3, 0.3, 2)
    u += bend[0] * w * w / length + random.uniform(0, 0.1) * w
    v += bend[1] * w * w / length
    count = int(random.integers(3, 10))
    seeds = random.uniform(-1, 1, (count, 2)) * radii[:2]
    first = np.full(u.shape, np.inf, np.float32)
    second, which = first.copy(), np.zeros(u.shape, np.uint8)
    for number, (a, b) in enumerate(seeds.astype(np.float32)):
        distance = np.sqrt((u - a) ** 2 + (v - b) ** 2)
        np.minimum(second, np.maximum(first, distance), out=second)
        which[distance < first] = number
        np.minimum(first, distance, out=first)
    fascia = random.uniform(0.8, 3)
    drawing.inside(hull, Tissue.FAT, -fascia)
    inner = (hull.function < 0) & (second - first > fascia)
    tissue = drawing.tissue(Tissue.MUSCLE, Tissue.MUSCLE, Tissue.ANY)
    parts = [drawing.draw(hull.box, inner & (which == number), tissue) for number in range(count)]
    drawing.together(*parts)
    if random.random() < 0.3:
        drawing.together(*parts[: max(2, count // 2)])


def folded(drawing: Drawing) -> None:
    """A cortex-like folded ribbon around a core, in fluid."""
    random, n = drawing.random, drawing.size
    radius = drawing.length(0.12, 0.42)
    shape = ellipsoid(random, n, drawing.place(0.1), radius * random.uniform(0.8, 1.2, 3))
    if shape is None:
        return
    cells = tuple(max(2, round(c / radius * random.uniform(1.5, 4))) for c in shape.function.shape)
    ridges = np.abs(smooth_noise(random, shape.function.shape, cells)[0].numpy())
    function = shape.function + radius * random.uniform(0.1, 0.3) * np.exp(-4 * ridges)
    thick = max(1.2, random.uniform(0.04, 0.14) * radius)
    fluid = drawing.inside(shape, Tissue.FLUID, -random.uniform(0, 3))
    ribbon = drawing.inside(Shape(shape.box, function), Tissue.SOFT)
    core = drawing.inside(Shape(shape.box, function), Tissue.ORGAN, thick)
    drawing.together(ribbon, core)
    drawing.together(fluid, ribbon, core)
    if random.random() < 0.5:
        deep = random.uniform(0.4, 0.75) * radius
        drawing.together(core, drawing.inside(shape, Tissue.FLUID, deep))


def sheet(drawing: Drawing) -> None:
    """A thin curved sheet, such as cartilage, pleura or a membrane."""
    random, n = drawing.random, drawing.size
    radius = drawing.length(0.15, 0.6)
    shape = ellipsoid(
        random, n, drawing.place(), radius * random.uniform(0.7, 1.3, 3), random.uniform(0, 0.15)
    )
    if shape is None:
        return
    thick = max(0.8, drawing.length(0.006, 0.03))
    cells = (int(random.integers(2, 4)),) * 3
    there = smooth_noise(random, shape.function.shape, cells)[0].numpy() > random.uniform(-0.8, 0.5)
    mask = there & (np.abs(shape.function) < thick)
    drawing.draw(shape.box, mask, drawing.tissue(Tissue.SOFT, Tissue.BONE, Tissue.ANY))


def lesions(drawing: Drawing) -> None:
    """Tiny to large lesions anywhere."""
    random, n = drawing.random, drawing.size
    for _ in range(random.integers(1, 7)):
        if drawing.number > _MOST_LABELS - 2:
            return
        radius = drawing.length(0.012, 0.12)
        lump = ellipsoid(
            random, n, drawing.place(), radius * random.uniform(0.6, 1.3, 3), random.uniform(0, 0.4)
        )
        if lump is None:
            continue
        label = drawing.inside(lump, Tissue.LESION)
        if radius > 5 and random.random() < 0.4:  # necrosis, or an enhancing rim
            core = drawing.inside(lump, Tissue.FLUID, random.uniform(0.2, 0.5) * radius)
            drawing.together(label, core)


def bone(drawing: Drawing) -> None:
    """A long bone: shaft with a cavity, and thicker ends."""
    random, n = drawing.random, drawing.size
    radius = drawing.length(0.015, 0.07)
    points = curve(
        random, drawing.place(), random.standard_normal(3), random.uniform(0.3, 1.2) * n,
        max(0.7, 0.4 * radius), random.uniform(0, 0.03),
    )  # fmt: skip
    along = np.linspace(-1, 1, len(points))
    radii = radius * (1 + random.uniform(0.2, 1.4) * along**6)
    mask = np.zeros((n,) * 3, bool)
    box = balls(mask, points, radii)
    if box is None:
        return
    cortex = drawing.draw(box, mask[box], Tissue.BONE)
    if radius > 2:
        inner = np.zeros_like(mask)
        balls(inner, points, radii - max(0.9, random.uniform(0.15, 0.5) * radius))
        drawing.together(cortex, drawing.draw(box, inner[box], Tissue.MARROW))


#: What is drawn, and how often relative to the others.
STRUCTURE_CHANCES: list[tuple[Callable[[Drawing], None], float]] = [
    (organ, 4.0),
    (hollow, 2.0),
    (tube, 1.5),
    (vessels, 1.5),
    (row, 0.8),
    (ribs, 0.5),
    (muscles, 0.8),
    (folded, 0.6),
    (sheet, 0.6),
    (lesions, 1.5),
    (bone, 0.8),
]


def _frame(way: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Perpendicular unit vectors as columns; the third runs along `way`."""
    third = way / np.linalg.norm(way)
    first = behind - (behind @ third) * third
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(third, first), third], 1).astype(np.float32)


def blob(random: np.random.Generator, n: int, center: np.ndarray, radius: float) -> Shape | None:
    """A lobulated lesion on a grid of n voxels along each axis."""
    return ellipsoid(
        random, n, np.asarray(center), radius * random.uniform(0.6, 1.4, 3),
        random.uniform(0.05, 0.35),
    )  # fmt: skip
