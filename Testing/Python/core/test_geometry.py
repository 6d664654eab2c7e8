"""Voxel grids: there and back, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.geometry import Geometry
from TestSupport.geometries import geometries, linear_transforms


@given(geometries(), st.tuples(*[st.floats(-50, 50)] * 3))
def test_a_point_comes_back_to_where_it_was(geometry, ijk):
    back = geometry.to_ijk(geometry.to_ras(np.array(ijk)))
    assert np.abs(back - ijk).max() < 1e-6


@given(geometries())
def test_spacing_and_directions_give_the_matrix_back(geometry):
    assert np.allclose(geometry.directions * geometry.spacing, geometry.ijk_to_ras[:3, :3])


@given(geometries(), st.data())
def test_a_crop_keeps_every_voxel_in_place(geometry, data):
    start = tuple(data.draw(st.integers(0, n - 1)) for n in geometry.shape)
    shape = tuple(n - first for n, first in zip(geometry.shape, start, strict=True))
    crop = geometry.crop(start, shape)
    assert np.allclose(crop.to_ras([0, 0, 0]), geometry.to_ras(start[::-1]))
    assert np.allclose(
        crop.to_ras(np.array(shape)[::-1] - 1), geometry.to_ras(np.array(geometry.shape)[::-1] - 1)
    )


@given(geometries(), linear_transforms())
def test_a_transformed_grid_has_its_voxels_where_the_transform_puts_them(geometry, matrix):
    ijk = np.array([1.0, 0.5, 1.5])
    expected = matrix @ np.append(geometry.to_ras(ijk), 1)
    assert np.allclose(geometry.transformed(matrix).to_ras(ijk), expected[:3])


@given(geometries())
def test_a_grid_contains_its_voxels_and_nothing_beyond_their_faces(geometry):
    size = np.array(geometry.shape[::-1], dtype=float)
    assert geometry.contains(geometry.to_ras(np.zeros(3)))
    assert geometry.contains(geometry.to_ras(size - 0.51))
    assert not geometry.contains(geometry.to_ras(size - 0.49)).any()
    assert not geometry.contains(geometry.to_ras([-0.51, 0, 0]))


@given(geometries())
def test_a_voxel_has_the_volume_of_its_edges(geometry):
    i, j, k = geometry.ijk_to_ras[:3, :3].T
    assert np.isclose(geometry.voxel_volume, abs(np.dot(np.cross(i, j), k)))


def with_matrix(change):
    matrix = np.eye(4)
    change(matrix)
    return matrix


@pytest.mark.parametrize(
    ("matrix", "says"),
    [
        (with_matrix(lambda m: m.__setitem__((0, 0), 0)), "spacing"),
        (with_matrix(lambda m: m.__setitem__((0, 0), 1e7)), "spacing"),
        (with_matrix(lambda m: m.__setitem__((slice(None), 1), m[:, 0])), "cannot be inverted"),
        (with_matrix(lambda m: m.__setitem__((0, 3), np.nan)), "NaN"),
        (with_matrix(lambda m: m.__setitem__((0, 0), np.inf)), "NaN"),
        (with_matrix(lambda m: m.__setitem__((3, 0), 1)), "affine"),
        (np.eye(3), "affine"),
    ],
)
def test_a_matrix_that_cannot_place_voxels_is_refused(matrix, says):
    with pytest.raises(InputError, match=says):
        Geometry(matrix, (4, 5, 6))


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 6, 7), (0, 5, 6)])
def test_a_shape_that_is_no_volume_is_refused(shape):
    with pytest.raises(InputError):
        Geometry(np.eye(4), shape)


def test_a_grid_cannot_be_changed_behind_the_back_of_others():
    matrix = np.eye(4)
    geometry = Geometry(matrix, (2, 2, 2))
    matrix[0, 3] = 5
    assert geometry.ijk_to_ras[0, 3] == 0
    with pytest.raises(ValueError, match="read-only"):
        geometry.ijk_to_ras[0, 3] = 5


@pytest.mark.parametrize("unknown", [0.0, np.nan])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_of_unknown_thickness_is_taken_for_a_millimetre_thick(axis, unknown):
    turn = np.array([[0.0, -1, 0], [0.8, 0, -0.6], [0.6, 0, 0.8]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ np.diag([0.5, 0.7, 0.9])
    matrix[:3, 2 - axis] = unknown
    shape = [20, 30, 40]
    shape[axis] = 1
    geometry = Geometry(matrix, shape)
    assert geometry.slice_axis == axis
    assert geometry.spacing[2 - axis] == pytest.approx(1.0)
    assert np.allclose(np.abs(geometry.directions), np.abs(turn))
    assert np.linalg.det(geometry.directions) > 0
    with pytest.raises(InputError):
        Geometry(matrix, (20, 30, 40))


def test_a_box_around_positions_holds_the_voxels_on_all_sides_of_them():
    geometry = Geometry(np.diag([2.0, 1.0, 4.0, 1.0]), (5, 6, 7))
    box = geometry.box_around(np.array([(3.0, 2.0, 5.0), (4.5, 2.0, 9.0)]))
    assert box == (slice(1, 4), slice(2, 3), slice(1, 4))
    assert geometry.box_around(np.array([(-50.0, 2.0, 5.0), (1e300, 2.0, 9.0)]))[2] == slice(0, 7)
    assert geometry.box_around(np.array([(-50.0, 2.0, 5.0)])) is None
