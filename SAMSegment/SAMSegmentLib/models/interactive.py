"""What an engine was asked, put in order: which prompt makes the first mask, which correct it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import InputError
from ..core.geometry import Geometry
from ..core.image import Image
from ..core.patch import Patch
from ..core.progress import Watch
from ..core.prompts import Point, Prompts, Roi, positions_of
from ..core.voxel_prompts import VoxelPrompts
from .regions import at_least_a_voxel, voxel_of

IN_OCCUPIED = (
    "A positive point lies in another segment, which is left as it is: remove the point, or allow "
    "the segments to overlap."
)
GOES_ON = (
    "The mask goes on beyond the part of the volume that was looked at: add a point farther out, "
    "or an ROI around what is meant."
)


@dataclass(frozen=True, eq=False)
class Request:
    """One question about an image, but for the prompts.

    Attributes:
        content: what the segment holds, without what is occupied; None if that is nothing.
        refine: whether the model may change all of it.
        occupied: voxels of other segments; None if there are none.
        key: names all of this but the watch.
    """

    image: Image
    watch: Watch
    intensity_range: tuple[float, float] | None
    content: Patch | None
    refine: bool
    occupied: Patch | None
    key: Hashable

    @classmethod
    def of(
        cls,
        image: Image,
        watch: Watch,
        intensity_range: tuple[float, float] | None,
        voxels: VoxelPrompts | None = None,
    ) -> Request:
        """The request, checked.

        Raises:
            InputError: if the intensity range is none.
        """
        if intensity_range is not None:
            intensity_range = _checked_range(intensity_range)
        voxels = voxels or VoxelPrompts()
        occupied = None if voxels.occupied is None else voxels.occupied.cropped()
        content = _free(voxels.content, occupied)
        key = (image.key, intensity_range, voxels.key)
        return cls(image, watch, intensity_range, content, voxels.refine, occupied, key)

    def split(self, prompts: Prompts, needs: str) -> tuple[Prompts, tuple[Point, ...]]:
        """What the first mask is made from, and the clicks that correct it, in their order.

        Args:
            needs: what to tell the user if the model has nothing to begin with.

        Raises:
            InputError: if there is nothing to make a first mask from.
        """
        points = prompts.points
        without = replace(prompts, points=())
        if without.kinds or self.content is not None:
            return without, points
        turn = next((turn for turn, point in enumerate(points) if point.positive), None)
        if turn is None:
            raise InputError(needs)
        # Whatever was said before it, the first positive point comes first.
        return replace(prompts, points=(points[turn],)), points[:turn] + points[turn + 1 :]

    def warnings(self, prompts: Prompts) -> tuple[str, ...]:
        """What the user should know about an answer."""
        positive = positions_of([point for point in prompts.points if point.positive])
        if self.occupied is None:
            return ()
        voxels = voxel_of(self.image.geometry, positive)
        return (IN_OCCUPIED,) if self.occupied.at(voxels).any() else ()


def limit_of(prompts: Prompts, geometry: Geometry) -> Roi | None:
    """The ROI as a limit of the mask: none, as soon as a positive point lies outside of it."""
    if prompts.roi is None:
        return None
    roi = at_least_a_voxel(prompts.roi, geometry)
    positive = positions_of([point for point in prompts.points if point.positive])
    return roi if roi.contains(positive).all() else None


def _free(content: Patch | None, occupied: Patch | None) -> Patch | None:
    """The part of a patch outside another; None if there is none."""
    if content is None or occupied is None:
        return None if content is None else content.cropped()
    taken = occupied.on_box(content.start, content.values.shape)
    return Patch(content.values & ~taken, content.start).cropped()


def _checked_range(intensity_range: tuple[float, float]) -> tuple[float, float]:
    lower, upper = (float(value) for value in intensity_range)
    if not (np.isfinite((lower, upper)).all() and lower < upper):
        raise InputError(
            f"The intensity range {lower:g} to {upper:g} is not usable: give a lower and a higher "
            "finite number."
        )
    return lower, upper
