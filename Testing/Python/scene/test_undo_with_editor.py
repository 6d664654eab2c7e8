"""Our writes and the Segment Editor's undo history: each knows of the other."""

import pytest

from SAMSegmentLib.core.errors import InputError, WriteError
from SlicerHost.desk import Desk, save
from SlicerHost.scene import EditorWidget

pytestmark = pytest.mark.mrml


class TestWithTheEditor:
    """The editor's own undo knows our writes, and we do not wipe the radiologist's."""

    @pytest.fixture
    def desk(self, studio):
        return Desk(studio, editors=1)

    def test_the_editors_undo_takes_our_write_back(self, desk):
        segment_id = desk.write(0.4)
        before = desk.state
        desk.write(0.6, segment_id)
        desk.editors[0].undo()
        assert desk.state == before

    def test_editor_console_editor_and_all_of_it_back(self, desk):
        segment_id = desk.write(0.4)
        states = [desk.state]
        desk.paint(segment_id, 0.3)
        states.append(desk.state)
        desk.write(0.6, segment_id)
        states.append(desk.state)
        desk.paint(segment_id, 0.5)
        final = desk.state
        for state in reversed(states):
            desk.editors[0].undo()
            assert desk.state == state
        for state in [*states[1:], final]:
            desk.editors[0].redo()
            assert desk.state == state

    def test_after_the_editors_undo_ours_is_refused(self, desk):
        segment_id = desk.write(0.4)
        desk.write(0.6, segment_id)
        desk.editors[0].undo()
        with pytest.raises(InputError, match="changed by something else"):
            desk.writer.undo()

    def test_our_undo_can_be_redone_in_the_editor(self, desk):
        segment_id = desk.write(0.4)
        desk.write(0.6, segment_id)
        written = desk.state
        desk.writer.undo()
        desk.editors[0].redo()
        assert desk.state == written

    def test_an_effect_that_was_cancelled_does_not_disturb(self, desk):
        segment_id = desk.write(0.4)
        before = desk.state
        desk.write(0.6, segment_id)
        desk.editors[0].saveStateForUndo()
        desk.writer.undo()
        assert desk.state == before

    def test_a_hidden_editor_keeps_its_history_right(self, desk):
        hidden = EditorWidget(desk.studio.scene, desk.editors[0].mrmlSegmentEditorNode(), False)
        desk.editors[:] = [hidden]
        segment_id = desk.write(0.4)
        desk.paint(segment_id, 0.3, hidden)
        painted = desk.state
        desk.write(0.6, segment_id)
        hidden.undo()
        assert desk.state == painted

    def test_the_editors_undo_outlives_saving(self, desk, tmp_path):
        desk.write(0.3)
        before = desk.state
        desk.write(0.7)
        save(desk.segmentation, tmp_path / "s.seg.nrrd")
        desk.editors[0].undo()
        assert desk.state == before

    def test_the_second_editor_knows_as_well(self, studio):
        desk = Desk(studio, editors=2)
        segment_id = desk.write(0.4)
        before = desk.state
        desk.write(0.6, segment_id)
        desk.editors[1].undo()
        assert desk.state == before

    def test_an_editor_that_opens_later_does_not_lose_our_undo(self, studio):
        desk = Desk(studio, editors=0)
        desk.write(0.4)
        before = desk.state
        node = studio.editor_node(desk.segmentation)
        desk.editors.append(EditorWidget(studio.scene, node))
        desk.writer.undo()
        assert desk.state == {}
        desk.editors[0].undo()
        assert desk.state == before

    def test_an_editor_that_was_closed_takes_its_history_along(self, desk):
        desk.write(0.4)
        desk.editors.clear()
        with pytest.raises(InputError, match="history is gone"):
            desk.writer.undo()

    def test_an_editor_that_looked_elsewhere_has_lost_its_history(self, desk):
        desk.write(0.4)
        before = desk.state
        node = desk.editors[0].mrmlSegmentEditorNode()
        other = desk.studio.segmentation(desk.volume, name="Other")
        node.SetAndObserveSegmentationNode(other)
        node.SetAndObserveSegmentationNode(desk.segmentation)
        with pytest.raises(WriteError, match="gone"):
            desk.writer.undo()
        assert desk.state == before

    def test_an_editor_without_undo_leaves_it_to_us(self, desk):
        desk.editors[0].setMaximumNumberOfUndoStates(0)
        desk.write(0.4)
        desk.writer.undo()
        assert desk.state == {}
