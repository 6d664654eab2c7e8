"""Markups of the user's become prompts, in the order in which they were placed."""

import numpy as np
import pytest
import vtk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.scene.prompt_nodes import PromptNodes
from SlicerHost.scene import HeadlessScene
from SlicerHost.scene_builder import PARENTS, SceneBuilder, snapshot
from TestSupport.prompt_user import NODE, PROMPTS, PromptUser

pytestmark = pytest.mark.mrml


@pytest.fixture
def case(builder):
    return PromptUser(builder)


class TestPlacing:
    def test_points_come_in_the_order_of_the_clicks(self, case):
        for ras, positive in [((1, 0, 0), True), ((2, 0, 0), False), ((3, 0, 0), True)]:
            case.click(ras, positive)
            assert case.changes() == 1
        assert case.points() == [((1, 0, 0), True), ((2, 0, 0), False), ((3, 0, 0), True)]

    def test_they_are_numbered_across_both_lists(self, case):
        for positive in (True, False, False, True):
            case.click((1, 2, 3), positive)
        assert (case.labels(True), case.labels(False)) == (["1", "4"], ["2", "3"])

    def test_the_point_that_follows_the_mouse_does_not_count(self, case):
        case.hover((5, 5, 5))
        assert case.changes() == 0
        assert case.points() == []
        assert case.labels(True) == [""]

    def test_points_without_a_place_do_not_count(self, case):
        case.click((1, 2, 3))
        case.list().SetNthControlPointPositionMissing(0)
        assert case.points() == []

    def test_points_that_a_script_adds_count(self, case):
        case.list(False).AddControlPointWorld(vtk.vtkVector3d(1, 2, 3))
        assert case.changes() == 1
        assert case.points() == [((1, 2, 3), False)]

    def test_many_points_at_once_are_one_change(self, case):
        node = case.list()
        was_modifying = node.StartModify()
        for n in range(3):
            node.AddControlPointWorld(vtk.vtkVector3d(n, 0, 0))
        node.EndModify(was_modifying)
        assert case.changes() == 1 and len(case.points()) == 3

    def test_the_styles_differ_in_colour_and_shape(self, case):
        styles = []
        for positive in (True, False):
            display = case.list(positive).GetDisplayNode()
            styles.append((display.GetSelectedColor(), display.GetGlyphType()))
            assert display.GetSnapMode() == display.SnapModeUnconstrained
            assert not case.list(positive).GetLocked()
        (green, circle), (red, diamond) = styles
        assert circle != diamond
        # Light and dark, for those who do not see green and red.
        weights = (0.3, 0.6, 0.1)
        assert np.dot(green, weights) > 1.5 * np.dot(red, weights)

    def test_what_the_user_would_place_next_stays_the_same(self, case):
        points = case.builder.points([(0, 0, 0)])
        selection = case.scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
        assert selection.GetActivePlaceNodeID() == points.GetID()
        case.list()
        case.nodes.own_roi_node()
        assert selection.GetActivePlaceNodeID() == points.GetID()
        assert selection.GetActivePlaceNodeClassName() == "vtkMRMLMarkupsFiducialNode"


class TestMoving:
    def test_a_drag_counts_when_it_ends(self, case):
        case.click((1, 2, 3))
        case.changes()
        case.drag(case.list(), 0, (4, 5, 6), let_go=False)
        assert case.changes() == 0
        assert case.points() == [((1, 2, 3), True)]
        case.list().InvokeCustomModifiedEvent(NODE.PointEndInteractionEvent)
        assert case.changes() == 1
        assert case.points() == [((4, 5, 6), True)]

    def test_a_point_that_was_only_touched_has_not_moved(self, case):
        case.click((1, 2, 3))
        case.changes()
        for event in (NODE.PointStartInteractionEvent, NODE.PointEndInteractionEvent):
            case.list().InvokeCustomModifiedEvent(event)
        assert case.changes() == 0

    def test_a_point_that_a_script_moves_counts_at_once(self, case):
        case.click((1, 2, 3))
        case.changes()
        case.list().SetNthControlPointPositionWorld(0, 7, 8, 9)
        assert case.changes() == 1

    def test_the_list_can_be_moved_by_a_transform(self, case):
        case.click((1, 2, 3))
        case.changes()
        case.builder.under(case.list(), PARENTS["translated"])
        assert case.changes() == 1
        assert case.points() == [((16, -18, 10), True)]


