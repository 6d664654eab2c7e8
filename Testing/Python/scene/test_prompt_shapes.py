"""An ROI and a line as prompts, and what may happen to any of the nodes."""

import gc
import weakref

import numpy as np
import pytest
import vtk

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.prompts import Line, Prompts
from SlicerHost.scene_builder import PARENTS, rotation, snapshot, vtk_matrix
from TestSupport.prompt_user import NODE, PROMPTS, PromptUser

pytestmark = pytest.mark.mrml


@pytest.fixture
def case(builder):
    return PromptUser(builder)


class TestRoi:
    def test_ours_counts_when_it_is_drawn(self, case):
        node = case.nodes.own_roi_node()
        assert case.nodes.owns_roi
        assert case.nodes.prompts().roi is None
        node.AddControlPointWorld(vtk.vtkVector3d(0, 0, 0))
        index = node.AddControlPointWorld(vtk.vtkVector3d(1, 1, 1))
        assert index == 1 or case.nodes.prompts().roi is not None
        case.changes()
        node.SetSize(4, 5, 6)
        assert case.changes() == 1
        np.testing.assert_allclose(case.nodes.prompts().roi.size, (4, 5, 6))

    def test_half_drawn_it_does_not_count(self, case):
        node = case.nodes.own_roi_node()
        node.AddControlPointWorld(vtk.vtkVector3d(0, 0, 0))
        index = node.AddControlPointWorld(vtk.vtkVector3d(0, 0, 0))
        case.builder.scene.RemoveNode(node)
        node = case.nodes.own_roi_node()
        node.AddControlPointWorld(vtk.vtkVector3d(0, 0, 0))
        assert case.nodes.prompts().roi is None
        assert index == 1

    @pytest.mark.parametrize("parent", PARENTS)
    def test_the_users_is_followed(self, case, parent):
        roi = case.builder.roi((10, 0, 0), (5, 6, 7), rotation(5, 6, 7), PARENTS[parent])
        case.nodes.use_roi(roi)
        assert not case.nodes.owns_roi
        roi.SetSize(8, 9, 10)
        assert case.changes() == 1
        assert case.nodes.prompts().roi.size.min() > 6

    def test_a_drag_of_its_handles_counts_at_the_end(self, case):
        roi = case.builder.roi((10, 0, 0), (5, 6, 7))
        case.nodes.use_roi(roi)
        roi.InvokeCustomModifiedEvent(NODE.PointStartInteractionEvent)
        for size in (6, 7, 8):
            roi.SetSize(size, 6, 7)
        assert case.changes() == 0
        assert case.nodes.prompts().roi.size[0] == 5
        roi.InvokeCustomModifiedEvent(NODE.PointEndInteractionEvent)
        assert case.changes() == 1
        assert case.nodes.prompts().roi.size[0] == 8

    def test_another_look_is_no_change(self, case):
        roi = case.builder.roi((10, 0, 0), (5, 6, 7))
        case.nodes.use_roi(roi)
        roi.SetName("Renamed")
        roi.GetDisplayNode().SetColor(0, 0, 1)
        roi.Modified()
        assert case.changes() == 0

    def test_its_transform_may_move(self, case):
        roi = case.builder.roi((10, 0, 0), (5, 6, 7), parent=PARENTS["translated"])
        case.nodes.use_roi(roi)
        roi.GetParentTransformNode().SetMatrixTransformToParent(vtk_matrix(PARENTS["rotated"]))
        assert case.changes()

    def test_what_cannot_be_used_says_why(self, case):
        roi = case.builder.roi((10, 0, 0), (5, 6, 7))
        case.nodes.use_roi(roi)
        roi.SetInsideOut(True)
        assert case.changes() == 1
        with pytest.raises(InputError, match="inside out"):
            case.nodes.prompts()
        roi.SetInsideOut(False)
        assert case.nodes.prompts().roi is not None

    def test_a_bent_one_is_refused(self, case):
        roi = case.builder.roi((10, 0, 0), (5, 6, 7))
        roi.SetAndObserveTransformNodeID(case.builder.bend().GetID())
        case.nodes.use_roi(roi)
        with pytest.raises(InputError, match="non-linear"):
            case.nodes.prompts()

    def test_another_class_of_node_is_refused(self, case):
        with pytest.raises(InputError, match="is not a ROI"):
            case.nodes.use_roi(case.builder.line([]))

    def test_a_deleted_one_is_forgotten(self, case):
        roi = case.builder.roi((10, 0, 0), (5, 6, 7))
        case.nodes.use_roi(roi)
        case.scene.RemoveNode(roi)
        assert case.changes() == 1
        assert case.nodes.roi_node is None
        assert case.nodes.prompts().roi is None

    def test_ours_may_be_deleted_too(self, case):
        before = snapshot(case.scene).keys()
        case.nodes.load(Prompts(PROMPTS.roi))
        case.scene.RemoveNode(case.nodes.roi_node)
        assert case.changes() == 1
        assert not case.nodes.owns_roi
        assert snapshot(case.scene).keys() == before

    def test_choosing_the_users_removes_ours(self, case):
        case.nodes.load(Prompts(PROMPTS.roi))
        roi = case.builder.roi((10, 0, 0), (5, 6, 7))
        case.nodes.use_roi(roi)
        assert case.scene.GetNumberOfNodesByClass("vtkMRMLMarkupsROINode") == 1
        case.nodes.own_roi_node()
        assert case.nodes.owns_roi
        roi.SetSize(1, 1, 1)
        assert case.changes() == 0


