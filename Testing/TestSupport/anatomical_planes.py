"""Planes through a volume as radiologists look at them, for pictures."""

from __future__ import annotations

import numpy as np
from matplotlib.patheffects import withStroke

from SAMSegmentLib.core.geometry import Geometry

#: Picture axes in RAS: to the right, and down. The patient's left is on the right.
PLANES = {
    "axial": ((-1, 0, 0), (0, -1, 0)),
    "coronal": ((-1, 0, 0), (0, 0, -1)),
    "sagittal": ((0, -1, 0), (0, 0, -1)),
}
# What stands at the left and the right edge, at the top and the bottom.
LETTERS = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}


def plane_through(center, name: str, corners: np.ndarray, pixel_mm: float) -> Geometry:
    """A grid one voxel thick through `center`, (R, A, S) in mm, that covers what lies in `corners`.

    Args:
        name: one of PLANES.
        corners: RAS in mm, (n, 3).
        pixel_mm: side of a pixel.

    Returns:
        Rows run down and columns to the right of the picture.
    """
    right, down = (np.array(direction, float) for direction in PLANES[name])
    corners = corners - center
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, down, np.cross(right, down)], axis=1) * pixel_mm
    first = [(corners @ direction).min() for direction in (right, down)]
    extent = [np.ptp(corners @ direction) for direction in (right, down)]
    matrix[:3, 3] = center + right * first[0] + down * first[1]
    columns, rows = (max(1, int(length / pixel_mm)) for length in extent)
    return Geometry(matrix, (1, rows, columns))


def finish_plane(axis, name: str, plane: Geometry) -> None:
    """Gives a picture of a plane its title, its limits, and the letters of its directions."""
    _, rows, columns = plane.shape
    spots = [(0.02, 0.5), (0.98, 0.5), (0.5, 0.98), (0.5, 0.02)]
    anchors = [("left", "center"), ("right", "center"), ("center", "top"), ("center", "bottom")]
    for letter, spot, (h, v) in zip(LETTERS[name], spots, anchors, strict=True):
        text = axis.text(
            *spot, letter, color="white", ha=h, va=v, transform=axis.transAxes, fontsize=12
        )
        text.set_path_effects([withStroke(linewidth=3, foreground="black")])
    axis.set_title(name, color="white", fontsize=12)
    axis.set_xlim(0, columns - 1)
    axis.set_ylim(rows - 1, 0)
    axis.set_aspect("equal")
    axis.axis("off")
