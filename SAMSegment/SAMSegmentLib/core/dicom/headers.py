"""Headers of DICOM files: which files are images, and whether they are complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from struct import unpack
from typing import BinaryIO

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from ..errors import InputError, is_out_of_memory

# Endings that only DICOM files have.
SUFFIXES = (".dcm", ".dicom", ".ima")
# Endings of volumes in other formats, for the message about a folder without DICOM.
_OTHER_VOLUMES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")
_PACKED = tuple(f"{suffix}.gz" for suffix in SUFFIXES)
# Limits of the search for images below a folder that has none; it may be a whole disk.
_FOLDERS_SEARCHED, _FILES_TRIED, _FOLDERS_NAMED = 500, 3, 3
# DICOM objects that are not images of a patient, by modality.
_OBJECTS = {
    "SEG": "a segmentation",
    "RTSTRUCT": "a structure set",
    "RTDOSE": "a dose distribution",
    "RTPLAN": "a treatment plan",
    "SR": "a report",
    "PR": "a presentation state",
    "KO": "a selection of key images",
    "REG": "a registration",
    "DOC": "a document",
}
# A compressed file that would grow beyond both limits is damaged, or made to exhaust the memory.
_LARGEST_GROWTH = 1000
_LARGEST_SUSPECT = 2**26
_FORMAT = ("Rows", "Columns", "BitsAllocated")
_MOST_SAID = 100
_UNDEFINED_LENGTH = 0xFFFFFFFF
_ITEM, _END_OF_ITEMS = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_PIXEL_KEYWORDS = {0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData", 0x0010: "PixelData"}

# The elements that are read: those that decide which files belong together, give the positions of
# slices and the meaning of pixels, and distinguish images of the same position. No patient names.
_KIND = ["SOPClassUID", "Modality", "ImageType"]
_SERIES = ["SeriesInstanceUID", "SeriesDescription", "SeriesNumber", "FrameOfReferenceUID"]
_PLACE = ["ImagePositionPatient", "ImageOrientationPatient", "DetectorInformationSequence"]
_SPACING = ["PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"]
_ULTRASOUND = ["SequenceOfUltrasoundRegions"]
_DEPTH = ["SpacingBetweenSlices", "SliceThickness"]
_FRAMES = ["NumberOfFrames", "FrameIncrementPointer"]
_GROUPS = ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"]
_PIXELS = ["Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation"]
_BITS = ["BitsAllocated", "BitsStored", "HighBit"]
_VALUES = ["RescaleSlope", "RescaleIntercept", "ModalityLUTSequence"]
_TIME = ["TemporalPositionIdentifier", "AcquisitionTime", "ContentTime", "TriggerTime"]
_CONTRAST = ["EchoTime", "InversionTime", "FlipAngle", "ConvolutionKernel", "AcquisitionNumber"]
_DIFFUSION = ["DiffusionBValue", "DiffusionGradientOrientation"]
_ASKED_LATER = ["SeriesInstanceUID", "FrameOfReferenceUID", "HighBit", "PixelRepresentation"]
_KEYWORDS = [
    *(*_KIND, *_SERIES, *_PLACE, *_SPACING, *_ULTRASOUND, *_DEPTH, *_FRAMES, *_GROUPS),
    *(*_PIXELS, *_BITS, *_VALUES, *_TIME, *_CONTRAST, *_DIFFUSION),
]


@dataclass(frozen=True)
class PixelElement:
    """The element of a file that holds its pixels.

    Attributes:
        keyword: PixelData, FloatPixelData or DoubleFloatPixelData.
        start: where its value begins, in bytes from the start of the file.
        vr: its value representation; None where the transfer syntax has none.
    """

    keyword: str
    start: int
    vr: str | None


@dataclass(frozen=True, eq=False)
class Header:
    """The header of a DICOM image file.

    Attributes:
        path: the file.
        dataset: the elements that are needed, read by pydicom.
        syntax: its transfer syntax.
        pixels: where its pixels are; None until they were found.
    """

    path: Path
    dataset: Dataset
    syntax: UID
    pixels: PixelElement | None = None

    @cached_property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return int(self.dataset.Rows), int(self.dataset.Columns)

    @cached_property
    def frames(self) -> int:
        """Number of frames in the file."""
        return max(1, int(self.dataset.get("NumberOfFrames") or 1))

    @cached_property
    def belonging(self) -> tuple[str, str, bool]:
        """Modality, frame of reference, and whether it is a localizer: equal within a volume."""
        kind = self.dataset.get("ImageType") or ()
        return (
            str(self.dataset.get("Modality") or ""),
            str(self.dataset.get("FrameOfReferenceUID") or ""),
            "LOCALIZER" in ([kind] if isinstance(kind, str) else list(kind)),
        )

    @property
    def holds_floats(self) -> bool:
        """Whether its pixels are floating-point numbers."""
        return self.pixels is not None and self.pixels.keyword != "PixelData"

    @property
    def bytes_expected(self) -> int:
        """Smallest uncompressed size of all frames of one sample per pixel."""
        rows, columns = self.shape
        bits = rows * columns * self.frames * int(self.dataset.BitsAllocated)
        return (bits + 7) // 8


@contextmanager
def damage_as_error(path: Path) -> Iterator[None]:
    """Converts any error that a damaged file causes to an InputError of one sentence.

    pydicom does not document which errors a damaged file causes: ValueError, KeyError,
    RecursionError and others occur.

    Raises:
        InputError: in place of any other error, except those that mean that memory ran out.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"{path} cannot be read: {error.strerror}.") from error
        raise InputError(
            f"{path} is a damaged DICOM file ({type(error).__name__}: {str(error)[:_MOST_SAID]}): "
            "copy or export it again."
        ) from error


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its content or its name."""
    if path.suffix.lower() in SUFFIXES:
        return True
    with damage_as_error(path):
        return _starts_as_dicom(path)


def headers_in(folder: Path) -> list[Header]:
    """The headers of all DICOM images in a folder, without its subfolders, in any order.

    Files that are not DICOM, an index (DICOMDIR) and objects other than images, such as structure
    sets and segmentations, are ignored.

    Raises:
        InputError: if a file is incomplete, damaged or compressed with gzip, or there is no image.
    """
    with damage_as_error(folder):
        # macOS adds files whose names begin with a dot.
        paths = [path for path in sorted(folder.iterdir()) if path.name[0] != "."]
        _refuse_packed(paths)
        read = [_read(path) for path in paths if path.is_file() and is_dicom(path)]
    headers = [one for one in read if isinstance(one, Header)]
    if not headers:
        found = sorted({one for one in read if isinstance(one, str)})
        raise _no_images(folder, paths, found)
    return headers


def _refuse_packed(paths: list[Path]) -> None:
    """Refuses slices that would otherwise be left out silently, such as the last of a volume."""
    packed = next((path for path in paths if path.name.lower().endswith(_PACKED)), None)
    if packed is not None:
        raise InputError(
            f"{packed} is a DICOM file packed with gzip: unpack all that lie there (gunzip), or "
            "move them to another folder."
        )


def _no_images(folder: Path, paths: list[Path], found: list[str]) -> InputError:
    """The error for a folder without images: what it contains, and where images were found."""
    volume = next((path.name for path in paths if path.name.endswith(_OTHER_VOLUMES)), None)
    below = [] if volume else list(islice(_folders_with_images(folder), _FOLDERS_NAMED + 1))
    advice = ""
    if volume:
        advice = f" For {volume}, name that file."
    elif len(below) == 1:
        advice = f" Images lie in its subfolder {below[0]}: name that."
    elif below:
        more = " and others" if len(below) > _FOLDERS_NAMED else ""
        named = ", ".join(str(place) for place in below[:_FOLDERS_NAMED])
        advice = f" Images lie in its subfolders {named}{more}: name one of them."
    only = f", only {', '.join(found)}" if found else ""
    return InputError(f"The folder {folder} holds no DICOM series of images{only}.{advice}")


def _folders_with_images(folder: Path) -> Iterator[Path]:
    """Subfolders, relative to the folder, in which one of the first files is a DICOM image."""
    for place, folders, names in islice(os.walk(folder), _FOLDERS_SEARCHED):
        folders.sort()
        files = (Path(place, name) for name in sorted(names)[:_FILES_TRIED])
        if any(_is_image(path) for path in files):
            yield Path(place).relative_to(folder)


def _is_image(path: Path) -> bool:
    with suppress(InputError, OSError):
        return path.is_file() and is_dicom(path) and isinstance(_read(path), Header)
    return False


def header_of(path: Path) -> Header:
    """The header of one DICOM image file.

    Raises:
        InputError: if it is incomplete, damaged, or not an image.
    """
    header = _read(path)
    if isinstance(header, str):
        raise InputError(
            f"{path} is {header}, not an image: give the image series that it belongs to."
        )
    return header


def _starts_as_dicom(path: Path) -> bool:
    """Whether a file has DICOM's magic bytes, or, without them, begins with a DICOM element."""
    with open(path, "rb") as file:
        start = file.read(132)
    if start[128:] == b"DICM":
        return True
    if len(start) < 8:
        return False
    group, _, length = unpack("<HHL", start[:8])
    explicit = start[4:6].isalpha() and start[4:6].isupper()
    return group in (0x0002, 0x0008) and (explicit or length < 128)


