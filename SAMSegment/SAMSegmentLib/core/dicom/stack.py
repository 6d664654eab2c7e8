"""Stacks slices: their order, and the regular grid that they fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from .frames import Frame
from .series import listed, named, separators, take_out, tolerance, volume_separators

# Larger gaps are not interpolated: 10 mm are the thickest usual slices.
LARGEST_GAP_MM = 10.0
LARGEST_GAP_STEPS = 10
# Positions closer than this, in mm and in pixel spacings, count as the same.
_SAME_PLACE_MM = 0.01
_SAME_PLACE_PIXELS = 0.05
# A slice this close to a slice of the grid, in steps, is used without interpolation.
_SNAP = 0.01


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices in order, and the regular grid that they fill.

    Attributes:
        frames: from first to last along the normal of the slices.
        places: for each slice of the grid, its index in `frames`; fractional between two frames.
        step: from a slice of the grid to the next, (3,) in mm, LPS.
        warnings: what was left out or interpolated, in full sentences.
    """

    frames: list[Frame]
    places: np.ndarray
    step: np.ndarray
    warnings: tuple[str, ...] = ()


def stacked(frames: list[Frame], are_equal: Callable[[Frame, Frame], bool]) -> Stack:
    """Frames of one kind, sorted by position; names and numbers of files do not matter.

    The step between slices follows their positions, so the grid of a tilted gantry is sheared;
    Slicer adds a transform to the volume instead (createAcquisitionTransform in its
    DICOMScalarVolumePlugin). Where gaps are small, missing and unevenly spaced slices are
    interpolated, with a warning, on the finest regular grid of the slices.

    Args:
        frames: in any order.
        are_equal: whether two frames have the same values.

    Raises:
        InputError: with the names of the slices, if several have the same position, are too far
            apart, or are not in a row.
    """
    frames, warnings = _without_copies(sorted(frames, key=_height(frames[0])), are_equal)
    if len(frames) == 1:
        step = frames[0].normal * (frames[0].thickness or 1.0)
        return Stack(frames, np.zeros(1), step, tuple(warnings))
    heights = np.array([_height(frames[0])(frame) for frame in frames])
    heights -= heights[0]
    count = len(frames) - 1
    finest = np.diff(heights).min()
    per_mm = (frames[-1].position - frames[0].position) / heights[-1]
    even = heights[-1] / count
    allowed = tolerance(frames[0], even)
    _check_in_a_row(frames, heights, per_mm, allowed)
    if _are_even(heights, allowed):
        _check_alternating(frames)
        return Stack(frames, np.arange(count + 1.0), even * per_mm, tuple(warnings))
    _check_interleaved(frames, heights, allowed)
    _check_gaps(frames, heights, finest)
    slices = int(np.ceil(heights[-1] / finest - _SNAP))
    spacing = heights[-1] / slices
    places = np.interp(np.arange(slices + 1) * spacing, heights, np.arange(count + 1.0))
    near = np.abs(places - np.rint(places)) <= _SNAP
    places[near] = np.rint(places[near])
    warnings.append(_uneven(frames, heights, spacing))
    return Stack(frames, places, spacing * per_mm, tuple(warnings))


def _height(first: Frame) -> Callable[[Frame], float]:
    """A function for the position of a slice along the normal of the first one, mm."""
    return lambda frame: float(frame.position @ first.normal)


def _without_copies(
    frames: list[Frame], are_equal: Callable[[Frame, Frame], bool]
) -> tuple[list[Frame], list[str]]:
    """One frame per position; further ones with the same values are left out with a warning."""
    places: list[list[Frame]] = []
    height = _height(frames[0])
    near = min(_SAME_PLACE_MM, _SAME_PLACE_PIXELS * min(frames[0].pixel_spacing))
    for frame in frames:
        if places and height(frame) - height(places[-1][0]) <= near:
            places[-1].append(frame)
        else:
            places.append([frame])
    shared = [place for place in places if len(place) > 1]
    for place in shared:
        for other in place[1:]:
            beside = np.linalg.norm(other.position - place[0].position) > 2 * near
            if beside or not are_equal(place[0], other):
                raise InputError(_collision(places, [place[0], other]))
    if not shared:
        return frames, []
    copies = [frame for place in shared for frame in place[1:]]
    warning = (
        f"{named(copies)}: left out, as the same slice is there twice "
        f"(also as {named([place[0] for place in shared])})."
    )
    return [place[0] for place in places], [warning]


