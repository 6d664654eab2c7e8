"""What was written can be taken back, and nobody's work is lost by it."""

import gc
import weakref

import numpy as np
import pytest
import slicer
import vtk

from SAMSegmentLib.core.errors import InputError, WriteError
from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.scene import undo as undo_module
from SAMSegmentLib.scene.provenance import Provenance
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.desk import Desk, save
from SlicerHost.studio import ball, segment_array, segments_of, world_of, world_positions

pytestmark = pytest.mark.mrml


@pytest.fixture(params=[0, 1, 2], ids=["no editor", "one editor", "two editors"])
def desk(request, studio):
    return Desk(studio, request.param)


def made_by(desk, model) -> Provenance:
    return Provenance(Prompts(), desk.volume, model, "1", "")


class TestOurUndo:
    def test_it_restores_the_voxels(self, desk):
        segment_id = desk.write(0.4)
        before = desk.state
        desk.write(0.6, segment_id)
        assert desk.state != before
        assert desk.writer.undo(desk.segmentation) == segment_id
        assert desk.state == before

    def test_it_removes_a_new_segment_in_one_step(self, desk):
        desk.write(name="Tumor", provenance=made_by(desk, "m"))
        desk.writer.undo()
        assert desk.state == {}

    def test_it_takes_back_name_and_tags_of_an_old_segment(self, desk):
        segment_id = desk.write(provenance=made_by(desk, "first"))
        desk.write(0.6, segment_id, name="Renamed", provenance=made_by(desk, "second"))
        desk.writer.undo()
        segment = desk.segmentation.GetSegmentation().GetSegment(segment_id)
        tag = vtk.reference("")
        segment.GetTag("SAMSegment.Model", tag)
        assert (segment.GetName(), str(tag)) == ("Segment_1", "first")

    def test_it_goes_back_several_steps(self, desk):
        states = [desk.state]
        segment_id = desk.write(0.35)
        for place in (0.45, 0.55, 0.65):
            states.append(desk.state)
            desk.write(place, segment_id)
        for state in reversed(states):
            desk.writer.undo()
            assert desk.state == state
        with pytest.raises(InputError, match="nothing to undo"):
            desk.writer.undo()

    def test_redo_goes_forward_again(self, desk):
        segment_id = desk.write(0.4)
        states = [desk.state]
        desk.write(0.6, segment_id)
        states.append(desk.state)
        desk.writer.undo()
        desk.writer.undo()
        for state in states:
            assert desk.writer.redo() == segment_id
            assert desk.state == state
        with pytest.raises(InputError, match="nothing to redo"):
            desk.writer.redo()

    def test_undo_and_redo_may_alternate(self, desk):
        segment_id = desk.write(0.4)
        one = desk.state
        desk.write(0.6, segment_id)
        two = desk.state
        for _ in range(3):
            desk.writer.undo()
            assert desk.state == one
            desk.writer.redo()
            assert desk.state == two
        desk.writer.undo()
        desk.writer.undo()
        assert desk.state == {}

    def test_a_new_write_ends_the_redo(self, desk):
        segment_id = desk.write(0.4)
        desk.write(0.6, segment_id)
        desk.writer.undo()
        desk.write(0.5, segment_id)
        with pytest.raises(InputError, match="nothing to redo"):
            desk.writer.redo()

    def test_nothing_was_written(self, desk):
        with pytest.raises(InputError, match="nothing to undo"):
            desk.writer.undo()

    def test_each_segmentation_has_its_own(self, desk):
        other = desk.studio.segmentation(desk.volume, name="Other")
        desk.write()
        desk.writer.write(other, ball(desk.volume), world_of(desk.volume))
        desk.writer.undo(desk.segmentation)
        assert desk.state == {}
        assert len(segments_of(other)) == 1
        desk.writer.undo(other)
        assert segments_of(other) == {}

    def test_neighbours_that_were_eaten_come_back(self, desk):
        desk.write(0.45)
        before = desk.state
        node = desk.studio.editor_node(desk.segmentation)
        desk.write(0.55, segmentEditorNode=node)
        assert next(iter(desk.state.values())) != next(iter(before.values()))
        desk.writer.undo()
        assert desk.state == before