def _read(path: Path) -> Header | str:
    """The header of an image; for other DICOM objects, what they are, in words."""
    with damage_as_error(path), open(path, "rb") as file:
        if not _starts_as_dicom(path):
            raise InputError(
                f"{path} is not a DICOM file, though its name says so: it is incomplete or "
                "damaged. Copy or export it again."
            )
        dataset = pydicom.dcmread(
            file, stop_before_pixels=True, specific_tags=_KEYWORDS, force=True
        )
        for keyword in _ASKED_LATER:
            # pydicom parses values on access; here, damage is still reported.
            dataset.get(keyword)
        if kind := _kind(dataset):
            return kind
        header = Header(path, dataset, _syntax(dataset))
        _check_syntax(header)
        pixels = _check_whole(file, header)
        return replace(header, pixels=pixels)


def _kind(dataset: Dataset) -> str | None:
    """What a DICOM object other than an image is, in words; None for images."""
    stored_as = dataset.file_meta.get("MediaStorageSOPClassUID") or dataset.get("SOPClassUID", "")
    if stored_as == MediaStorageDirectoryStorage:
        return "an index of DICOM files"
    modality, name = str(dataset.get("Modality", "")), UID(str(stored_as)).name
    if modality in _OBJECTS:
        return _OBJECTS[modality]
    if dataset.get("Rows") is None and "Storage" in name and "Image Storage" not in name:
        return f"an object of another kind ({name.removesuffix(' Storage')})"
    return None


