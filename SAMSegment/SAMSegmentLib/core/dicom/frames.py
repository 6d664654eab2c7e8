"""The frames of DICOM images: the position of each, and how its values are rescaled."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from ..errors import InputError
from .headers import Header, damage_as_error

_SLICE_VECTOR = 0x00540080  # Nuclear medicine: the frames are the slices of a volume.


@dataclass(frozen=True, eq=False)
class Frame:
    """One slice.

    Attributes:
        header: header of its file.
        number: its number in the file, from 0.
        position: centre of its first voxel, (3,) in mm, LPS; None if unknown.
        axes: (2, 3), unit vectors in LPS along a row and down a column; None if unknown.
        pixel_spacing: mm between rows and between columns; None if unknown.
        thickness: slice thickness, mm; None if unknown.
        slope, intercept: value = slope * stored value + intercept.
    """

    header: Header
    number: int
    position: np.ndarray | None
    axes: np.ndarray | None
    pixel_spacing: tuple[float, float] | None
    thickness: float | None
    slope: float
    intercept: float

    @property
    def path(self) -> Path:
        """Its file."""
        return self.header.path

    @property
    def name(self) -> str:
        """Its name in messages."""
        if self.header.frames == 1:
            return self.path.name
        return f"frame {self.number + 1} of {self.path.name}"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.header.shape

    @cached_property
    def normal(self) -> np.ndarray:
        """Unit normal of the slice, (3,) in LPS."""
        normal = np.cross(*self.axes)
        return normal / np.linalg.norm(normal)

    @cached_property
    def steps(self) -> np.ndarray:
        """(2, 3), mm in LPS from a voxel to the next one in its row and in its column."""
        between_rows, between_columns = self.pixel_spacing
        return self.axes * [[between_columns], [between_rows]]


def frames_of(header: Header) -> list[Frame]:
    """All frames of a file.

    Raises:
        InputError: if its pixels are not intensities, or its header is inconsistent.
    """
    with damage_as_error(header.path):
        _check_intensities(header)
        dataset = header.dataset
        if dataset.get("PerFrameFunctionalGroupsSequence"):
            return list(_enhanced(header))
        if header.frames > 1 and _is_slice_stack(dataset):
            return list(_nuclear(header))
        if header.frames > 1:
            raise InputError(
                f"{header.path} holds {header.frames} frames without saying where they lie (a "
                "film, or slices saved without their positions): give the original series, or "
                "one frame as a file of its own."
            )
        return [_frame(header, 0, dataset, [dataset])]


def group_of(header: Header, number: int, keyword: str) -> Dataset | None:
    """A functional group of a frame in an enhanced file: its own, or the shared one."""
    per_frame = header.dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = header.dataset.get("SharedFunctionalGroupsSequence") or []
    for groups in (*per_frame[number : number + 1], *shared[:1]):
        if sequence := groups.get(keyword):
            return sequence[0]
    return None


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """The numbers of an element; None if it is absent or empty.

    Raises:
        ValueError: if they are not `count` finite numbers.
    """
    value = dataset.get(keyword)
    if value is None or value == "" or value == []:
        return None
    values = [float(one) for one in (value if count > 1 else [value])]
    if len(values) != count or not all(map(math.isfinite, values)):
        raise ValueError(f"{keyword} is {value}")
    return tuple(values)


def _enhanced(header: Header) -> Iterator[Frame]:
    """The frames of an enhanced file, by their functional groups (PS3.3 C.7.6.16)."""
    described = len(header.dataset.PerFrameFunctionalGroupsSequence)
    if described != header.frames:
        raise InputError(
            f"{header.path} holds {header.frames} frames but describes {described} of them: "
            "export it again."
        )
    for number in range(header.frames):
        sources = [
            group
            for keyword in (
                "PlanePositionSequence",
                "PlaneOrientationSequence",
                "PixelMeasuresSequence",
                "PixelValueTransformationSequence",
            )
            if (group := group_of(header, number, keyword))
        ]
        yield _frame(header, number, header.dataset, [*sources, header.dataset])


def _is_slice_stack(dataset: Dataset) -> bool:
    vector = dataset.get("FrameIncrementPointer")
    return vector == _SLICE_VECTOR and bool(dataset.get("DetectorInformationSequence"))


def _nuclear(header: Header) -> Iterator[Frame]:
    """Slices of a nuclear medicine volume, which gives the position of the first (C.8.4.15)."""
    dataset, detector = header.dataset, header.dataset.DetectorInformationSequence[0]
    first = _frame(header, 0, dataset, [detector, dataset])
    (step,) = numbers(dataset, "SpacingBetweenSlices", 1) or (first.thickness,)
    for number in range(header.frames):
        position = first.position + number * step * first.normal
        yield Frame(
            header,
            number,
            position,
            first.axes,
            first.pixel_spacing,
            first.thickness,
            first.slope,
            first.intercept,
        )


def _frame(header: Header, number: int, dataset: Dataset, sources: list[Dataset]) -> Frame:
    def find(keyword: str, count: int) -> tuple[float, ...] | None:
        found = (numbers(source, keyword, count) for source in sources)
        return next((one for one in found if one is not None), None)

    position, axes = find("ImagePositionPatient", 3), find("ImageOrientationPatient", 6)
    (slope,) = find("RescaleSlope", 1) or (1.0,)
    (intercept,) = find("RescaleIntercept", 1) or (0.0,)
    (thickness,) = find("SliceThickness", 1) or (None,)
    spacing = find("PixelSpacing", 2)
    if spacing is not None and min(spacing) <= 0:
        raise ValueError(f"PixelSpacing is {spacing}")
    placed = position is not None and axes is not None
    return Frame(
        header,
        number,
        np.array(position) if placed else None,
        _unit(np.reshape(axes, (2, 3))) if placed else None,
        spacing,
        thickness if thickness and thickness > 0 else None,
        slope,
        intercept,
    )


def _unit(axes: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(axes, axis=1)
    # Rounding to few digits gives small deviations; larger ones mean wrong values.
    if np.abs(lengths - 1).max() > 0.01 or abs(axes[0] @ axes[1]) > 0.01:
        raise ValueError(f"ImageOrientationPatient is {axes.ravel()}")
    return axes / lengths[:, None]


def _check_intensities(header: Header) -> None:
    """Refuses images whose frames are not single slices of intensities."""
    dataset, path = header.dataset, header.path
    allocated = int(dataset.BitsAllocated)
    if (
        min(header.shape) < 1
        or not 0 < int(dataset.get("BitsStored") or allocated) <= allocated <= 64
    ):
        raise ValueError("size or number of bits")
    photometric = str(dataset.get("PhotometricInterpretation", "MONOCHROME2"))
    if int(dataset.get("SamplesPerPixel") or 1) != 1 or not photometric.startswith("MONOCHROME"):
        raise InputError(
            f"{path} is a colour image ({photometric}): give the greyscale original, or convert "
            "it to one value per voxel."
        )
    if "MOSAIC" in [str(part).upper() for part in _listed(dataset.get("ImageType"))]:
        raise InputError(
            f"{path} is a mosaic, all slices of a volume as tiles of one picture: convert it, for "
            "example with dcm2niix, and give the result."
        )


def _listed(value: object) -> list:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)
