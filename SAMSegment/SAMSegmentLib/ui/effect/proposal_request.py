"""What a proposal is computed from, and the worker's request that is made of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from slicer.i18n import tr as _

from ...core.checks import check_prompts_in_volume
from ...core.errors import InputError
from ...core.geometry import Geometry
from ...core.patch import Box, Patch
from ...core.prompts import Prompts
from ...core.proposal import Proposal
from ...core.voxel_prompts import VoxelPrompts
from ...scene.content import content_steps
from ...scene.layers import layers_of
from ...scene.prompt_frame import Content, content_of
from ...scene.proposal_limits import (
    occupied_steps,
    visible_others,
    without_segments_steps,
    without_small_parts_steps,
)
from ...scene.steps import Steps
from ...weights.catalogue import ModelEntry
from ...worker.protocol.events import PredictionRequest
from .parameters import FROM_CONTENT, FROM_PROMPTS, REFINE, Parameters
from .target import Placement, Target, placement_of

# Around a point: most organs are smaller.
POINT_MARGIN_MM = 80.0
CUBE = np.stack(np.meshgrid(*[(-1.0, 1.0)] * 3), axis=-1).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class ProposalRequest:
    """Everything on which a proposal depends, as it was at one moment. The threshold does not.

    Attributes:
        target: the segment for which the proposal is made; a structure that an automatic model
            finds gets a new one.
        prompts: world RAS, mm; none for an automatic model.
        model: that makes it.
        parameters: of the effect.
        placement: where the target lies, and in which voxels.
        content: what the segment holds, if the proposal starts from that.
    """

    target: Target
    prompts: Prompts
    model: ModelEntry
    parameters: Parameters
    placement: Placement
    content: Content | None

    @property
    def is_automatic(self) -> bool:
        """Whether structures are found without prompts."""
        return self.model.is_automatic

    def is_same(self, other: ProposalRequest) -> bool:
        """Whether both have the same proposals."""
        return (
            self.parameters.request_key == other.parameters.request_key
            and self.prompts == other.prompts
            and self.has_same_scene(other)
        )

    def has_same_scene(self, other: ProposalRequest) -> bool:
        """Whether both are about the same voxels of the same segment, image and grid."""
        starts = self.parameters.start_from, other.parameters.start_from
        return (
            self.target == other.target
            and self.placement.is_same(other.placement)
            and (FROM_PROMPTS in starts or _is_same_content(self.content, other.content))
        )

    def others_state(self) -> tuple:
        """Differs whenever voxels of other segments, or which of them are visible, have changed."""
        node, segment_id = self.target.segmentation, self._segment_id
        ids = node.GetSegmentation().GetSegmentIDs()
        layers = layers_of(node, [other for other in ids if other != segment_id])
        states = ((layer.time, layer.values, layer.geometry) for layer in layers)
        return (*self._visible_others(), *states)

    def worker_request(self, view_direction: Sequence[float] | None) -> PredictionRequest:
        """The request for the worker, still without voxels of segments.

        Args:
            view_direction: across the slice view in which the user works, world RAS, or None.

        Raises:
            InputError: if the model cannot answer it.
        """
        to_world = self.placement.volume_to_world
        if self.is_automatic:
            names = self.structures
            if not names:
                raise InputError(_("No structure is chosen: check those that are to be found."))
            image, grid = self.placement.image, self.placement.grid
            return PredictionRequest(
                self.model,
                image,
                Prompts(),
                grid,
                structures=names,
                smoothing_mm=self.parameters.smoothing,
            )
        in_volume = self.prompts.transformed(np.linalg.inv(to_world))
        check_prompts_in_volume(in_volume, self.placement.image.geometry)
        if self.parameters.start_from == FROM_PROMPTS:
            self.model.check_prompts(in_volume)
        return PredictionRequest(
            self.model,
            self.placement.image,
            in_volume,
            self.placement.grid,
            smoothing_mm=self.parameters.smoothing,
            facing=None if view_direction is None else tuple(to_world[:3, :3].T @ view_direction),
        )

    def with_voxels_steps(self, request: PredictionRequest) -> Steps[PredictionRequest]:
        """The worker's request with the voxels of segments that belong to it."""
        if self.is_automatic:
            return request
        node, segment_id = self.target.segmentation, self.target.segment_id
        geometry, to_world = self.placement.image.geometry, self.placement.volume_to_world
        start_from = self.parameters.start_from
        content = occupied = None
        if start_from != FROM_PROMPTS:
            content = yield from content_steps(node, segment_id, geometry, to_world)
        if self.parameters.keep_out:
            box = prompt_box(request.prompts, content, geometry)
            others = self._visible_others()
            occupied = yield from occupied_steps(node, others, geometry, to_world, box)
        if content is None and occupied is None:
            return request
        return replace(request, voxels=VoxelPrompts(content, start_from == REFINE, occupied))

    def limited_steps(self, proposals: Sequence[Proposal]) -> Steps[tuple[Proposal, ...]]:
        """The proposals without voxels that other segments keep, without small holes and crumbs."""
        limited = []
        for proposal in proposals:
            limited.append((yield from self._limited_steps(proposal)))
        return tuple(limited)

    def _limited_steps(self, proposal: Proposal) -> Steps[Proposal]:
        node, segment_id = self.target.segmentation, self._segment_id
        to_world, parameters = self.placement.volume_to_world, self.parameters
        if parameters.keep_out:
            others = self._visible_others()
            proposal = yield from without_segments_steps(proposal, node, others, to_world)
        # What the segment holds already may be meant: its holes, if it is taken as it is, and its
        # crumbs, if it is refined, too.
        start_from = FROM_PROMPTS if self.is_automatic else parameters.start_from
        if parameters.fill_holes and start_from != FROM_CONTENT:
            proposal = yield from without_small_parts_steps(
                proposal,
                node,
                segment_id,
                to_world,
                self.prompts.points,
                parameters.area,
                cleans=start_from == FROM_PROMPTS,
            )
        return proposal

    @property
    def structures(self) -> tuple[str, ...]:
        """Names of the structures that are to be found, in the model's order."""
        chosen = self.parameters.structures
        names = [structure.name for structure in self.model.structures]
        return tuple(name for name in names if chosen is None or name in chosen)

    @property
    def _segment_id(self) -> str | None:
        """The segment that will be written; None for new ones."""
        return None if self.is_automatic else self.target.segment_id

    def _visible_others(self) -> list[str]:
        area = self.parameters.area
        return visible_others(self.target.segmentation, self._segment_id, area)


