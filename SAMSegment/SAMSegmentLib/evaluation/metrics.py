"""Agreement of a mask with the truth: of volumes (DSC) and of surfaces (NSD)."""

from __future__ import annotations

import warnings
from types import ModuleType

import numpy as np

from ..core.errors import InputError, MissingPackageError
from ..core.overlap import dice
from ..core.patch import bounding_box

#: Distance up to which two surfaces agree, mm. Source: CVPR 2025 challenge on interactive 3D
#: segmentation (JunMa11/CVPR-MedSegFMCompetition).
TOLERANCE_MM = 2.0


def dsc(truth: np.ndarray, mask: np.ndarray) -> float:
    """Dice similarity coefficient of two masks of one shape (k, j, i), 0 to 1.

    Two empty masks agree: 1. One empty mask: 0.

    Raises:
        InputError: if the shapes differ.
    """
    truth, mask = _as_masks(truth, mask)
    return dice(truth, mask, empty=1.0)


def nsd(
    truth: np.ndarray, mask: np.ndarray, spacing: np.ndarray, tolerance_mm: float = TOLERANCE_MM
) -> float:
    """Normalised surface Dice: the share of both surfaces within a tolerance of the other.

    Source: Nikolov et al., Clinically applicable segmentation of head and neck anatomy, J Med
    Internet Res 23, e26151 (2021), and its implementation, the package surface-distance.

    Two empty masks agree: 1. One empty mask: 0.

    Args:
        truth, mask: masks of one shape (k, j, i).
        spacing: of the voxels along (i, j, k) in mm, as `Geometry.spacing`. The directions of the
            axes do not matter as long as they are orthogonal. The tilt of a sheared grid is
            ignored: distances are measured as if its slices were aligned.
        tolerance_mm: distance that counts as agreement.

    Raises:
        InputError: if the shapes differ.
        MissingPackageError: if surface-distance is not installed.
    """
    truth, mask = _as_masks(truth, mask)
    box = bounding_box(truth | mask)
    if box is None:
        return 1.0
    if not truth.any() or not mask.any():
        return 0.0
    surface_distance = _surface_distance()
    # NumPy's axes are k, j, i. The box is copied because the package is slow on views.
    with warnings.catch_warnings():
        # The package uses old names of scipy's functions.
        warnings.simplefilter("ignore", DeprecationWarning)
        distances = surface_distance.compute_surface_distances(
            np.ascontiguousarray(truth[box]), np.ascontiguousarray(mask[box]), spacing[::-1]
        )
    return float(surface_distance.compute_surface_dice_at_tolerance(distances, tolerance_mm))


def check_packages() -> None:
    """Checks before a computation whether `nsd` is available.

    Raises:
        MissingPackageError: if surface-distance is not installed.
    """
    _surface_distance()


def _as_masks(truth: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if truth.shape != mask.shape:
        raise InputError(
            f"The truth {truth.shape} and the mask {mask.shape} do not have the same shape: put "
            "them on one grid first."
        )
    return truth.astype(bool, copy=False), mask.astype(bool, copy=False)


def _surface_distance() -> ModuleType:
    try:
        import surface_distance
    except ImportError as error:
        raise MissingPackageError(
            "The package surface-distance, which measures how far surfaces lie apart, is not "
            "installed: pip install surface-distance."
        ) from error
    return surface_distance
