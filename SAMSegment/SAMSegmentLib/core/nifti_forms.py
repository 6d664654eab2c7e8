"""Where a NIfTI file says its voxels lie: the qform, the sform, or both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .errors import InputError
from .geometry import Geometry

if TYPE_CHECKING:
    from nibabel import Nifti1Header

#: The header fields that place the voxels.
FIELDS = (
    *("xyzt_units", "qform_code", "sform_code"),
    *("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z"),
)
SCANNER = 1
#: Millimetres per unit of length; NIfTI's codes for metres and micrometres. Others mean mm.
MILLIMETRES = {1: 1000.0, 3: 0.001}
SPACE_UNITS = 0x07
#: ITK holds forms for equal, and axes for orthogonal, within this.
ITK_TOLERANCE = 1e-4
#: Forms that differ by no more than this part of a voxel leave each point in its voxel.
SAME_PLACE_VOXELS = 0.5


@dataclass(frozen=True, eq=False)
class NiftiForms:
    """The placing fields of a NIfTI header, kept to be written into masks as they were read.

    Attributes:
        fields: name and value of each.
        pixdim: the handedness of the qform, and the voxel sizes in the file's unit.
    """

    fields: dict[str, np.ndarray]
    pixdim: np.ndarray

    @classmethod
    def of(cls, header: Nifti1Header) -> NiftiForms:
        """Those of a file that was read."""
        return cls({name: header[name].copy() for name in FIELDS}, header["pixdim"][:4].copy())

    @classmethod
    def placing(cls, geometry: Geometry) -> NiftiForms:
        """Those of a file that is new: qform and sform alike; for sheared grids the sform alone."""
        from nibabel import Nifti1Header

        header = Nifti1Header()
        header.set_xyzt_units("mm")
        header["pixdim"][1:4] = geometry.spacing
        if not geometry.is_sheared():
            header.set_qform(geometry.ijk_to_ras, SCANNER)
        header.set_sform(geometry.ijk_to_ras, SCANNER)
        return cls.of(header)

    def write_into(self, header: Nifti1Header) -> None:
        """Sets the fields of a header."""
        for name, value in self.fields.items():
            header[name] = value
        # The unit of time stays out: a mask has none.
        header["xyzt_units"] = int(self.fields["xyzt_units"]) & SPACE_UNITS
        header["pixdim"][:4] = self.pixdim


def placed(
    header: Nifti1Header, shape: tuple[int, int, int], name: str
) -> tuple[Geometry, tuple[str, ...]]:
    """The grid of a NIfTI file as Slicer places it, and what the user should know about that.

    Slicer, ITK-SNAP and whatever else is built on ITK take the qform, unless the sform is
    orthogonal and the scanner's own, or there is no qform. So is it done here, because prompts come
    from Slicer and masks go to it. nibabel, FSL and SPM take the sform wherever there is one. Files
    on which they differ get a warning. A sheared sform without a qform is read as it stands; ITK
    refuses it.

    Source: SetImageIOOrientationFromNIfTI in ITK 5.4's itkNiftiImageIO.cxx.

    Args:
        shape: (k, j, i).
        name: of the file, for the messages.

    Returns:
        Geometry, and warnings.

    Raises:
        InputError: if the header cannot place the voxels.
    """
    sizes = header["pixdim"][1:4].astype(float)
    if not (np.isfinite(sizes) & (sizes > 0)).all():
        given = " x ".join(f"{size:g}" for size in sizes)
        raise InputError(
            f"The voxel sizes in the header of {name} (pixdim: {given}) are not positive: correct "
            "the file's header."
        )
    scale = MILLIMETRES.get(int(header["xyzt_units"]) & SPACE_UNITS, 1.0)
    forms, wrong = _forms(header, scale, shape)
    if wrong and not forms:
        form, problem = wrong.popitem()
        raise InputError(f"The {form} in the header of {name} is wrong: {problem}")
    warnings = tuple(
        f"The {form} in the header of {name} is wrong, so the other form was taken. ({problem})"
        for form, problem in wrong.items()
    )
    geometry, told = _chosen(forms, header, sizes * scale, shape, name)
    return geometry, warnings + told


def _forms(
    header: Nifti1Header, scale: float, shape: tuple[int, int, int]
) -> tuple[dict[str, Geometry], dict[str, ValueError]]:
    """The grids in mm by each form that is set, and what is wrong with those that place nothing."""
    forms, wrong = {}, {}
    for form in ("qform", "sform"):
        if header[f"{form}_code"] <= 0:
            continue
        try:
            matrix = header.get_qform() if form == "qform" else header.get_sform()
            forms[form] = Geometry(np.diag([scale, scale, scale, 1.0]) @ matrix, shape)
        except ValueError as error:
            wrong[form] = error
    return forms, wrong


def _chosen(
    forms: dict[str, Geometry],
    header: Nifti1Header,
    sizes: np.ndarray,
    shape: tuple[int, int, int],
    name: str,
) -> tuple[Geometry, tuple[str, ...]]:
    """The grid that ITK takes, and a warning where another could have been taken; sizes in mm."""
    qform, sform = forms.get("qform"), forms.get("sform")
    if not forms:
        # Along the axes of DICOM's patient, from the first voxel on.
        return Geometry(np.diag([*(sizes * (-1, -1, 1)), 1.0]), shape), (
            f"{name} does not say where its voxels lie (neither qform nor sform is set). They were "
            "placed as Slicer does; left and right may be the wrong way round.",
        )
    if sform is None:
        return qform, ()
    if qform is None and sform.is_sheared(ITK_TOLERANCE):
        return sform, ()
    scanners = int(header["sform_code"]) == SCANNER and not sform.is_sheared(ITK_TOLERANCE)
    if not (qform is None or scanners or _similar(qform, sform)):
        return qform, _difference(name, qform, "qform", sform, "sform")
    # The sform's directions and origin, but the voxel sizes beside it.
    matrix = sform.ijk_to_ras.copy()
    matrix[:3, :3] = sform.directions * sizes
    taken = Geometry(matrix, shape)
    warnings = _difference(name, taken, "pixdim", sform, "sform")
    if qform is not None:
        warnings += _difference(name, taken, "sform", qform, "qform")
    return taken, warnings


def _similar(one: Geometry, other: Geometry) -> bool:
    return np.allclose(one.ijk_to_ras, other.ijk_to_ras, rtol=0, atol=ITK_TOLERANCE)


def _difference(
    name: str, taken: Geometry, by_taken: str, other: Geometry, by_other: str
) -> tuple[str, ...]:
    """A warning that a file places its voxels twice, if it does."""
    last = np.array(taken.shape[::-1]) - 1
    corners = np.stack(np.meshgrid(*[(0, n) for n in last], indexing="ij"), axis=-1).reshape(-1, 3)
    apart = np.linalg.norm(taken.to_ras(corners) - other.to_ras(corners), axis=1)
    # The first corner of the farthest ones.
    farthest = corners[int(np.argmax(apart > apart.max() * 0.999))]
    if apart.max() <= SAME_PLACE_VOXELS * taken.spacing.min():
        return ()
    return (
        f"{name} places its voxels twice, up to {apart.max():.1f} mm apart: voxel "
        f"({_numbers(farthest, 0)}) lies at R, A, S = ({_numbers(taken.to_ras(farthest))}) mm by "
        f"its {by_taken} and at ({_numbers(other.to_ras(farthest))}) mm by its {by_other}. The "
        f"{by_taken} was taken, as Slicer does; other programs may take the {by_other}. A mask "
        "that is written as NIfTI keeps both.",
    )


def _numbers(values: np.ndarray, digits: int = 1) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)