def _syntax(dataset: Dataset) -> UID:
    """The transfer syntax; for files without one, pydicom finds the encoding."""
    if named := dataset.file_meta.get("TransferSyntaxUID"):
        return UID(named)
    implicit, little = dataset.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian


def _check_syntax(header: Header) -> None:
    if not header.syntax.is_transfer_syntax or header.syntax == DeflatedExplicitVRLittleEndian:
        raise InputError(
            f"{header.path} is stored in a way that is not supported ({header.syntax.name}): "
            "convert it to uncompressed DICOM, for example with dcmconv or gdcmconv."
        )


def _check_whole(file: BinaryIO, header: Header) -> PixelElement:
    """Compares the header with the contents of the file, from the pixel element on."""
    order = "<" if header.syntax.is_little_endian else ">"
    start = file.read(8)
    if len(start) < 8:
        raise _incomplete(header.path, "it ends before its pixels")
    group, element = unpack(f"{order}HH", start[:4])
    if group != 0x7FE0 or element not in _PIXEL_KEYWORDS:
        raise _incomplete(header.path, "its pixels are missing")
    vr = None if header.syntax.is_implicit_VR else start[4:6].decode("ascii", "replace")
    (length,) = unpack(f"{order}L", start[4:] if vr is None else file.read(4))
    if any(header.dataset.get(keyword) is None for keyword in _FORMAT):
        raise _incomplete(header.path, "it does not say how large its image is")
    expected, pixels_at = header.bytes_expected, file.tell()
    size = os.fstat(file.fileno()).st_size
    if length == _UNDEFINED_LENGTH:
        grown_too_far = expected > max(_LARGEST_SUSPECT, _LARGEST_GROWTH * size)
        # Each frame has at least one item.
        if _items(file, size, header.path) < header.frames or grown_too_far:
            raise _incomplete(header.path, "its pixels do not fill the size that it names")
    elif pixels_at + max(length, expected) > size:
        missing = pixels_at + max(length, expected) - size
        raise _incomplete(header.path, f"the last {missing:,} bytes of its pixels are missing")
    return PixelElement(_PIXEL_KEYWORDS[element], pixels_at, vr)


def _items(file: BinaryIO, size: int, path: Path) -> int:
    """The number of items with contents in the compressed pixels, up to their end marker."""
    count = 0
    while True:
        start = file.read(8)
        if len(start) < 8:
            raise _incomplete(path, "it ends within its pixels")
        group, element, length = unpack("<HHL", start)
        if (group, element) == _END_OF_ITEMS:
            return count
        if (group, element) != _ITEM or file.tell() + length > size:
            raise _incomplete(path, "it ends within its pixels")
        file.seek(length, os.SEEK_CUR)
        count += length > 0


def _incomplete(path: Path, how: str) -> InputError:
    return InputError(f"{path} is incomplete ({how}): copy or export it again.")
