"""What limits a proposal: voxels of other segments, and parts that are too small to be meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.geometry import Geometry, apply_matrix
from ..core.patch import Box, Patch
from ..core.prompts import Point
from ..core.proposal import MOST, Proposal
from ..core.small_parts import SmallParts
from .grid import grid_under
from .layers import add_union, cropped_mask, layers_of
from .masking import ANYWHERE, EditableArea
from .steps import Steps, slabs
from .transforms import to_world

if TYPE_CHECKING:
    import slicer


def visible_others(
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    segment_id: str | None,
    area: EditableArea = ANYWHERE,
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
        for other in _others(segmentation_node, segment_id, area)
        if display.GetSegmentVisibility(other)
    ]


def occupied_steps(
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    segment_ids: Iterable[str],
    geometry: Geometry,
    volume_to_world: np.ndarray,
    box: Box | None = None,
) -> Steps[Patch | None]:
    """The union of segments on a box of a volume's grid, in steps of a few milliseconds.

    Args:
        segment_ids: see `visible_others`.
        geometry: grid of the volume, in the volume's own RAS.
        volume_to_world: 4x4 from that RAS to world RAS.
        box: slices (k, j, i); the whole grid if left out.

    Returns:
        The union, cropped; None if nothing is there.

    Raises:
        InputError: if a segment has no binary labelmap, or the segmentation is under a transform
            that is not linear.
    """
    box = box or tuple(slice(0, n) for n in geometry.shape)
    start, shape = zip(*[(part.start, part.stop - part.start) for part in box], strict=True)
    world_to_segmentation = np.linalg.inv(to_world(segmentation_node))
    to_segmentation = world_to_segmentation @ np.asarray(volume_to_world, dtype=float)
    target = geometry.crop(start, shape).transformed(to_segmentation)
    union = yield from _union_steps(segmentation_node, segment_ids, target)
    return None if union is None else (yield from cropped_mask(start, union))


def without_segments_steps(
    proposal: Proposal,
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    segment_ids: Iterable[str],
    volume_to_world: np.ndarray,
) -> Steps[Proposal]:
    """A proposal that no threshold lets reach into other segments. In short steps.

    Args:
        proposal: on the reference grid of the segmentation.
        segment_ids: see `visible_others`.
        volume_to_world: 4x4 from the RAS of the proposal's image to world RAS, now.

    Raises:
        InputError: see `grid.grid_under` and `occupied_steps`.
    """
    grid, before = grid_under(proposal, segmentation_node, volume_to_world), proposal.levels
    if proposal.is_empty:
        return proposal
    shape = before.values.shape
    box = grid.geometry.crop(before.start, shape)
    union = yield from _union_steps(segmentation_node, segment_ids, box)
    if union is None:
        return proposal
    levels = np.empty_like(before.values)
    for part in slabs(shape):
        levels[part] = before.values[part]
        levels[part][union[part]] = -MOST
        yield
    return replace(proposal, levels=Patch(levels, before.start))


def without_small_parts_steps(
    proposal: Proposal,
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    segment_id: str | None,
    volume_to_world: np.ndarray,
    points: Sequence[Point],
    area: EditableArea = ANYWHERE,
    fills: bool = True,
    cleans: bool = True,
) -> Steps[Proposal]:
    """A proposal without small holes and crumbs (see `core.small_parts`) at any threshold.

    Holes at negative points and crumbs at positive ones stay, and voxels of other segments stay
    theirs, hidden ones included. In short steps.

    Args:
        proposal: on the reference grid of the segmentation.
        segment_id: for which it is; None: for a new segment.
        volume_to_world: 4x4 from the RAS of the proposal's image to world RAS, now.
        points: prompts, world RAS in mm.
        area: where the user edits; the segments that it is made of do not count.
        fills, cleans: whether holes are filled, whether crumbs are removed.

    Raises:
        InputError: see `grid.grid_under` and `occupied_steps`.
    """
    grid, levels = grid_under(proposal, segmentation_node, volume_to_world), proposal.levels
    if proposal.is_empty:
        return proposal
    box = grid.geometry.crop(levels.start, levels.values.shape)
    others = _others(segmentation_node, segment_id, area)
    union = yield from _union_steps(segmentation_node, others, box)
    to_image = np.linalg.inv(volume_to_world)
    positive, negative = (
        [apply_matrix(to_image, np.array(p.ras)) for p in points if p.positive == sign]
        for sign in (True, False)
    )
    rules = SmallParts.of(proposal.geometry, levels.start, negative, positive, union, fills, cleans)
    return replace(proposal, small_parts=rules)


def _others(segmentation_node, segment_id: str | None, area: EditableArea) -> list[str]:
    ids = segmentation_node.GetSegmentation().GetSegmentIDs()
    return [other for other in ids if other != segment_id and not area.has(other)]


def _union_steps(segmentation_node, segment_ids, box: Geometry) -> Steps[np.ndarray | None]:
    """Which voxels of a box, in the segmentation node's own RAS, lie in segments; None: in none."""
    layers = layers_of(segmentation_node, segment_ids)
    if not layers:
        return None
    union = np.zeros(box.shape, dtype=bool)
    yield from add_union(layers, box, union)
    return union
