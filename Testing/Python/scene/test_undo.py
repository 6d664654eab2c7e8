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
from SlicerHost.scene_builder import segments_of, world_positions
from TestSupport.editor_user import User, save
from TestSupport.scene_answers import ball, segment_array, write_answer

pytestmark = pytest.mark.mrml


@pytest.fixture(params=[0, 1, 2], ids=["no editor", "one editor", "two editors"])
def user(request, builder):
    return User(builder, request.param)


def made_by(user, model) -> Provenance:
    return Provenance(Prompts(), user.volume, model, "1", "")


class TestOurUndo:
    def test_it_restores_the_voxels(self, user):
        segment_id = user.write(0.4)
        before = user.state
        user.write(0.6, segment_id)
        assert user.state != before
        assert user.writer.undo(user.segmentation) == segment_id
        assert user.state == before

    def test_it_removes_a_new_segment_in_one_step(self, user):
        user.write(name="Tumor", provenance=made_by(user, "m"))
        user.writer.undo()
        assert user.state == {}

    def test_it_takes_back_name_and_tags_of_an_old_segment(self, user):
        segment_id = user.write(provenance=made_by(user, "first"))
        user.write(0.6, segment_id, name="Renamed", provenance=made_by(user, "second"))
        user.writer.undo()
        segment = user.segmentation.GetSegmentation().GetSegment(segment_id)
        tag = vtk.reference("")
        segment.GetTag("SAMSegment.Model", tag)
        assert (segment.GetName(), str(tag)) == ("Segment_1", "first")

    def test_it_goes_back_several_steps(self, user):
        states = [user.state]
        segment_id = user.write(0.35)
        for place in (0.45, 0.55, 0.65):
            states.append(user.state)
            user.write(place, segment_id)
        for state in reversed(states):
            user.writer.undo()
            assert user.state == state
        with pytest.raises(InputError, match="nothing to undo"):
            user.writer.undo()

    def test_redo_goes_forward_again(self, user):
        segment_id = user.write(0.4)
        states = [user.state]
        user.write(0.6, segment_id)
        states.append(user.state)
        user.writer.undo()
        user.writer.undo()
        for state in states:
            assert user.writer.redo() == segment_id
            assert user.state == state
        with pytest.raises(InputError, match="nothing to redo"):
            user.writer.redo()

    def test_undo_and_redo_may_alternate(self, user):
        segment_id = user.write(0.4)
        one = user.state
        user.write(0.6, segment_id)
        two = user.state
        for _ in range(3):
            user.writer.undo()
            assert user.state == one
            user.writer.redo()
            assert user.state == two
        user.writer.undo()
        user.writer.undo()
        assert user.state == {}

    def test_a_new_write_ends_the_redo(self, user):
        segment_id = user.write(0.4)
        user.write(0.6, segment_id)
        user.writer.undo()
        user.write(0.5, segment_id)
        with pytest.raises(InputError, match="nothing to redo"):
            user.writer.redo()

    def test_nothing_was_written(self, user):
        with pytest.raises(InputError, match="nothing to undo"):
            user.writer.undo()

    def test_each_segmentation_has_its_own(self, user):
        other = user.builder.segmentation(user.volume, name="Other")
        user.write()
        write_answer(user.writer, other, ball(user.volume), user.volume)
        user.writer.undo(user.segmentation)
        assert user.state == {}
        assert len(segments_of(other)) == 1
        user.writer.undo(other)
        assert segments_of(other) == {}

    def test_neighbours_that_were_eaten_come_back(self, user):
        user.write(0.45)
        before = user.state
        node = user.builder.editor_node(user.segmentation)
        user.write(0.55, segmentEditorNode=node)
        assert next(iter(user.state.values())) != next(iter(before.values()))
        user.writer.undo()
        assert user.state == before


