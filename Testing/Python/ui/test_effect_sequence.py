"""A volume of a sequence is segmented at the time point that it shows; the prompts say which."""

import pytest
import slicer

from TestSupport.phantoms import ball, dice

from .conftest import BALL, GRID, RADIUS, SMALL, SMALL_RADIUS, voxels
from .test_effect_pending import Post

pytestmark = pytest.mark.mrml


@pytest.fixture
def desk(make_desk):
    """The volume shows a sequence of two time points; at the second one, the object has gone."""
    desk = make_desk()
    desk.choose_effect("")
    desk.logic = slicer.vtkSlicerSequencesLogic()
    desk.logic.SetMRMLScene(desk.scene)
    sequence = desk.studio.host.add("vtkMRMLSequenceNode", "Perfusion")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    late = voxels()
    late[ball(GRID, BALL, RADIUS)] = 40
    for value, shown in (("0", voxels()), ("2.5", late)):
        volume = desk.studio.volume(GRID.ijk_to_ras, voxels=shown)
        sequence.SetDataNodeAtValue(volume, value)
        desk.scene.RemoveNode(volume)
    desk.browser = desk.studio.host.add("vtkMRMLSequenceBrowserNode", "Browser")
    desk.browser.AddSynchronizedSequenceNode(sequence)
    show(desk, 0)
    desk.volume = desk.browser.GetProxyNode(sequence)
    desk.editor.setSourceVolumeNode(desk.volume)
    desk.choose_effect()
    return desk


def show(desk, item: int) -> None:
    desk.browser.SetSelectedItemNumber(item)
    desk.logic.UpdateProxyNodesFromSequences(desk.browser)


def test_the_time_point_that_is_shown_is_segmented(desk):
    assert "Time point 1 of 2 (time 0 s) of Perfusion" in desk.ui.noteLabel.text
    assert dice(desk.propose(BALL), ball(GRID, BALL, RADIUS)) > 0.95
    show(desk, 1)
    desk.wait(lambda: desk.preview_mask() is None)
    assert "volume has changed" in desk.status
    assert "placed at 1 of 2" in desk.ui.noteLabel.text
    desk.button("clearButton")
    assert dice(desk.propose(SMALL), ball(GRID, SMALL, SMALL_RADIUS)) > 0.7
    assert "placed at" not in desk.ui.noteLabel.text


def test_stored_prompts_tell_their_time_point(desk):
    desk.propose(BALL)
    desk.apply()
    desk.choose_effect("")
    show(desk, 1)
    desk.choose_effect()
    assert "placed at 1 of 2" in desk.ui.noteLabel.text
    assert len(desk.rows) == 1


def test_an_answer_for_the_time_point_before_is_not_shown(desk):
    post = Post(desk)
    desk.place(BALL)
    post.wait_for_answer()
    show(desk, 1)
    post.deliver()
    assert desk.session._asking.shown is None and not desk.is_asking
    # The point was placed on another image: the user says whether it holds here, too.
    assert "volume has changed" in desk.status and "placed at 1 of 2" in desk.ui.noteLabel.text
    show(desk, 0)
    assert dice(desk.propose((33, 30, 20)), ball(GRID, BALL, RADIUS)) > 0.9
