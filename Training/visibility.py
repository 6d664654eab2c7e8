"""Whether an object can be seen in an image, and whether it has a border worth drawing."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

#: Steps of grey levels are compared with those within an object: so many times as large is a
#: border; and a smallest step, of levels from -1 to 1.
FACTOR, LEAST_STEP = 2.2, 0.06
#: So few steps within an object say nothing; and so few voxels are tiny.
FEW, TINY = 30, 300


def smoothed(image: np.ndarray) -> np.ndarray:
    """Grey levels in which single noisy voxels do not count."""
    return ndimage.uniform_filter(image, 3)


def visible_share(smooth: np.ndarray, mask: np.ndarray, outside: np.ndarray | None = None) -> float:
    """The share of an object's surface at which grey levels change.

    Args:
        smooth: grey levels from -1 to 1, float32 (n, n, n).
        mask: boolean (n, n, n).
        outside: voxels outside the volume, which do not count; None: there are none.

    Returns:
        0 if there is no surface within the window.
    """
    box = ndimage.find_objects(mask.view(np.uint8))[0]
    box = tuple(slice(max(0, s.start - 3), s.stop + 3) for s in box)
    smooth, mask = smooth[box], mask[box]
    borders, within, around = [], [], []
    for axis in range(3):
        image, inside = np.moveaxis(smooth, axis, 0), np.moveaxis(mask, axis, 0)
        if len(image) < 4:
            continue
        face = inside[1:-2] != inside[2:-1]
        if outside is not None:
            there = ~np.moveaxis(outside[box], axis, 0)
            face &= there[1:-2] & there[2:-1]
        places = np.nonzero(face)
        # From the inside to the outside.
        outward = np.where(inside[1:-2][places], 1, -1)
        borders.append(outward * (image[3:][places] - image[:-3][places]))
        whole = np.nonzero(inside[:-3:2] & inside[3::2][: len(inside[:-3:2])])
        steps = np.abs(image[3::2] - image[:-3:2])
        within.append(steps[whole])
        around.append(steps.ravel())
    border = np.concatenate(borders) if borders else np.zeros(0)
    if not border.size:
        return 0.0
    # In a tiny object, those around it tell how noisy the image is.
    inner = np.concatenate(within)
    inner = inner if inner.size > FEW else np.concatenate(around)
    level = FACTOR * float(np.median(inner))
    share = float(np.mean(np.abs(border) > max(level, LEAST_STEP)))
    if np.count_nonzero(mask) < TINY:
        # A slope all over the place is brighter on one side, and darker on the other.
        share *= abs(float(border.sum())) / (float(np.abs(border).sum()) + 1e-6)
    return share


def raggedness(mask: np.ndarray) -> float:
    """Surface in voxel faces, relative to a ball of the same volume."""
    faces = sum(np.count_nonzero(np.diff(mask, axis=axis)) for axis in range(3))
    return faces / (7.25 * np.count_nonzero(mask) ** (2 / 3))
