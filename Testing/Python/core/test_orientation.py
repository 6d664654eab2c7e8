"""Slices are always seen the same way round."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.orientation import (
    Reorientation,
    all_planes,
    slices_first,
    towards_ras,
)
from TestSupport.geometries import geometries, reorientations


@given(geometries(), reorientations())
def test_every_voxel_stays_where_it_is(geometry, reorientation):
    voxels = np.arange(np.prod(geometry.shape)).reshape(geometry.shape)
    view = reorientation.apply(voxels)
    moved = reorientation.apply_to_geometry(geometry)
    assert moved.shape == view.shape
    for index in np.ndindex(*[min(2, n) for n in view.shape]):
        home = np.argwhere(voxels == view[index])[0]
        assert np.allclose(moved.to_ras(index[::-1]), geometry.to_ras(home[::-1]))


@given(geometries(), reorientations())
def test_undo_gives_the_array_back_without_a_copy(geometry, reorientation):
    voxels = np.zeros(geometry.shape)
    back = reorientation.undo(reorientation.apply(voxels))
    assert back.shape == voxels.shape and back.strides == voxels.strides
    assert np.shares_memory(back, voxels)


@given(geometries(), reorientations(), st.data())
def test_a_box_is_found_again_in_the_old_order(geometry, reorientation, data):
    voxels = np.arange(np.prod(geometry.shape)).reshape(geometry.shape)
    view = reorientation.apply(voxels)
    start = tuple(data.draw(st.integers(0, n - 1)) for n in view.shape)
    shape = tuple(data.draw(st.integers(1, n - a)) for n, a in zip(view.shape, start, strict=True))
    box = view[tuple(slice(a, a + n) for a, n in zip(start, shape, strict=True))]
    old_start = reorientation.undo_start(start, shape, view.shape)
    old_box = reorientation.undo(box)
    expected = voxels[tuple(slice(a, a + n) for a, n in zip(old_start, old_box.shape, strict=True))]
    assert np.array_equal(old_box, expected)


@st.composite
def turned_volumes(draw):
    """A small volume whose axes are turned away from the patient's, but not up to the next one."""
    angles = draw(st.floats(-35, 35)), draw(st.floats(-20, 20))
    spacing = draw(st.tuples(st.floats(0.5, 1), st.floats(0.5, 1), st.floats(0.5, 6)))
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("zx", angles, degrees=True).as_matrix() @ np.diag(spacing)
    geometry = Geometry(matrix, (4, 5, 6))
    return geometry, np.arange(120).reshape(geometry.shape)


@given(turned_volumes(), reorientations())
def test_stored_flipped_or_permuted_the_slices_look_the_same(volume, storage):
    geometry, voxels = volume
    stored, stored_geometry = storage.apply(voxels), storage.apply_to_geometry(geometry)
    seen = slices_first(geometry).apply(voxels)
    seen_stored = slices_first(stored_geometry).apply(stored)
    assert np.array_equal(seen, seen_stored)


@pytest.mark.parametrize(
    ("spacing", "slice_axis_ras"),
    [((1, 1, 1), 2), ((1, 1, 5), 2), ((4, 1, 1), 0), ((1, 3, 1), 1), ((4.7, 4.7, 3.3), 2)],
)
def test_slices_are_those_of_the_scan_else_axial(spacing, slice_axis_ras):
    geometry = Geometry(np.diag([*spacing, 1.0]), (8, 8, 8))
    seen = slices_first(geometry).apply_to_geometry(geometry)
    assert np.argmax(np.abs(seen.directions[:, 2])) == slice_axis_ras


def test_axial_slices_show_the_front_on_top_and_the_patients_left_on_the_right():
    geometry = Geometry(np.eye(4), (8, 8, 8))
    seen = slices_first(geometry).apply_to_geometry(geometry)
    assert np.allclose(seen.directions, np.diag([-1, -1, 1]))


def test_coronal_and_sagittal_slices_show_the_head_on_top():
    for spacing in ((1, 4, 1), (4, 1, 1)):
        geometry = Geometry(np.diag([*spacing, 1.0]), (8, 8, 8))
        seen = slices_first(geometry).apply_to_geometry(geometry)
        assert np.allclose(seen.directions[:, 1], (0, 0, -1))


@given(geometries())
def test_all_planes_lie_along_each_axis_once_the_scans_own_first(geometry):
    planes = all_planes(geometry)
    assert planes[0] == slices_first(geometry)
    assert sorted(plane.axes[0] for plane in planes) == [0, 1, 2]
    assert all(sorted(plane.axes) == [0, 1, 2] for plane in planes)


def test_all_planes_of_an_axial_scan_look_as_in_the_four_up_view():
    geometry = Geometry(np.diag([-1.0, -1.0, 2.0, 1.0]), (8, 9, 10))
    axial, coronal, sagittal = (
        plane.apply_to_geometry(geometry).directions for plane in all_planes(geometry)
    )
    # Columns of the matrices: along a row of the picture, down, and through the stack.
    assert np.allclose(axial[:, :2].T, [(-1, 0, 0), (0, -1, 0)])
    assert np.allclose(coronal[:, :2].T, [(-1, 0, 0), (0, 0, -1)])
    assert np.allclose(sagittal[:, :2].T, [(0, -1, 0), (0, 0, -1)])


@given(turned_volumes(), reorientations())
def test_stored_flipped_or_permuted_all_planes_look_the_same(volume, storage):
    geometry, voxels = volume
    stored, stored_geometry = storage.apply(voxels), storage.apply_to_geometry(geometry)
    for plane, again in zip(all_planes(geometry), all_planes(stored_geometry), strict=True):
        assert np.array_equal(plane.apply(voxels), again.apply(stored))


@given(geometries())
def test_towards_ras_axes_run_to_the_right_the_front_and_the_head_as_well_as_they_can(geometry):
    seen = towards_ras(geometry).apply_to_geometry(geometry)
    toward = seen.directions[:, ::-1]  # of the array axes x, y, z
    assert (np.diag(toward) >= 0).all()
    # No other order of the same axes runs closer to R, A and S.
    best = max(np.abs(toward[range(3), order]).sum() for order in permutations(range(3)))
    assert np.isclose(np.diag(toward).sum(), best)


@given(turned_volumes(), reorientations())
def test_stored_flipped_or_permuted_the_volume_towards_ras_is_the_same(volume, storage):
    geometry, voxels = volume
    stored, stored_geometry = storage.apply(voxels), storage.apply_to_geometry(geometry)
    view, again = towards_ras(geometry), towards_ras(stored_geometry)
    assert np.array_equal(view.apply(voxels), again.apply(stored))
    assert view.apply_to_geometry(geometry).is_close(again.apply_to_geometry(stored_geometry))


def test_a_volume_as_slicer_stores_a_scan_is_turned_towards_ras():
    geometry = Geometry(np.diag([-1.0, -1.0, 2.0, 1.0]), (8, 9, 10))
    assert towards_ras(geometry) == Reorientation((2, 1, 0), (True, True, False))


def test_a_reorientation_is_a_value():
    assert Reorientation((0, 1, 2), (False,) * 3) == Reorientation((0, 1, 2), (False,) * 3)