class TestRemoving:
    def three(self, case):
        for n, positive in enumerate((True, False, True), start=1):
            case.click((n, 0, 0), positive)
        case.changes()

    def test_the_others_keep_their_numbers(self, case):
        self.three(case)
        case.list().RemoveNthControlPoint(0)
        assert case.changes() == 1
        assert case.nodes.ids == (2, 3)
        assert (case.labels(True), case.labels(False)) == (["2"], ["1"])

    def test_a_new_point_never_gets_the_number_of_a_removed_one(self, case):
        self.three(case)
        for _ in range(3):
            case.list().RemoveNthControlPoint(0)
            case.click((9, 9, 9))
        assert len(set(case.nodes.ids)) == len(case.nodes.ids)
        assert min(case.nodes.ids) == 2
        assert max(case.nodes.ids) == 6

    def test_a_point_that_loses_its_place_is_removed(self, case):
        self.three(case)
        case.list(False).UnsetNthControlPointPosition(0)
        assert case.changes() == 1

    def test_several_at_once_are_one_change(self, case):
        self.three(case)
        case.list().RemoveAllControlPoints()
        assert case.changes() == 1
        assert case.nodes.ids == (2,)

    def test_a_deleted_list_takes_its_points_along(self, case):
        self.three(case)
        case.scene.RemoveNode(case.list())
        assert case.changes() == 1
        assert case.points() == [((2, 0, 0), False)]
        case.click((5, 5, 5))
        assert case.points() == [((2, 0, 0), False), ((5, 5, 5), True)]

    def test_a_deleted_list_leaves_nothing_behind(self, case):
        before = snapshot(case.scene)
        self.three(case)
        for positive in (True, False):
            case.scene.RemoveNode(case.list(positive))
        case.nodes.remove_nodes()
        assert snapshot(case.scene).keys() == before.keys()

    def test_a_list_that_is_deleted_during_a_drag(self, case):
        self.three(case)
        case.drag(case.list(), 0, (8, 8, 8), let_go=False)
        case.scene.RemoveNode(case.list())
        case.changes()
        case.click((1, 1, 1))
        case.list().SetNthControlPointPositionWorld(0, 2, 2, 2)
        assert case.changes() == 2


class TestByThePanel:
    def test_its_own_changes_are_not_reported(self, case):
        case.nodes.load(PROMPTS)
        first = case.nodes.ids[0]
        case.nodes.flip(first)
        case.nodes.remove(first)
        case.nodes.own_roi_node()
        case.nodes.clear()
        case.nodes.load(PROMPTS)
        case.nodes.remove_nodes()
        assert case.changes() == 0

    def test_what_is_loaded_comes_back(self, case):
        case.nodes.load(PROMPTS)
        prompts = case.nodes.prompts()
        assert (prompts.points, prompts.line) == (PROMPTS.points, PROMPTS.line)
        np.testing.assert_allclose(np.abs(prompts.roi.axes), np.abs(PROMPTS.roi.axes), atol=1e-9)
        assert {tuple(np.round(c, 6)) for c in prompts.roi.corners()} == {
            tuple(np.round(c, 6)) for c in PROMPTS.roi.corners()
        }
        assert case.labels(True) == ["1", "3"]

    def test_a_mirrored_roi_comes_back_as_the_same_box(self, case):
        roi = PROMPTS.roi.transformed(np.diag([-1.0, 1, 1, 1]))
        case.nodes.load(Prompts(roi))
        assert {tuple(np.round(c, 6)) for c in case.nodes.prompts().roi.corners()} == {
            tuple(np.round(c, 6)) for c in roi.corners()
        }

    def test_flipping_keeps_number_and_turn(self, case):
        case.nodes.load(PROMPTS)
        ids = case.nodes.ids
        case.nodes.flip(ids[1])
        assert case.nodes.ids == ids
        assert [p.positive for p in case.nodes.prompts().points] == [True, True, True, False]
        assert case.nodes.prompts().points[1].ras == (2, 2, 2)
        assert (case.labels(True), case.labels(False)) == (["1", "3", "2"], ["4"])

    def test_unknown_numbers_are_refused(self, case):
        for action in (case.nodes.remove, case.nodes.flip):
            with pytest.raises(KeyError):
                action(77)

    def test_a_clear_removes_everything(self, case):
        case.nodes.load(PROMPTS)
        case.nodes.clear()
        assert case.nodes.prompts() == Prompts()
        assert not case.nodes.owns_roi

    def test_loading_leaves_alone_what_is_the_same(self, case):
        case.nodes.load(PROMPTS)
        ids, roi_node = case.nodes.ids, case.nodes.roi_node
        fewer = Prompts(PROMPTS.roi, PROMPTS.points[:1] + PROMPTS.points[2:], PROMPTS.line)
        case.nodes.load(fewer)
        assert case.nodes.ids == ids[:1] + ids[2:]
        case.nodes.load(PROMPTS)
        assert case.nodes.ids[0] == ids[0]
        assert case.nodes.ids[2:] == ids[2:]
        assert case.nodes.roi_node is roi_node

    def test_loading_keeps_the_users_nodes_if_they_are_meant(self, case):
        roi = case.builder.roi((0, 0, 0), (5, 6, 7))
        line = case.builder.line([(0, 0, 0), (5, 0, 0)])
        case.nodes.use_roi(roi)
        case.nodes.use_line(line)
        case.nodes.load(case.nodes.prompts())
        assert case.nodes.roi_node is roi
        assert case.nodes.line_node is line
        case.nodes.load(PROMPTS)
        assert case.nodes.owns_roi
        assert case.nodes.line_node is None

    def test_the_users_nodes_are_never_changed(self, case):
        roi = case.builder.roi((0, 0, 0), (5, 6, 7))
        line = case.builder.line([(0, 0, 0), (5, 0, 0)])
        before = [node.GetMTime() for node in (roi, line)]
        case.nodes.use_roi(roi)
        case.nodes.use_line(line)
        case.nodes.show(False)
        case.nodes.load(PROMPTS)
        case.nodes.use_roi(roi)
        case.nodes.use_line(line)
        case.nodes.clear()
        case.nodes.remove_nodes()
        assert [node.GetMTime() for node in (roi, line)] == before

    def test_hiding_hides_ours_alone(self, case):
        points = case.builder.points([(0, 0, 0)])
        case.nodes.load(PROMPTS)
        for visible in (False, True):
            case.nodes.show(visible)
            assert case.nodes.own_roi_node().GetDisplayNode().GetVisibility() == visible
            for node in (case.list(True), case.list(False)):
                assert node.GetDisplayNode().GetVisibility()
                assert node.GetNthControlPointVisibility(0) == visible
            assert points.GetDisplayNode().GetVisibility()
            assert points.GetNthControlPointVisibility(0)
        assert case.nodes.prompts().points == PROMPTS.points

    def test_what_is_placed_next_is_seen_though_the_rest_is_hidden(self, case):
        case.nodes.load(PROMPTS)
        case.nodes.show(False)
        case.list(True).AddControlPointWorld(5, 6, 7)
        last = case.list(True).GetNumberOfControlPoints() - 1
        assert case.list(True).GetNthControlPointVisibility(last)
        assert not case.list(True).GetNthControlPointVisibility(0)