class TestLine:
    def test_it_is_followed(self, case):
        line = case.builder.line([(0, 0, 0), (10, 0, 0)], PARENTS["translated"])
        case.nodes.use_line(line)
        assert case.nodes.prompts().line == Line((15, -20, 7), (25, -20, 7))
        line.SetNthControlPointPosition(1, 0, 10, 0)
        assert case.changes() == 1
        assert case.nodes.prompts().line == Line((15, -20, 7), (15, -10, 7))

    def test_a_drag_counts_at_the_end(self, case):
        line = case.builder.line([(0, 0, 0), (10, 0, 0)])
        case.nodes.use_line(line)
        case.drag(line, 1, (20, 0, 0), let_go=False)
        assert case.nodes.prompts().line.length == 10
        line.InvokeCustomModifiedEvent(NODE.PointEndInteractionEvent)
        assert case.changes() == 1
        assert case.nodes.prompts().line.length == 20

    def test_it_counts_when_both_ends_are_placed(self, case):
        line = case.builder.line([(0, 0, 0)])
        case.nodes.use_line(line)
        assert case.nodes.prompts().line is None
        line.AddControlPointWorld(vtk.vtkVector3d(5, 0, 0))
        assert case.changes() == 1
        assert case.nodes.prompts().line.length == 5

    def test_a_deleted_one_is_forgotten(self, case):
        line = case.builder.line([(0, 0, 0), (10, 0, 0)])
        case.nodes.use_line(line)
        case.scene.RemoveNode(line)
        assert case.changes() == 1
        assert case.nodes.prompts().line is None

    def test_one_without_length_says_so(self, case):
        case.nodes.use_line(case.builder.line([(0, 0, 0), (0, 0, 0)]))
        with pytest.raises(InputError, match="no length"):
            case.nodes.prompts()


class TestSurroundings:
    def everything(self, case):
        case.nodes.load(PROMPTS)
        roi = case.builder.roi((10, 0, 0), (5, 6, 7))
        line = case.builder.line([(0, 0, 0), (10, 0, 0)])
        case.nodes.own_roi_node()
        case.nodes.use_line(line)
        return roi, line

    def test_ours_are_neither_saved_nor_listed_nor_undone(self, case):
        self.everything(case)
        for node in (case.list(True), case.list(False), case.nodes.own_roi_node()):
            for part in (node, node.GetDisplayNode()):
                assert not part.GetSaveWithScene()
                assert part.GetHideFromEditors()
                assert not part.GetUndoEnabled()

    def test_removing_ours_leaves_nothing_behind(self, case):
        before = snapshot(case.scene)
        case.nodes.load(PROMPTS)
        case.nodes.remove_nodes()
        assert snapshot(case.scene).keys() == before.keys()
        case.nodes.remove_nodes()
        assert case.nodes.prompts() == Prompts()

    def test_it_can_be_used_again_after_removing(self, case):
        case.nodes.load(PROMPTS)
        case.nodes.remove_nodes()
        case.click((1, 2, 3))
        assert case.changes() == 1

    def test_after_the_removal_nothing_is_reported(self, case):
        roi, line = self.everything(case)
        case.nodes.use_roi(roi)
        points = case.list()
        case.nodes.remove_nodes()
        points.AddControlPointWorld(vtk.vtkVector3d(1, 2, 3))
        roi.SetSize(1, 2, 3)
        case.scene.RemoveNode(line)
        assert case.changes() == 0
        assert len(case.nodes._observers) == 0

    def test_closing_the_scene_forgets_everything_silently(self, case):
        self.everything(case)
        case.scene.Clear(0)
        assert case.changes() == 0
        assert case.nodes.prompts() == Prompts()
        assert len(case.nodes._observers) == 0
        case.click((1, 2, 3))
        assert case.changes() == 1

    def test_undo_of_the_scene_leaves_ours_alone(self, case):
        case.nodes.load(PROMPTS)
        case.scene.SetUndoOn()
        case.builder.points([(0, 0, 0)]).SetUndoEnabled(True)
        case.scene.SaveStateForUndo()
        case.nodes.remove(case.nodes.ids[0])
        case.scene.Undo()
        assert case.nodes.prompts().points == PROMPTS.points[1:]
        case.scene.Redo()
        assert case.nodes.prompts().points == PROMPTS.points[1:]

    @pytest.mark.parametrize("which", range(8))
    def test_any_node_may_be_deleted_at_any_moment(self, case, which):
        roi, line = self.everything(case)
        case.drag(case.list(), 0, (9, 9, 9), let_go=False)
        nodes = [
            case.list(True),
            case.list(False),
            case.list(True).GetDisplayNode(),
            case.list(False).GetDisplayNode(),
            case.nodes.roi_node,
            case.nodes.roi_node.GetDisplayNode(),
            roi,
            line,
        ]
        case.scene.RemoveNode(nodes[which])
        case.nodes.prompts()
        case.nodes.load(PROMPTS)
        assert case.nodes.prompts().points == PROMPTS.points
        case.nodes.remove_nodes()
        assert case.markups() == (1 if which >= 6 else 2)

    def test_nobody_keeps_it_alive(self, case):
        roi, _ = self.everything(case)
        points = case.list()
        alive = weakref.ref(case.nodes)
        case.nodes = None
        gc.collect()
        assert alive() is None
        points.AddControlPointWorld(vtk.vtkVector3d(1, 2, 3))
        roi.SetSize(1, 2, 3)
        case.scene.RemoveNode(points)
