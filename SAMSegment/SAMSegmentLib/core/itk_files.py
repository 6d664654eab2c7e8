"""Files read and written by ITK, with checks and error messages that ITK lacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .errors import InputError, is_out_of_memory, reason_of
from .file_formats import HEAD_BYTES, READABLE, incomplete
from .geometry import Geometry
from .image import Image, geometry_of_sitk, image_from_sitk, sitk_from_array
from .paths import named_in_utf8
from .process_state import decimal_point
from .text_headers import check_meta_image, check_nrrd

#: First bytes of the picture formats in which ITK, or a check here, finds missing parts.
PICTURES = {
    b"\x89PNG\r\n\x1a\n": "PNGImageIO",
    b"\xff\xd8\xff": "JPEGImageIO",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG2000ImageIO",
    b"\xff\x4f\xff\x51": "JPEG2000ImageIO",
}
JPEG_END = b"\xff\xd9"


def read_nrrd(path: Path) -> Image:
    """The volume of a NRRD file, whatever its name. Raises InputError."""
    check_nrrd(path)
    return _read(path, "NrrdImageIO")


def read_layers(path: Path) -> tuple[np.ndarray, Geometry]:
    """Labelmaps in one NRRD file, (k, j, i, layer), and their grid. Raises InputError."""
    check_nrrd(path)
    source = _source(path, "NrrdImageIO")
    return sitk.GetArrayFromImage(source), geometry_of_sitk(source)


def read_meta_image(path: Path) -> Image:
    """The volume of a MetaImage file, whatever its name. Raises InputError."""
    check_meta_image(path)
    return _read(path, "MetaImageIO")


def read_picture(path: Path) -> Image:
    """The one slice of a PNG or JPEG file.

    ITK's other formats (VTK, GIPL, MINC, MRC, TIFF, BMP) are refused, because ITK does not report
    when a part of such a file is missing or zero.

    Raises:
        InputError: if the file has another format, is incomplete, or is not a scalar volume.
    """
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    format_name = next((name for mark, name in PICTURES.items() if head.startswith(mark)), None)
    if format_name is None:
        raise _unsupported_format(path)
    # ITK fills the missing end of a JPEG with grey.
    if format_name == "JPEGImageIO" and not path.read_bytes().rstrip(b"\0").endswith(JPEG_END):
        raise incomplete(path, "it breaks off")
    return _read(path, format_name)


def _unsupported_format(path: Path) -> InputError:
    # Only for the message: with x.png.nii beside it, ITK takes x.png for NIfTI.
    with named_in_utf8(path) as readable:
        format_name = sitk.ImageFileReader.GetImageIOFromFileName(str(readable))
    if not format_name:
        return InputError(f"{path} is not an image that can be read. {READABLE}")
    kind = format_name.removesuffix("ImageIO")
    return InputError(
        f"{path} is a file of the format {kind}, which does not tell whether it is complete. "
        f"{READABLE}"
    )


def _read(path: Path, format_name: str) -> Image:
    return image_from_sitk(_source(path, format_name))


def _source(path: Path, format_name: str) -> sitk.Image:
    try:
        with named_in_utf8(path) as readable, decimal_point():
            return sitk.ReadImage(str(readable), imageIO=format_name)
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        raise InputError(
            f"{path} is not an image that can be read: {reason_of(error)} {READABLE}"
        ) from error


def write_with_itk(
    path: Path, labels: np.ndarray, geometry: Geometry, fields: dict[str, str]
) -> None:
    """Writes labels (k, j, i) or (k, j, i, layer) with additional header fields.

    The format is that of the file's ending.

    Raises:
        RuntimeError: if ITK cannot write it.
    """
    image = sitk_from_array(labels, geometry)
    for key, value in fields.items():
        image.SetMetaData(key, value)
    with named_in_utf8(path) as writable, decimal_point():
        sitk.WriteImage(image, str(writable), useCompression=True)
