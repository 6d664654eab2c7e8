"""What cannot be used: a message in the panel that says what to do, and nothing else happens."""

import numpy as np
import pytest
import slicer

from SlicerHost.scene_builder import segments_of, vtk_matrix
from TestSupport.phantoms import ball, dice

from ..conftest import BALL, GRID, RADIUS

pytestmark = pytest.mark.mrml


def voxels(change):
    def apply(user):
        array = slicer.util.arrayFromVolume(user.volume).astype(np.float32)
        slicer.util.updateVolumeFromArray(user.volume, change(array))

    return apply


def not_a_number(array):
    array[3, 4, 5] = np.nan
    return array


def bend_volume(user):
    user.volume.SetAndObserveTransformNodeID(user.builder.bend().GetID())


def bend_segmentation(user):
    user.segmentation.SetAndObserveTransformNodeID(user.builder.bend().GetID())


def flat_matrix(user):
    user.volume.SetIJKToRASMatrix(vtk_matrix(np.diag([1, 1, 0, 1.0])))


def no_voxels(user):
    user.volume.SetAndObserveImageData(None)


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (voxels(not_a_number), "NaN"),
        (voxels(np.zeros_like), "Every voxel"),
        (voxels(lambda array: array[:1, :1].copy()), "single row"),
        (no_voxels, "no image data"),
        (bend_volume, "non-linear"),
        (bend_segmentation, "non-linear"),
        (flat_matrix, "IJK-to-RAS matrix"),
    ],
)
def test_the_panel_says_why_and_nothing_changes(user, break_it, says):
    break_it(user)
    before = segments_of(user.segmentation)
    user.place(BALL)
    user.wait(lambda: says in user.status)
    assert not user.is_busy and not user.ui.applyButton.isEnabled()
    assert segments_of(user.segmentation) == before
    assert len(user.rows) == 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda user: user.builder.roi((900, 0, 0), (30, 30, 30)), "outside the volume"),
        (lambda user: user.builder.roi(BALL, (0, 30, 30)), "no size"),
    ],
)
def test_an_roi_that_cannot_be_used_is_told_and_can_be_mended(user, make, says):
    roi = make(user)
    user.ui.roiSelector.setCurrentNode(roi)
    user.wait(lambda: says in user.status)
    roi.SetCenter(*BALL)
    roi.SetSize(30, 30, 30)
    user.wait(lambda: user.preview_mask() is not None)
    assert dice(user.preview_mask(), ball(GRID, BALL, RADIUS)) > 0.95


def test_a_line_with_one_end_is_no_prompt_yet(user):
    line = user.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Long axis")
    line.AddControlPointWorld(*BALL)
    user.ui.lineSelector.setCurrentNode(line)
    user.application.wait(seconds=0.1)
    assert not user.is_busy and user.rows == []
    line.AddControlPointWorld(BALL[0] + RADIUS, BALL[1], BALL[2])
    assert user.proposal() is not None


def test_points_of_both_kinds_in_one_voxel_do_not_break_anything(user):
    user.propose(BALL)
    user.place(BALL, positive=False)
    user.wait(lambda: len(user.rows) == 2 and not user.is_busy)
    user.button("undoPromptButton")
    assert user.proposal() is not None


def test_without_a_source_volume_the_panel_says_what_is_missing(user):
    user.editor.mrmlSegmentEditorNode().SetAndObserveSourceVolumeNode(None)
    user.application.process_events()
    if user.session.is_active:
        assert "source volume" in user.status


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_point_without_a_position_is_told_and_nothing_is_lost(user, value):
    mask = user.propose(BALL)
    # A new one goes away, and one that loses its position goes back to it.
    user.list(True).AddControlPoint((0, value, 0))
    user.wait(lambda: "no position" in user.status)
    user.list(True).SetNthControlPointPosition(0, value, 0, 0)
    user.wait(lambda: tuple(user.list(True).GetNthControlPointPositionWorld(0)) == BALL)
    assert len(user.rows) == 1 and (user.preview_mask() == mask).all()
    assert user.propose((33, 30, 27), positive=False).sum() < mask.sum()
    assert len(user.rows) == 2


def test_an_roi_and_a_line_without_a_position_are_told_and_the_points_stay(user):
    mask = user.propose(BALL)
    roi = user.builder.roi((np.nan, 0, 0), (30, 30, 30))
    user.ui.roiSelector.setCurrentNode(roi)
    user.wait(lambda: "no position or size" in user.status or "not drawn" in user.status)
    assert len(user.rows) == 1
    user.choose_no_node(user.ui.roiSelector)
    line = user.builder.line([BALL, (np.nan, 0, 0)])
    user.ui.lineSelector.setCurrentNode(line)
    user.wait(lambda: "has no position" in user.status)
    assert len(user.rows) == 1
    user.choose_no_node(user.ui.lineSelector)
    assert (user.propose(BALL) == mask).all()
