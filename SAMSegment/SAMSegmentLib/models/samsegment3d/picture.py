"""The network input of SAMSegment 3D for a window: grey levels, linear and by rank.

Linear grey levels keep the differences between tissues. By rank, tissues with a small range of
intensities, such as soft tissue in a CT with air and bone, still get their share of the grey
levels. Neither depends on the modality. Training and inference call the same function.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from ...core.errors import InputError
from ...core.patch import bounding_box
from ..windowed.windows import ONE_INTENSITY

#: The channels.
LINEAR, RANKED = 0, 1
#: Percentiles of a window's intensities shown black and white.
PERCENTILES = (0.5, 99.5)
#: Bins between them in which intensities are counted for their ranks.
BINS = 256
#: Value outside the volume, in both channels: black.
OUTSIDE = -1.0
# Intensities are counted in at most this many voxels, evenly distributed.
_MOST_SAMPLES = 2**18
# Added to the spread: a few voxels of one grey level have no contrast without limit.
_LEAST_SPREAD = 0.05
# Number of steps from black to white in the table of ranks.
_STEPS = 2**12


def picture_of(
    values: np.ndarray,
    outside: np.ndarray | None = None,
    intensity_range: tuple[float, float] | None = None,
) -> np.ndarray:
    """The network input for a window, from -1 (black) to 1 (white).

    Args:
        values: intensities, float32 (D, H, W); finite inside the volume.
        outside: boolean (D, H, W), the voxels outside the volume; None: there are none.
        intensity_range: range to which intensities are clipped first; None: no clipping.

    Returns:
        float32 (2, D, H, W). Channel 0: linear between the percentiles. Channel 1: by the share of
        the volume's voxels that are darker, plus half of those in the same bin; linear between the
        middles of bins. Outside the volume, both are OUTSIDE.

    Raises:
        InputError: if all voxels have the same intensity, or none is inside the volume.
    """
    counted, black, white = _counted(values, outside, intensity_range)
    picture = np.empty((2, *values.shape), dtype=np.float32)
    linear, ranked = picture
    np.clip(values, np.float32(black), np.float32(white), out=linear)
    linear -= np.float32(black)
    linear *= np.float32(1 / (white - black))
    np.minimum(linear, 1, out=linear)  # rounding
    steps = np.multiply(linear, np.float32(_STEPS - 1), out=ranked).astype(np.uint16)
    np.take(_ranks(counted, black, white), steps, out=ranked, mode="clip")
    linear *= 2
    linear -= 1
    if outside is not None:
        picture[:, outside] = OUTSIDE
    return picture


def contrast(picture: np.ndarray, mask: np.ndarray) -> float:
    """How well a mask stands out: the step of grey levels at its border, by their spread within.

    Mean distance of those just outside from the middle ones within, in spreads. The network's own
    expectation tells small from large masks, but hardly good from bad ones; what is to be seen at
    the border does.

    Args:
        picture: grey levels by rank, -1 to 1, any axes; what is not in the volume does not count.
        mask: boolean, the same shape.

    Returns:
        0 for an empty mask, or one of all voxels.
    """
    box = bounding_box(mask)
    if box is None:
        return 0.0
    box = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)
    picture, mask = picture[box], mask[box]
    around = ndimage.binary_dilation(mask) & ~mask & (picture > OUTSIDE)
    if not around.any():
        return 0.0
    within = picture[mask]
    step = np.abs(picture[around] - np.median(within)).mean()
    return float(step / (within.std() + _LEAST_SPREAD))


def _counted(
    values: np.ndarray,
    outside: np.ndarray | None,
    intensity_range: tuple[float, float] | None,
) -> tuple[np.ndarray, float, float]:
    """The intensities that are counted, and the black and white levels."""

    def every(step: int) -> np.ndarray:
        chosen = (slice(None, None, step),) * values.ndim
        some = values[chosen] if outside is None else values[chosen][~outside[chosen]]
        some = some.ravel()
        return some if intensity_range is None else np.clip(some, *intensity_range)

    counted = every(int(np.ceil((values.size / _MOST_SAMPLES) ** (1 / values.ndim))))
    if counted.size:
        black, white = np.percentile(counted, PERCENTILES)
        if black < white:
            return counted, float(black), float(white)
    # Almost all voxels may be background of one value, or outside.
    counted = every(1)
    if not counted.size or counted.min() == counted.max():
        raise InputError(ONE_INTENSITY)
    return counted, float(counted.min()), float(counted.max())


def _ranks(counted: np.ndarray, black: float, white: float) -> np.ndarray:
    """Ranks from -1 to 1 of intensities at even steps from black to white, float32 (_STEPS,)."""
    cut = np.clip((counted - np.float64(black)) / (white - black), 0.0, 1.0)
    counts = np.bincount(np.minimum(cut * BINS, BINS - 1).astype(np.intp), minlength=BINS)
    ranks = (np.cumsum(counts) - counts / 2) / counted.size
    middles = (np.arange(BINS) + 0.5) / BINS
    return (2 * np.interp(np.linspace(0, 1, _STEPS), middles, ranks) - 1).astype(np.float32)
