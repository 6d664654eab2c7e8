"""NIfTI volumes and masks, read with nibabel's header and checks that every byte is there.

ITK fills the missing end of a NIfTI file with zeros, does not report a full disk, does not read
NIfTI-2 and refuses sheared volumes. nibabel does not check gzip's checksum.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING

import numpy as np

from .errors import InputError, MissingPackageError
from .file_formats import GZIP_MAGIC, incomplete
from .geometry import Geometry, corners_between
from .image import Image, check_components, check_dimensions

if TYPE_CHECKING:
    from nibabel import Nifti1Header

NIFTI_1_BYTES, NIFTI_2_BYTES = 348, 540
#: NIfTI-2's magic also contains line ends, which a transfer as text would have changed.
NIFTI_2_MAGIC = (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")
CHUNK_BYTES = 1 << 20
#: gzip's highest compression ratio. Source: zlib's technical details.
GZIP_LIMIT = 1032
#: The header fields that place the voxels.
FIELDS = (
    *("xyzt_units", "qform_code", "sform_code"),
    *("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z"),
)
SCANNER = 1
#: Millimetres per unit, by NIfTI's codes for metres and micrometres; all others mean mm.
MILLIMETRES = {1: 1000.0, 3: 0.001}
SPACE_UNITS = 0x07
#: ITK treats forms as equal, and axes as orthogonal, within this.
ITK_TOLERANCE = 1e-4
#: With forms that differ by at most this part of a voxel, every point stays in its voxel.
SAME_PLACE_VOXELS = 0.5


@dataclass(frozen=True, eq=False)
class NiftiForms:
    """The fields of a NIfTI header that place the voxels, kept to write them unchanged into masks.

    Attributes:
        fields: values by name.
        pixdim: the handedness of the qform, and the voxel sizes in the file's unit.
    """

    fields: dict[str, np.ndarray]
    pixdim: np.ndarray

    @classmethod
    def of(cls, header: Nifti1Header) -> NiftiForms:
        """The fields of a header that was read."""
        return cls({name: header[name].copy() for name in FIELDS}, header["pixdim"][:4].copy())

    @classmethod
    def placing(cls, geometry: Geometry) -> NiftiForms:
        """The fields for a new file: equal qform and sform; for a sheared grid only the sform."""
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
        # Without the unit of time, which a mask does not have.
        header["xyzt_units"] = int(self.fields["xyzt_units"]) & SPACE_UNITS
        header["pixdim"][:4] = self.pixdim


def read_nifti(path: Path) -> Image:
    """The volume of a NIfTI-1 or NIfTI-2 file (.nii, .nii.gz), or of a pair (.hdr and .img).

    Raises:
        InputError: if it is damaged or incomplete, or no 3D scalar volume.
        MissingPackageError: if nibabel is not installed.
    """
    with _opened(path) as stream:
        header = _header(stream, path)
        if header["magic"].tobytes().startswith(b"ni"):
            data = _data_file_of(path)
            with _opened(data) as voxel_stream:
                voxels = _voxels(voxel_stream, header, 0, data)
        else:
            voxels = _voxels(stream, header, stream.tell(), path)
    geometry, warnings = _placed(header, voxels.shape, path.name)
    return Image(voxels, geometry, warnings=warnings, nifti=NiftiForms.of(header))


def write_nifti(path: Path, labels: np.ndarray, forms: NiftiForms) -> None:
    """Writes a uint8 mask (k, j, i) as NIfTI-1, compressed if `path` ends in .gz.

    Raises:
        OSError: if writing fails.
        MissingPackageError: if nibabel is not installed.
    """
    nibabel = nibabel_package()
    header = nibabel.Nifti1Header()
    header.set_data_dtype(labels.dtype)
    header.set_data_shape(labels.shape[::-1])
    forms.write_into(header)
    nibabel.Nifti1Image(labels.T, None, header).to_filename(path)


def nibabel_package() -> ModuleType:
    """nibabel, imported only when needed: it is not part of Slicer, and the effect reads no files.

    Raises:
        MissingPackageError: if it is not installed.
    """
    try:
        import nibabel
    except ImportError as error:
        raise MissingPackageError(
            "NIfTI files need the package nibabel: install it (pip install nibabel)."
        ) from error
    return nibabel


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed if they are gzip, whatever its name says."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == GZIP_MAGIC
            file.seek(0)
            with gzip.GzipFile(fileobj=file) if packed else file as stream:
                yield stream
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise incomplete(path, "the compressed data break off or are damaged") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _header(stream: IO[bytes], path: Path) -> Nifti1Header:
    nibabel = nibabel_package()
    start = stream.read(NIFTI_1_BYTES)
    first, size = nibabel.Nifti1Header, NIFTI_1_BYTES
    if NIFTI_2_BYTES in (int.from_bytes(start[:4], order) for order in ("little", "big")):
        first, size = nibabel.Nifti2Header, NIFTI_2_BYTES
        start += stream.read(NIFTI_2_BYTES - NIFTI_1_BYTES)
    if len(start) < size:
        raise incomplete(path, f"its header has {len(start)} of {size} bytes")
    if first is nibabel.Nifti2Header and start[4:12] not in NIFTI_2_MAGIC:
        raise incomplete(path, "line ends in it were changed, as by a transfer as text")
    header = first(start, check=False)
    # Handedness of the qform: 0 means 1 (NIfTI-1 standard), but nibabel accepts only -1 and 1.
    header["pixdim"][0] = -1 if header["pixdim"][0] < 0 else 1
    return header


def _data_file_of(header: Path) -> Path:
    name = header.name.removesuffix(".gz").removesuffix(".hdr")
    for suffix in (".img", ".img.gz"):
        if (data := header.with_name(name + suffix)).is_file():
            return data
    raise InputError(f"{header} needs the file {name}.img beside it: put it there.")


def _voxels(stream: IO[bytes], header: Nifti1Header, position: int, path: Path) -> np.ndarray:
    """The intensities (k, j, i) from a stream that was read up to byte `position`."""
    shape, stored = _shape_and_type(header, path)
    offset = float(header["vox_offset"])
    if not position <= offset < path.stat().st_size * GZIP_LIMIT:
        raise InputError(
            f"The header of {path} is wrong: its voxels would begin at byte {offset:g}."
        )
    offset, size = int(offset), math.prod(shape) * stored.itemsize
    _check_size(stream, offset + size, path)
    for _ in _chunks(stream, offset - position):
        pass
    buffer = np.empty(size, np.uint8)
    filled = 0
    for chunk in _chunks(stream, size):
        buffer[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        filled += len(chunk)
    if filled < size:
        raise incomplete(path, f"it holds {filled} of {size} bytes of voxels")
    # To the end, where gzip stores its checksum.
    while stream.read(CHUNK_BYTES):
        pass
    voxels = buffer.view(stored).reshape(shape[::-1])
    if not stored.isnative:
        voxels = voxels.byteswap(inplace=True).view(stored.newbyteorder("="))
    return _scaled(voxels, header)


def _shape_and_type(header: Nifti1Header, path: Path) -> tuple[tuple[int, int, int], np.dtype]:
    """Shape (i, j, k) and data type of the stored voxels."""
    try:
        shape, stored = tuple(int(n) for n in header.get_data_shape()), header.get_data_dtype()
    except (nibabel_package().spatialimages.HeaderDataError, KeyError) as error:
        raise InputError(f"The header of {path} is wrong: {error}.") from error
    if any(n < 1 for n in shape):
        raise InputError(f"The header of {path} is wrong: its dimensions are {shape}.")
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    # The fifth dimension is for the components of vectors.
    components = shape[4] if len(shape) == 5 and shape[3] == 1 else len(stored.names or "-")
    check_components(components)
    check_dimensions(max(len(shape), 3))
    if stored.kind not in "iuf":
        raise InputError(f"Voxels of type {stored} are not intensities.")
    return (*shape, 1, 1)[:3], stored


def _check_size(stream: IO[bytes], needed: int, path: Path) -> None:
    """Refuses a file that is too short before memory is allocated for its header's promises."""
    there = path.stat().st_size * (GZIP_LIMIT if isinstance(stream, gzip.GzipFile) else 1)
    if there < needed:
        raise incomplete(path, f"its header promises {needed} bytes and there are {there}")


