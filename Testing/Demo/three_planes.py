"""A picture of a volume in three planes with the outlines of segments over it."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.resample import resample_linear
from TestSupport.anatomical_planes import PLANES, finish_plane, plane_through

PIXEL_MM = 1.0
# What a radiologist sees of a chest: level -500, width 1500 (HU).
BLACK, WHITE = -1250.0, 250.0


def save_three_planes(path: Path, image: Image, masks: dict, title: str) -> None:
    """Writes a PNG with an axial, a coronal and a sagittal plane through the segments.

    Args:
        masks: name -> (boolean mask on the image's grid, RGB colour).
    """
    union = np.any([mask for mask, _ in masks.values()], axis=0)
    center = image.geometry.to_ras(np.argwhere(union).mean(0)[::-1])
    figure, axes = plt.subplots(1, 3, figsize=(15, 5.6), facecolor="black")
    corners = image.geometry.corners()
    for axis, name in zip(axes, PLANES, strict=True):
        # A sagittal plane between the lungs would show neither.
        at = _in_first_mask(image, masks) if name == "sagittal" else center
        _draw(axis, name, plane_through(at, name, corners, PIXEL_MM), image, masks)
    handles = [plt.Line2D([], [], color=color, lw=3, label=n) for n, (_, color) in masks.items()]
    figure.legend(
        handles=handles,
        loc="lower center",
        ncols=len(handles),
        frameon=False,
        labelcolor="white",
        fontsize=13,
    )
    figure.suptitle(title, color="white", fontsize=14)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.92, bottom=0.09, wspace=0.03)
    figure.savefig(path, dpi=100, facecolor="black")
    plt.close(figure)


def _in_first_mask(image: Image, masks: dict) -> np.ndarray:
    mask, _ = next(iter(masks.values()))
    return image.geometry.to_ras(np.argwhere(mask).mean(0)[::-1])


def _draw(axis, name: str, plane: Geometry, image: Image, masks: dict) -> None:
    grey = resample_linear(image.voxels, image.geometry, plane, BLACK)[0]
    axis.imshow(grey, cmap="gray", vmin=BLACK, vmax=WHITE, interpolation="bilinear")
    for mask, color in masks.values():
        inside = resample_linear(mask.astype(np.float32), image.geometry, plane, 0)[0]
        if inside.max() > 0.5:
            overlay = np.zeros((*inside.shape, 4))
            overlay[inside > 0.5] = (*color, 0.25)
            axis.imshow(overlay, interpolation="nearest")
            axis.contour(inside, [0.5], colors=[color], linewidths=1.8)
    finish_plane(axis, name, plane)
