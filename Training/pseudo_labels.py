"""Finds objects in volumes without labels: masks of LiteMedSAM on which two clicks agree.

    python -m Training.pseudo_labels ../shared/training/unlabelled/crlm_ct/*.nii.gz --minutes 20

In each volume, clicks are placed where the image is homogeneous and no object is known yet. An
object is kept if a second click, deep inside it, gives the same mask, and if grey levels change at
its border. The masks are written to out/training/pseudo_labels/NAME.npz as bits, one array per
object, since objects may overlap.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from scipy import ndimage

from SAMSegmentLib import Segmenter
from SAMSegmentLib.core.overlap import dice

#: Smallest Dice of the masks of two clicks on one object.
AGREEMENT = 0.8
#: Smallest and largest volume of an object, mm³: 1 ml to 3 l.
SMALLEST, LARGEST = 1e3, 3e6
# Smallest step of grey levels across the border, in standard deviations within the object.
LEAST_STEP = 0.8
OUTPUT = Path("out/training/pseudo_labels")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("volumes", nargs="+", type=Path)
    parser.add_argument("--minutes", type=float, default=20, help="for all volumes together")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for volume in given.volumes:
        objects = find_objects(volume, 60 * given.minutes / len(given.volumes), given.seed)
        print(f"{volume.name}: {len(objects)} objects", flush=True)
    return 0


def find_objects(path: Path, seconds: float, seed: int) -> list[np.ndarray]:
    """Boolean masks of the objects found in a volume within a time; each is saved at once."""
    image = sitk.ReadImage(str(path), sitk.sitkFloat32)
    voxels = sitk.GetArrayFromImage(image)
    places = _homogeneous(voxels, image.GetSpacing()[::-1])
    random, objects = np.random.default_rng(seed), []
    voxel_mm3 = float(np.prod(image.GetSpacing()))
    until = time.monotonic() + seconds
    while time.monotonic() < until and places.any():
        click = np.argwhere(places)[random.integers(np.count_nonzero(places))]
        places[_around(click, image.GetSpacing()[::-1], 8.0, voxels.shape)] = False
        mask = _mask(image, click)
        if not SMALLEST < mask.sum() * voxel_mm3 < LARGEST or not _stands_out(voxels, mask):
            continue
        depth = ndimage.distance_transform_edt(mask, image.GetSpacing()[::-1])
        second = _mask(image, np.unravel_index(depth.argmax(), depth.shape))
        if dice(mask, second) < AGREEMENT:
            continue
        agreed = mask & second
        if any(dice(agreed, other) > AGREEMENT for other in objects):
            continue
        objects.append(agreed)
        places &= ~agreed
        save(OUTPUT / f"{path.name.split('.')[0]}.npz", objects)
        print(f"{path.name}: {agreed.sum() * voxel_mm3 / 1e3:.0f} ml", flush=True)
    return objects


def save(path: Path, masks: list[np.ndarray]) -> None:
    """Writes the masks of one volume as bits."""
    bits = {f"mask_{n}": np.packbits(mask) for n, mask in enumerate(masks)}
    np.savez_compressed(path, shape=np.array(masks[0].shape), **bits)


def load(path: Path) -> list[np.ndarray]:
    """The boolean masks (k, j, i) of one volume."""
    with np.load(path) as stored:
        shape = tuple(stored["shape"])
        count = int(np.prod(shape))
        return [
            np.unpackbits(stored[name], count=count).reshape(shape).astype(bool)
            for name in stored.files
            if name != "shape"
        ]


def _mask(image: sitk.Image, click: np.ndarray) -> np.ndarray:
    """The included model's mask for one click at a voxel (k, j, i)."""
    x, y, z = image.TransformContinuousIndexToPhysicalPoint([float(n) for n in click[::-1]])
    with Segmenter(image) as segmenter:
        segmenter.add_point((-x, -y, z))
        return sitk.GetArrayFromImage(segmenter.mask()) > 0


def _homogeneous(voxels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Where the image is homogeneous, within the body and not at the volume's border."""
    low, high = np.percentile(voxels, [1, 99])
    smooth = ndimage.gaussian_filter(voxels, [2.0 / mm for mm in spacing])
    gradient = ndimage.gaussian_gradient_magnitude(voxels, [2.0 / mm for mm in spacing])
    body = smooth > low + 0.15 * (high - low)
    even = body & (gradient < np.percentile(gradient[body], 40))
    even[:2] = even[-2:] = False
    return ndimage.binary_erosion(even)


def _around(
    center: np.ndarray, spacing: tuple[float, ...], radius: float, shape: tuple[int, ...]
) -> tuple[slice, ...]:
    return tuple(
        slice(max(0, int(c - radius / mm)), min(n, int(c + radius / mm) + 1))
        for c, mm, n in zip(center, spacing, shape, strict=True)
    )


def _stands_out(voxels: np.ndarray, mask: np.ndarray) -> bool:
    """Whether grey levels change at an object's border, over all of its surroundings."""
    inner = mask & ~ndimage.binary_erosion(mask)
    outer = ndimage.binary_dilation(mask, iterations=2) & ~ndimage.binary_dilation(mask)
    spread = voxels[mask].std() + 1e-6
    inside = np.median(voxels[inner])
    return float(np.median(np.abs(voxels[outer] - inside))) > LEAST_STEP * spread


if __name__ == "__main__":
    sys.exit(main())
