"""What belongs to other segments already."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..core.geometry import Geometry
from ..core.patch import Patch
from ..core.proposal import MOST, Proposal
from .grid import grid_under
from .layers import add_union, cropped_mask, layers_of
from .masking import ANYWHERE, EditableArea
from .steps import Steps, finish, slabs
from .transforms import to_world


def visible_others(
    segmentation_node, segment_id: str | None, area: EditableArea = ANYWHERE
) -> list[str]:
    """IDs of all visible segments that an object keeps out of.

    Visible is what is switched on in the list of segments (vtkMRMLSegmentationNode::
    GenerateEditMask): a segment counts that is only hidden with its whole segmentation.

    Args:
        segment_id: the object's own.
        area: where the user edits; the segments that it is made of are left out.
    """
    display = segmentation_node.GetDisplayNode()
    if display is None:
        return []
    return [
        other
        for other in segmentation_node.GetSegmentation().GetSegmentIDs()
        if other != segment_id and display.GetSegmentVisibility(other) and not area.has(other)
    ]


def occupied_steps(
    segmentation_node, segment_ids, geometry: Geometry, volume_to_world, start=None, shape=None
) -> Steps[Patch | None]:
    """The union of segments on a box of a volume's grid, in steps of a few milliseconds.

    Args:
        segment_ids: see `visible_others`.
        geometry: grid of the volume, in the volume's own RAS.
        volume_to_world: 4x4 from that RAS to world RAS.
        start, shape: the box, (k, j, i); the whole grid if left out.

    Returns:
        The union, cropped; None if nothing is there.

    Raises:
        InputError: if a segment has no binary labelmap, or the segmentation is under a transform
            that is not linear.
    """
    start = (0, 0, 0) if start is None else start
    shape = geometry.shape if shape is None else shape
    world_to_segmentation = np.linalg.inv(to_world(segmentation_node))
    to_segmentation = world_to_segmentation @ np.asarray(volume_to_world, dtype=float)
    box = geometry.crop(start, shape).transformed(to_segmentation)
    layers = layers_of(segmentation_node, segment_ids)
    if not layers:
        return None
    union = np.zeros(shape, dtype=bool)
    yield from add_union(layers, box, union)
    return (yield from cropped_mask(start, union))


def without_steps(
    proposal: Proposal, segmentation_node, segment_ids, volume_to_world
) -> Steps[Proposal]:
    """A proposal that leaves segments alone: no threshold reaches into them. In short steps.

    Args:
        proposal: on the reference grid of the segmentation.
        segment_ids: see `visible_others`.
        volume_to_world: 4x4 from the RAS of the proposal's image to world RAS, now.

    Raises:
        InputError: see `grid.grid_under` and `occupied_steps`.
    """
    grid = grid_under(proposal, segmentation_node, volume_to_world)
    layers = layers_of(segmentation_node, segment_ids)
    shape = proposal.levels.shape
    if not layers or proposal.levels.size == 0:
        return proposal
    union = np.zeros(shape, dtype=bool)
    yield from add_union(layers, grid.geometry.crop(proposal.start, shape), union)
    levels = np.empty_like(proposal.levels)
    for part in slabs(shape):
        levels[part] = proposal.levels[part]
        levels[part][union[part]] = -MOST
        yield
    return replace(proposal, levels=levels)


def without(proposal: Proposal, segmentation_node, segment_ids, volume_to_world) -> Proposal:
    """`without_steps`, at once."""
    return finish(without_steps(proposal, segmentation_node, segment_ids, volume_to_world))
