"""Where SAMSegment 3D looks at a volume: windows of cubic voxels, as fine as the object needs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.geometry import Geometry
from ...core.prompts import Roi
from ..samsegment3d.network import MULTIPLE
from .volume_frame import SLIGHTLY, VolumeFrame, on_lattice

#: Voxels along a side of a window, within what training showed the network (48 to 96); fewer, down
#: to LEAST, where the volume ends before.
MOST, LEAST = 80, 32
#: In which a click is looked at first, if the volume is no smaller.
FIRST_MM = 1.0
#: But no finer than this share of the volume's smallest voxel edge.
FIRST_SHARE = 0.75
#: The coarsest in which an object is followed.
COARSEST_MM = 4.0
#: The finest in which it is looked at again, likewise: the rest is interpolation.
FINEST_SHARE = 0.5
#: An ROI's window is so many times as large, to show what lies around.
ROOM = 1.25
# Voxels between the starts of neighbouring windows.
LATTICE = 8
# The finest part of a voxel by which a window's start is told apart from another.
_DIGITS = 3


def rung(mm: float) -> float:
    """The smallest spacing of the ladder ... 0.5, 0.75, 1, 1.5, 2, 3, 4 ... that is no smaller."""
    octave = 2.0 ** np.floor(np.log2(mm))
    return float(next(s * octave for s in (1.0, 1.5, 2.0) if s * octave >= mm * (1 - SLIGHTLY)))


class WindowFrame(VolumeFrame):
    """The windows of a volume, and the spacings that make sense in it.

    Attributes:
        finest: the finest spacing worth looking at, mm.
        first: the spacing in which a click is looked at first: FIRST_MM, or what the volume has
            where that is coarser; finer if all of the volume is seen then.
        coarsest: the coarsest in which an object is followed.
    """

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(geometry)
        axis = geometry.slice_axis
        # What is said of a single slice's thickness tells nothing of what is to be seen in it.
        edges = geometry.spacing if axis is None else np.delete(geometry.spacing, 2 - axis)
        edge = float(edges.min())
        self.finest = rung(FINEST_SHARE * edge)
        whole = rung(float((self.high - self.low).max()) / MOST)
        # Finer voxels than the volume has would show less of it, and nothing more.
        self.first = max(min(FIRST_MM, whole), rung(FIRST_SHARE * edge))
        self.coarsest = max(COARSEST_MM, self.first)

    def around(self, ras: np.ndarray, spacing: float) -> Window3D:
        """The window around a position, RAS mm; moved into the volume if that is large enough."""
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
        start = on_lattice(start, first, last, LATTICE * spacing)
        # Rounded, so that equal windows have equal names.
        corner = np.round(start / spacing, _DIGITS)
        return Window3D(
            self, tuple(float(n) for n in corner), float(spacing), tuple(int(n) for n in shape)
        )

    def around_all(self, places: np.ndarray, room: float = ROOM, at_least: float = 0.0) -> Window3D:
        """The finest window around positions (N, 3) in RAS mm.

        Args:
            room: so many times as large as what they span, it is at least.
            at_least: and its voxels, mm.
        """
        along = np.asarray(places, dtype=float) @ self.axes
        low, high = np.clip([along.min(0), along.max(0)], self.low, self.high)
        spacing = rung(max(room * float((high - low).max()) / MOST, self.finest, at_least))
        return self.around(self.axes @ ((low + high) / 2), spacing)

    def around_roi(self, roi: Roi) -> Window3D:
        """The window for an ROI: as fine as all of it, with ROOM, allows."""
        return self.around_all(roi.corners())


@dataclass(frozen=True, eq=False)
class Window3D:
    """A part of space that the network sees at once.

    Attributes:
        corner: its lowest corner along the frame's axes, in voxels of its own from RAS 0.
        spacing: side of a voxel, mm.
        shape: voxels along x, y, z.
    """

    frame: WindowFrame
    corner: tuple[float, float, float]
    spacing: float
    shape: tuple[int, int, int]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Window3D) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple:
        """Names it among all windows of its volume."""
        return self.corner, self.spacing, self.shape

    @cached_property
    def start(self) -> np.ndarray:
        """Its lowest corner along the frame's axes, mm."""
        return np.array(self.corner) * self.spacing

    @cached_property
    def side(self) -> np.ndarray:
        """mm along x, y, z."""
        return np.array(self.shape) * self.spacing

    @cached_property
    def geometry(self) -> Geometry:
        """The voxels that the network gets; array axes are x, y, z."""
        return self.frame.grid(self.start, self.spacing, self.shape)

    @cached_property
    def half_geometry(self) -> Geometry:
        """Those of 2 x 2 x 2 of them, in which ROI and previous mask are told."""
        return self.frame.grid(self.start, 2 * self.spacing, tuple(n // 2 for n in self.shape))

    def place(self, ras: np.ndarray) -> np.ndarray:
        """Continuous voxels (..., 3) along x, y, z of positions (..., 3) in RAS mm."""
        return (np.asarray(ras, dtype=float) @ self.frame.axes - self.start) / self.spacing - 0.5

    def voxels(self, ras: np.ndarray) -> np.ndarray:
        """(..., 3), by x, y, z: the voxels nearest to positions (..., 3) in RAS mm."""
        return np.clip(np.rint(self.place(ras)), 0, np.array(self.shape) - 1).astype(int)

    def holds(self, ras: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Whether positions (..., 3) in RAS mm lie in it: boolean (...).

        Args:
            margin: voxels that it must be away from faces beyond which the volume goes on.
        """
        place = self.place(ras) + 0.5
        low, high = (
            np.array([margin if self.goes_on(axis, side) else -1e-2 for axis in range(3)])
            for side in (-1, 1)
        )
        return ((place >= low) & (place <= self.shape - high)).all(-1)

    def goes_on(self, axis: int, side: int) -> bool:
        """Whether the volume goes on beyond a face (axis 0, 1, 2: x, y, z; side -1, +1)."""
        start, end = self.start[axis], self.start[axis] + self.side[axis]
        if side < 0:
            return bool(start - self.spacing > self.frame.low[axis])
        return bool(end + self.spacing < self.frame.high[axis])
