"""DICOM images without pixel spacing or position, such as X-rays and ultrasound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pydicom.dataset import Dataset

from ..errors import InputError
from .frames import Frame, numbers
from .headers import damage_as_error

_CENTIMETRES = 3  # Physical Units, PS3.3 C.8.5.5.1.15
_MM_PER_CM = 10


def with_spacing(frames: list[Frame]) -> tuple[list[Frame], list[str]]:
    """The frames, each with a pixel spacing, and warnings about its source.

    Raises:
        InputError: if the spacing is damaged.
    """
    first = frames[0]
    if first.pixel_spacing is not None:
        return frames, []
    with damage_as_error(first.path):
        spacing, warnings = _spacing(first.header.dataset, first.name)
    return [replace(frame, pixel_spacing=spacing) for frame in frames], warnings


def at_origin(frames: list[Frame]) -> tuple[list[Frame], list[str]]:
    """A single frame at the origin, with rows towards the patient's left, as in SimpleITK.

    Raises:
        InputError: if there are several frames, whose relative positions are unknown.
    """
    first = frames[0]
    if len(frames) > 1:
        raise InputError(
            f"{first.name} and {len(frames) - 1} others do not say where their slices lie "
            "(secondary captures or converted pictures): give the original series, or one file."
        )
    axes = np.eye(3)[:2]
    warning = (
        f"{first.name} does not say where it lies in the patient: its first pixel is at (0, 0, 0), "
        "R falls along its rows, and A down its columns."
    )
    return [replace(first, position=np.zeros(3), axes=axes)], [warning]


def _spacing(dataset: Dataset, name: str) -> tuple[tuple[float, float], list[str]]:
    """The spacing in mm between rows and between columns, and warnings."""
    if region := _ultrasound_spacing(dataset):
        return region, []
    for keyword in ("NominalScannedPixelSpacing", "ImagerPixelSpacing"):
        spacing = numbers(dataset, keyword, 2)
        if spacing is not None and min(spacing) > 0:
            return spacing, [
                f"{name} gives its pixel spacing ({spacing[1]:g} x {spacing[0]:g} mm) at the "
                "detector: in the patient, lengths are shorter by the magnification."
            ]
    return (1.0, 1.0), [f"{name} gives no pixel spacing: 1 x 1 mm is assumed, so sizes are not mm."]


def _ultrasound_spacing(dataset: Dataset) -> tuple[float, float] | None:
    """Pixel spacing of the ultrasound regions that are calibrated in cm, if they agree."""
    found = {
        (abs(float(region.PhysicalDeltaY)), abs(float(region.PhysicalDeltaX)))
        for region in dataset.get("SequenceOfUltrasoundRegions") or ()
        if region.get("PhysicalUnitsXDirection") == _CENTIMETRES
        and region.get("PhysicalUnitsYDirection") == _CENTIMETRES
    }
    if len(found) != 1:
        return None
    rows, columns = (_MM_PER_CM * size for size in found.pop())
    return (rows, columns) if min(rows, columns) > 0 else None
