"""Small holes of a proposal: filled in the preview and in the segment, unless told otherwise."""

import numpy as np
import pytest
import slicer

from SAMSegmentLib.scene.grid import reference_grid
from TestSupport.phantoms import ball

from ..conftest import BALL, GRID, RADIUS

pytestmark = pytest.mark.mrml

HOLE = tuple(int(n) for n in np.rint(GRID.to_ijk(np.array(BALL))[::-1]))
BESIDE = (HOLE[0], HOLE[1], HOLE[2] + 1)
# Far enough from the hole: what a click says of its surroundings is nothing but that.
CLICK = (BALL[0], BALL[1] - 8, BALL[2])


@pytest.fixture
def user(user):
    """With a hole of two voxels in the object."""
    voxels = slicer.util.arrayFromVolume(user.volume)
    voxels[HOLE] = voxels[BESIDE] = 40
    slicer.util.arrayFromVolumeModified(user.volume)
    return user


def test_a_small_hole_is_filled_in_the_preview_as_in_the_segment(user):
    mask = user.propose(CLICK)
    assert mask[HOLE] and mask[BESIDE]
    user.apply()
    assert (user.mask() == mask).all()


def test_told_not_to_the_hole_stays(user):
    filled = user.propose(CLICK)
    user.button("fillHolesBox", False)
    mask = user.proposal()
    assert np.argwhere(mask != filled).tolist() == [list(HOLE), list(BESIDE)]
    user.apply()
    assert (user.mask() == mask).all()


def test_at_every_threshold_the_hole_is_filled(user):
    user.propose(CLICK)
    user.ui.thresholdSlider.value = 0.8
    user.wait(lambda: user.session._view._preview.threshold == 0.8)
    user.wait(lambda: not user.session._steps.is_running("show"))
    mask = user.preview_mask()
    assert mask[HOLE] and mask[BESIDE]
    user.apply()
    assert (user.mask() == mask).all()


@pytest.mark.parametrize("hidden", [False, True], ids=["visible", "hidden"])
def test_what_another_segment_has_in_the_hole_stays_its_own(user, hidden):
    theirs = np.zeros(GRID.shape, bool)
    theirs[HOLE] = True
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    labelmap = reference_grid(user.segmentation).labelmap((0, 0, 0), theirs)
    logic.SetBinaryLabelmapToSegment(labelmap, user.segmentation, user.second, logic.MODE_REPLACE)
    user.segmentation.GetDisplayNode().SetSegmentVisibility(user.second, not hidden)
    user.button("keepOutBox", False)
    mask = user.propose(CLICK)
    assert not mask[HOLE] and mask[BESIDE]
    user.apply()
    assert (user.mask(user.second) == theirs).all()


def test_a_segment_that_is_taken_as_it_is_keeps_its_holes(user):
    theirs = ball(GRID, BALL, RADIUS)
    theirs[HOLE] = False
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    labelmap = reference_grid(user.segmentation).labelmap((0, 0, 0), theirs)
    logic.SetBinaryLabelmapToSegment(labelmap, user.segmentation, user.first, logic.MODE_REPLACE)
    user.ui.startSelector.setCurrentIndex(1)
    assert not user.propose(CLICK)[HOLE]
