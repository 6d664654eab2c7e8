"""SAM-Med3D's cubes lie where the prompts are, and the volume is, in every geometry."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.models.sammed3d.model import CUBE_MM, CubeFrame
from TestSupport.geometries import any_spacing, geometries, reorientations
from TestSupport.phantoms import grid
from TestSupport.properties import examples

shapes = st.tuples(*[st.integers(2, 300)] * 3)
any_volume = geometries(shapes, any_spacing)
shares = st.tuples(*[st.floats(0, 1)] * 3)


def within(geometry, share):
    """RAS at a share of a volume's voxels, from face to face."""
    return geometry.to_ras(np.array(share) * geometry.shape[::-1] - 0.5)


@given(any_volume, shares)
def test_a_cube_stays_in_a_larger_volume_and_holds_a_smaller_one(geometry, share):
    frame = CubeFrame(geometry)
    start = np.array(frame.around(within(geometry, share)).start)
    larger = frame.high - frame.low > CUBE_MM
    assert (start[larger] >= frame.low[larger] - 1e-3).all()
    assert (start[larger] + CUBE_MM <= frame.high[larger] + 1e-3).all()
    assert (start[~larger] <= frame.low[~larger] + 1e-3).all()
    assert (start[~larger] + CUBE_MM >= frame.high[~larger] - 1e-3).all()


@given(any_volume, shares)
def test_a_cube_holds_its_prompt_near_its_middle_where_the_volume_allows(geometry, share):
    frame, ras = CubeFrame(geometry), within(geometry, share)
    cube = frame.around(ras)
    assert cube.holds(ras)
    place = ras @ frame.axes
    ends = np.sort([frame.low + CUBE_MM / 2, frame.high - CUBE_MM / 2], axis=0)
    off = np.abs(cube.center @ frame.axes - np.clip(place, *ends))
    assert off.max() <= 6.01


@given(any_volume, shares)
def test_the_network_gets_voxels_of_a_millimetre_and_a_half_and_gives_those_of_six(geometry, share):
    cube = CubeFrame(geometry).around(within(geometry, share))
    assert np.allclose(cube.geometry.spacing, 1.5) and cube.geometry.shape == (128,) * 3
    assert np.allclose(cube.coarser(4).spacing, 6.0) and cube.coarser(4).shape == (32,) * 3
    for own in (cube.geometry, cube.coarser(4)):
        assert np.allclose(own.directions.T @ own.directions, np.eye(3))
        # Array axes k, j, i are x, y, z; both grids end where the cube does.
        ends = own.corners() @ cube.frame.axes
        assert np.allclose(ends.min(0), cube.start)
        assert np.allclose(ends.max(0), np.add(cube.start, CUBE_MM))
    assert np.allclose(cube.geometry.directions[:, ::-1], cube.frame.axes)


@st.composite
def turned(draw):
    """A volume whose axes are turned away from the patient's, but not up to the next ones."""
    geometry = draw(geometries(shapes, any_spacing))
    matrix = geometry.ijk_to_ras.copy()
    # As it is stored, but along the patient's axes, and then turned a little.
    frame = CubeFrame(geometry)
    angle = np.radians(draw(st.floats(-30, 30)))
    turn = np.eye(3)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[:3, :3] = turn @ frame.axes.T @ matrix[:3, :3]
    return Geometry(matrix, geometry.shape)


@given(turned(), shares, reorientations())
def test_however_voxels_are_stored_the_cube_is_the_same(geometry, share, storage):
    ras = within(geometry, share)
    cube = CubeFrame(geometry).around(ras)
    again = CubeFrame(storage.apply_to_geometry(geometry)).around(ras)
    assert cube.geometry.is_close(again.geometry, 2e-3)


