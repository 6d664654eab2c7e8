"""A proposal whose small holes are filled; see core.holes for which holes these are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ..core.geometry import apply_matrix
from ..core.holes import SmallHoles
from ..core.prompts import Point
from ..core.proposal import Proposal
from .grid import grid_under
from .layers import add_union, layers_of
from .masking import ANYWHERE, EditableArea
from .steps import Steps


def filled_steps(
    proposal: Proposal,
    segmentation_node,
    segment_id,
    volume_to_world,
    points: Iterable[Point],
    area: EditableArea = ANYWHERE,
) -> Steps[Proposal]:
    """A proposal that fills small holes at any threshold, in steps of a few milliseconds.

    Holes at negative points stay, and voxels of other segments stay theirs, hidden ones included.

    Args:
        proposal: on the reference grid of the segmentation.
        segment_id: for which it is; None: for a new segment.
        volume_to_world: 4x4 from the RAS of the proposal's image to world RAS, now.
        points: prompts, world RAS in mm.
        area: where the user edits; the segments that it is made of do not count.

    Raises:
        InputError: see `grid.grid_under` and `occupied.occupied_steps`.
    """
    grid = grid_under(proposal, segmentation_node, volume_to_world)
    shape = proposal.levels.shape
    if proposal.levels.size == 0:
        return proposal
    ids = segmentation_node.GetSegmentation().GetSegmentIDs()
    others = [other for other in ids if other != segment_id and not area.has(other)]
    layers = layers_of(segmentation_node, others)
    taken = None
    if layers:
        taken = np.zeros(shape, dtype=bool)
        yield from add_union(layers, grid.geometry.crop(proposal.start, shape), taken)
    to_image = np.linalg.inv(volume_to_world)
    kept = [apply_matrix(to_image, np.array(p.ras)) for p in points if not p.positive]
    holes = SmallHoles.of(proposal.geometry, proposal.start, kept, taken)
    return replace(proposal, holes=holes)
