"""Windows: cuboids of cubic voxels along the patient's axes, as 3D networks get them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...core.geometry import Geometry
from ...core.image import Image
from ...core.orientation import towards_ras
from ...core.patch import Patch
from ...core.prompts import Roi
from ...core.resample import sample_linear

#: Of a window without contrast.
ONE_INTENSITY = (
    "All voxels around the prompt have the same intensity: there is nothing to segment. "
    "Check the volume there, or set a wider intensity range."
)
# Which of two places that are equally near is taken must not depend on rounding.
SLIGHTLY = 1e-6
# A position that lies so many voxels outside a window still counts as in it.
_FACE_TOLERANCE = 1e-2
# Starts of windows are rounded to so many digits, so that equal windows have equal keys.
_DIGITS = 3
# Beyond any window, in front of a single slice and behind it; still a plausible spacing of a grid.
_BEYOND_MM = 450.0
# Stands for "outside the volume" among intensities; no scanner writes it.
_OUTSIDE = float(np.finfo(np.float32).max)


class VolumeFrame:
    """A volume's axes x, y, z: those of its grid that run closest to R, A and S.

    So a network sees volumes as canonical ones (RAS+), not turned. The axes of a sheared grid are
    made perpendicular, so that windows are cuboids. Each model decides where its windows lie.

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

    def window(
        self,
        start: np.ndarray,
        spacing: float,
        shape: tuple[int, int, int],
        rounding: float | None = None,
    ) -> Window:
        """A window that starts (its lowest corner) at a place along the axes, mm.

        Args:
            spacing: mm between its voxels.
            shape: voxels along x, y, z.
            rounding: mm, to a thousandth of which the start is rounded; None: the spacing.
        """
        unit = spacing if rounding is None else rounding
        start = np.round(np.asarray(start) / unit, _DIGITS) * unit
        return Window(self, tuple(start.tolist()), float(spacing), tuple(int(n) for n in shape))

    def grid(self, start: np.ndarray, spacing: float, shape: tuple[int, int, int]) -> Geometry:
        """Cubic voxels from a corner on, mm along the axes; array axes are x, y, z."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes[:, ::-1] * spacing
        matrix[:3, 3] = self.axes @ (np.asarray(start) + spacing / 2)
        return Geometry(matrix, shape)


def nearest_step(start: np.ndarray, first: np.ndarray, last: np.ndarray, step: float) -> np.ndarray:
    """The place nearest to a start among even steps from the first to the last, all (3,) in mm.

    Args:
        step: at most so far apart, so that clicks near each other share a window.
    """
    steps = np.maximum(np.ceil((last - first) / step - SLIGHTLY), 1)
    share = (start - first) / np.maximum(last - first, SLIGHTLY * step)
    place = first + (last - first) * np.round(share * steps - SLIGHTLY) / steps
    return np.clip(place, first, last)


@dataclass(frozen=True, eq=False)
class Window:
    """A part of space that a network sees at once.

    Attributes:
        start: its lowest corner along the frame's axes, mm.
        spacing: side of a voxel, mm.
        shape: voxels along x, y, z.
    """

    frame: VolumeFrame
    start: tuple[float, float, float]
    spacing: float
    shape: tuple[int, int, int]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Window) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    @property
    def key(self) -> tuple:
        """Names it among all windows of its volume."""
        return self.start, self.spacing, self.shape

    @cached_property
    def side(self) -> np.ndarray:
        """mm along x, y, z."""
        return np.array(self.shape) * self.spacing

    @property
    def center(self) -> np.ndarray:
        """RAS mm."""
        return self.frame.axes @ (np.array(self.start) + self.side / 2)

    @cached_property
    def geometry(self) -> Geometry:
        """The voxels that the network gets; array axes are x, y, z."""
        return self.coarser(1)

    def coarser(self, factor: int) -> Geometry:
        """Voxels of so many of them along each axis, as those of a network's mask."""
        shape = tuple(n // factor for n in self.shape)
        return self.frame.grid(self.start, factor * self.spacing, shape)

    def place(self, ras: np.ndarray) -> np.ndarray:
        """Continuous voxels (..., 3) along x, y, z of positions (..., 3) in RAS mm."""
        return self._from_start(ras) / self.spacing - 0.5

    def voxels(self, ras: np.ndarray) -> np.ndarray:
        """(..., 3), by x, y, z: the voxels nearest to positions (..., 3) in RAS mm."""
        return np.clip(np.rint(self.place(ras)), 0, np.array(self.shape) - 1).astype(int)

    def holds(self, ras: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Whether positions (..., 3) in RAS mm lie in it: boolean (...).

        Args:
            margin: voxels that it must be away from faces beyond which the volume continues.
        """
        place = self.place(ras) + 0.5
        low, high = (
            np.array([margin if self.continues(n, side) else -_FACE_TOLERANCE for n in range(3)])
            for side in (-1, 1)
        )
        return ((place >= low) & (place <= self.shape - high)).all(-1)

    def depth(self, ras: np.ndarray) -> float:
        """mm from a position in RAS mm to the nearest face; negative outside."""
        inside = self._from_start(ras)
        return float(np.minimum(inside, self.side - inside).min())

    def continues(self, axis: int, side: int) -> bool:
        """Whether the volume continues beyond a face (axis 0, 1, 2: x, y, z; side -1, +1).

        By more than a voxel of the window.
        """
        if side < 0:
            return bool(self.start[axis] - self.spacing > self.frame.low[axis])
        end = self.start[axis] + self.side[axis]
        return bool(end + self.spacing < self.frame.high[axis])

    def contained_voxels(self, grid: Geometry) -> np.ndarray:
        """Which voxels of a grid lie in it, boolean (k, j, i)."""
        size = self.side + 2 * _FACE_TOLERANCE * self.spacing
        return Roi.from_box(self.center, size, self.frame.axes).contains_voxels(grid)

    def _from_start(self, ras: np.ndarray) -> np.ndarray:
        return np.asarray(ras, dtype=float) @ self.frame.axes - self.start


def intensities_in(image: Image, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """An image's intensities at a window's voxels, float32 (x, y, z), and which lie outside of it.

    Those outside are the largest finite number.

    Raises:
        InputError: if the volume holds NaN or infinite voxels there.
    """
    voxels, grid = _repeated(image.voxels, image.geometry, image.geometry.slice_axis)
    values = sample_linear(voxels, grid, window.geometry, _OUTSIDE)
    if not np.isfinite(values).all():
        _ = image.value_range  # raises the error
    return values, values == _OUTSIDE


def filled_share(mask: Patch, geometry: Geometry, window: Window) -> np.ndarray:
    """How much of each voxel of a window a mask on a volume's grid fills: float32, 0 to 1."""
    source = geometry.crop(mask.start, mask.values.shape)
    voxels, source = _repeated(mask.values, source, geometry.slice_axis)
    return sample_linear(voxels, source, window.geometry, 0.0)


def through_slice(roi: Roi, geometry: Geometry) -> Roi:
    """An ROI on a single slice, as a column through it; in a volume, as it is."""
    if geometry.slice_axis is None:
        return roi
    across = geometry.directions[:, 2 - geometry.slice_axis]
    matrix = roi.box_to_ras.copy()
    matrix[:3, int(np.abs(roi.axes.T @ across).argmax())] = 2 * _BEYOND_MM * across
    return Roi(matrix)


def _repeated(
    voxels: np.ndarray, geometry: Geometry, axis: int | None
) -> tuple[np.ndarray, Geometry]:
    """A single slice as two equal ones far apart; voxels (k, j, i) of a volume as they are.

    So a network of volumes sees an object on a slice as a column through the window, not as a disc
    as thin as a voxel.

    Args:
        axis: the array axis across the slice; None: it is a volume.
    """
    if axis is None:
        return voxels, geometry
    matrix = geometry.ijk_to_ras.copy()
    column = 2 - axis
    step = 2 * _BEYOND_MM * matrix[:3, column] / geometry.spacing[column]
    matrix[:3, column] = step
    matrix[:3, 3] -= step / 2
    twice = np.repeat(voxels, 2, axis)
    return twice, Geometry(matrix, twice.shape)
