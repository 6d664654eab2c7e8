"""What a click may change in a mask that a network decided again.

A network that gets a click may change its mind about places that the click does not speak of: a
negative click beside an object deletes it, a positive one leaks into the neighbour. Here, of what
it decided again, only that stays which follows from the click:

- the change that holds the click, not others elsewhere;
- far from a negative click, what it is surer of now than it was of the contrary before;
- farther from a positive click, what looks like the mask or like the surroundings of the click;
- next to it alone, if the mask was as the click says already.

Whoever decides well is not hindered: a sure change that is of one piece stays as it is.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from .correction import ALONE_MM, LEAST_RADIUS_MM, Voxel, distance_to_right

# The network alone decides within so many times the distance from the click to what was right ...
OWN_REACH = 1.5
# ... and from twice as far on, what it said before counts as much as what it says now.
FAR_SHARE = 0.5
# Logits beyond this mean no more than "sure".
SURE = 6.0
# Grey levels are alike within so many spreads (a robust standard deviation, at least this share of
# the range of all), measured so many voxels around the click.
ALIKE_SPREADS, LEAST_SPREAD, AROUND = 3.0, 0.02, 2
# Beyond so many mm from the distance to what was right, a positive click adds only what is alike.
LIKE_FROM_MM = 2.0
# A click that says what is so already changes what begins and ends so near to it, mm; twice as far
# each time it is repeated. It takes no more than this share of the mask.
BEGINS_MM, ENDS_MM, MOST_TAKEN = 5.0, 10.0, 0.5
# A change belongs to a click that it does not hold if it comes so near to it, voxels.
_NEAR = 3.0
_WITH_CORNERS = np.ones((3, 3, 3), dtype=bool)


def after_click(
    before: np.ndarray,
    proposed: np.ndarray,
    voxel: Voxel,
    positive: bool,
    spacing: np.ndarray,
    grey: np.ndarray | None = None,
    repeated: int = 0,
) -> np.ndarray:
    """The logits after a click: those proposed, but as before where the click means no change.

    Args:
        before, proposed: float32, (k, j, i): before the click, and as the network decided again.
        voxel: the clicked voxel, within the arrays.
        positive: the sign of the click.
        spacing: mm along (k, j, i).
        grey: grey levels, same shape; None: any tissue may be added.
        repeated: so many times the same click was given before.

    Returns:
        A new array.
    """
    mask = before > 0
    changed = (proposed > 0) != mask
    if not changed.any():
        return proposed.copy()
    distance = _distance(before.shape, voxel, spacing)
    if mask[tuple(voxel)] == positive:
        meant = _next_to(changed, distance, 2.0**repeated)
        if np.count_nonzero(meant & mask) > MOST_TAKEN * np.count_nonzero(mask):
            meant[:] = False
    else:
        size = distance_to_right(mask, voxel, positive, spacing) if mask.any() else ALONE_MM
        if not positive:
            changed &= _is_surer(before, proposed, distance, size)
        elif grey is not None:
            near = distance <= size + LIKE_FROM_MM
            changed &= near | _alike(grey, mask, voxel)
        meant = _at_click(changed, voxel, distance, _NEAR * float(np.max(spacing)))
    kept = ((proposed > 0) == mask) | meant
    return np.where(kept, proposed, before)


def _distance(shape: tuple[int, ...], voxel: Voxel, spacing: np.ndarray) -> np.ndarray:
    """mm from a voxel to all voxels, float32."""
    axes = np.ogrid[tuple(slice(0, n) for n in shape)]
    squares = (
        (np.float32(step) * (axis - np.float32(n))) ** 2
        for axis, n, step in zip(axes, voxel, spacing, strict=True)
    )
    return np.sqrt(sum(squares))


def _is_surer(
    before: np.ndarray, proposed: np.ndarray, distance: np.ndarray, size: float
) -> np.ndarray:
    """Where the mean of both, of the new one alone near the click, is as the new one says."""
    reach = np.float32(max(OWN_REACH * size, LEAST_RADIUS_MM))
    share = np.clip(1 - (1 - FAR_SHARE) * (distance - reach) / reach, FAR_SHARE, 1)
    share = share.astype(np.float32)
    mean = share * np.clip(proposed, -SURE, SURE) + (1 - share) * np.clip(before, -SURE, SURE)
    return (mean > 0) == (proposed > 0)


def _alike(grey: np.ndarray, mask: np.ndarray, voxel: Voxel) -> np.ndarray:
    """Where grey levels are like those in the mask, or like those around the click."""
    smooth = ndimage.gaussian_filter(grey, 0.7)
    least = LEAST_SPREAD * float(np.ptp(np.percentile(smooth, (1, 99)))) + 1e-6
    around = tuple(slice(max(int(n) - AROUND, 0), int(n) + AROUND + 1) for n in voxel)
    alike = np.zeros(grey.shape, dtype=bool)
    for levels in (smooth[around], smooth[mask]):
        if levels.size:
            middle = np.median(levels)
            # Of a normal distribution, this is the standard deviation; a few strays do not count.
            spread = max(1.4826 * float(np.median(np.abs(levels - middle))), least)
            alike |= np.abs(smooth - middle) <= ALIKE_SPREADS * spread
    return alike


def _at_click(changed: np.ndarray, voxel: Voxel, distance: np.ndarray, near: float) -> np.ndarray:
    """The piece of a change that holds a voxel; those that come near to it, mm, if none does."""
    pieces, _ = ndimage.label(changed, _WITH_CORNERS)
    own = pieces[tuple(voxel)]
    if own:
        return pieces == own
    return changed & np.isin(pieces, np.unique(pieces[changed & (distance <= near)]))


def _next_to(changed: np.ndarray, distance: np.ndarray, times: float) -> np.ndarray:
    """What of a change lies next to a click, of pieces that come close to it."""
    pieces, _ = ndimage.label(changed, _WITH_CORNERS)
    close = np.unique(pieces[changed & (distance <= times * BEGINS_MM)])
    return changed & np.isin(pieces, close) & (distance <= times * ENDS_MM)