class TestOthersWork:
    """Undo is refused where it would take more back than our write."""

    def refused(self, desk):
        before = desk.state
        with pytest.raises(InputError, match="changed by something else since"):
            desk.writer.undo()
        assert desk.state == before

    def test_painting_over_it(self, desk):
        segment_id = desk.write()
        desk.alter(segment_id)
        self.refused(desk)

    def test_another_segment(self, desk):
        desk.write()
        desk.segmentation.GetSegmentation().AddEmptySegment("theirs")
        self.refused(desk)

    def test_a_removed_segment(self, desk):
        segment_id = desk.write()
        desk.write(0.7)
        desk.segmentation.GetSegmentation().RemoveSegment(segment_id)
        self.refused(desk)

    def test_a_new_name(self, desk):
        segment_id = desk.write()
        desk.segmentation.GetSegmentation().GetSegment(segment_id).SetName("Metastasis")
        self.refused(desk)

    def test_a_new_colour(self, desk):
        segment_id = desk.write()
        desk.segmentation.GetSegmentation().GetSegment(segment_id).SetColor(0.1, 0.2, 0.3)
        self.refused(desk)

    def test_a_new_terminology(self, desk):
        segment_id = desk.write()
        desk.segmentation.GetSegmentation().GetSegment(segment_id).SetTerminology("other~a~b")
        self.refused(desk)

    def test_another_status(self, desk):
        segment_id = desk.write()
        segment = desk.segmentation.GetSegmentation().GetSegment(segment_id)
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        logic.SetSegmentStatus(segment, logic.Completed)
        self.refused(desk)

    def test_another_writer(self, desk):
        desk.write()
        other = SegmentationWriter(lambda: desk.editors)
        other.write(desk.segmentation, ball(desk.volume), world_of(desk.volume))
        self.refused(desk)

    def test_another_segmentation_in_the_same_node(self, desk):
        desk.write()
        desk.segmentation.SetAndObserveSegmentation(slicer.vtkSegmentation())
        self.refused(desk)

    def test_what_only_shows_the_segment_does_not_count(self, desk):
        segment_id = desk.write()
        desk.segmentation.CreateClosedSurfaceRepresentation()
        desk.segmentation.GetDisplayNode().SetSegmentVisibility(segment_id, False)
        desk.segmentation.GetDisplayNode().SetSegmentOpacity3D(segment_id, 0.3)
        desk.writer.undo()
        assert desk.state == {}

    def test_moving_the_segmentation_does_not_count(self, desk):
        desk.write()
        desk.studio.under(desk.segmentation, np.diag([1.0, 1, 1, 1]))
        desk.writer.undo()
        assert desk.state == {}

    def test_saving_counts_where_it_rearranges_the_labelmaps(self, desk, tmp_path):
        desk.write(0.3)
        desk.write(0.7)
        save(desk.segmentation, tmp_path / "s.seg.nrrd")
        self.refused(desk)

    def test_saving_does_not_count_where_it_does_not(self, desk, tmp_path):
        desk.write()
        save(desk.segmentation, tmp_path / "s.seg.nrrd")
        desk.writer.undo()
        assert desk.state == {}


class TestMemory:
    def test_the_oldest_states_go(self, studio):
        desk = Desk(studio)
        segment_id = desk.write(0.3)
        places = np.linspace(0.32, 0.7, 7)
        for place in places:
            desk.write(place, segment_id)
        undone = 0
        with pytest.raises((InputError, WriteError)):
            while True:
                desk.writer.undo()
                undone += 1
        # vtkSegmentationHistory keeps 5 states, of which the first undo needs one for redo.
        assert undone == 4
        expected = ball(desk.volume, (places[2],) * 3, 5).mask()
        np.testing.assert_array_equal(
            segment_array(desk.segmentation, segment_id, desk.volume), expected
        )

    def test_only_the_last_segmentations_have_a_history(self, studio):
        desk = Desk(studio)
        nodes = [studio.segmentation(desk.volume, name=str(n)) for n in range(5)]
        for node in nodes:
            desk.writer.write(node, ball(desk.volume), world_of(desk.volume))
        with pytest.raises(InputError, match='nothing to undo in Segmentation "0"'):
            desk.writer.undo(nodes[0])
        for node in reversed(nodes[-undo_module.MOST_HISTORIES :]):
            desk.writer.undo(node)

    def test_a_deleted_segmentation_is_forgotten(self, studio):
        desk = Desk(studio)
        desk.write()
        segmentation = weakref.ref(desk.segmentation.GetSegmentation())
        studio.host.hierarchy.RemoveAllItems()
        studio.scene.RemoveNode(desk.segmentation)
        with pytest.raises(InputError, match="nothing to undo"):
            desk.writer.undo()
        del desk.segmentation
        gc.collect()
        assert segmentation() is None

    def test_closing_the_scene_forgets_all(self, studio):
        desk = Desk(studio)
        desk.write()
        studio.host.close()
        with pytest.raises(InputError, match="nothing to undo"):
            desk.writer.undo()

    def test_the_writer_can_be_freed(self, studio):
        desk = Desk(studio)
        desk.write()
        writer = weakref.ref(desk.writer)
        del desk.writer
        gc.collect()
        assert writer() is None


def test_positions_are_compared_at_all(studio):
    """The comparisons above would mean nothing if states without voxels were compared."""
    desk = Desk(studio)
    segment_id = desk.write()
    assert len(world_positions(desk.segmentation, segment_id)) > 300
