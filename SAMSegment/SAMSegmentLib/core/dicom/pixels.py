"""The values of frames, decoded and rescaled by each frame's own slope and intercept."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.pixels import apply_modality_lut, as_pixel_options, get_decoder
from pydicom.uid import RLELossless, SecondaryCaptureImageStorage, generate_uid

from ..errors import InputError, is_out_of_memory
from .frames import Frame
from .headers import Header, damage_as_error

_INTEGERS = (np.uint8, np.int16, np.uint16, np.int32)
# float32 represents integers of up to this many bits exactly.
_FLOAT32_BITS = 24
_PIXEL_MODULE = [
    *("SamplesPerPixel", "PhotometricInterpretation", "PixelRepresentation", "PixelData"),
    *("Rows", "Columns", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit"),
]


def values_of(frames: list[Frame]) -> Iterator[np.ndarray]:
    """The values of each frame, (rows, columns), in the order of the frames; one type for all.

    Values are slope times stored value plus intercept (Hounsfield units in CT), in the smallest
    integer type that can represent them, or float. As in Slicer, padding is kept, and MONOCHROME1,
    which only means an inverted display, changes no value.

    Raises:
        InputError: if a file's pixels cannot be decoded.
    """
    kind = _common_type(frames)
    for frame, stored in zip(frames, _stored(frames), strict=True):
        if stored.shape != frame.shape:
            raise InputError(f"{frame.path} is damaged: its pixels have another size than it says.")
        with damage_as_error(frame.path):
            yield _rescaled(stored, frame, kind)


def are_equal(one: Frame, other: Frame) -> bool:
    """Whether two frames have the same values."""
    first, second = values_of([one, other])
    return np.array_equal(first, second)


def _rescaled(stored: np.ndarray, frame: Frame, kind: np.dtype) -> np.ndarray:
    if frame.header.dataset.get("ModalityLUTSequence"):
        return apply_modality_lut(stored, frame.header.dataset).astype(kind)
    if frame.slope == 1 and frame.intercept == 0:
        return stored.astype(kind)
    if kind.kind == "f":
        return (stored * frame.slope + frame.intercept).astype(kind)
    if frame.slope == 1:
        # The sum is in the range of `kind`, so a wrap-around on the way does not matter.
        return np.add(stored, int(frame.intercept), dtype=kind, casting="unsafe")
    wide = np.multiply(stored, int(frame.slope), dtype=np.int64)
    return (wide + int(frame.intercept)).astype(kind)


def _common_type(frames: list[Frame]) -> np.dtype:
    """The smallest type that can represent the values of all frames."""
    if all(_gives_integers(frame) for frame in frames):
        ends = [end for frame in frames for end in _range(frame)]
        for integer in _INTEGERS:
            if np.iinfo(integer).min <= min(ends) and max(ends) <= np.iinfo(integer).max:
                return np.dtype(integer)
    widest = max(int(frame.header.dataset.BitsAllocated) for frame in frames)
    fits = widest <= _FLOAT32_BITS or frames[0].header.holds_floats
    return np.dtype(np.float32 if fits else np.float64)


def _gives_integers(frame: Frame) -> bool:
    whole = frame.slope.is_integer() and frame.intercept.is_integer()
    return whole and not frame.header.holds_floats


def _range(frame: Frame) -> tuple[float, float]:
    """The two ends of the range of values that a frame can have, in either order."""
    dataset = frame.header.dataset
    if dataset.get("ModalityLUTSequence"):
        return 0, 2**16 - 1
    bits = int(dataset.get("BitsStored") or dataset.BitsAllocated)
    lowest = -(2 ** (bits - 1)) if dataset.get("PixelRepresentation") else 0
    highest = lowest + 2**bits - 1
    return frame.slope * lowest + frame.intercept, frame.slope * highest + frame.intercept


def _stored(frames: list[Frame]) -> Iterator[np.ndarray]:
    """Stored values of frames in order; consecutive frames of one file are decoded together."""
    for header, group in groupby(frames, key=lambda frame: frame.header):
        wanted = [frame.number for frame in group]
        # Without further packages, pydicom decompresses only run-length encoding.
        if header.syntax.is_compressed and header.syntax != RLELossless:
            yield from _decompressed(header)[wanted]
        else:
            with damage_as_error(header.path):
                yield from _plain(header, wanted)


def _plain(header: Header, wanted: list[int]) -> Iterator[np.ndarray]:
    """Stored values of some frames by pydicom, without the contents of unused bits."""
    allocated = int(header.dataset.BitsAllocated)
    bits = int(header.dataset.get("BitsStored") or allocated)
    high = header.dataset.get("HighBit")
    unused = 0 if high is None else int(high) + 1 - bits
    if not 0 <= unused <= allocated - bits:
        raise ValueError(f"{bits} bits below bit {high}")
    options = as_pixel_options(
        header.dataset, pixel_keyword=header.pixels.keyword, bits_stored=bits + unused
    )
    if header.pixels.vr:
        options["pixel_vr"] = header.pixels.vr
    with open(header.path, "rb") as file:
        file.seek(header.pixels.start)
        decoded = get_decoder(header.syntax).iter_array(file, indices=wanted, raw=True, **options)
        for stored, _ in decoded:
            yield stored >> unused if unused else stored


def _decompressed(header: Header) -> np.ndarray:
    """Stored values of all frames, (frames, rows, columns), by GDCM, which is part of SimpleITK.

    GDCM gets only the pixels and their format, so that positions and rescaling are handled in one
    place for all files.
    """
    with (
        damage_as_error(header.path),
        tempfile.TemporaryDirectory(prefix="samsegment-") as folder,
    ):
        dataset = pydicom.dcmread(header.path, specific_tags=_PIXEL_MODULE, force=True)
        dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
        alone = Path(folder, "pixels.dcm")
        pydicom.dcmwrite(alone, dataset, enforce_file_format=True)
        try:
            values = sitk.GetArrayFromImage(sitk.ReadImage(str(alone)))
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise InputError(
                f"The pixels of {header.path} cannot be decompressed ({header.syntax.name}): the "
                "file is damaged, or convert it to uncompressed DICOM, for example with dcmconv "
                "or gdcmconv."
            ) from error
    shape = (header.frames, *header.shape)
    if values.size != np.prod(shape):
        raise InputError(f"{header.path} is damaged: its pixels have another size than it says.")
    return values.reshape(shape)