def request_of(target: Target, prompts: Prompts, parameters: Parameters) -> ProposalRequest:
    """The request as it is now; cheap.

    Raises:
        InputError: if the target's volume or its segmentation cannot be used.
    """
    content, model = None, parameters.entry
    if model.is_automatic:
        prompts = Prompts()
    elif parameters.start_from != FROM_PROMPTS:
        content = content_of(target.segmentation, target.segment_id)
    placement = placement_of(target)
    return ProposalRequest(target, prompts, model, parameters, placement, content)


def prompt_box(prompts: Prompts, content: Patch | None, geometry: Geometry) -> Box | None:
    """A box, slices (k, j, i), around all that prompts in the grid's RAS may mean, if anything.

    For telling the model what is occupied; what is written is limited exactly, wherever it reaches.
    """
    corners = [] if prompts.roi is None else [prompts.roi.corners()]
    positions = [np.array(point.ras) for point in prompts.points]
    if prompts.line is not None:
        positions += [np.array(prompts.line.start), np.array(prompts.line.end)]
    corners += [position + POINT_MARGIN_MM * CUBE for position in positions]
    if content is not None:
        # Between the outermost voxels' centres and borders, so that rounding adds no others.
        ends = np.array([content.start, content.stop])[:, ::-1] + [[0.5], [-0.5]]
        corners.append(geometry.to_ras(ends))
    return geometry.box_around(np.concatenate(corners or [geometry.corners()]))


def _is_same_content(first: Content | None, second: Content | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.digest == second.digest and first.geometry.is_close(second.geometry)
