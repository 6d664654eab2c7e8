"""From a click to sections of the object on the slices through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np

from ...core.orientation import Reorientation
from ...core.overlap import dice
from .box_search import MARGIN, boxes_around, search
from .views import SliceMask, View

# What agreement of two planes on the line that they share counts, against the expected IoU.
AGREEMENT = 0.5

Voxel = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Section:
    """A mask on a slice through a click.

    Attributes:
        orientation: of the slice's stack.
        seed: row and column of the click in the mask.
    """

    orientation: Reorientation
    seed: tuple[int, int]
    mask: SliceMask

    def line_across(self, axis: int) -> np.ndarray:
        """The mask on the line through the click that leaves the plane of another view.

        Args:
            axis: the native axis along which that view's slices are stacked.

        Returns:
            Boolean, along the third axis, in native direction.
        """
        row, column = self.seed
        row_axis = self.orientation.axes[1]
        _, rows_flipped, columns_flipped = self.orientation.flips
        if axis == row_axis:
            line, flipped = self.mask.mask[row], columns_flipped
        else:
            line, flipped = self.mask.mask[:, column], rows_flipped
        return line[::-1] if flipped else line


def sections_in_view(view: View, ras: np.ndarray) -> tuple[int, list[Section]]:
    """The key slice nearest to a click (RAS mm), and what may lie under the click there."""
    slice_, row, column = voxel_at(view, ras)
    key = view.nearest_key(slice_)
    masks = masks_at(view, key, row, column)
    return key, [Section(view.stack.orientation, (row, column), mask) for mask in masks]


def masks_at(view: View, key: int, row: int, column: int) -> list[SliceMask]:
    """What may lie at a pixel (of the region) of a key slice, by expected IoU."""
    scale = np.array(view.tile.scale)
    start = view.region.start[1:]
    centre = (np.array([row, column]) + start + 0.5 - view.tile.start) * scale
    pixels_per_mm = scale / view.spacing[1:]
    return search(
        lambda boxes: view.ask(key, boxes),
        lambda mask: view.box_of(mask, MARGIN, key),
        boxes_around(tuple(centre[::-1]), tuple(pixels_per_mm[::-1]), view.limit(key)),
        (row, column),
    )


def voxel_at(view: View, ras: np.ndarray) -> Voxel:
    """Slice, row and column in the region of the region's voxel nearest to a position."""
    index = np.rint(view.stack.geometry.to_ijk(ras)[::-1]).astype(int) - view.region.start
    return tuple(int(n) for n in np.clip(index, 0, np.array(view.shape) - 1))


def matching(offers: Sequence[Sequence[Section]], count: int) -> list[tuple[Section, ...]]:
    """The best combinations of one section from each plane: good ones, of the same object.

    On the line that two planes share, sections of one object are alike.
    """
    offers = [of_plane for of_plane in offers if of_plane]
    scored = [(_match(sections), sections) for sections in product(*offers)] if offers else []
    scored.sort(key=lambda pair: -pair[0])
    return [sections for _, sections in scored[:count]]


def _match(sections: tuple[Section, ...]) -> float:
    quality = sum(section.mask.quality for section in sections) / len(sections)
    alike = [
        dice(one.line_across(other.orientation.axes[0]), other.line_across(one.orientation.axes[0]))
        for one, other in combinations(sections, 2)
    ]
    return quality + (AGREEMENT * sum(alike) / len(alike) if alike else 0.0)
