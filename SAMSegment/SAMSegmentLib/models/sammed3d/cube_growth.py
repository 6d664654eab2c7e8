"""Objects larger than one cube: overlapping cubes are added where the mask reaches a face.

Source: SAM-Med3D's paper, which lets neighbouring windows overlap by half; its code gave each of
them clicks of its own from the truth. Here, what is known of the mask is handed on as the previous
mask, with a click where it is deepest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from ...core.prompts import Roi
from .cube_masks import CubeMask, on_cube
from .cubes import CUBE_MM, VOXEL_MM, Cube
from .network import IMAGE_SIZE, MASK_SIZE

#: Cubes at most: 12 hold a body's trunk, and take a laptop some 12 s.
MOST_CUBES = 12
# A face counts as reached if the mask on it is larger than this share of the mask's whole shadow.
REACHED = 0.1
FACES = tuple((axis, side) for axis in range(3) for side in (-1, 1))

#: The network's logits for a cube, a click at a voxel (x, y, z), and the mask before.
AskCube = Callable[[Cube, tuple[int, int, int], np.ndarray], np.ndarray]


def grown(
    masks: Sequence[CubeMask],
    ask: AskCube,
    roi: Roi | None = None,
    show: Callable[[list[CubeMask]], None] = lambda masks: None,
) -> tuple[list[CubeMask], bool]:
    """The cubes to add to those given, and whether the mask goes on beyond them all.

    Args:
        roi: no cube is added for what lies outside of it.
        show: shown all masks that there are, each time before another cube is asked.
    """
    new: list[CubeMask] = []
    asked = {mask.cube for mask in masks}
    waiting = [(mask, face) for mask in masks for face in FACES]
    while waiting:
        mask, face = waiting.pop(0)
        known = [*masks, *new]
        if not _leaves(mask, face, known, roi):
            continue
        cube = mask.cube.frame.beside(mask.cube, *face)
        if cube in asked:
            continue
        if len(known) >= MOST_CUBES:
            return new, True
        asked.add(cube)
        previous = on_cube(known, cube)
        seed = _deepest(previous > 0)
        if seed is None:
            continue
        show(known)
        new.append(CubeMask(cube, ask(cube, seed, previous)))
        waiting += [(new[-1], face) for face in FACES]
    return new, False


def _leaves(
    mask: CubeMask, face: tuple[int, int], known: Sequence[CubeMask], roi: Roi | None
) -> bool:
    """Whether a mask reaches a face beyond which the volume goes on and no other cube looks."""
    axis, side = face
    if not mask.cube.goes_on(axis, side) or (roi is not None and not _beyond(mask.cube, face, roi)):
        return False
    there = mask.logits > 0
    on_face = np.take(there, 0 if side < 0 else -1, axis)
    if np.count_nonzero(on_face) <= REACHED * np.count_nonzero(there.any(axis)):
        return False
    middle = np.insert(np.argwhere(on_face).mean(0), axis, -1.0 if side < 0 else MASK_SIZE)
    ras = mask.cube.mask_geometry.to_ras(middle[::-1])
    return not any(other.cube.holds(ras) for other in known)


def _beyond(cube: Cube, face: tuple[int, int], roi: Roi) -> bool:
    """Whether an ROI reaches beyond a face by more than a voxel that the network gets."""
    axis, side = face
    low, high = cube.start[axis] - VOXEL_MM, cube.start[axis] + CUBE_MM + VOXEL_MM
    ends = roi.corners() @ cube.frame.axes[:, axis]
    return bool(ends.min() < low if side < 0 else ends.max() > high)


def _deepest(mask: np.ndarray) -> tuple[int, int, int] | None:
    """The network's voxel (x, y, z) in the middle of the deepest voxel of a mask; None without."""
    if not mask.any():
        return None
    if mask.all():
        return (IMAGE_SIZE // 2,) * 3
    # The cube's faces do not count as borders: the object may go on there.
    depth = ndimage.distance_transform_edt(mask)
    voxels = IMAGE_SIZE // MASK_SIZE
    deepest = np.unravel_index(depth.argmax(), mask.shape)
    return tuple(int(n) * voxels + voxels // 2 for n in deepest)
