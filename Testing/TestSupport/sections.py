"""Views of phantoms as an oracle sees them, and clicks on them."""

from __future__ import annotations

import numpy as np

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.models.slicewise.candidates import Fit
from SAMSegmentLib.models.slicewise.fusion import Choices
from SAMSegmentLib.models.slicewise.intensity import GreyLevels
from SAMSegmentLib.models.slicewise.object_finder import ObjectFinder
from SAMSegmentLib.models.slicewise.previews import Previews
from SAMSegmentLib.models.slicewise.sections import Section
from SAMSegmentLib.models.slicewise.slices import Limits, SliceStack, stacks_of
from SAMSegmentLib.models.slicewise.views import SliceMask, View, views_of

from .bright_network import BrightModel
from .oracle_network import OracleNetwork
from .phantoms import image_of, voxel_positions

GREY = GreyLevels(0, 255)
#: Whose pictures slices become: of 256 pixels, 0 to 1.
PICTURES = BrightModel()


def stacks_around(
    mask: np.ndarray, geometry: Geometry, limits: Limits | None = None
) -> list[SliceStack]:
    """The stacks of a volume that shows a mask."""
    return stacks_of(image_of(mask, geometry), GREY, PICTURES, limits)


def finder_of(
    objects,
    geometry: Geometry,
    watch: Watch | None = None,
    limits: Limits | None = None,
    fit: Fit | None = None,
) -> ObjectFinder:
    """A finder for a volume that shows objects, with a network that knows them."""
    watch = watch or Watch()
    stacks = stacks_around(np.any(objects, axis=0), geometry, limits)
    return ObjectFinder(stacks, OracleNetwork(objects), watch, Previews(watch), fit)


def roi_round(mask: np.ndarray, geometry: Geometry, margin: float = 3.0) -> Roi:
    """The box along R, A and S around a mask, `margin` mm larger."""
    voxels = voxel_positions(geometry)[mask]
    low, high = voxels.min(0) - margin, voxels.max(0) + margin
    return Roi.from_box((low + high) / 2, high - low)


def views_on(mask: np.ndarray, geometry: Geometry, network, margin: float = 3.0) -> list[View]:
    """The views of the region around a mask."""
    return views_of(stacks_around(mask, geometry), roi_round(mask, geometry, margin), network)


def for_cut(views: list[View]) -> Choices:
    """Each key slice's mask for the region's cut."""
    return [{key: view.ask(key, [view.limit(key)]) for key in view.keys} for view in views]


def slice_mask(mask: np.ndarray, quality: float = 0.95, sure: float = 6.0) -> SliceMask:
    """What a network would say that means exactly this mask."""
    return SliceMask(np.where(mask, sure, -sure).astype(np.float32), quality)


def offers_of(objects, stacks: list[SliceStack], ras) -> list[list[Section]]:
    """Per stack, the sections of the objects under a click on its whole slice."""
    offers = []
    for stack in stacks:
        voxel = np.rint(stack.geometry.to_ijk(np.asarray(ras, float))[::-1]).astype(int)
        index, row, column = (int(n) for n in voxel)
        slices = [stack.orientation.apply(one)[index] for one in objects]
        masks = [slice_mask(one) for one in slices if one[row, column]]
        offers.append([Section(stack.orientation, (row, column), mask) for mask in masks])
    return offers
