"""Finds objects in volumes without labels: watershed regions on which two views agree.

A region between edges of the image is an object only if it stays the same when the image is
smoothed more. Its border is then where grey levels change most, which the network has to learn.
In a CT, bone, gas and the body are known by their Hounsfield units.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from .stable_regions import LARGEST, SMALLEST, Region

#: Smallest Dice of a region at two scales; with a larger one, two regions are the same.
AGREEMENT, SAME = 0.8, 0.75
#: The two scales, mm, and the depths of basins that are filled, as shares of the gradient's spread.
SCALES = (1.2, 2.2)
LEVELS = (0.06, 0.15)
MOST_REGIONS = 60
#: In larger volumes it takes too long, voxels.
MOST_VOXELS = 800_000
#: Hounsfield units of bone and gas.
BONE, GAS = 180, -400


def watershed_regions(voxels: np.ndarray, spacing: tuple[float, ...]) -> list[Region]:
    """Regions between edges, largest first; none in volumes of more than MOST_VOXELS.

    Args:
        voxels: the image.
        spacing: mm along the array's axes.
    """
    if voxels.size > MOST_VOXELS:
        return []
    gradients = [_gradient(voxels, spacing, scale) for scale in SCALES]
    found: list[Region] = []
    for level in LEVELS:
        one, other = (_basins(gradient, level) for gradient in gradients)
        for region in _agreed(one, other, float(np.prod(spacing))):
            if not any(region.dice(known) > SAME for known in found):
                found.append(region)
    return sorted(found, key=lambda region: -region.count)[:MOST_REGIONS]


def ct_tissues(hounsfield: np.ndarray, spacing: tuple[float, ...]) -> list[Region]:
    """Bones, gas within the body, and the body, in a CT."""
    smooth = ndimage.gaussian_filter(hounsfield.astype(np.float32), [0.8 / mm for mm in spacing])
    body = ndimage.binary_opening(smooth > GAS, iterations=2)
    parts, count = ndimage.label(body)
    if not count:
        return []
    body = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:]))
    # Filled slice by slice, because airways and bowels may reach the first or last one.
    filled = np.stack([ndimage.binary_fill_holes(part) for part in body.transpose(2, 0, 1)], 2)
    bones = ndimage.binary_closing(smooth > BONE, iterations=1)
    bones = np.stack([ndimage.binary_fill_holes(part) for part in bones.transpose(2, 0, 1)], 2)
    found = [_region(filled)]
    for mask in (bones & filled, filled & (smooth < GAS)):
        labels, _ = ndimage.label(mask)
        for number, box in enumerate(ndimage.find_objects(labels), 1):
            part = labels[box] == number
            count = np.count_nonzero(part)
            if SMALLEST < count * float(np.prod(spacing)) < LARGEST:
                found.append(Region(box, part, count))
    return found


def _region(mask: np.ndarray) -> Region:
    box = ndimage.find_objects(mask.view(np.uint8))[0]
    return Region(box, mask[box], np.count_nonzero(mask))


def _gradient(voxels: np.ndarray, spacing: tuple[float, ...], scale: float) -> sitk.Image:
    """The size of the gradient, 1 at its 95th percentile."""
    sigma = [scale / mm for mm in spacing]
    gradient = ndimage.gaussian_gradient_magnitude(voxels.astype(np.float32), sigma)
    return sitk.GetImageFromArray(gradient / (np.percentile(gradient, 95) + 1e-6))


def _basins(gradient: sitk.Image, level: float) -> np.ndarray:
    return sitk.GetArrayFromImage(
        sitk.MorphologicalWatershed(gradient, level, markWatershedLine=False)
    ).astype(np.int64)


def _agreed(one: np.ndarray, other: np.ndarray, voxel_mm3: float) -> Iterator[Region]:
    """The regions of one partition that are also in another."""
    sizes, other_sizes = np.bincount(one.ravel()), np.bincount(other.ravel())
    pairs, common = np.unique(one * other_sizes.size + other, return_counts=True)
    first, second = np.divmod(pairs, other_sizes.size)
    agreement = 2 * common / (sizes[first] + other_sizes[second])
    if len(sizes) < 3:  # all of the volume is one region
        return
    boxes = ndimage.find_objects(one)
    for number in first[agreement >= AGREEMENT]:
        if number and SMALLEST < sizes[number] * voxel_mm3 < LARGEST:
            box = boxes[number - 1]
            yield Region(box, one[box] == number, int(sizes[number]))
