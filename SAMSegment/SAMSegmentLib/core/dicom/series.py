"""Checks that slices belong together: one series, one kind of slice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from ..errors import InputError
from .frames import Frame, group_of
from .headers import Header, damage_as_error

#: Allowed distance of a slice from its place, mm; in finer images, a tenth of a voxel.
PLACE_TOLERANCE_MM = 0.1
_MOST_NAMED = 5
_BELONGING = ("modality", "frame of reference", "kind of image (a localizer)")
# What distinguishes two images of the same position: its name in messages, its functional group in
# an enhanced file (None: the dataset itself), and its element.
_OF_VOLUMES = (
    ("time point", "FrameContentSequence", "TemporalPositionIndex"),
    ("time point", None, "TemporalPositionIdentifier"),
    ("stack", "FrameContentSequence", "StackID"),
    ("diffusion weighting", "MRDiffusionSequence", "DiffusionBValue"),
    ("diffusion weighting", None, "DiffusionBValue"),
    ("diffusion direction", None, "DiffusionGradientOrientation"),
    ("echo time", "MREchoSequence", "EffectiveEchoTime"),
    ("echo time", None, "EchoTime"),
    ("inversion time", None, "InversionTime"),
    ("flip angle", None, "FlipAngle"),
    ("kind of image", "MRImageFrameTypeSequence", "FrameType"),
    ("kind of image", None, "ImageType"),
    ("reconstruction kernel", None, "ConvolutionKernel"),
)
# These may also differ from slice to slice of one volume.
_OF_SLICES = (
    ("trigger time", "CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime"),
    ("trigger time", None, "TriggerTime"),
    ("acquisition", None, "AcquisitionNumber"),
    ("acquisition time", "FrameContentSequence", "FrameAcquisitionDateTime"),
    ("acquisition time", None, "AcquisitionTime"),
    ("content time", None, "ContentTime"),
)


def check_one_series(headers: list[Header], folder: Path) -> None:
    """Raises InputError, with a list of the series, if the files are of several series."""
    series = defaultdict(list)
    for header in headers:
        series[str(header.dataset.get("SeriesInstanceUID", ""))].append(header)
    if len(series) == 1:
        return
    found = [_described(members) for members in series.values()]
    raise InputError(
        f"The folder {folder} holds {len(series)} DICOM series: {listed(found, '; ')}. Move the "
        "one that you mean to a folder of its own: give a folder with one series."
    )


def check_one_kind(frames: list[Frame]) -> None:
    """Raises InputError, with the names of the slices, if they differ in more than their position.

    A difference in direction or spacing counts if it displaces a corner of the slice.
    """
    kinds: list[list[Frame]] = []
    for frame in frames:
        kind = next((kind for kind in kinds if difference(kind[0], frame) is None), None)
        if kind is None:
            kinds.append([frame])
        else:
            kind.append(frame)
    kinds.sort(key=len, reverse=True)
    if len(kinds) == 1:
        return
    usual, others = kinds[0], kinds[1:]
    deviations = [
        f"{named(kind)} {'has' if len(kind) == 1 else 'have'} {difference(usual[0], kind[0])}"
        for kind in others
    ]
    if 2 * len(usual) > len(frames):
        raise InputError(
            f"Not all slices are of one volume: {listed(deviations, '; ')} than the other "
            f"{len(usual)}. " + take_out([frame for kind in others for frame in kind])
        )
    raise InputError(
        f"The slices are of {len(kinds)} volumes: {len(usual)} as {usual[0].name}; "
        f"{listed(deviations, '; ')}. " + take_out(frames)
    )


def difference(one: Frame, other: Frame) -> str | None:
    """How the second frame differs, in words that go before "than"; None if it does not."""
    if one.shape != other.shape:
        return f"another size ({_by(other.shape)} instead of {_by(one.shape)} voxels)"
    for words, value, usual in zip(
        _BELONGING, other.header.belonging, one.header.belonging, strict=True
    ):
        if value != usual:
            return f"another {words}"
    if (one.pixel_spacing is None) != (other.pixel_spacing is None):
        return "another spacing (unknown)"
    if (one.axes is None) != (other.axes is None):
        return "another orientation (unknown)"
    if one.axes is None or one.pixel_spacing is None:
        return None
    columns_and_rows = np.array(one.shape[::-1])[:, None]
    extent = columns_and_rows * np.reshape(one.pixel_spacing[::-1], (2, 1))
    allowed = tolerance(one)
    if np.abs((one.axes - other.axes) * extent).max() > allowed:
        return "another orientation"
    if np.abs((one.steps - other.steps) * columns_and_rows).max() > allowed:
        return f"another spacing ({_by(other.pixel_spacing)} mm)"
    return None


def separators(frames: Iterable[Frame]) -> list[str]:
    """What distinguishes frames of the same position, in words: "echo time 10 and 80"."""
    frames = list(frames)
    found: dict[str, str] = {}
    for words, group, keyword in (*_OF_VOLUMES, *_OF_SLICES):
        values = [_separator(frame, group, keyword) for frame in frames]
        unlike = list(dict.fromkeys(value for value in values if value is not None))
        if len(unlike) > 1:
            found.setdefault(words, f"{words} {' and '.join(unlike[:2])}")
    return list(found.values())


def volume_separators(some: list[Frame], others: list[Frame]) -> list[str]:
    """What is constant within each of two sets of frames but differs between them, in words."""
    found = []
    for words, group, keyword in _OF_VOLUMES:
        values = [
            {_separator(frame, group, keyword) for frame in frames} for frames in (some, others)
        ]
        if all(len(value) == 1 and None not in value for value in values) and (
            values[0] != values[1]
        ):
            found.append(f"{words} {values[0].pop()} and {values[1].pop()}")
    return found


def tolerance(frame: Frame, step: float = np.inf) -> float:
    """The allowed distance of a voxel from its place, mm."""
    return min(PLACE_TOLERANCE_MM, min(*frame.pixel_spacing, step) / 10)


def take_out(frames: list[Frame]) -> str:
    """A sentence that says what to do about frames that do not belong to the volume."""
    if any(frame.header.frames > 1 for frame in frames):
        return "Split the file into volumes, for example with dcm2niix, and give one of them."
    return "Move the files of one volume to a folder of its own, and give that."


def named(frames: list[Frame]) -> str:
    """The names of frames, or of the first few."""
    return listed([frame.name for frame in frames], ", ")


def listed(words: list[str], between: str) -> str:
    """Joins words; of many, only the first few."""
    more = f"{between}and {len(words) - _MOST_NAMED} more" if len(words) > _MOST_NAMED else ""
    return between.join(words[:_MOST_NAMED]) + more


def _described(headers: list[Header]) -> str:
    dataset = headers[0].dataset
    with damage_as_error(headers[0].path):
        slices = sum(header.frames for header in headers)
        number = dataset.get("SeriesNumber")
        name = str(dataset.get("SeriesDescription") or "").strip()
    parts = ["Series" if number is None else f"Series {number}"]
    parts += [f'"{name}"'] if name else []
    parts.append(f"({dataset.get('Modality', 'no modality')}, {slices} slices)")
    return " ".join(parts) + f", as {headers[0].path.name}"


def _separator(frame: Frame, group: str | None, keyword: str) -> str | None:
    dataset: Dataset | None = frame.header.dataset
    if group is not None:
        dataset = group_of(frame.header, frame.number, group)
    try:
        value = None if dataset is None else dataset.get(keyword)
    except Exception:  # of any type in a damaged file; this only explains another problem
        return None
    if value is None or value == "":
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)


def _by(values: Iterable[float]) -> str:
    return " x ".join(f"{value:g}" for value in values)
