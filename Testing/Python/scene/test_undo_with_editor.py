"""Our writes and the Segment Editor's undo history: each knows of the other."""

import pytest

from SAMSegmentLib.core.errors import InputError, WriteError
from SlicerHost.scene import EditorWidget
from TestSupport.editor_user import User, save

pytestmark = pytest.mark.mrml


class TestWithTheEditor:
    """The editor's own undo knows our writes, and we do not wipe the radiologist's."""

    @pytest.fixture
    def user(self, builder):
        return User(builder, editors=1)

    def test_the_editors_undo_takes_our_write_back(self, user):
        segment_id = user.write(0.4)
        before = user.state
        user.write(0.6, segment_id)
        user.editors[0].undo()
        assert user.state == before

    def test_editor_console_editor_and_all_of_it_back(self, user):
        segment_id = user.write(0.4)
        states = [user.state]
        user.paint(segment_id, 0.3)
        states.append(user.state)
        user.write(0.6, segment_id)
        states.append(user.state)
        user.paint(segment_id, 0.5)
        final = user.state
        for state in reversed(states):
            user.editors[0].undo()
            assert user.state == state
        for state in [*states[1:], final]:
            user.editors[0].redo()
            assert user.state == state

    def test_after_the_editors_undo_ours_is_refused(self, user):
        segment_id = user.write(0.4)
        user.write(0.6, segment_id)
        user.editors[0].undo()
        with pytest.raises(InputError, match="changed by something else"):
            user.writer.undo()

    def test_our_undo_can_be_redone_in_the_editor(self, user):
        segment_id = user.write(0.4)
        user.write(0.6, segment_id)
        written = user.state
        user.writer.undo()
        user.editors[0].redo()
        assert user.state == written

    def test_an_effect_that_was_cancelled_does_not_disturb(self, user):
        segment_id = user.write(0.4)
        before = user.state
        user.write(0.6, segment_id)
        user.editors[0].saveStateForUndo()
        user.writer.undo()
        assert user.state == before

    def test_a_hidden_editor_keeps_its_history_right(self, user):
        hidden = EditorWidget(user.builder.scene, user.editors[0].mrmlSegmentEditorNode(), False)
        user.editors[:] = [hidden]
        segment_id = user.write(0.4)
        user.paint(segment_id, 0.3, hidden)
        painted = user.state
        user.write(0.6, segment_id)
        hidden.undo()
        assert user.state == painted

    def test_the_editors_undo_outlives_saving(self, user, tmp_path):
        user.write(0.3)
        before = user.state
        user.write(0.7)
        save(user.segmentation, tmp_path / "s.seg.nrrd")
        user.editors[0].undo()
        assert user.state == before

    def test_the_second_editor_knows_as_well(self, builder):
        user = User(builder, editors=2)
        segment_id = user.write(0.4)
        before = user.state
        user.write(0.6, segment_id)
        user.editors[1].undo()
        assert user.state == before

    def test_an_editor_that_opens_later_does_not_lose_our_undo(self, builder):
        user = User(builder, editors=0)
        user.write(0.4)
        before = user.state
        node = builder.editor_node(user.segmentation)
        user.editors.append(EditorWidget(builder.scene, node))
        user.writer.undo()
        assert user.state == {}
        user.editors[0].undo()
        assert user.state == before

    def test_an_editor_that_was_closed_takes_its_history_along(self, user):
        user.write(0.4)
        user.editors.clear()
        with pytest.raises(InputError, match="history is gone"):
            user.writer.undo()

    def test_an_editor_that_looked_elsewhere_has_lost_its_history(self, user):
        user.write(0.4)
        before = user.state
        node = user.editors[0].mrmlSegmentEditorNode()
        other = user.builder.segmentation(user.volume, name="Other")
        node.SetAndObserveSegmentationNode(other)
        node.SetAndObserveSegmentationNode(user.segmentation)
        with pytest.raises(WriteError, match="gone"):
            user.writer.undo()
        assert user.state == before

    def test_an_editor_without_undo_leaves_it_to_us(self, user):
        user.editors[0].setMaximumNumberOfUndoStates(0)
        user.write(0.4)
        user.writer.undo()
        assert user.state == {}
