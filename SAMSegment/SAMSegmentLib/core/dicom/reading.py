"""One volume from DICOM files."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..geometry import Geometry
from ..image import LPS_TO_RAS, Image
from .frames import frames_of
from .headers import header_of, headers_in
from .missing_geometry import at_origin, with_spacing
from .pixels import are_equal, values_of
from .series import check_one_kind, check_one_series
from .stack import Stack, stacked

# Modalities whose single slices are nearly always part of a volume.
_VOLUME_MODALITIES = ("CT", "MR", "PT")


def read_dicom(path: Path) -> Image:
    """The volume of a folder with one DICOM series, or of one file.

    Every slice is placed by its own position and orientation, frames of enhanced files by their
    functional groups; names and numbers of files do not matter. A single frame becomes an image of
    one slice; without a position, it is placed at the origin.

    Returns:
        The values after each slice's own rescaling, rows along j, columns along i, slices along k,
        as in SimpleITK. `warnings` say what was assumed, left out or interpolated.

    Raises:
        InputError: if the files are not one complete volume; the message names the files that are
            the reason.
    """
    with warnings.catch_warnings():
        # Many real files have faults that pydicom warns about, such as values that are too long.
        warnings.simplefilter("ignore")
        if path.is_dir():
            headers = headers_in(path)
            check_one_series(headers, path)
        else:
            headers = [header_of(path)]
        frames = [frame for header in headers for frame in frames_of(header)]
        check_one_kind(frames)
        frames, notes = with_spacing(frames)
        if frames[0].position is None:
            frames, more = at_origin(frames)
            notes += more
        stack = stacked(frames, are_equal)
        voxels = _voxels(stack)
    modality = frames[0].header.belonging[0].strip() or None
    if len(voxels) == 1 and modality in _VOLUME_MODALITIES:
        notes.append(
            f"{frames[0].name} is a single slice: to segment in 3D, give the folder with the whole "
            "series."
        )
    notes = (*notes, *stack.warnings)
    return Image(voxels, _geometry(stack, voxels.shape), modality, warnings=notes)


def _geometry(stack: Stack, shape: tuple[int, int, int]) -> Geometry:
    first = stack.frames[0]
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, 0], ijk_to_lps[:3, 1] = first.steps
    ijk_to_lps[:3, 2] = stack.step
    ijk_to_lps[:3, 3] = first.position
    return Geometry(LPS_TO_RAS @ ijk_to_lps, shape)


def _voxels(stack: Stack) -> np.ndarray:
    """The slices of the stack's grid, (k, j, i), interpolated where slices are missing."""
    voxels = None
    for k, values in enumerate(_slices(stack)):
        if voxels is None:
            voxels = np.empty((len(stack.places), *values.shape), values.dtype)
        voxels[k] = values
    voxels.flags.writeable = False
    return voxels


def _slices(stack: Stack) -> Iterator[np.ndarray]:
    decoded = enumerate(values_of(stack.frames))
    number, above = next(decoded)
    below = above
    for place in stack.places:
        while number < place:
            below, (number, above) = above, next(decoded)
        if number == place:
            yield above
            continue
        share = number - place
        mixed = below * share + above * (1 - share)
        yield mixed if above.dtype.kind == "f" else np.rint(mixed)
