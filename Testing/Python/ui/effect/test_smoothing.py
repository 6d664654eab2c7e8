"""The border of a proposal: smooth in the preview and in the segment, unless told otherwise."""

import numpy as np
import pytest
import slicer

from ..conftest import BALL, GRID

pytestmark = pytest.mark.mrml

MIDDLE = tuple(int(n) for n in np.rint(GRID.to_ijk(np.array(BALL))[::-1]))
CLICK = (BALL[0], BALL[1] - 8, BALL[2])
FAR = 2.5  # mm: the voxels are coarse


@pytest.fixture
def tooth(user):
    """A voxel that juts out from the object, along i."""
    voxels = slicer.util.arrayFromVolume(user.volume)
    first = MIDDLE[2] + np.flatnonzero(voxels[MIDDLE[0], MIDDLE[1], MIDDLE[2] :] < 100)[0]
    voxel = (MIDDLE[0], MIDDLE[1], int(first))
    voxels[voxel] = 200
    slicer.util.arrayFromVolumeModified(user.volume)
    return voxel


def test_a_tooth_goes_in_the_preview_as_in_the_segment(user, tooth):
    user.ui.smoothingSpinBox.setValue(FAR)
    mask = user.propose(CLICK)
    assert mask[MIDDLE] and not mask[tooth]
    user.apply()
    assert (user.mask() == mask).all()


def test_told_not_to_the_mask_is_the_models_own(user, tooth):
    user.button("smoothBorderBox", False)
    mask = user.propose(CLICK)
    assert mask[tooth]
    user.ui.smoothingSpinBox.setValue(FAR)
    user.button("smoothBorderBox", True)
    assert not user.proposal()[tooth]
