"""Where an object cannot be: in voxels of other segments, or beyond an ROI."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.geometry import Geometry
from ...core.orientation import Reorientation
from ...core.patch import Patch
from ...core.prompts import Roi


@dataclass(frozen=True, eq=False)
class Limits:
    """A hard limit for all masks on an image.

    Attributes:
        occupied: voxels of other segments, on the image's grid.
        roi: what lies outside it is forbidden, too.
    """

    occupied: Patch | None = None
    roi: Roi | None = None

    def allowed(
        self,
        geometry: Geometry,
        orientation: Reorientation,
        start: Sequence[int],
        shape: Sequence[int],
    ) -> np.ndarray | None:
        """Where in a box of a stack (slice, row, column) the object may be; None: everywhere.

        Args:
            geometry: of the image.
            orientation: of the stack.
        """
        native_shape = [0, 0, 0]
        for axis, size in zip(orientation.axes, shape, strict=True):
            native_shape[axis] = int(size)
        whole = tuple(geometry.shape[axis] for axis in orientation.axes)
        first = orientation.undo_start(tuple(start), tuple(shape), whole)
        allowed = self._allowed(geometry, first, tuple(native_shape))
        return None if allowed is None else orientation.apply(allowed)

    def _allowed(
        self, geometry: Geometry, start: tuple[int, int, int], shape: tuple[int, int, int]
    ) -> np.ndarray | None:
        allowed = None
        if self.occupied is not None:
            occupied = self.occupied.on_box(start, shape)
            allowed = ~occupied if occupied.any() else None
        if self.roi is not None:
            inside = self.roi.contains_voxels(geometry.crop(start, shape))
            allowed = inside if allowed is None else allowed & inside
        return allowed
