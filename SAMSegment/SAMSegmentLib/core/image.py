"""A scalar volume: its voxels and their grid."""

from __future__ import annotations

import uuid
from collections.abc import Hashable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk

from .errors import InputError, NotScalarError
from .geometry import Geometry

if TYPE_CHECKING:
    from .nifti import NiftiForms

# SimpleITK works in LPS, Slicer and this library in RAS.
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
# HU. No other scanner writes numbers below it.
CT_LOWEST = -200.0


@dataclass(frozen=True, eq=False)
class Image:
    """A scalar volume; it may be shared, and must not be changed.

    Attributes:
        voxels: intensities, (k, j, i), any real dtype.
        geometry: the grid of the voxels.
        modality: "CT", "MR", ... if the file or the scene gives it.
        key: identifies these voxels in caches; different whenever the voxels are.
        owner: the source of the voxels, such as a SimpleITK image; kept alive with them.
        warnings: what the user should know about the position of the voxels, in full sentences.
        nifti: how the NIfTI file places the voxels, for masks in that format; None without one.

    Raises:
        InputError: if this is neither a 3D scalar volume nor a single slice.
    """

    voxels: np.ndarray
    geometry: Geometry
    modality: str | None = None
    key: Hashable = field(default_factory=uuid.uuid4)
    owner: object = None
    warnings: tuple[str, ...] = ()
    nifti: NiftiForms | None = None

    def __post_init__(self) -> None:
        _check_array(self.voxels)
        if self.voxels.shape != self.geometry.shape:
            raise InputError(
                f"Voxels {self.voxels.shape} and geometry {self.geometry.shape} do not match."
            )

    @cached_property
    def value_range(self) -> tuple[float, float]:
        """Smallest and largest intensity.

        Raises:
            InputError: if a voxel is NaN or infinite, or if all voxels are equal.
        """
        lowest, highest = float(self.voxels.min()), float(self.voxels.max())
        if not np.isfinite((lowest, highest)).all():
            raise InputError(
                "The volume holds NaN or infinite voxels: replace them first, in Slicer with "
                "Simple Filters > ThresholdImageFilter from -1e30 to 1e30, in Python with "
                "numpy.nan_to_num(voxels, posinf=0, neginf=0)."
            )
        if lowest == highest:
            raise InputError(
                f"Every voxel of the volume is {lowest:g}: there is nothing to segment. "
                "Check that the right volume is selected and loaded completely."
            )
        return lowest, highest

    @property
    def is_ct(self) -> bool:
        """Whether intensities are Hounsfield units: as the file says, else by the air around."""
        if self.modality is not None:
            return self.modality == "CT"
        return self.value_range[0] < CT_LOWEST


def image_from_sitk(source: sitk.Image) -> Image:
    """An image that shares SimpleITK's voxels; a 2D one becomes a single slice at z = 0.

    Raises:
        InputError: if it is not a 3D or 2D scalar image.
    """
    check_components(source.GetNumberOfComponentsPerPixel())
    if source.GetDimension() == 2:
        source = sitk.JoinSeries(source)
    if source.GetDimension() == 4 and source.GetSize()[3] == 1:
        source = source[:, :, :, 0]
    shared = _SharedVoxels(source)
    voxels = np.asarray(shared)
    _check_array(voxels)
    return Image(voxels, geometry_of_sitk(source), _modality(source), owner=shared.image)


def geometry_of_sitk(source: sitk.Image) -> Geometry:
    """The grid of a 3D SimpleITK image, in RAS."""
    direction = np.array(source.GetDirection()).reshape(3, 3)
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = direction * np.array(source.GetSpacing())
    ijk_to_lps[:3, 3] = source.GetOrigin()
    return Geometry(LPS_TO_RAS @ ijk_to_lps, source.GetSize()[::-1])


def sitk_from_array(voxels: np.ndarray, geometry: Geometry) -> sitk.Image:
    """A SimpleITK image with the voxels (k, j, i), or (k, j, i, component), on the grid.

    SimpleITK supports sheared grids; only its readers of NIfTI and of DICOM series do not.
    """
    image = sitk.GetImageFromArray(np.ascontiguousarray(voxels), isVector=voxels.ndim == 4)
    ijk_to_lps = LPS_TO_RAS @ geometry.ijk_to_ras
    image.SetSpacing(geometry.spacing.tolist())
    image.SetOrigin(ijk_to_lps[:3, 3].tolist())
    image.SetDirection((ijk_to_lps[:3, :3] / geometry.spacing).ravel().tolist())
    return image


class _SharedVoxels:
    """Voxels of a SimpleITK image for NumPy, whose arrays keep them alive and unchanged.

    SimpleITK's own view would show freed memory once the image is deleted or gets other voxels. The
    voxels are therefore shared with a second image: when the caller's image is changed, SimpleITK
    copies its voxels first.
    """

    def __init__(self, source: sitk.Image) -> None:
        # The view comes first: a view of an image whose voxels are shared would copy them.
        self.__array_interface__ = sitk.GetArrayViewFromImage(source).__array_interface__
        self.image = sitk.Image(source)


def check_components(count: int) -> None:
    """Refuses voxels with several components, before they are read."""
    if count != 1:
        raise NotScalarError(
            f"The image has {count} components per voxel (colour, vector or time series): extract "
            "one of them as a scalar volume."
        )


def check_dimensions(count: int) -> None:
    """Refuses images that are not 3D, before they are read."""
    if count != 3:
        raise (NotScalarError if count > 3 else InputError)(
            f"The image has {count} dimensions; a 3D scalar volume is needed. "
            "Of a time series, take one time point; of a single slice, load the whole series."
        )


def _check_array(voxels: np.ndarray) -> None:
    check_dimensions(voxels.ndim)
    if voxels.size == 0:
        raise InputError("The volume is empty: it has no voxels.")
    if sum(n == 1 for n in voxels.shape) > 1:
        raise InputError(
            f"The image is a single row of voxels ({' x '.join(map(str, voxels.shape[::-1]))}): "
            "a volume or a slice is needed."
        )
    if voxels.dtype.kind not in "iufb":
        raise InputError(f"Voxels of type {voxels.dtype} are not intensities.")


def _modality(source: sitk.Image) -> str | None:
    dicom_modality = "0008|0060"
    if source.HasMetaDataKey(dicom_modality):
        return source.GetMetaData(dicom_modality).strip() or None
    return None