class TestOthersWork:
    """Undo is refused where it would take more back than our write."""

    def refused(self, user):
        before = user.state
        with pytest.raises(InputError, match="changed by something else since"):
            user.writer.undo()
        assert user.state == before

    def test_painting_over_it(self, user):
        segment_id = user.write()
        user.alter(segment_id)
        self.refused(user)

    def test_another_segment(self, user):
        user.write()
        user.segmentation.GetSegmentation().AddEmptySegment("theirs")
        self.refused(user)

    def test_a_removed_segment(self, user):
        segment_id = user.write()
        user.write(0.7)
        user.segmentation.GetSegmentation().RemoveSegment(segment_id)
        self.refused(user)

    def test_a_new_name(self, user):
        segment_id = user.write()
        user.segmentation.GetSegmentation().GetSegment(segment_id).SetName("Metastasis")
        self.refused(user)

    def test_a_new_colour(self, user):
        segment_id = user.write()
        user.segmentation.GetSegmentation().GetSegment(segment_id).SetColor(0.1, 0.2, 0.3)
        self.refused(user)

    def test_a_new_terminology(self, user):
        segment_id = user.write()
        user.segmentation.GetSegmentation().GetSegment(segment_id).SetTerminology("other~a~b")
        self.refused(user)

    def test_another_status(self, user):
        segment_id = user.write()
        segment = user.segmentation.GetSegmentation().GetSegment(segment_id)
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        logic.SetSegmentStatus(segment, logic.Completed)
        self.refused(user)

    def test_another_writer(self, user):
        user.write()
        other = SegmentationWriter(lambda: user.editors)
        write_answer(other, user.segmentation, ball(user.volume), user.volume)
        self.refused(user)

    def test_another_segmentation_in_the_same_node(self, user):
        user.write()
        user.segmentation.SetAndObserveSegmentation(slicer.vtkSegmentation())
        self.refused(user)

    def test_what_only_shows_the_segment_does_not_count(self, user):
        segment_id = user.write()
        user.segmentation.CreateClosedSurfaceRepresentation()
        user.segmentation.GetDisplayNode().SetSegmentVisibility(segment_id, False)
        user.segmentation.GetDisplayNode().SetSegmentOpacity3D(segment_id, 0.3)
        user.writer.undo()
        assert user.state == {}

    def test_moving_the_segmentation_does_not_count(self, user):
        user.write()
        user.builder.under(user.segmentation, np.diag([1.0, 1, 1, 1]))
        user.writer.undo()
        assert user.state == {}

    def test_saving_counts_where_it_rearranges_the_labelmaps(self, user, tmp_path):
        user.write(0.3)
        user.write(0.7)
        save(user.segmentation, tmp_path / "s.seg.nrrd")
        self.refused(user)

    def test_saving_does_not_count_where_it_does_not(self, user, tmp_path):
        user.write()
        save(user.segmentation, tmp_path / "s.seg.nrrd")
        user.writer.undo()
        assert user.state == {}


class TestMemory:
    def test_the_oldest_states_go(self, builder):
        user = User(builder)
        segment_id = user.write(0.3)
        places = np.linspace(0.32, 0.7, 7)
        for place in places:
            user.write(place, segment_id)
        undone = 0
        with pytest.raises((InputError, WriteError)):
            while True:
                user.writer.undo()
                undone += 1
        # vtkSegmentationHistory keeps 5 states, of which the first undo needs one for redo.
        assert undone == 4
        expected = ball(user.volume, (places[2],) * 3, 5).mask()
        np.testing.assert_array_equal(
            segment_array(user.segmentation, segment_id, user.volume), expected
        )

    def test_only_the_last_segmentations_have_a_history(self, builder):
        user = User(builder)
        nodes = [builder.segmentation(user.volume, name=str(n)) for n in range(5)]
        for node in nodes:
            write_answer(user.writer, node, ball(user.volume), user.volume)
        with pytest.raises(InputError, match='nothing to undo in Segmentation "0"'):
            user.writer.undo(nodes[0])
        for node in reversed(nodes[-undo_module.MOST_HISTORIES :]):
            user.writer.undo(node)

    def test_a_deleted_segmentation_is_forgotten(self, builder):
        user = User(builder)
        user.write()
        segmentation = weakref.ref(user.segmentation.GetSegmentation())
        builder.host.hierarchy.RemoveAllItems()
        builder.scene.RemoveNode(user.segmentation)
        with pytest.raises(InputError, match="nothing to undo"):
            user.writer.undo()
        del user.segmentation
        gc.collect()
        assert segmentation() is None

    def test_closing_the_scene_forgets_all(self, builder):
        user = User(builder)
        user.write()
        builder.host.close()
        with pytest.raises(InputError, match="nothing to undo"):
            user.writer.undo()

    def test_the_writer_can_be_freed(self, builder):
        user = User(builder)
        user.write()
        writer = weakref.ref(user.writer)
        del user.writer
        gc.collect()
        assert writer() is None


def test_positions_are_compared_at_all(builder):
    """The comparisons above would mean nothing if states without voxels were compared."""
    user = User(builder)
    segment_id = user.write()
    assert len(world_positions(user.segmentation, segment_id)) > 300
