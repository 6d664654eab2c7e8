"""SAMSegment 3D's masks: in their window, on the volume's grid, and as it is told them again."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from ...core.geometry import Geometry
from ...core.patch import BACKGROUND_LOGIT, Patch, bounding_box
from ...core.prompts import Roi
from ...core.resample import sample_linear
from ..regions import REACHED, at_least_a_voxel
from .on_volume import on_box, visible_box, visible_part
from .single_slice import gone_on
from .windows import Window3D

# A click belongs to a piece of the mask that is at most so many voxels away: edges are rounded.
_NEAR = 2
#: An ROI is taken to be larger than its object by so much at each face, but for small objects.
ROI_MARGIN_MM, LEAST_OF_ROI = 5.0, 0.5
_WITH_CORNERS = np.ones((3, 3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class WindowMask:
    """What the network says of a window.

    Attributes:
        logits: float32, by x, y, z.
    """

    window: Window3D
    logits: np.ndarray

    @cached_property
    def box(self) -> tuple[slice, slice, slice] | None:
        """Voxels around the mask, by x, y, z; None if there are none."""
        return bounding_box(self.logits > 0)

    @property
    def extent(self) -> np.ndarray:
        """mm of the mask along x, y, z."""
        return np.array([part.stop - part.start for part in self.box]) * self.window.spacing

    def ends(self) -> np.ndarray:
        """(2, 3) RAS mm: two opposite corners of the box around the mask."""
        edges = np.array([[part.start, part.stop] for part in self.box]).T - 0.5
        return self.window.geometry.to_ras(edges[:, ::-1])

    @cached_property
    def faces(self) -> tuple[tuple[int, int], ...]:
        """Faces (axis, side) that it reaches and beyond which the volume goes on.

        Not with a few voxels, as of a leak: with a section of it.
        """
        if self.box is None:
            return ()
        found = []
        for axis, part in enumerate(self.box):
            ends = (-1, part.start == 0), (1, part.stop == self.window.shape[axis])
            sides = [side for side, at_face in ends if at_face and self.window.goes_on(axis, side)]
            if not sides:
                continue
            mask = self.logits[self.box] > 0
            least = REACHED * np.count_nonzero(mask.any(axis))
            found += [
                (axis, side)
                for side in sides
                if np.count_nonzero(np.take(mask, 0 if side < 0 else -1, axis)) > least
            ]
        return tuple(found)

    def on_volume(self, geometry: Geometry) -> Patch:
        """The logits on a volume's grid, interpolated once, as far as some threshold shows them."""
        part, grid = visible_part(self.logits, self.window.geometry)
        low, high = visible_box(part, grid, geometry)
        if (high <= low).any():
            return Patch(np.full((1, 1, 1), BACKGROUND_LOGIT, dtype=np.float32), (0, 0, 0))
        logits = on_box(part, grid, geometry, (low, high))
        return Patch(logits, tuple(int(n) for n in low))

    def told(self, window: Window3D) -> np.ndarray:
        """As the network is told it in a window: twice the probability less 1, at half resolution.

        What this mask's own window does not show is background.
        """
        sure = np.tanh(self.logits * np.float32(0.5))
        if window != self.window:
            sure = sample_linear(sure, self.window.geometry, window.geometry, -1.0)
        return halved(sure)

    def only_meant(
        self,
        clicks: np.ndarray,
        roi: np.ndarray | None = None,
        before: np.ndarray | None = None,
    ) -> WindowMask:
        """The pieces that are meant: those at positive clicks, and as said below.

        What else there was, is now as unlikely as it was likely.

        Args:
            clicks: (N, 3), RAS mm.
            roi: at half the resolution, above 0 inside; its largest piece is meant.
            before: likewise; pieces with a part of that mask are meant.
        """
        if self.box is None:
            return self
        mask = self.logits[self.box] > 0
        pieces, count = ndimage.label(mask, _WITH_CORNERS)
        meant = np.zeros(count + 1, dtype=bool)
        for voxel in np.unique(self.window.voxels(clicks), axis=0):
            meant[self._piece_at(pieces, voxel)] = True
        if roi is not None:
            sizes = np.bincount(pieces[self._at_half(roi) > 0], minlength=count + 1)
            meant[1 + sizes[1:].argmax()] = True
        if before is not None:
            meant[np.unique(pieces[self._at_half(before) > 0])] = True
        meant[0] = False
        if meant[1:].all():
            return self
        logits = self.logits.copy()
        part = logits[self.box]
        np.negative(part, out=part, where=mask & ~meant[pieces])
        return WindowMask(self.window, logits)

    def _piece_at(self, pieces: np.ndarray, voxel: np.ndarray) -> int:
        """The piece nearest to a voxel that was clicked on, 0 if none is near."""
        voxel = voxel - [part.start for part in self.box]
        low = np.maximum(voxel - _NEAR, 0)
        near = pieces[
            tuple(slice(a, max(b, 0)) for a, b in zip(low, voxel + _NEAR + 1, strict=True))
        ]
        there = np.argwhere(near)
        if not len(there):
            return 0
        nearest = np.abs(there + low - voxel).sum(1).argmin()
        return int(near[tuple(there[nearest])])

    def _at_half(self, values: np.ndarray) -> np.ndarray:
        """Values of voxels of 2 x 2 x 2 at the voxels of the box."""
        index = [np.arange(part.start, part.stop) // 2 for part in self.box]
        return values[np.ix_(*index)]


def told_field(field: Patch, geometry: Geometry, window: Window3D) -> np.ndarray:
    """A mask on a volume's grid as the network is told it: by how much of each voxel it fills."""
    source = geometry.crop(field.start, field.values.shape)
    mask, source = gone_on(field.values > 0, source, geometry.slice_axis)
    share = sample_linear(mask, source, window.geometry, 0.0)
    return halved(2 * share - 1)


def told_roi(roi: Roi, window: Window3D) -> np.ndarray:
    """An ROI as the network is told it: 1 inside and -1 outside, at half the resolution.

    The network learned from boxes as large as the object; users draw theirs a little larger.
    """
    share = np.maximum(1 - 2 * ROI_MARGIN_MM / roi.size, LEAST_OF_ROI)
    meant = Roi(roi.box_to_ras @ np.diag([*share, 1.0]))
    # A flat one, as of a single slice, would lie between the voxels.
    inside = at_least_a_voxel(meant, window.half_geometry).contains_voxels(window.half_geometry)
    return np.where(inside, np.float32(1), np.float32(-1))


def halved(values: np.ndarray) -> np.ndarray:
    """Means of 2 x 2 x 2 voxels."""
    values = values[0::2] + values[1::2]
    values = values[:, 0::2] + values[:, 1::2]
    return (values[:, :, 0::2] + values[:, :, 1::2]) / np.float32(8)
