"""The voxel grid of a volume, and conversions between voxel indices and RAS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from .errors import InputError

# Microscopy has the smallest spacings of the field and whole-body scouts the largest.
SMALLEST_SPACING_MM = 1e-5
LARGEST_SPACING_MM = 1e3
# Voxels; a position on the outer border counts as inside despite rounding.
BORDER_TOLERANCE = 1e-6
# Below this, the unit axes span (nearly) a plane and the grid cannot be inverted safely.
SMALLEST_UNIT_VOLUME = 1e-3
# DICOM's and ITK's readers assume the same for a single image.
UNKNOWN_THICKNESS_MM = 1.0
# Cosine between two axes above which a grid counts as sheared.
ORTHOGONAL_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class Geometry:
    """A grid of voxel centres in space.

    Any affine grid is allowed: oblique, flipped, anisotropic, or sheared by gantry tilt. A single
    slice of unknown thickness (NaN or 0) is assumed to be UNKNOWN_THICKNESS_MM thick.

    Attributes:
        ijk_to_ras: 4x4, maps (i, j, k, 1) of a voxel centre to (R, A, S, 1) in mm.
        shape: number of voxels along (k, j, i), the order of numpy arrays.

    Raises:
        InputError: if the matrix cannot place voxels in space, or the shape is empty.
    """

    ijk_to_ras: np.ndarray
    shape: tuple[int, int, int]

    def __post_init__(self) -> None:
        matrix = np.array(self.ijk_to_ras, dtype=float)
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        _check_shape(self.shape)
        if self.slice_axis is not None and matrix.shape == (4, 4):
            _set_unknown_thickness(matrix, 2 - self.slice_axis)
        matrix.flags.writeable = False
        object.__setattr__(self, "ijk_to_ras", matrix)
        _check_matrix(matrix)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return self.shape == other.shape and np.array_equal(self.ijk_to_ras, other.ijk_to_ras)

    def __hash__(self) -> int:
        return hash((self.shape, self.ijk_to_ras.tobytes()))

    @property
    def slice_axis(self) -> int | None:
        """The array axis (0, 1, 2: k, j, i) perpendicular to a single slice; None for a volume."""
        single = [axis for axis, count in enumerate(self.shape) if count == 1]
        return single[0] if len(single) == 1 else None

    @property
    def spacing(self) -> np.ndarray:
        """Distance between voxel centres along (i, j, k), mm."""
        return np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel, mm3; also right for sheared grids."""
        return float(abs(np.linalg.det(self.ijk_to_ras[:3, :3])))

    @property
    def directions(self) -> np.ndarray:
        """3x3, unit vectors of the i, j and k axes in RAS, as columns."""
        return self.ijk_to_ras[:3, :3] / self.spacing

    def is_sheared(self, tolerance: float = ORTHOGONAL_TOLERANCE) -> bool:
        """Whether the cosine between any two axes exceeds `tolerance`: they are not orthogonal."""
        off_axis = self.directions.T @ self.directions - np.eye(3)
        return bool(np.abs(off_axis).max() > tolerance)

    @property
    def ras_to_ijk(self) -> np.ndarray:
        """4x4 inverse of `ijk_to_ras`."""
        return np.linalg.inv(self.ijk_to_ras)

    def to_ras(self, ijk: np.ndarray) -> np.ndarray:
        """RAS in mm, (..., 3), of continuous voxel indices (..., 3) in the order i, j, k."""
        return apply_matrix(self.ijk_to_ras, ijk)

    def to_ijk(self, ras: np.ndarray) -> np.ndarray:
        """Continuous voxel indices (i, j, k), (..., 3), of positions in RAS mm, (..., 3)."""
        return apply_matrix(self.ras_to_ijk, ras)

    def contains(self, ras: np.ndarray) -> np.ndarray:
        """Whether positions in RAS mm, (..., 3), lie in a voxel of this grid, or on its border."""
        ijk = self.to_ijk(ras)
        last = np.array(self.shape[::-1]) - 0.5
        return np.all((ijk >= -0.5 - BORDER_TOLERANCE) & (ijk <= last + BORDER_TOLERANCE), axis=-1)

    def corners(self) -> np.ndarray:
        """RAS in mm, (8, 3), of the outer corners of the grid's voxels."""
        return self.to_ras(corners_between((-0.5,) * 3, np.array(self.shape[::-1]) - 0.5))

    def box_around(self, ras: np.ndarray) -> tuple[slice, slice, slice] | None:
        """Slices (k, j, i) of the smallest box with all voxels around positions (N, 3) in RAS mm.

        It is clipped to the grid; None if nothing of it is left.
        """
        indices = self.to_ijk(ras)[:, ::-1]
        start = np.clip(np.floor(indices.min(axis=0)), 0, self.shape)
        stop = np.clip(np.ceil(indices.max(axis=0)) + 1, 0, self.shape)
        if (stop <= start).any():
            return None
        return tuple(slice(int(a), int(b)) for a, b in zip(start, stop, strict=True))

    def transformed(self, matrix: np.ndarray) -> Geometry:
        """This grid transformed by a 4x4 matrix that maps its RAS to another RAS."""
        return Geometry(np.asarray(matrix, dtype=float) @ self.ijk_to_ras, self.shape)

    def crop(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Geometry:
        """The part of this grid that starts at voxel `start` (k, j, i), which may lie outside."""
        matrix = self.ijk_to_ras.copy()
        matrix[:3, 3] = self.to_ras(np.array(start[::-1], dtype=float))
        return Geometry(matrix, shape)

    def is_close(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids place every voxel at the same position, within `tolerance_mm`."""
        return self.shape == other.shape and bool(
            np.allclose(self.corners(), other.corners(), rtol=0, atol=tolerance_mm)
        )


def corners_between(low: Sequence[float], high: Sequence[float]) -> np.ndarray:
    """The eight corners of a box along the axes, (8, 3), in binary order."""
    return np.array(list(product(*zip(low, high, strict=True))), dtype=float)


def apply_matrix(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps points (..., 3) by an affine 4x4 matrix."""
    return np.asarray(points, dtype=float) @ matrix[:3, :3].T + matrix[:3, 3]


def _check_shape(shape: tuple[int, ...]) -> None:
    if len(shape) != 3:
        raise InputError(f"The volume has {len(shape)} dimensions; a 3D volume is needed.")
    if min(shape) < 1:
        raise InputError("The volume is empty: it has no voxels along at least one axis.")


def _set_unknown_thickness(matrix: np.ndarray, axis: int) -> None:
    """Fills in the column of a matrix that gives no thickness for a single slice."""
    column = matrix[:3, axis]
    if np.isfinite(column).all() and np.linalg.norm(column) > 0:
        return
    normal = np.cross(matrix[:3, (axis + 1) % 3], matrix[:3, (axis + 2) % 3])
    length = np.linalg.norm(normal)
    if np.isfinite(length) and length > 0:
        matrix[:3, axis] = UNKNOWN_THICKNESS_MM * normal / length


def _check_matrix(matrix: np.ndarray) -> None:
    if matrix.shape != (4, 4) or not np.allclose(matrix[3], (0, 0, 0, 1)):
        raise InputError("The volume's IJK-to-RAS matrix is not an affine 4x4 matrix.")
    if not np.isfinite(matrix).all():
        raise InputError(
            "The volume's IJK-to-RAS matrix holds NaN or infinite numbers: correct its spacing and "
            "directions in the Volumes module or in the file's header."
        )
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    if spacing.min() < SMALLEST_SPACING_MM or spacing.max() > LARGEST_SPACING_MM:
        raise InputError(
            f"The voxel spacing {_millimetres(spacing)} is not plausible (between "
            f"{SMALLEST_SPACING_MM:g} and {LARGEST_SPACING_MM:g} mm is): correct it in the "
            "Volumes module or in the file's header."
        )
    if abs(np.linalg.det(matrix[:3, :3] / spacing)) < SMALLEST_UNIT_VOLUME:
        raise InputError(
            "The volume's IJK-to-RAS matrix cannot be inverted: two of its axes point in the "
            "same direction. Correct the file's header."
        )


def _millimetres(spacing: np.ndarray) -> str:
    return " x ".join(f"{value:g}" for value in spacing) + " mm"