def _chunks(stream: IO[bytes], count: int) -> Iterator[bytes]:
    """The next `count` bytes of a stream, or fewer at its end."""
    while count > 0 and (chunk := stream.read(min(CHUNK_BYTES, count))):
        count -= len(chunk)
        yield chunk


def _scaled(voxels: np.ndarray, header: Nifti1Header) -> np.ndarray:
    """Intensities of stored values; scaled ones in single precision, as in ITK.

    64-bit integers become double precision. A slope of 0 or NaN means no scaling (NIfTI-1
    standard).
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    intercept = intercept if np.isfinite(intercept) else 0.0
    if not np.isfinite(slope) or slope == 0 or (slope, intercept) == (1.0, 0.0):
        return voxels.astype(np.float64) if voxels.dtype.itemsize > 8 else voxels
    kind = np.float64 if voxels.dtype.itemsize >= 8 else np.float32
    scaled = voxels.astype(kind)
    # An overflow gives infinity, which is reported when the intensities are checked.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled *= kind(slope)
        scaled += kind(intercept)
    return scaled


def _placed(
    header: Nifti1Header, shape: tuple[int, int, int], name: str
) -> tuple[Geometry, tuple[str, ...]]:
    """The grid of a NIfTI file as Slicer places it, and what the user should know about it.

    Slicer, ITK-SNAP and other programs built on ITK take the qform, unless the sform is orthogonal
    and that of the scanner, or there is no qform. The same is done here, because prompts come from
    Slicer and masks go to it. nibabel, FSL and SPM take the sform whenever there is one. Where the
    two differ, a warning says so. A sheared sform without a qform, which ITK refuses, is used as
    it is.

    Source: SetImageIOOrientationFromNIfTI in ITK 5.4's itkNiftiImageIO.cxx.

    Args:
        shape: (k, j, i).
        name: the file's name, for messages.

    Returns:
        The grid and warnings.

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
    geometry, more = _chosen(forms, header, sizes * scale, shape, name)
    return geometry, warnings + more


def _forms(
    header: Nifti1Header, scale: float, shape: tuple[int, int, int]
) -> tuple[dict[str, Geometry], dict[str, ValueError]]:
    """The grids in mm by each form that is set, and the errors of those that cannot be used."""
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
    """The grid that ITK chooses, and a warning if another differs from it; sizes in mm."""
    qform, sform = forms.get("qform"), forms.get("sform")
    if not forms:
        # As ITK does: along DICOM's patient axes, with the first voxel at the origin.
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
    # As ITK does: the sform's directions and origin, with the voxel sizes of pixdim.
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
    """A warning if two fields of a file place the voxels differently."""
    corners = corners_between((0,) * 3, np.array(taken.shape[::-1]) - 1)
    apart = np.linalg.norm(taken.to_ras(corners) - other.to_ras(corners), axis=1)
    # The first of the corners that are farthest apart.
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
