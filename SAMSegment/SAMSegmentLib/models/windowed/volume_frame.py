"""A volume's own axes, in the patient's order, and where windows of a network may start on them."""

from __future__ import annotations

import numpy as np

from ...core.geometry import Geometry
from ...core.orientation import towards_ras

# Which of two places that are equally near is taken must not hang on rounding.
SLIGHTLY = 1e-6


class VolumeFrame:
    """A volume's axes x, y, z: those of its grid that run closest to R, A and S.

    So a network sees volumes as canonical ones (RAS+), not turned. The axes of a sheared grid are
    made perpendicular, so that windows are cuboids.

    Attributes:
        axes: 3x3, unit vectors of x, y and z in RAS, as columns.
        low, high: where the volume begins and ends along them, mm.
        flat_axis: which of them is across a single slice; None in a volume.
    """

    def __init__(self, geometry: Geometry) -> None:
        canonical = towards_ras(geometry).apply_to_geometry(geometry)
        # Array axes x, y, z are counted k, j, i.
        self.flat_axis = canonical.slice_axis
        left, _, right = np.linalg.svd(canonical.directions[:, ::-1])
        self.axes = left @ right
        ends = geometry.corners() @ self.axes
        self.low, self.high = ends.min(0), ends.max(0)

    def grid(self, start: np.ndarray, spacing: float, shape: tuple[int, int, int]) -> Geometry:
        """Cubic voxels from a corner on, mm along the axes; array axes are x, y, z."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes[:, ::-1] * spacing
        matrix[:3, 3] = self.axes @ (np.asarray(start) + spacing / 2)
        return Geometry(matrix, shape)


def on_lattice(start: np.ndarray, first: np.ndarray, last: np.ndarray, step: float) -> np.ndarray:
    """The place nearest to a start among even steps from the first to the last, all (3,) in mm.

    Args:
        step: at most so far apart, so that clicks near each other share a window.
    """
    steps = np.maximum(np.ceil((last - first) / step - SLIGHTLY), 1)
    share = (start - first) / np.maximum(last - first, SLIGHTLY * step)
    place = first + (last - first) * np.round(share * steps - SLIGHTLY) / steps
    return np.clip(place, first, last)
