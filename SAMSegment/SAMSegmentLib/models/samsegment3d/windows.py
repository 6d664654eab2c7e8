"""The windows of SAMSegment 3D: as fine as the object needs."""

from __future__ import annotations

import numpy as np

from ...core.geometry import Geometry
from ...core.prompts import Roi
from ..windowed.windows import SLIGHTLY, VolumeFrame, Window, nearest_step
from .network import MULTIPLE

#: Voxels along a side of a window, within what training showed the network (48 to 96); fewer, down
#: to LEAST, where the volume ends before.
MOST, LEAST = 80, 32
#: The spacing of a click's first window, if the volume is no smaller.
FIRST_MM = 1.0
#: But no finer than this share of the volume's smallest voxel edge.
FIRST_SHARE = 0.75
#: The coarsest in which an object is followed.
COARSEST_MM = 4.0
#: The finest in which it is predicted again, likewise: the rest is interpolation.
FINEST_SHARE = 0.5
#: An ROI's window is so many times as large, to show what lies around.
ROOM = 1.25
# Voxels between the starts of neighbouring windows, at most.
START_STEP = 8


def allowed_spacing(mm: float) -> float:
    """The smallest spacing of ... 0.5, 0.75, 1, 1.5, 2, 3, 4 ... that is no smaller."""
    octave = 2.0 ** np.floor(np.log2(mm))
    return float(next(s * octave for s in (1.0, 1.5, 2.0) if s * octave >= mm * (1 - SLIGHTLY)))


class WindowFrame(VolumeFrame):
    """The windows of a volume, and the spacings that make sense in it.

    Attributes:
        finest: the finest spacing that makes sense, mm.
        first: the spacing of a click's first window: FIRST_MM, or what the volume has
            where that is coarser; finer if all of the volume is seen then.
        coarsest: the coarsest in which an object is followed.
    """

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(geometry)
        axis = geometry.slice_axis
        # A single slice's thickness has nothing to do with how fine it is.
        edges = geometry.spacing if axis is None else np.delete(geometry.spacing, 2 - axis)
        edge = float(edges.min())
        self.finest = allowed_spacing(FINEST_SHARE * edge)
        whole = allowed_spacing(float((self.high - self.low).max()) / MOST)
        # Finer voxels than the volume has would show less of it, and nothing more.
        self.first = max(min(FIRST_MM, whole), allowed_spacing(FIRST_SHARE * edge))
        self.coarsest = max(COARSEST_MM, self.first)

    def around(self, ras: np.ndarray, spacing: float | None = None) -> Window:
        """The window around a position, RAS mm; moved into the volume if that is large enough.

        Args:
            spacing: mm; None: that of a click's first window.
        """
        spacing = self.first if spacing is None else spacing
        extent = self.high - self.low
        groups = np.ceil(extent / spacing / MULTIPLE - SLIGHTLY).astype(int)
        shape = np.clip(MULTIPLE * groups, LEAST, MOST)
        side = shape * spacing
        # A smaller volume lies in the middle; a thin one in the middle of voxels, not between two.
        middle = (self.low + self.high - side) / 2 - np.where(
            side - extent > spacing, spacing / 2, 0
        )
        first = np.where(extent > side, self.low, middle)
        last = np.where(extent > side, self.high - side, middle)
        start = np.asarray(ras, dtype=float) @ self.axes - side / 2
        return self.window(
            nearest_step(start, first, last, START_STEP * spacing), spacing, tuple(shape)
        )

    def around_all(self, places: np.ndarray, room: float = ROOM, at_least: float = 0.0) -> Window:
        """The finest window around positions (N, 3) in RAS mm.

        Args:
            room: so many times as large as what they span, it is at least.
            at_least: and its voxels, mm.
        """
        along = np.asarray(places, dtype=float) @ self.axes
        low, high = np.clip([along.min(0), along.max(0)], self.low, self.high)
        spacing = max(room * float((high - low).max()) / MOST, self.finest, at_least)
        return self.around(self.axes @ ((low + high) / 2), allowed_spacing(spacing))

    def around_roi(self, roi: Roi) -> Window:
        """The window for an ROI: as fine as all of it, with ROOM, allows."""
        return self.around_all(roi.corners())
