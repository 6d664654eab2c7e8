"""Points, lines and regions of interest."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from TestSupport.geometries import geometries, linear_transforms, positions, rotations
from TestSupport.phantoms import voxel_positions

sizes = st.tuples(*[st.floats(1, 200)] * 3)
rois = st.builds(Roi.from_box, positions, sizes, rotations)
points = st.builds(Point, positions, st.booleans())
lines = st.builds(
    lambda start, step: Line(start, tuple(np.add(start, step))),
    positions,
    st.tuples(*[st.floats(1, 200)] * 3),
)
prompts = st.builds(
    Prompts, st.none() | rois, st.lists(points, max_size=4).map(tuple), st.none() | lines
)


@given(positions, sizes, rotations)
def test_an_roi_gives_back_what_it_was_made_of(center, size, axes):
    roi = Roi.from_box(center, size, axes)
    assert np.allclose(roi.center, center)
    assert np.allclose(roi.size, size)
    assert np.allclose(roi.axes, axes)


@given(prompts)
def test_stored_prompts_come_back_to_the_last_bit(original):
    back = Prompts.from_json(original.to_json())
    assert back.points == original.points
    assert back.line == original.line
    assert (back.roi is None) == (original.roi is None)
    if original.roi is not None:
        assert np.array_equal(back.roi.box_to_ras, original.roi.box_to_ras)


@given(prompts, linear_transforms())
def test_a_transform_and_its_inverse_leave_prompts_in_place(original, matrix):
    back = original.transformed(matrix).transformed(np.linalg.inv(matrix))
    for there, here in zip(back.points, original.points, strict=True):
        assert np.allclose(there.ras, here.ras, atol=1e-6) and there.positive == here.positive
    if original.line is not None:
        assert np.allclose(back.line.start, original.line.start, atol=1e-6)
        assert np.allclose(back.line.end, original.line.end, atol=1e-6)
    if original.roi is not None:
        assert np.allclose(back.roi.corners(), original.roi.corners(), atol=1e-6)


@given(geometries(), rotations, st.tuples(*[st.floats(0.3, 1)] * 3))
def test_an_roi_contains_the_voxels_whose_centres_lie_in_the_box(geometry, axes, shares):
    center = geometry.to_ras((np.array(geometry.shape[::-1]) - 1) / 2)
    size = np.array(shares) * np.ptp(geometry.corners(), axis=0)
    roi = Roi.from_box(center, size, axes)
    in_box = np.abs((voxel_positions(geometry) - center) @ axes) - size / 2
    clearly = np.abs(in_box.max(-1)) > 1e-3
    expected = in_box.max(-1) <= 0
    assert np.array_equal(roi.contains_voxels(geometry)[clearly], expected[clearly])


@given(geometries(st.tuples(*[st.integers(1, 5)] * 3)), rotations, linear_transforms())
def test_a_position_lies_in_an_roi_exactly_if_a_voxel_there_does(geometry, axes, sheared):
    center = geometry.to_ras((np.array(geometry.shape[::-1]) - 1) / 2)
    box = Roi.from_box(center, 0.6 * np.ptp(geometry.corners(), axis=0), axes)
    shear = np.eye(4)
    shear[:3, :3] = sheared[:3, :3]
    shear[:3, 3] = center - shear[:3, :3] @ center
    roi = box.transformed(shear)
    from_center = voxel_positions(geometry) - center
    place = np.abs(from_center @ np.linalg.inv(roi.box_to_ras[:3, :3]).T).max(-1)
    inside = roi.contains_voxels(geometry)
    positions = voxel_positions(geometry)
    for index in np.ndindex(geometry.shape):
        if abs(place[index] - 0.5) > 1e-5:
            assert roi.contains(positions[index]) == inside[index] == (place[index] < 0.5)


def test_a_rotated_roi_is_a_box_and_a_sheared_one_is_none():
    turn = np.array([[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    roi = Roi.from_box((1, 2, 3), (10, 20, 30), turn)
    assert not roi.is_sheared
    # Stretched along its edges it stays a box, along others it does not.
    assert not Roi.from_box((1, 2, 3), (10, 20, 30)).transformed(np.diag([1, 2, 3, 1])).is_sheared
    assert roi.transformed(np.diag([1, 2, 3, 1])).is_sheared


def test_all_of_an_roi_lies_in_it_faces_and_corners_too():
    roi = Roi.from_box((10.3, -20.7, 5.1), (30.1, 0.7, 12.3))
    assert all(roi.contains(corner) for corner in roi.corners())
    assert roi.contains(roi.center)
    assert not roi.contains(np.add(roi.center, (0, 0.3501, 0)))


def test_a_face_through_voxel_centres_includes_them():
    geometry = Geometry(np.diag([0.7, 0.7, 0.7, 1.0]), (10, 10, 10))
    roi = Roi.from_box((2.1, 2.1, 2.1), (2.8, 2.8, 2.8))
    assert roi.contains_voxels(geometry).sum() == 5**3


@pytest.mark.parametrize(
    "make",
    [
        lambda: Roi.from_box((0, 0, 0), (10, 0, 10)),
        lambda: Roi.from_box((0, 0, 0), (10, -5, 10)),
        lambda: Roi.from_box((0, np.nan, 0), (10, 10, 10)),
        lambda: Roi.from_box((0, 0, 0), (10, np.inf, 10)),
        lambda: Roi.from_box((0, 0), (10, 10, 10)),
        lambda: Roi.from_box((0, 0, 0), (1, 1, 1), np.ones((3, 3))),
        lambda: Point((1, 2)),
        lambda: Point((1, 2, np.nan)),
        lambda: Line((1, 2, 3), (1, 2, 3)),
        lambda: Line((1, 2, 3), (1, 2)),
        lambda: Line((1, np.inf, 3), (1, 2, 3)),
    ],
)
def test_a_prompt_without_size_or_place_is_refused(make):
    with pytest.raises(InputError):
        make()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"roi": 3, "points": []}',
        '{"roi": [[1, 2], [3, 4]], "points": []}',
        '{"roi": null, "points": [{"ras": [1, 2], "positive": true}]}',
        json.dumps({"roi": np.zeros((4, 4)).tolist(), "points": []}),
        '{"roi": null, "points": [], "line": 3}',
        '{"roi": null, "points": [], "line": [[1, 2, 3]]}',
        '{"roi": null, "points": [], "line": [[1, 2, 3], [1, 2, 3]]}',
        '{"roi": null, "points": [], "line": [[1, 2, 3], ["a", 2, 3]]}',
    ],
)
def test_text_that_is_no_stored_prompts_is_refused(text):
    with pytest.raises(InputError):
        Prompts.from_json(text)


def test_kinds_say_what_is_there():
    roi, point = Roi.from_box((0, 0, 0), (1, 1, 1)), Point((0, 0, 0))
    line = Line((0, 0, 0), (1, 0, 0))
    assert Prompts().kinds == set()
    assert Prompts(roi=roi).kinds == {"roi"}
    assert Prompts(roi=roi, points=(point,)).kinds == {"roi", "points"}
    assert Prompts(line=line).kinds == {"line"}
    assert Prompts(roi, (point,), line).kinds == {"roi", "points", "line"}


def test_prompts_stored_before_there_were_lines_can_be_read():
    old = '{"roi":null,"points":[{"ras":[1.0,2.0,3.0],"positive":false}]}'
    assert Prompts.from_json(old) == Prompts(points=(Point((1, 2, 3), False),))
    assert Prompts(points=(Point((1, 2, 3), False),)).to_json() == old


@given(positions, st.tuples(*[st.floats(1, 200)] * 3))
def test_a_line_knows_its_middle_its_length_and_where_it_goes(start, step):
    line = Line(start, tuple(np.add(start, step)))
    assert np.allclose(line.middle, np.array(start) + np.array(step) / 2)
    assert np.isclose(line.length, np.linalg.norm(step))
    assert np.allclose(line.middle + line.direction * line.length / 2, line.end)


def test_the_candidate_that_is_meant_is_kept_and_cannot_be_negative():
    prompts = Prompts(points=(Point((1, 2, 3)),), candidate=2)
    assert Prompts.from_json(prompts.to_json()) == prompts
    assert prompts.transformed(np.eye(4)).candidate == 2
    assert Prompts.from_json('{"roi":null,"points":[]}').candidate == 0
    with pytest.raises(InputError, match="candidate: a whole number"):
        Prompts(candidate=-1)
