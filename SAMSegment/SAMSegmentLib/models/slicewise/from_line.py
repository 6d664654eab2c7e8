"""From a measured longest diameter to the object: its middle is a seed, its ends tell the size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...core.geometry import Geometry
from ...core.image import Image
from ...core.progress import Watch
from ...core.prompts import Line
from ..regions import voxel_of
from .answers import Answer
from .box_search import MARGIN, SIZES_MM
from .clicks import Section, matching
from .montage import Box as PixelBox
from .object_finder import COMBINATIONS, holding, in_region
from .previews import Previews
from .regions import Box, region_of, with_margin
from .slices import SliceStack
from .views import DecodeBoxes, SliceMask

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
# The line is looked at this much, in its own lengths, beyond its ends.
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
        """What a 3D mask's agreement with the line counts; see lifting.Fit."""
        voxels = np.rint(self._geometry.to_ijk(self._positions)[:, ::-1]).astype(int) - start
        shared = _shared(_values_at(mask, voxels), self._on_line)
        return AGREEMENT * shared - self._oversize(mask, self._geometry.spacing[::-1])

    def judged(self, section: SliceMask, stack: SliceStack, index: int) -> SliceMask:
        """A mask of a whole slice, whose quality is the lower the less it agrees with the line."""
        voxels = np.rint(stack.geometry.to_ijk(self._positions)[:, ::-1]).astype(int)
        here = voxels[:, 0] == index
        worse = self._oversize(section.mask, stack.geometry.spacing[1::-1])
        if np.count_nonzero(here & self._on_line) >= SHOWN * np.count_nonzero(self._on_line):
            values = _values_at(section.mask, voxels[here, 1:])
            worse += AGREEMENT * (1 - _shared(values, self._on_line[here]))
        return SliceMask(section.logits, section.quality - worse)

    def _oversize(self, mask: np.ndarray, spacing: np.ndarray) -> float:
        """What speaks against a mask because it is larger than the line says."""
        others = [tuple(set(range(mask.ndim)) - {axis}) for axis in range(mask.ndim)]
        hits = [np.flatnonzero(mask.any(axes)) for axes in others]
        extent = max(
            (along[-1] - along[0] + 1) * step if along.size else 0.0
            for along, step in zip(hits, spacing, strict=True)
        )
        return OVERSIZE * float(np.log2(max(extent / (LARGEST * self.line.length), 1.0)))

    def boxes(
        self,
        centre: tuple[float, float],
        pixels_per_mm: tuple[float, float],
        stack: SliceStack,
        limit: PixelBox,
    ) -> list[PixelBox]:
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
            reach = reach * pixels_per_mm + MARGIN
            low = np.maximum(np.array(centre) - reach, limit[:2]).astype(int)
            high = np.minimum(np.array(centre) + reach, limit[2:]).astype(int)
            boxes.append((*(int(n) for n in low), *(int(n) for n in high)))
        return boxes

    @property
    def sizes(self) -> list[float]:
        """Of the sizes (mm) that a click tries, those that the object may have in some plane."""
        least, most = (share * self.line.length for share in SIZES)
        return [size for size in SIZES_MM if least <= size <= most]


def at_line(
    image: Image,
    stacks: Sequence[SliceStack],
    offers: Sequence[Sequence[Section]],
    fit: LineFit,
    decode: DecodeBoxes,
    watch: Watch,
    previews: Previews | None = None,
) -> Answer:
    """The object of which a line is the longest diameter; as object_finder.at_click.

    Args:
        offers: per stack, what may lie under the line's middle on its whole slice there.
    """
    best = matching(offers, COMBINATIONS)
    box = _region(fit.line, best[0] if best else (), image.geometry)
    middle = fit.line.middle
    answer = in_region(
        image, stacks, best, middle, box, GROWTHS, decode, watch, previews, fit.of_mask
    )
    return holding(image, answer, middle)


def _region(line: Line, sections: Sequence[Section], geometry: Geometry) -> Box:
    """Where the object may be: what its sections show, but not farther than the line allows."""
    middle = voxel_of(geometry, line.middle)
    low, high = region_of(sections, middle, geometry)
    size = np.full(3, line.length)
    half = np.ceil(REACH * size / geometry.spacing[::-1]).astype(int)
    low, high = np.maximum(low, middle - half), np.minimum(high, middle + half)
    half = np.ceil(size / 2 / geometry.spacing[::-1]).astype(int)
    least = with_margin(middle - half, middle + half, size, geometry)
    return np.minimum(low, least[0]), np.maximum(high, least[1])


def _values_at(mask: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """A mask at voxels, some of which may lie outside it."""
    within = ((voxels >= 0) & (voxels < mask.shape)).all(1)
    values = np.zeros(len(voxels), dtype=bool)
    values[within] = mask[tuple(voxels[within].T)]
    return values


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union."""
    return float(np.count_nonzero(one & other) / max(np.count_nonzero(one | other), 1))
