"""A volume of a sequence is segmented at the time point that it shows; the prompts say which."""

import pytest
import slicer

from TestSupport.phantoms import ball, dice

from ..conftest import BALL, GRID, RADIUS, SMALL, SMALL_RADIUS, voxels
from .test_pending import HeldEvents

pytestmark = pytest.mark.mrml


@pytest.fixture
def user(make_user):
    """The volume shows a sequence of two time points; at the second one, the object has gone."""
    user = make_user()
    user.choose_effect("")
    user.logic = slicer.vtkSlicerSequencesLogic()
    user.logic.SetMRMLScene(user.scene)
    sequence = user.builder.host.add("vtkMRMLSequenceNode", "Perfusion")
    sequence.SetIndexName("time")
    sequence.SetIndexUnit("s")
    late = voxels()
    late[ball(GRID, BALL, RADIUS)] = 40
    for value, shown in (("0", voxels()), ("2.5", late)):
        volume = user.builder.volume(GRID.ijk_to_ras, voxels=shown)
        sequence.SetDataNodeAtValue(volume, value)
        user.scene.RemoveNode(volume)
    user.browser = user.builder.host.add("vtkMRMLSequenceBrowserNode", "Browser")
    user.browser.AddSynchronizedSequenceNode(sequence)
    show(user, 0)
    user.volume = user.browser.GetProxyNode(sequence)
    user.editor.setSourceVolumeNode(user.volume)
    user.choose_effect()
    return user


def show(user, item: int) -> None:
    user.browser.SetSelectedItemNumber(item)
    user.logic.UpdateProxyNodesFromSequences(user.browser)


def test_the_time_point_that_is_shown_is_segmented(user):
    assert "Time point 1 of 2 (time 0 s) of Perfusion" in user.ui.noteLabel.text
    assert dice(user.propose(BALL), ball(GRID, BALL, RADIUS)) > 0.95
    show(user, 1)
    user.wait(lambda: user.preview_mask() is None)
    assert "volume has changed" in user.status
    assert "placed at 1 of 2" in user.ui.noteLabel.text
    user.button("clearButton")
    assert dice(user.propose(SMALL), ball(GRID, SMALL, SMALL_RADIUS)) > 0.7
    assert "placed at" not in user.ui.noteLabel.text


def test_stored_prompts_tell_their_time_point(user):
    user.propose(BALL)
    user.apply()
    user.choose_effect("")
    show(user, 1)
    user.choose_effect()
    assert "placed at 1 of 2" in user.ui.noteLabel.text
    assert len(user.rows) == 1


def test_an_answer_for_the_time_point_before_is_not_shown(user):
    held = HeldEvents(user)
    user.place(BALL)
    held.wait_for_answer()
    show(user, 1)
    held.release()
    assert user.session._requester.shown is None and not user.is_busy
    # The point was placed on another image: the user says whether it holds here, too.
    assert "volume has changed" in user.status and "placed at 1 of 2" in user.ui.noteLabel.text
    show(user, 0)
    assert dice(user.propose((33, 30, 20)), ball(GRID, BALL, RADIUS)) > 0.9
