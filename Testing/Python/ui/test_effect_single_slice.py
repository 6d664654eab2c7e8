"""An image of one slice in the effect: prompts, preview and segment lie in its plane."""

import numpy as np
import pytest
import slicer

from SlicerHost.studio import vtk_matrix
from TestSupport.phantoms import ball, dice

from .conftest import BALL, GRID, RADIUS

pytestmark = pytest.mark.mrml


@pytest.mark.parametrize("own_grid", [True, False])
def test_a_click_on_a_single_slice_is_answered_previewed_and_applied_in_its_plane(desk, own_grid):
    k = round(GRID.to_ijk(np.array(BALL))[2])
    one = GRID.crop((k, 0, 0), (1, *GRID.shape[1:]))
    array = slicer.util.arrayFromVolume(desk.volume)[k : k + 1].copy()
    slicer.util.updateVolumeFromArray(desk.volume, array)
    desk.volume.SetIJKToRASMatrix(vtk_matrix(one.ijk_to_ras))
    if own_grid:
        desk.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(desk.volume)
    truth = ball(GRID, BALL, RADIUS)
    mask = desk.propose(BALL)
    assert mask.any()
    desk.apply()
    written = desk.mask()
    section = written if len(written) == 1 else written[k : k + 1]
    assert dice(section[0], truth[k]) > 0.95 and written.sum() == section.sum()
