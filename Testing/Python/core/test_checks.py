"""Prompts that cannot mean anything in a volume are found before any work."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial.transform import Rotation

from SAMSegmentLib.core.checks import check_prompts_in_volume
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from TestSupport.geometries import geometries, linear_transforms, rotations


@given(geometries(), st.tuples(*[st.floats(0, 1)] * 3))
def test_a_point_in_a_voxel_is_taken_and_one_beyond_the_faces_is_not(geometry, share):
    size = np.array(geometry.shape[::-1])
    inside = geometry.to_ras(np.array(share) * (size - 1))
    check_prompts_in_volume(Prompts(points=(Point(tuple(inside)),)), geometry)
    outside = geometry.to_ras(np.array([size[0] + 1.0, 0, 0]))
    with pytest.raises(InputError, match=r"The point at R, A, S = \(.*outside the volume"):
        check_prompts_in_volume(Prompts(points=(Point(tuple(outside), False),)), geometry)


@given(geometries(), rotations)
def test_an_roi_is_taken_as_soon_as_it_touches_the_volume(geometry, axes):
    corner = geometry.to_ras(np.zeros(3))
    check_prompts_in_volume(Prompts(roi=Roi.from_box(corner, (5, 5, 5), axes)), geometry)
    beyond = geometry.to_ras(np.array(geometry.shape[::-1]) + 100.0)
    with pytest.raises(InputError, match="The ROI lies outside"):
        check_prompts_in_volume(Prompts(roi=Roi.from_box(beyond, (5, 5, 5), axes)), geometry)


def depth_in(geometry, roi):
    """How deep (voxels) the ROI reaches into the volume; negative if it is beside it: a program."""
    to_ijk = geometry.ras_to_ijk @ roi.box_to_ras
    linear, offset = to_ijk[:3, :3], to_ijk[:3, 3]
    ones, last = np.ones((3, 1)), np.array(geometry.shape[::-1]) - 0.5
    # Largest t with -0.5 + t <= linear u + offset <= last - t, and u in the unit cube.
    found = linprog(
        [0, 0, 0, -1],
        np.block([[-linear, ones], [linear, ones]]),
        np.concatenate([offset + 0.5, last - offset]),
        bounds=[(-0.5, 0.5)] * 3 + [(None, None)],
    )
    return found.x[3]


@given(
    geometries(),
    linear_transforms(),
    st.tuples(*[st.floats(0.1, 60)] * 3),
    st.tuples(*[st.floats(-1, 2)] * 3),
)
def test_an_roi_is_taken_exactly_if_a_part_of_it_lies_in_the_volume(
    geometry, transform, size, share
):
    roi = Roi.from_box((0, 0, 0), size).transformed(transform)
    place = geometry.to_ras(np.array(share) * geometry.shape[::-1])
    matrix = roi.box_to_ras.copy()
    matrix[:3, 3] = place
    roi = Roi(matrix)
    depth = depth_in(geometry, roi)
    assume(abs(depth) > 1e-4)
    if depth > 0:
        check_prompts_in_volume(Prompts(roi=roi), geometry)
    else:
        with pytest.raises(InputError, match="The ROI lies outside"):
            check_prompts_in_volume(Prompts(roi=roi), geometry)


def test_an_oblique_roi_beside_a_corner_of_the_volume_is_refused():
    # Along each axis of the volume it reaches over it, and has nothing in common with it.
    axes = Rotation.from_euler("z", 45, degrees=True).as_matrix()
    roi = Roi.from_box((27, 27, 5), (20, 20, 4), axes)
    with pytest.raises(InputError, match="The ROI lies outside"):
        check_prompts_in_volume(Prompts(roi=roi), Geometry(np.eye(4), (10, 20, 20)))


@given(geometries(), st.integers(0, 2), st.sampled_from([-1, 1]))
def test_an_roi_that_only_touches_the_volume_is_refused(geometry, axis, side):
    size = np.array(geometry.shape[::-1], dtype=float)
    box = np.eye(4)
    box[:3, :3] = np.diag(size)
    box[:3, 3] = (size - 1) / 2
    box[axis, 3] += side * size[axis]
    with pytest.raises(InputError, match="The ROI lies outside"):
        check_prompts_in_volume(Prompts(roi=Roi(geometry.ijk_to_ras @ box)), geometry)


@given(geometries(), st.tuples(*[st.sampled_from((0.0, 0.5, 1.0))] * 3))
def test_a_point_on_the_very_border_is_taken(geometry, share):
    place = geometry.to_ras(np.array(share) * geometry.shape[::-1] - 0.5)
    check_prompts_in_volume(Prompts(points=(Point(tuple(place)),)), geometry)


@given(geometries(), st.sampled_from(["first", "second"]))
def test_a_line_is_taken_only_with_both_its_ends_in_the_volume(geometry, end):
    last = np.array(geometry.shape[::-1]) - 1.0
    inside, other = tuple(geometry.to_ras(np.zeros(3))), tuple(geometry.to_ras(last))
    check_prompts_in_volume(Prompts(line=Line(inside, other)), geometry)
    beyond = tuple(geometry.to_ras((*last[:1], last[1] + 2, last[2])))
    line = Line(beyond, inside) if end == "first" else Line(inside, beyond)
    with pytest.raises(InputError, match=f"The line's {end} end at R, A, S .*outside the volume"):
        check_prompts_in_volume(Prompts(line=line), geometry)


@given(geometries())
def test_no_prompts_are_no_mistake_here(geometry):
    check_prompts_in_volume(Prompts(), geometry)