def _collision(places: list[list[Frame]], two: list[Frame]) -> str:
    differ = separators(two)
    unlike = f", which differ in {listed(differ, '; ')}" if differ else ""
    deepest = len(places[0])
    if len(places) > 1 and deepest > 1 and all(len(place) == deepest for place in places):
        return (
            f"The slices are of {deepest} volumes at the same place, such as {two[0].name} and "
            f"{two[1].name}{unlike}. {take_out(two)}"
        )
    return (
        f"{two[0].name} and {two[1].name} are two slices at the same place with different "
        f"contents{unlike}. {take_out(two)}"
    )


def _check_in_a_row(
    frames: list[Frame], heights: np.ndarray, per_mm: np.ndarray, allowed: float
) -> None:
    """Refuses slices that are displaced within their planes."""
    places = np.array([frame.position for frame in frames])
    off = np.linalg.norm(places - places[0] - heights[:, None] * per_mm, axis=1)
    worst = int(off.argmax())
    if off[worst] > allowed:
        raise InputError(
            f"The slices do not lie in a row: {frames[worst].name} is shifted by {off[worst]:.2g} "
            "mm against the first and the last one. The positions in the files are wrong, or "
            f"these are slices of several volumes. {take_out(frames)}"
        )


def _are_even(heights: np.ndarray, allowed: float) -> bool:
    line = np.linspace(heights[0], heights[-1], len(heights))
    return bool(np.abs(heights - line).max() <= allowed)


def _check_interleaved(frames: list[Frame], heights: np.ndarray, allowed: float) -> None:
    """Refuses two evenly spaced stacks, each in the gaps of the other."""
    halves = heights[::2], heights[1::2]
    if min(map(len, halves)) > 2 and all(_are_even(half, allowed) for half in halves):
        raise InputError(_two_in_one(frames, []))


def _check_alternating(frames: list[Frame]) -> None:
    """Refuses two stacks that together are evenly spaced, if every other slice is different."""
    halves = frames[::2], frames[1::2]
    if min(map(len, halves)) > 2 and (unlike := volume_separators(*halves)):
        raise InputError(_two_in_one(frames, unlike))


def _two_in_one(frames: list[Frame], unlike: list[str]) -> str:
    differ = f", which differ in {listed(unlike, '; ')}" if unlike else ""
    return (
        f"Every other slice is of another volume, such as {frames[0].name} and {frames[1].name}"
        f"{differ}. {take_out(frames)}"
    )


def _check_gaps(frames: list[Frame], heights: np.ndarray, finest: float) -> None:
    gaps = np.diff(heights)
    narrowest, widest, usual = int(gaps.argmin()), int(gaps.argmax()), np.median(gaps)
    if usual > LARGEST_GAP_STEPS * finest:
        raise InputError(
            f"{frames[narrowest].name} and {frames[narrowest + 1].name} are only {finest:.3g} mm "
            f"apart, others {usual:.4g} mm: they are of two volumes. {take_out(frames)}"
        )
    if gaps[widest] > min(LARGEST_GAP_MM, LARGEST_GAP_STEPS * finest) * (1 + _SNAP):
        raise InputError(
            f"Slices are missing between {frames[widest].name} and {frames[widest + 1].name}: "
            f"they are {gaps[widest]:.4g} mm apart, others {finest:.4g} mm. Copy or export the "
            "whole series again; if these are two volumes, give one of them."
        )


def _uneven(frames: list[Frame], heights: np.ndarray, spacing: float) -> str:
    gaps = np.diff(heights)
    steps = gaps / spacing
    usual = np.rint(np.median(steps)) == 1
    if usual and np.abs(steps - np.rint(steps)).max() < 10 * _SNAP:
        places = [
            f"between {frames[n].name} and {frames[n + 1].name} ({gap:.4g} mm)"
            for n, gap in enumerate(gaps)
            if np.rint(steps[n]) > 1
        ]
        missing = int(np.rint(steps).sum()) - len(gaps)
        return (
            f"{missing} {'slice is' if missing == 1 else 'slices are'} missing "
            f"{listed(places, ', ')}: interpolated there from the neighbours. Check the mask "
            "there, or export the whole series again."
        )
    return (
        f"The slices are unevenly spaced ({gaps.min():.4g} to {gaps.max():.4g} mm): the volume was "
        f"interpolated to slices {spacing:.4g} mm apart, which the mask has as well."
    )
