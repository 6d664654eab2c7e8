"""Whether prompts fit a volume: cheap, so asked before a slow model is started."""

from __future__ import annotations

import numpy as np

from .errors import InputError
from .geometry import Geometry
from .prompts import Prompts

ROI_OUTSIDE = (
    "The ROI lies outside the volume: move it onto the object. (If it looks right, check that the "
    "right volume is selected.)"
)


def check_prompts_in_volume(prompts: Prompts, geometry: Geometry) -> None:
    """Finds prompts that cannot mean anything in a volume; both in one RAS.

    Raises:
        InputError: if a point or an end of the line lies outside, or the ROI does not touch the
            volume.
    """
    for point in prompts.points:
        _check_inside(point.ras, "point", geometry)
    if prompts.line is not None:
        _check_inside(prompts.line.start, "line's first end", geometry)
        _check_inside(prompts.line.end, "line's second end", geometry)
    if prompts.roi is not None:
        corners = geometry.to_ijk(prompts.roi.corners())
        last = np.array(geometry.shape[::-1]) - 0.5
        if (corners.max(0) < -0.5).any() or (corners.min(0) > last).any():
            raise InputError(ROI_OUTSIDE)


def _check_inside(ras: tuple[float, float, float], what: str, geometry: Geometry) -> None:
    if not geometry.contains(np.array(ras)):
        position = ", ".join(f"{value:.1f}" for value in ras)
        raise InputError(
            f"The {what} at R, A, S = ({position}) mm lies outside the volume: move or remove "
            "it. (If it looks right, check that the right volume is selected.)"
        )
