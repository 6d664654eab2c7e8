"""A proposal is written by the same rules as a prediction."""

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError, WriteError
from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.core.proposal import Proposal
from SAMSegmentLib.scene.grid import target_geometry
from SAMSegmentLib.scene.provenance import Provenance
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.desk import Desk
from SlicerHost.studio import (
    GRIDS,
    PARENTS,
    affine,
    ball,
    proposal_of,
    segments_of,
    vtk_matrix,
    world_of,
    world_positions,
)

pytestmark = pytest.mark.mrml


class Case:
    def __init__(self, studio, grid="oblique", volume="rotated", segmentation="translated"):
        self.volume = studio.volume(GRIDS[grid], PARENTS[volume])
        self.segmentation = studio.segmentation(self.volume, PARENTS[segmentation])
        self.prediction = ball(self.volume, radius_mm=6)
        self.proposal = proposal_of(self.prediction, self.volume, self.segmentation)
        self.writer = SegmentationWriter(open_editors=list)

    def write(self, answer=None, **arguments):
        answer = self.proposal if answer is None else answer
        return self.writer.write(self.segmentation, answer, world_of(self.volume), **arguments)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("parents", [("none", "none"), ("rotated", "translated")])
def test_it_gives_what_the_prediction_gives(studio, grid, parents):
    case = Case(studio, grid, *parents)
    first = case.write(case.prediction).segment_id
    second = case.write().segment_id
    expected, written = (world_positions(case.segmentation, s) for s in (first, second))
    assert len(written) > 50
    np.testing.assert_allclose(written, expected, atol=1e-6)


@pytest.mark.parametrize("threshold", [0.05, 0.5, 0.9])
def test_the_threshold_is_followed(studio, threshold):
    case = Case(studio)
    result = case.write(threshold=threshold)
    assert result.voxel_count == np.count_nonzero(case.proposal.box_mask(threshold))


def test_it_is_one_undo_step_with_tags(studio):
    desk = Desk(studio)
    segment_id = desk.write(0.4)
    before = desk.state
    proposal = proposal_of(ball(desk.volume), desk.volume, desk.segmentation)
    made = Provenance(Prompts(), desk.volume, "m", "1", "")
    desk.writer.write(
        desk.segmentation, proposal, world_of(desk.volume), segment_id, provenance=made
    )
    assert desk.state != before
    desk.writer.undo()
    assert desk.state == before


class TestRefused:
    def refused(self, case):
        before = segments_of(case.segmentation)
        with pytest.raises(InputError, match=r"geometry of .* has changed.*try again"):
            case.write()
        assert segments_of(case.segmentation) == before

    def test_after_the_segmentation_got_another_grid(self, studio):
        case = Case(studio)
        other = studio.volume(GRIDS["anisotropic"], name="Other")
        case.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(other)
        self.refused(case)

    def test_after_its_grid_was_cut(self, studio):
        case = Case(studio, segmentation="none", volume="none")
        studio.on_grid(case.segmentation, GRIDS["oblique"], (10, 30, 26))
        self.refused(case)

    @pytest.mark.parametrize("node", ["volume", "segmentation"])
    def test_after_a_transform_was_moved(self, studio, node):
        case = Case(studio)
        transform = getattr(case, node).GetParentTransformNode()
        transform.SetMatrixTransformToParent(vtk_matrix(affine(offset=(0, 0, 1))))
        self.refused(case)

    def test_not_for_less_than_a_hundredth_of_a_voxel(self, studio):
        case = Case(studio, "axis-aligned", "none", "none")
        studio.under(case.segmentation, affine(offset=(0.005, 0, 0)))
        assert case.write().voxel_count > 50


def test_an_empty_proposal_says_what_to_do(studio):
    case = Case(studio)
    geometry = target_geometry(case.segmentation, world_of(case.volume))
    for levels in (np.zeros((0, 0, 0), np.int8), np.full((3, 3, 3), -40, np.int8)):
        with pytest.raises(WriteError, match="lower it"):
            case.write(Proposal(levels, (0, 0, 0), geometry))
    assert segments_of(case.segmentation) == {}
