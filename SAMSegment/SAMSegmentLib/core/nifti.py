"""NIfTI volumes and masks, by nibabel's header and with every byte accounted for.

ITK reads a NIfTI file that breaks off as if zeros followed, says of a full disk that all went well,
knows no NIfTI-2 and refuses sheared volumes. nibabel does not look at gzip's checksum.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import IO, TYPE_CHECKING

import numpy as np

from .errors import InputError, MissingPackageError
from .file_kinds import GZIP_MAGIC, incomplete
from .image import Image, check_components, check_dimensions
from .nifti_forms import NiftiForms, placed

if TYPE_CHECKING:
    from nibabel import Nifti1Header

NIFTI_1_BYTES, NIFTI_2_BYTES = 348, 540
#: NIfTI-2's magic also holds line ends, which a transfer as text would have changed.
NIFTI_2_MAGIC = (b"n+2\0\r\n\x1a\n", b"ni2\0\r\n\x1a\n")
CHUNK_BYTES = 1 << 20
#: gzip packs nothing tighter. Source: zlib's technical details.
GZIP_LIMIT = 1032


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
    geometry, warnings = placed(header, voxels.shape, path.name)
    return Image(voxels, geometry, warnings=warnings, nifti=NiftiForms.of(header))


def write_nifti(path: Path, mask: np.ndarray, forms: NiftiForms) -> None:
    """Writes a uint8 mask (k, j, i) as NIfTI-1, packed if `path` ends in .gz.

    Raises:
        OSError: if writing fails.
        MissingPackageError: if nibabel is not installed.
    """
    nibabel = nibabel_package()
    header = nibabel.Nifti1Header()
    header.set_data_dtype(np.uint8)
    header.set_data_shape(mask.shape[::-1])
    forms.write_into(header)
    nibabel.Nifti1Image(mask.T, None, header).to_filename(path)


def nibabel_package() -> ModuleType:
    """nibabel, imported when it is needed: Slicer does not bring it, and the effect reads no files.

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
    """The file's bytes, unpacked if they are gzip, whatever its name says."""
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
    # Handedness of the qform: 0 counts as 1 (NIfTI-1 standard), which nibabel takes only as fixed.
    header["pixdim"][0] = -1 if header["pixdim"][0] < 0 else 1
    return header


def _data_file_of(header: Path) -> Path:
    name = header.name.removesuffix(".gz").removesuffix(".hdr")
    for suffix in (".img", ".img.gz"):
        if (data := header.with_name(name + suffix)).is_file():
            return data
    raise InputError(f"{header} needs the file {name}.img beside it: put it there.")


def _voxels(stream: IO[bytes], header: Nifti1Header, position: int, path: Path) -> np.ndarray:
    """The intensities (k, j, i), from a stream that has been read up to `position`."""
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
    # To the end, where gzip has its checksum.
    while stream.read(CHUNK_BYTES):
        pass
    voxels = buffer.view(stored).reshape(shape[::-1])
    if not stored.isnative:
        voxels = voxels.byteswap(inplace=True).view(stored.newbyteorder("="))
    return _scaled(voxels, header)


def _shape_and_type(header: Nifti1Header, path: Path) -> tuple[tuple[int, int, int], np.dtype]:
    """Shape (i, j, k) and stored type of a volume of numbers."""
    try:
        shape, stored = tuple(int(n) for n in header.get_data_shape()), header.get_data_dtype()
    except (nibabel_package().spatialimages.HeaderDataError, KeyError) as error:
        raise InputError(f"The header of {path} is wrong: {error}.") from error
    if any(n < 1 for n in shape):
        raise InputError(f"The header of {path} is wrong: its dimensions are {shape}.")
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    # The fifth dimension holds a vector's components.
    components = shape[4] if len(shape) == 5 and shape[3] == 1 else len(stored.names or "-")
    check_components(components)
    check_dimensions(max(len(shape), 3))
    if stored.kind not in "iuf":
        raise InputError(f"Voxels of type {stored} are not intensities.")
    return (*shape, 1, 1)[:3], stored


def _check_size(stream: IO[bytes], needed: int, path: Path) -> None:
    """Refuses a file that is too short, before memory is taken for what its header promises."""
    there = path.stat().st_size * (GZIP_LIMIT if isinstance(stream, gzip.GzipFile) else 1)
    if there < needed:
        raise incomplete(path, f"its header promises {needed} bytes and there are {there}")


def _chunks(stream: IO[bytes], count: int) -> Iterator[bytes]:
    """The next `count` bytes of a stream, or those that there are."""
    while count > 0 and (chunk := stream.read(min(CHUNK_BYTES, count))):
        count -= len(chunk)
        yield chunk


def _scaled(voxels: np.ndarray, header: Nifti1Header) -> np.ndarray:
    """Intensities of stored values; scaled ones in single precision, as ITK has them.

    Integers of 64 bits become double. A slope of 0 or NaN means none (NIfTI-1 standard).
    """
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    intercept = intercept if np.isfinite(intercept) else 0.0
    if not np.isfinite(slope) or slope == 0 or (slope, intercept) == (1.0, 0.0):
        return voxels.astype(np.float64) if voxels.dtype.itemsize > 8 else voxels
    kind = np.float64 if voxels.dtype.itemsize >= 8 else np.float32
    scaled = voxels.astype(kind)
    # What overflows is infinite, which is told when the intensities are looked at.
    with np.errstate(over="ignore", invalid="ignore"):
        scaled *= kind(slope)
        scaled += kind(intercept)
    return scaled
