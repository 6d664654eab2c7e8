"""What SAM-Med3D gets to see of a cube: resampled, clipped and normalised as in its training.

Source: SAM-Med3D's data_loader.py and prepare_data_from_nnUNet.py (uni-medical/SAM-Med3D); for
other modalities than CT, where training clipped nothing, RadioActive's percentiles.
"""

from __future__ import annotations

import numpy as np

from ...core.errors import InputError
from ...core.image import Image
from ..windowed.windows import ONE_INTENSITY, Window, intensities_in

#: HU to which training clipped CT.
CT_RANGE = (-1000.0, 1000.0)
PERCENTILES = (0.5, 99.5)
# Percentiles are taken from about that many voxels, evenly spread: those of millions are no better.
MOST_SAMPLES = 2**21
# What is a whole number but for rounding stays that number.
_SLACK = 1e-3


def picture_in(image: Image, cube: Window, clip: tuple[float, float]) -> np.ndarray:
    """What the network gets to see of a cube of an image: float32 (128, 128, 128) by x, y, z.

    Raises:
        InputError: if the cube holds one intensity only, or NaN or infinite voxels.
    """
    values, outside = intensities_in(image, cube)
    if image.voxels.dtype.kind in "iu":
        values = _whole(values)
    np.clip(values, *clip, out=values)
    return normalised(values, outside)


def clip_of(image: Image, intensity_range: tuple[float, float] | None) -> tuple[float, float]:
    """The intensities to which an image is clipped: those given, or as the network was trained."""
    if intensity_range is not None:
        return intensity_range
    if image.is_ct:
        return CT_RANGE
    step = max(1, int(np.ceil((image.voxels.size / MOST_SAMPLES) ** (1 / 3))))
    lower, upper = np.percentile(image.voxels[::step, ::step, ::step], PERCENTILES)
    # Almost all voxels may be background of one value.
    return (float(lower), float(upper)) if lower < upper else image.value_range


def _whole(values: np.ndarray) -> np.ndarray:
    """Whole numbers, cut towards zero, as the training's tool made them of a file of whole numbers.

    Without it, faint traces of the body's border would count as positive voxels.
    """
    return np.trunc(values + np.copysign(np.float32(_SLACK), values))


def normalised(values: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The values with mean 0 and deviation 1 over the positive ones; the array is changed.

    Training padded with zeros before that, and counted positive voxels only. Where there are none,
    as in air alone, all voxels of the volume count.

    Args:
        outside: boolean, the voxels that are not in the volume.

    Raises:
        InputError: if all voxels that count are equal, or if there is but one.
    """
    if np.count_nonzero(~outside) < 2:
        raise InputError(
            "The volume is smaller than the voxels of 1.5 mm in which this model looks at it: "
            "choose another model, or correct the volume's spacing if it is wrong."
        )
    values[outside] = 0.0
    counted = values[values > 0]
    if counted.size < 2 or counted.min() == counted.max():
        counted = values[~outside]
    if counted.size < 2 or counted.min() == counted.max():
        raise InputError(ONE_INTENSITY)
    values -= counted.mean(dtype=np.float64)
    values /= counted.std(dtype=np.float64, ddof=1)
    return values
