"""An image of one slice in the effect: prompts, preview and segment lie in its plane."""

import numpy as np
import pytest
import slicer

from SlicerHost.scene_builder import vtk_matrix
from TestSupport.phantoms import ball, dice

from ..conftest import BALL, GRID, RADIUS

pytestmark = pytest.mark.mrml


@pytest.mark.parametrize("own_grid", [True, False])
def test_a_click_on_a_single_slice_is_answered_previewed_and_applied_in_its_plane(user, own_grid):
    k = round(GRID.to_ijk(np.array(BALL))[2])
    one = GRID.crop((k, 0, 0), (1, *GRID.shape[1:]))
    array = slicer.util.arrayFromVolume(user.volume)[k : k + 1].copy()
    slicer.util.updateVolumeFromArray(user.volume, array)
    user.volume.SetIJKToRASMatrix(vtk_matrix(one.ijk_to_ras))
    if own_grid:
        user.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(user.volume)
    truth = ball(GRID, BALL, RADIUS)
    mask = user.propose(BALL)
    assert mask.any()
    user.apply()
    written = user.mask()
    section = written if len(written) == 1 else written[k : k + 1]
    assert dice(section[0], truth[k]) > 0.95 and written.sum() == section.sum()
