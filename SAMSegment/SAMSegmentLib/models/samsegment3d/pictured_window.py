"""A window of an image, as SAMSegment 3D gets to see it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np

from ...core.image import Image
from ...core.resample import sample_linear
from ..windowed.single_slice import gone_on
from ..windowed.windows import Window3D
from .picture import picture_of

# Stands for "outside the volume"; no scanner writes it.
_OUTSIDE = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class PicturedWindow:
    """A window of an image, and the intensities to which that is cut; None: as they are."""

    image: Image
    window: Window3D
    intensity_range: tuple[float, float] | None = None

    @property
    def key(self) -> Hashable:
        return self.window.key, self.intensity_range

    def picture(self) -> np.ndarray:
        """float32 (2, x, y, z); see core.window_picture.

        Raises:
            InputError: if the volume holds NaN or infinite voxels, or the window one intensity.
        """
        image = self.image
        voxels, grid = gone_on(image.voxels, image.geometry, image.geometry.slice_axis)
        values = sample_linear(voxels, grid, self.window.geometry, _OUTSIDE)
        outside = values == _OUTSIDE
        if not np.isfinite(values).all():
            _ = image.value_range  # says what is wrong
        return picture_of(values, outside if outside.any() else None, self.intensity_range)