POINTS = st.lists(
    st.builds(Point, st.tuples(*[st.integers(0, 3)] * 3), st.booleans()), max_size=6
).map(tuple)


@pytest.fixture(scope="module")
def shared():
    pytest.importorskip("slicer")
    host = HeadlessScene()
    yield host
    host.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(POINTS, min_size=1, max_size=4))
def test_any_prompts_can_be_loaded_one_after_the_other(shared, states):
    nodes = PromptNodes(shared.scene, lambda: None)
    try:
        for points in states:
            nodes.load(Prompts(points=points))
            assert nodes.prompts().points == points
            assert len(set(nodes.ids)) == len(points)
    finally:
        nodes.remove_nodes()


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["click", "drag", "delete", "remove", "flip", "delete list"]),
        st.integers(0, 5),
        st.booleans(),
        st.tuples(*[st.integers(1, 50)] * 3),
    ),
    max_size=12,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ACTIONS)
def test_whatever_the_user_does_the_prompts_are_what_lies_in_the_lists(shared, actions):
    case = PromptUser(SceneBuilder(shared))
    expected = {}
    try:
        for action, which, positive, ras in actions:
            numbers = [n for n, p in expected.items() if p.positive == positive]
            number = numbers[which % len(numbers)] if numbers else None
            if action == "click":
                expected[case.click(ras, positive)] = Point(ras, positive)
            elif action == "delete list":
                case.scene.RemoveNode(case.list(positive))
                expected = {n: p for n, p in expected.items() if p.positive != positive}
            elif number is not None:
                order = list_order(case, positive)
                if action == "drag":
                    case.drag(case.list(positive), order.index(number), ras)
                    expected[number] = Point(ras, positive)
                elif action == "delete":
                    case.list(positive).RemoveNthControlPoint(order.index(number))
                    del expected[number]
                elif action == "remove":
                    case.nodes.remove(number)
                    del expected[number]
                else:
                    case.nodes.flip(number)
                    expected[number] = Point(expected[number].ras, not positive)
            assert case.nodes.ids == tuple(expected)
            assert case.nodes.prompts().points == tuple(expected.values())
            labels = sorted(int(label) for s in (True, False) for label in case.labels(s))
            assert labels == list(range(1, len(expected) + 1))
    finally:
        case.nodes.remove_nodes()
    assert case.markups() == 0


def list_order(case, positive):
    """Numbers of the points, in the order of their list."""
    node = case.list(positive)
    return [
        int(node.GetNthControlPointDescription(n)) for n in range(node.GetNumberOfControlPoints())
    ]
