"""Markups without a usable position: one sentence, and nothing else is lost or moved."""

import math

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.prompts import Point
from SAMSegmentLib.scene.markups import line_from_node, points_from, roi_from_node
from TestSupport.prompt_user import NODE, PromptUser

pytestmark = pytest.mark.mrml
BROKEN = [math.nan, math.inf, -math.inf]


class TestOwnPoints:
    @pytest.fixture
    def user(self, builder):
        user = PromptUser(builder)
        user.click((1, 2, 3))
        user.click((4, 5, 6), positive=False)
        user.changes()
        yield user
        user.nodes.remove_nodes()

    @pytest.mark.parametrize("value", BROKEN)
    def test_a_new_one_is_left_out_and_goes_away(self, user, value):
        before = user.points()
        user.list().AddControlPoint((0, value, 0))
        assert user.points() == before and user.changes()
        assert user.nodes.remove_lost_points() == 1
        assert user.list().GetNumberOfControlPoints() == 1
        assert user.nodes.remove_lost_points() == 0

    @pytest.mark.parametrize("value", BROKEN)
    def test_one_that_loses_its_position_goes_back_to_it(self, user, value):
        before, ids = user.points(), user.nodes.ids
        user.list().SetNthControlPointPosition(0, value, 0, 0)
        assert user.points() == before and user.nodes.ids == ids and user.changes() == 1
        assert user.nodes.remove_lost_points() == 1
        assert tuple(user.list().GetNthControlPointPositionWorld(0)) == (1, 2, 3)
        assert user.points() == before and user.changes() == 0

    def test_the_next_click_counts_as_ever(self, user):
        user.list().AddControlPoint((0, math.nan, 0))
        user.click((7, 8, 9))
        user.nodes.remove_lost_points()
        assert user.points()[-1] == ((7, 8, 9), True) and len(user.points()) == 3
        assert user.labels(True) == ["1", "3"]


class TestNodesOfTheUsers:
    @pytest.mark.parametrize("value", BROKEN)
    def test_a_point_is_named(self, builder, value):
        node = builder.points([(1, 2, 3)], name="Seeds")
        node.AddControlPoint((0, value, 0), "left")
        with pytest.raises(InputError, match=r'"left".*"Seeds".*NaN'):
            points_from(node)

    def test_points_that_are_not_placed_are_left_out(self, builder):
        node = builder.points([(1, 2, 3), (4, 5, 6), (7, 8, 9)])
        node.UnsetNthControlPointPosition(0)
        node.SetNthControlPointPositionMissing(1)
        node.SetNthControlPointPosition(2, 7, 8, 9, NODE.PositionPreview)
        assert points_from(node) == ()
        node.AddControlPoint((0, 0, 1))
        assert points_from(node) == (Point((0, 0, 1)),)

    @pytest.mark.parametrize("value", BROKEN)
    def test_an_roi(self, builder, value):
        for center, size in (((0, value, 0), (5, 5, 5)), ((0, 0, 0), (5, value, 5))):
            node = builder.roi(center, size)
            with pytest.raises(InputError, match=r'"ROI".*(NaN|no size|not drawn)'):
                roi_from_node(node)

    @pytest.mark.parametrize("value", BROKEN)
    def test_a_line(self, builder, value):
        with pytest.raises(InputError, match=r'"Line".*NaN'):
            line_from_node(builder.line([(0, 0, 0), (value, 0, 0)]))

    def test_a_line_with_one_end_or_two_at_one_place(self, builder):
        for ends, says in (([(1, 2, 3)], "1 of 2 ends"), ([(1, 2, 3)] * 2, "no length")):
            with pytest.raises(InputError, match=says):
                line_from_node(builder.line(ends))

    def test_under_a_transform_that_is_broken(self, builder):
        matrix = np.eye(4)
        matrix[0, 3] = math.nan
        points, line = builder.points([(1, 2, 3)], matrix), builder.line([(0, 0, 0)] * 2, matrix)
        for read, node in ((points_from, points), (line_from_node, line)):
            with pytest.raises(InputError, match="cannot be inverted"):
                read(node)

    @pytest.mark.parametrize("value", BROKEN)
    def test_positions_as_numbers(self, value):
        with pytest.raises(InputError, match="three finite numbers"):
            points_from([(0, value, 0)])
