"""From a measured longest diameter to the object: its middle is a seed, its ends tell the size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.geometry import Geometry
from ...core.patch import bounding_box, values_at
from ...core.prompts import Line
from ..regions import voxel_of
from .model import Box
from .object_finder import COMBINATIONS, FoundObject, ObjectFinder
from .sections import (
    MARGIN,
    SIZES_MM,
    Section,
    VoxelBox,
    matching,
    region_of,
    with_margin,
)
from .slices import SliceStack
from .views import SliceMask

# How much it counts that a mask begins and ends on the line where the line does.
AGREEMENT = 0.5
# Widths, relative to the line, of the objects around which the first boxes are put.
WIDTHS = (1.0, 0.6)
# Least and largest size, relative to the line, of what is searched.
SIZES = (0.4, 2.0)
# What it counts if a mask is twice as large as the line says, and from which size on it does.
OVERSIZE, LARGEST = 0.1, 1.2
# No part of the object is farther from the line's middle than this share of the line's length.
REACH = 1.0
# The size is known but for what lies beyond the plane in which it was measured.
GROWTHS = 1
# Masks are compared with the line this much, in its own lengths, beyond its ends.
BEYOND = 0.5
# A slice shows the line if at least this share of it lies in the slice.
SHOWN = 0.5


class LineFit:
    """Compares masks with a line across the object.

    Args:
        geometry: grid of the image.
    """

    def __init__(self, line: Line, geometry: Geometry) -> None:
        self.line = line
        self._geometry = geometry
        count = int(np.ceil(2 * (1 + 2 * BEYOND) * line.length / geometry.spacing.min())) + 2
        share = np.linspace(-BEYOND, 1 + BEYOND, count)
        self._positions = np.array(line.start) + share[:, None] * np.subtract(line.end, line.start)
        self._on_line = (share >= 0) & (share <= 1)

    def of_mask(self, mask: np.ndarray, start: tuple[int, int, int]) -> float:
        """What a 3D mask's agreement with the line counts; see candidates.Fit."""
        shared = _shared(
            values_at(mask, self._voxels(self._geometry) - start, False), self._on_line
        )
        return AGREEMENT * shared - self._oversize(mask, self._geometry.spacing[::-1])

    def judged(self, section: SliceMask, stack: SliceStack, index: int) -> SliceMask:
        """A mask of a whole slice, whose quality is the lower the less it agrees with the line."""
        voxels = self._voxels(stack.geometry)
        here = voxels[:, 0] == index
        worse = self._oversize(section.mask, stack.geometry.spacing[1::-1])
        if np.count_nonzero(here & self._on_line) >= SHOWN * np.count_nonzero(self._on_line):
            values = values_at(section.mask, voxels[here, 1:], False)
            worse += AGREEMENT * (1 - _shared(values, self._on_line[here]))
        return SliceMask(section.logits, section.quality - worse)

    def boxes(
        self,
        centre: tuple[float, float],
        pixels_per_mm: tuple[float, float],
        stack: SliceStack,
        limit: Box,
    ) -> list[Box]:
        """Boxes around objects of which the line is the longest diameter.

        Args:
            centre: x and y of the line's middle, in pixels.
            pixels_per_mm: along x and y.
        """
        along = np.abs(self.line.direction @ stack.geometry.directions[:, :2])
        half = self.line.length / 2
        boxes = []
        for width in WIDTHS:
            reach = half * np.sqrt(along**2 + width**2 * (1 - np.minimum(along, 1) ** 2))
            reach = reach * pixels_per_mm + stack.grid.pixels(MARGIN)
            low = np.maximum(np.array(centre) - reach, limit[:2]).astype(int)
            high = np.minimum(np.array(centre) + reach, limit[2:]).astype(int)
            boxes.append((*(int(n) for n in low), *(int(n) for n in high)))
        return boxes

    @property
    def sizes(self) -> list[float]:
        """Of the sizes (mm) that a click tries, those that the object may have in some plane."""
        least, most = (share * self.line.length for share in SIZES)
        return [size for size in SIZES_MM if least <= size <= most]

    def _voxels(self, geometry: Geometry) -> np.ndarray:
        """Voxels (N, 3) of a grid along the line and beyond its ends."""
        return np.rint(geometry.to_ijk(self._positions)[:, ::-1]).astype(int)

    def _oversize(self, mask: np.ndarray, spacing: np.ndarray) -> float:
        """How much worse a mask is because it is larger than the line says."""
        box = bounding_box(mask) or (slice(0, 0),) * mask.ndim
        extent = max(
            (part.stop - part.start) * step for part, step in zip(box, spacing, strict=True)
        )
        return OVERSIZE * float(np.log2(max(extent / (LARGEST * self.line.length), 1.0)))


def at_line(
    finder: ObjectFinder, by_plane: Sequence[Sequence[Section]], line: Line
) -> list[FoundObject]:
    """The objects of which a line is the longest diameter; as ObjectFinder.at_click.

    Args:
        by_plane: per stack, what may lie under the line's middle on its whole slice there.
    """
    best = matching(by_plane, COMBINATIONS)
    region = _region(line, best[0] if best else (), finder.image.geometry)
    return finder.in_region(best, line.middle, region, GROWTHS)


def _region(line: Line, sections: Sequence[Section], geometry: Geometry) -> VoxelBox:
    """Where the object may be: what its sections show, but not farther than the line allows."""
    middle = voxel_of(geometry, line.middle)
    low, high = region_of(sections, middle, geometry)
    size = np.full(3, line.length)
    half = np.ceil(REACH * size / geometry.spacing[::-1]).astype(int)
    low, high = np.maximum(low, middle - half), np.minimum(high, middle + half)
    half = np.ceil(size / 2 / geometry.spacing[::-1]).astype(int)
    least = with_margin(middle - half, middle + half, size, geometry)
    return np.minimum(low, least[0]), np.maximum(high, least[1])


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    return float(np.count_nonzero(one & other) / max(np.count_nonzero(one | other), 1))
