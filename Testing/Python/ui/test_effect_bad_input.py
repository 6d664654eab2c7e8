"""What cannot be used: a message in the panel that says what to do, and nothing else happens."""

import numpy as np
import pytest
import slicer

from SlicerHost.studio import segments_of, vtk_matrix
from TestSupport.phantoms import ball, dice

from .conftest import BALL, GRID, RADIUS

pytestmark = pytest.mark.mrml


def voxels(change):
    def apply(desk):
        array = slicer.util.arrayFromVolume(desk.volume).astype(np.float32)
        slicer.util.updateVolumeFromArray(desk.volume, change(array))

    return apply


def not_a_number(array):
    array[3, 4, 5] = np.nan
    return array


def bend_volume(desk):
    desk.volume.SetAndObserveTransformNodeID(desk.studio.bend().GetID())


def bend_segmentation(desk):
    desk.segmentation.SetAndObserveTransformNodeID(desk.studio.bend().GetID())


def flat_matrix(desk):
    desk.volume.SetIJKToRASMatrix(vtk_matrix(np.diag([1, 1, 0, 1.0])))


def no_voxels(desk):
    desk.volume.SetAndObserveImageData(None)


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
def test_the_panel_says_why_and_nothing_changes(desk, break_it, says):
    break_it(desk)
    before = segments_of(desk.segmentation)
    desk.place(BALL)
    desk.wait(lambda: says in desk.status)
    assert not desk.is_asking and not desk.ui.applyButton.isEnabled()
    assert segments_of(desk.segmentation) == before
    assert len(desk.rows) == 1


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda desk: desk.studio.roi((900, 0, 0), (30, 30, 30)), "outside the volume"),
        (lambda desk: desk.studio.roi(BALL, (0, 30, 30)), "no size"),
    ],
)
def test_an_roi_that_cannot_be_used_is_told_and_can_be_mended(desk, make, says):
    roi = make(desk)
    desk.ui.roiSelector.setCurrentNode(roi)
    desk.wait(lambda: says in desk.status)
    roi.SetCenter(*BALL)
    roi.SetSize(30, 30, 30)
    desk.wait(lambda: desk.preview_mask() is not None)
    assert dice(desk.preview_mask(), ball(GRID, BALL, RADIUS)) > 0.95


def test_a_line_with_one_end_is_no_prompt_yet(desk):
    line = desk.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Long axis")
    line.AddControlPointWorld(*BALL)
    desk.ui.lineSelector.setCurrentNode(line)
    desk.application.wait(seconds=0.1)
    assert not desk.is_asking and desk.rows == []
    line.AddControlPointWorld(BALL[0] + RADIUS, BALL[1], BALL[2])
    assert desk.proposal() is not None


def test_points_of_both_kinds_in_one_voxel_do_not_break_anything(desk):
    desk.propose(BALL)
    desk.place(BALL, positive=False)
    desk.wait(lambda: len(desk.rows) == 2 and not desk.is_asking)
    desk.button("undoPromptButton")
    assert desk.proposal() is not None


def test_without_a_source_volume_the_panel_says_what_is_missing(desk):
    desk.editor.mrmlSegmentEditorNode().SetAndObserveSourceVolumeNode(None)
    desk.application.process_events()
    if desk.session.is_active:
        assert "source volume" in desk.status


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_point_without_a_position_is_told_and_nothing_is_lost(desk, value):
    mask = desk.propose(BALL)
    # A new one goes away, and one that loses its position goes back to it.
    desk.list(True).AddControlPoint((0, value, 0))
    desk.wait(lambda: "no position" in desk.status)
    desk.list(True).SetNthControlPointPosition(0, value, 0, 0)
    desk.wait(lambda: tuple(desk.list(True).GetNthControlPointPositionWorld(0)) == BALL)
    assert len(desk.rows) == 1 and (desk.preview_mask() == mask).all()
    assert desk.propose((33, 30, 27), positive=False).sum() < mask.sum()
    assert len(desk.rows) == 2


def test_an_roi_and_a_line_without_a_position_are_told_and_the_points_stay(desk):
    mask = desk.propose(BALL)
    roi = desk.studio.roi((np.nan, 0, 0), (30, 30, 30))
    desk.ui.roiSelector.setCurrentNode(roi)
    desk.wait(lambda: "no position or size" in desk.status or "not drawn" in desk.status)
    assert len(desk.rows) == 1
    desk.choose_no_node(desk.ui.roiSelector)
    line = desk.studio.line([BALL, (np.nan, 0, 0)])
    desk.ui.lineSelector.setCurrentNode(line)
    desk.wait(lambda: "has no position" in desk.status)
    assert len(desk.rows) == 1
    desk.choose_no_node(desk.ui.lineSelector)
    assert (desk.propose(BALL) == mask).all()
