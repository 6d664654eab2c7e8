"""Around which part of a volume other segments are looked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from TestSupport.phantoms import grid

pytestmark = pytest.mark.mrml

GEOMETRY = grid((40, 60, 80), (1.0, 1.5, 4.0), (-30.0, 10.0, 5.0))
position = st.tuples(st.floats(-30, 49), st.floats(10, 98), st.floats(5, 161))


@pytest.fixture(autouse=True)
def host(application):
    """The module under test imports qt."""


def box_of(prompts, content=None):
    from SAMSegmentLib.ui.effect.proposal_request import prompt_box

    box = prompt_box(prompts, content, GEOMETRY)
    return np.array([part.start for part in box]), np.array([part.stop for part in box])


def test_it_holds_every_point_and_stays_in_the_volume():
    @given(st.lists(position, min_size=1, max_size=4))
    def check(points):
        start, stop = box_of(Prompts(points=tuple(Point(ras) for ras in points)))
        indices = np.rint(GEOMETRY.to_ijk(np.array(points))[:, ::-1])
        assert (indices >= start).all() and (indices < stop).all()
        assert (start >= 0).all() and (stop <= GEOMETRY.shape).all()

    check()


def test_it_reaches_eight_centimetres_around_a_point():
    start, stop = box_of(Prompts(points=(Point((0.0, 50.0, 80.0)),)))
    ends = GEOMETRY.to_ras(np.array([start, stop - 1])[:, ::-1])
    assert (ends[0] <= [-30, 10, 5]).all() and ends[1][2] == pytest.approx(161)


def test_it_holds_an_roi_a_line_and_what_the_segment_holds():
    roi = Roi.from_box((0, 50, 80), (20, 20, 20))
    start, stop = box_of(Prompts(roi=roi))
    corners = GEOMETRY.to_ijk(roi.corners())[:, ::-1]
    assert (start <= corners.min(0) + 1).all() and (stop - 1 >= corners.max(0) - 1).all()
    line = Prompts(line=Line((0, 50, 80), (10, 50, 80)))
    assert (box_of(line)[0] <= start).all() and (box_of(line)[1] >= stop).all()
    content = Patch(np.ones((40, 2, 2), dtype=bool), (0, 0, 0))
    start, stop = box_of(Prompts(roi=roi), content)
    assert (start == 0).all() and stop[0] == 40
    assert tuple(box_of(Prompts(), content)[1]) == (40, 3, 3)


def test_without_prompts_it_is_the_whole_volume():
    start, stop = box_of(Prompts())
    assert (start == 0).all() and (stop == GEOMETRY.shape).all()
