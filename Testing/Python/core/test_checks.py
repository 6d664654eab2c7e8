"""Prompts that cannot mean anything in a volume are found before any work."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.checks import check_prompts_in_volume
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from TestSupport.geometries import geometries, rotations


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