def test_a_cubes_axes_are_those_of_the_volume_and_run_to_the_right_the_front_and_the_head():
    scan = Geometry(np.diag([-0.8, -0.8, 2.0, 1.0]), (40, 300, 300))
    assert np.allclose(CubeFrame(scan).axes, np.eye(3))
    angle = np.radians(20)
    turn = np.eye(4)
    turn[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert np.allclose(CubeFrame(scan.transformed(turn)).axes, turn[:3, :3])


@pytest.mark.parametrize("tilt", [-30, 17, 30])
def test_the_axes_of_a_tilted_gantry_are_made_perpendicular_each_turned_as_little(tilt):
    matrix = np.eye(4)
    matrix[1, 2] = np.tan(np.radians(tilt))
    frame = CubeFrame(Geometry(matrix, (40, 300, 300)))
    assert np.allclose(frame.axes.T @ frame.axes, np.eye(3))
    turned = np.degrees(np.arccos(np.diag(frame.axes)))
    assert np.allclose(turned, [0, abs(tilt) / 2, abs(tilt) / 2], atol=1e-6)


@given(any_volume, shares)
def test_the_networks_voxel_is_that_in_which_a_position_lies(geometry, share):
    ras = within(geometry, share)
    cube = CubeFrame(geometry).around(ras)
    back = cube.geometry.to_ras(cube.voxels(ras)[::-1])
    assert np.abs((back - ras) @ cube.frame.axes).max() <= 0.751


def test_positions_outside_a_cube_are_given_its_nearest_voxel():
    cube = CubeFrame(grid((300, 300, 300), (1, 1, 1))).around((150, 150, 150))
    assert tuple(cube.voxels((-500, 150, 1000))) == (0, cube.voxels((150, 150, 150))[1], 127)
    assert not cube.holds((-500, 150, 1000))


@given(any_volume, shares)
def test_clicks_in_one_place_share_a_cube_and_equal_cubes_are_one(geometry, share):
    ras = within(geometry, share)
    cubes = {CubeFrame(geometry).around(ras) for _ in range(2)}
    assert len(cubes) == 1
    assert all(isinstance(value, float) for value in cubes.pop().start)


def test_clicks_near_each_other_share_few_cubes():
    frame = CubeFrame(grid((400, 400, 400), (1, 1, 1)))
    rng = np.random.default_rng(0)
    clicks = 200 + rng.uniform(-6, 6, (200, 3))
    assert len({frame.around(click) for click in clicks}) <= 8


@example(900.0, 0.2265625, 0, -1)  # 108 mm to go: half a cube, and one step of the lattice
@given(st.floats(1, 900), st.floats(0, 1), st.integers(0, 2), st.sampled_from((-1, 1)))
@settings(max_examples=examples(200))
def test_going_on_from_cube_to_cube_reaches_the_volumes_end_and_leaves_nothing_out(
    extent, share, axis, side
):
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = extent / 100
    frame = CubeFrame(Geometry(np.diag([*spacing, 1.0]), (100, 100, 100)))
    ras = np.array([50.0, 50.0, 50.0])
    ras[axis] = frame.low[axis] + share * extent
    cube = frame.around(ras)
    seen = [cube]
    while cube.continues(axis, side):
        cube = frame.beside(cube, axis, side)
        # Half of it was seen before, or nearly.
        assert abs(cube.start[axis] - seen[-1].start[axis]) <= CUBE_MM / 2 + 12.01
        assert cube not in seen
        seen.append(cube)
    end = frame.low[axis] if side < 0 else frame.high[axis]
    face = cube.start[axis] if side < 0 else cube.start[axis] + CUBE_MM
    assert side * (end - face) <= 1.5
    # No cube is spent on the last few millimetres.
    way = abs(cube.start[axis] - seen[0].start[axis])
    assert len(seen) - 1 <= max(np.ceil((way - 12.001) / 96), 1)


def test_depth_is_the_distance_to_the_nearest_face():
    cube = CubeFrame(grid((300, 300, 300), (1, 1, 1))).around((150, 150, 150))
    low = cube.start
    assert cube.depth(cube.center) == pytest.approx(96)
    assert cube.depth(np.add(low, (5, 50, 90))) == pytest.approx(5)
    assert cube.depth(np.add(low, (50, 192 - 7, 90))) == pytest.approx(7)
    assert cube.depth(np.add(low, (-3, 0, 0))) == pytest.approx(-3)


def test_a_click_on_the_very_face_of_a_volume_lies_in_its_cube():
    geometry = grid((400, 300, 300), (0.7031, 0.7031, 0.6999))
    for corner in geometry.corners():
        assert CubeFrame(geometry).around(corner).holds(corner)
