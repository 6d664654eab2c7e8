"""What is written of a proposal, and when it is refused because it is none any more."""

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError, WriteError
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.core.proposal import NO_LEVELS, Proposal
from SAMSegmentLib.scene.grid import target_geometry
from SAMSegmentLib.scene.provenance import Provenance
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene_builder import (
    GRIDS,
    PARENTS,
    affine,
    segments_of,
    vtk_matrix,
    world_of,
    world_positions,
)
from TestSupport.editor_user import User
from TestSupport.scene_answers import ball, proposal_of

pytestmark = pytest.mark.mrml


class Case:
    def __init__(self, builder, grid="oblique", volume="rotated", segmentation="translated"):
        self.volume = builder.volume(GRIDS[grid], PARENTS[volume])
        self.segmentation = builder.segmentation(self.volume, PARENTS[segmentation])
        self.proposal = proposal_of(ball(self.volume, radius_mm=6), self.volume, self.segmentation)
        self.writer = SegmentationWriter(open_editors=list)

    def write(self, proposal=None, **arguments):
        proposal = self.proposal if proposal is None else proposal
        return self.writer.write(self.segmentation, proposal, world_of(self.volume), **arguments)


@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.9])
def test_the_threshold_is_followed(builder, threshold):
    case = Case(builder)
    segment_id = case.write(threshold=threshold).segment_id
    written = world_positions(case.segmentation, segment_id)
    assert len(written) == np.count_nonzero(case.proposal.box_mask(threshold)) > 50


def test_it_is_one_undo_step_with_tags(builder):
    user = User(builder)
    segment_id = user.write(0.4)
    before = user.state
    proposal = proposal_of(ball(user.volume), user.volume, user.segmentation)
    made = Provenance(Prompts(), user.volume, "m", "1", "")
    user.writer.write(
        user.segmentation, proposal, world_of(user.volume), segment_id, provenance=made
    )
    assert user.state != before
    user.writer.undo()
    assert user.state == before


class TestRefused:
    def refused(self, case):
        before = segments_of(case.segmentation)
        with pytest.raises(InputError, match=r"geometry of .* has changed.*try again"):
            case.write()
        assert segments_of(case.segmentation) == before

    def test_after_the_segmentation_got_another_grid(self, builder):
        case = Case(builder)
        other = builder.volume(GRIDS["anisotropic"], name="Other")
        case.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(other)
        self.refused(case)

    def test_after_its_grid_was_cut(self, builder):
        case = Case(builder, segmentation="none", volume="none")
        builder.on_grid(case.segmentation, GRIDS["oblique"], (10, 30, 26))
        self.refused(case)

    @pytest.mark.parametrize("node", ["volume", "segmentation"])
    def test_after_a_transform_was_moved(self, builder, node):
        case = Case(builder)
        transform = getattr(case, node).GetParentTransformNode()
        transform.SetMatrixTransformToParent(vtk_matrix(affine(offset=(0, 0, 1))))
        self.refused(case)

    def test_not_for_less_than_a_hundredth_of_a_voxel(self, builder):
        case = Case(builder, "axis-aligned", "none", "none")
        builder.under(case.segmentation, affine(offset=(0.005, 0, 0)))
        segment_id = case.write().segment_id
        assert len(world_positions(case.segmentation, segment_id)) > 50


def test_an_empty_proposal_says_what_to_do(builder):
    case = Case(builder)
    geometry = target_geometry(case.segmentation, world_of(case.volume))
    for proposal, says in (
        (Proposal(Patch(np.full((3, 3, 3), -40, np.int8), (0, 0, 0)), geometry), "lower it"),
        (Proposal(NO_LEVELS, geometry), "found nothing here"),
        (Proposal(NO_LEVELS, geometry, cut=1.0), "outside the segmentation's geometry"),
    ):
        with pytest.raises(WriteError, match=says):
            case.write(proposal)
    assert segments_of(case.segmentation) == {}
