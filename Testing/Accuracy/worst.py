"""Pictures of the objects that came out worst."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patheffects import withStroke

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.patch import bounding_box
from SAMSegmentLib.core.prompts import Point, Roi
from SAMSegmentLib.core.resample import resample_linear
from SAMSegmentLib.evaluation.protocol import Step
from SAMSegmentLib.evaluation.simulated_user import next_click
from TestSupport.anatomical_planes import PLANES, finish_plane, plane_through

NUMBER = 10
#: mm of surroundings that are shown, at least, and as a share of the object.
MARGIN_MM, MARGIN_SHARE = 15.0, 0.25
PIXELS = 400
PERCENTILES = (0.5, 99.5)
TRUTH, MASK, ROI = "#00E676", "#FF9100", "#40C4FF"
POSITIVE, NEGATIVE = "#FFFF00", "#FF1744"


@dataclass(frozen=True, eq=False)
class Finished:
    """An object after its last step."""

    image: Image
    truth: np.ndarray
    step: Step
    name: str


class Worst:
    """Keeps the objects with the lowest Dice, and lets the others go."""

    def __init__(self, number: int = NUMBER) -> None:
        self._number = number
        self.kept: list[Finished] = []

    def add(self, finished: Finished) -> None:
        """Takes an object in if it is among the worst so far."""
        self.kept.append(finished)
        self.kept.sort(key=lambda kept: kept.step.dsc)
        del self.kept[self._number :]

    def save(self, folder: Path) -> list[Path]:
        """Writes a PNG for each, the worst first, in place of an earlier run's."""
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("*.png"):
            old.unlink()
        paths = []
        for rank, finished in enumerate(self.kept, start=1):
            name = re.sub(r"[^a-z0-9]+", "_", finished.name.lower()).strip("_")
            paths.append(folder / f"{rank:02}_{name}.png")
            save_picture(paths[-1], finished)
        return paths


def save_picture(path: Path, finished: Finished) -> None:
    """Writes a PNG with three planes through the middle of the largest error."""
    image, truth, step = finished.image, finished.truth, finished.step
    error = next_click(truth, step.mask, image.geometry)
    box = bounding_box(truth | step.mask)
    middle = [(part.start + part.stop - 1) / 2 for part in box[::-1]]
    center = np.array(error.ras) if error is not None else image.geometry.to_ras(np.array(middle))
    corners = _surroundings(image.geometry, box, step.prompts.roi)
    pixel = max(float(np.ptp(corners, axis=0).max()) / PIXELS, 0.1)
    figure, axes = plt.subplots(1, 3, figsize=(15, 6.2), facecolor="black")
    for axis, name in zip(axes, PLANES, strict=True):
        plane = plane_through(center, name, corners, pixel)
        _draw_voxels(axis, plane, finished)
        if step.prompts.roi is not None:
            _draw_roi(axis, plane, step.prompts.roi)
        for number, point in enumerate(step.prompts.points, start=1):
            _draw_click(axis, plane, point, number, image.geometry)
        finish_plane(axis, name, plane)
    figure.legend(
        handles=_legend(),
        loc="lower center",
        ncols=6,
        frameon=False,
        labelcolor="white",
        fontsize=12,
    )
    title = f"{finished.name}\nafter {step.interaction}: Dice {step.dsc:.3f}, NSD {step.nsd:.3f}"
    figure.suptitle(title, color="white", fontsize=14)
    figure.subplots_adjust(left=0.01, right=0.99, top=0.85, bottom=0.09, wspace=0.03)
    figure.savefig(path, dpi=90, facecolor="black")
    plt.close(figure)


def _surroundings(geometry: Geometry, box, roi: Roi | None) -> np.ndarray:
    """RAS in mm, (n, 3), of corners between which everything of interest lies."""
    start = tuple(part.start for part in box)
    shape = tuple(part.stop - part.start for part in box)
    corners = geometry.crop(start, shape).corners()
    if roi is not None:
        corners = np.concatenate([corners, roi.corners()])
    low, high = corners.min(0), corners.max(0)
    margin = max(MARGIN_MM, MARGIN_SHARE * (high - low).max())
    return np.stack([low - margin, high + margin])


def _draw_voxels(axis, plane: Geometry, finished: Finished) -> None:
    image = finished.image
    lower, upper = np.percentile(image.voxels[_nearby(image.geometry, finished)], PERCENTILES)
    grey = resample_linear(image.voxels, image.geometry, plane, float(image.voxels.min()))[0]
    axis.imshow(grey, cmap="gray", vmin=lower, vmax=max(upper, lower + 1e-6))
    for mask, color in ((finished.truth, TRUTH), (finished.step.mask, MASK)):
        inside = resample_linear(mask.astype(np.float32), image.geometry, plane, 0)[0]
        if inside.max() > 0.5:
            axis.contour(inside, [0.5], colors=[color], linewidths=1.8)


def _nearby(geometry: Geometry, finished: Finished) -> tuple[slice, ...]:
    """The box of voxels around truth and mask, from which the picture's window is taken."""
    box = bounding_box(finished.truth | finished.step.mask)
    margins = np.ceil(MARGIN_MM / geometry.spacing[::-1]).astype(int)
    return tuple(
        slice(max(0, part.start - margin), part.stop + margin)
        for part, margin in zip(box, margins, strict=True)
    )


def _draw_roi(axis, plane: Geometry, roi: Roi) -> None:
    """The ROI's cut: where the largest of its three coordinates is half an edge."""
    _, rows, columns = plane.shape
    j, i = np.indices((rows, columns))
    ras = plane.to_ras(np.stack([i, j, np.zeros_like(i)], axis=-1))
    to_box = np.linalg.inv(roi.box_to_ras)
    distance = np.abs(ras @ to_box[:3, :3].T + to_box[:3, 3]).max(-1)
    if distance.min() < 0.5 < distance.max():
        axis.contour(distance, [0.5], colors=[ROI], linewidths=1.4, linestyles="dashed")


def _draw_click(axis, plane: Geometry, point: Point, number: int, volume: Geometry) -> None:
    """A click and its number; faint if it lies more than a slice off the plane."""
    column, row, depth = plane.to_ijk(np.array(point.ras))
    near = abs(depth) * plane.spacing[2] <= volume.spacing.max()
    color, marker = (POSITIVE, "+") if point.positive else (NEGATIVE, "x")
    alpha = 1.0 if near else 0.4
    axis.plot(column, row, marker, color=color, markersize=12, markeredgewidth=2.5, alpha=alpha)
    text = axis.annotate(
        str(number),
        (column, row),
        xytext=(6, 5),
        textcoords="offset points",
        color=color,
        alpha=alpha,
        fontsize=10,
    )
    text.set_path_effects([withStroke(linewidth=2, foreground="black")])


def _legend() -> list:
    lines = [("truth", TRUTH, "-"), ("mask", MASK, "-"), ("ROI", ROI, "--")]
    handles = [plt.Line2D([], [], color=c, ls=style, lw=2, label=n) for n, c, style in lines]
    clicks = [("click on the object", POSITIVE, "+"), ("click beside it", NEGATIVE, "x")]
    for name, color, marker in clicks:
        style = {"marker": marker, "markersize": 10, "markeredgewidth": 2.5, "ls": ""}
        handles.append(plt.Line2D([], [], color=color, label=name, **style))
    handles.append(plt.Line2D([], [], ls="", label="(faint: in another slice)"))
    return handles
