"""ROIs on a volume's grid."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.prompts import Roi
from SAMSegmentLib.models.regions import RoiOnGrid
from TestSupport.geometries import geometries, rotations
from TestSupport.properties import examples


@settings(max_examples=examples(60))
@given(geometries(), rotations, st.tuples(*[st.floats(0.1, 0.9)] * 3))
def test_the_slices_of_an_oblique_roi_are_those_with_voxels_in_it(geometry, axes, shares):
    center = geometry.to_ras((np.array(geometry.shape[::-1]) - 1) / 2)
    roi = Roi.from_box(center, np.array(shares) * np.ptp(geometry.corners(), axis=0), axes)
    # Thinner than a voxel, an ROI is widened, which is tested below.
    step = geometry.ras_to_ijk[:3, :3] @ (roi.axes * roi.size)
    assume(np.abs(step).max(0).min() > 1)
    expected = roi.contains_voxels(geometry)
    assume(expected.any())

    cut = RoiOnGrid(roi, geometry)
    inside = np.zeros(geometry.shape, dtype=bool)
    inside[cut.box] = cut.inside
    assert np.array_equal(inside, expected)
    for index in cut.slices:
        if not expected[index].any():
            continue
        rows, columns = np.where(expected[index])
        top, left, bottom, right = cut.voxel_box(index)
        assert top <= rows.min() and rows.max() <= bottom
        assert left <= columns.min() and columns.max() <= right


def test_an_roi_along_the_axes_gives_the_box_of_its_voxels():
    geometry = Geometry(np.diag([1, 1, 3, 1.0]), (10, 20, 30))
    cut = RoiOnGrid(Roi.from_box((12, 8, 12), (10, 6, 12)), geometry)
    assert list(cut.slices) == [2, 3, 4, 5, 6]
    assert cut.voxel_box(4) == (5, 7, 11, 17)
    assert cut.inside.all()


def test_an_roi_drawn_flat_in_a_slice_view_means_that_slice():
    geometry = Geometry(np.diag([1, 1, 10, 1.0]), (10, 20, 30))
    cut = RoiOnGrid(Roi.from_box((12, 8, 33), (10, 6, 0.01)), geometry)
    assert list(cut.slices) == [3]
    assert cut.inside.all()


def test_an_roi_that_reaches_beyond_the_volume_is_cut_to_it():
    geometry = Geometry(np.eye(4), (10, 20, 30))
    cut = RoiOnGrid(Roi.from_box((0, 0, 0), (500, 500, 500)), geometry)
    assert cut.inside.shape == geometry.shape and cut.inside.all()
    assert cut.voxel_box(5) == (0, 0, 19, 29)


@pytest.mark.parametrize("center", [(200, 5, 5), (-40, 5, 5), (15, 5, 60)])
def test_an_roi_beside_the_volume_is_refused(center):
    geometry = Geometry(np.eye(4), (10, 20, 30))
    with pytest.raises(InputError, match="outside the volume"):
        RoiOnGrid(Roi.from_box(center, (20, 20, 20)), geometry)


def test_an_oblique_roi_that_passes_the_volumes_corner_is_refused():
    turn = np.array([[1, -1, 0], [1, 1, 0], [0, 0, np.sqrt(2)]]) / np.sqrt(2)
    geometry = Geometry(np.eye(4), (10, 20, 30))
    with pytest.raises(InputError, match="outside the volume"):
        RoiOnGrid(Roi.from_box((-6, -6, 5), (10, 50, 10), turn), geometry)
