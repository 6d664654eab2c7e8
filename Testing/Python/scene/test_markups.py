"""Markups as prompts in world RAS."""

import numpy as np
import pytest
import slicer
import vtk

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.scene.markups import (
    line_from_node,
    points_from,
    prompts_from,
    roi_from_node,
)
from SlicerHost.scene_builder import PARENTS, affine, rotation

pytestmark = pytest.mark.mrml

AXES = {"aligned": None, "oblique": rotation(25, -40, 15)}


def drawn_corners(roi_node) -> np.ndarray:
    """The corners of the box that Slicer itself makes of an ROI, in world RAS."""
    mesh = roi_node.CreateROIBoxPolyDataWorld()
    corners = {tuple(np.round(mesh.GetPoint(n), 6)) for n in range(mesh.GetNumberOfPoints())}
    return np.array(sorted(corners))


def sorted_corners(roi: Roi) -> np.ndarray:
    return np.array(sorted(tuple(np.round(corner, 6)) for corner in roi.corners()))


class TestRoi:
    @pytest.mark.parametrize("parent", PARENTS)
    @pytest.mark.parametrize("axes", AXES)
    def test_it_is_the_box_that_slicer_draws(self, builder, axes, parent):
        node = builder.roi((10, -20, 30), (20, 12, 8), AXES[axes], PARENTS[parent])
        np.testing.assert_allclose(
            sorted_corners(roi_from_node(node)), drawn_corners(node), atol=1e-5
        )

    # Under a transform that scales, IsPointInROIWorld takes the size without the scale, and
    # disagrees with the box that Slicer draws.
    @pytest.mark.parametrize("parent", ["none", "translated", "rotated"])
    def test_slicer_agrees_on_what_is_inside(self, builder, parent):
        node = builder.roi((1, 2, 3), (20, 12, 8), AXES["oblique"], PARENTS[parent])
        roi = roi_from_node(node)
        to_box = np.linalg.inv(roi.box_to_ras)
        points = roi.center + np.random.default_rng(0).uniform(-15, 15, (500, 3))
        inside = (np.abs(points @ to_box[:3, :3].T + to_box[:3, 3]) <= 0.5).all(axis=1)
        assert 20 < inside.sum() < 480
        assert [node.IsPointInROIWorld(point) for point in points] == inside.tolist()

    @pytest.mark.parametrize("parent", ["none", "translated", "rotated"])
    def test_centre_and_size_are_those_of_the_node(self, builder, parent):
        node = builder.roi((10, -20, 30), (20, 12, 8), AXES["oblique"], PARENTS[parent])
        roi = roi_from_node(node)
        size = [0.0, 0.0, 0.0]
        node.GetSizeWorld(size)
        np.testing.assert_allclose(roi.size, size)
        np.testing.assert_allclose(roi.center, node.GetCenterWorld())

    def test_a_scaling_transform_scales_it(self, builder):
        node = builder.roi((0, 0, 0), (10, 10, 10), parent=affine(np.diag([1, 2, 3])))
        np.testing.assert_allclose(roi_from_node(node).size, [10, 20, 30])

    def test_a_mirrored_world_leaves_it_a_box(self, builder):
        node = builder.roi((5, 6, 7), (10, 20, 30), parent=affine(np.diag([-1, 1, 1])))
        roi = roi_from_node(node)
        np.testing.assert_allclose(roi.center, [-5, 6, 7])
        np.testing.assert_allclose(sorted_corners(roi), drawn_corners(node), atol=1e-5)

    def test_the_transform_may_come_later(self, builder):
        node = builder.roi((1, 0, 0), (10, 10, 10))
        builder.under(node, PARENTS["translated"])
        np.testing.assert_allclose(roi_from_node(node).center, [16, -20, 7])

    def test_a_bounding_box_roi_surrounds_its_points(self, builder):
        node = builder.host.add("vtkMRMLMarkupsROINode", "Bounds")
        node.SetROIType(node.ROITypeBoundingBox)
        for ras in [(0, 0, 0), (10, 4, 6), (3, 8, 1)]:
            node.AddControlPoint(vtk.vtkVector3d(ras))
        roi = roi_from_node(node)
        np.testing.assert_allclose(roi.center, [5, 4, 3])
        np.testing.assert_allclose(sorted(roi.size), [6, 8, 10])

    def test_the_node_is_not_touched(self, builder):
        node = builder.roi((1, 0, 0), (10, 10, 10), parent=PARENTS["sheared"])
        before = node.GetMTime()
        roi_from_node(node)
        assert node.GetMTime() == before


class TestRefusedRoi:
    def test_nothing(self):
        with pytest.raises(InputError, match="No ROI"):
            roi_from_node(None)

    def test_another_node(self, builder):
        with pytest.raises(InputError, match="is not a ROI"):
            roi_from_node(builder.points([]))

    def test_not_drawn(self, builder):
        with pytest.raises(InputError, match="not drawn yet"):
            roi_from_node(builder.host.add("vtkMRMLMarkupsROINode", "ROI"))

    def test_without_size(self, builder):
        with pytest.raises(InputError, match="no size"):
            roi_from_node(builder.roi((0, 0, 0), (10, 0, 10)))

    def test_inside_out(self, builder):
        node = builder.roi((0, 0, 0), (10, 10, 10))
        node.SetInsideOut(True)
        with pytest.raises(InputError, match="Inside out"):
            roi_from_node(node)

    def test_under_a_non_linear_transform(self, builder):
        node = builder.roi((0, 0, 0), (10, 10, 10))
        node.SetAndObserveTransformNodeID(builder.bend().GetID())
        with pytest.raises(InputError, match="non-linear"):
            roi_from_node(node)


class TestPoints:
    @pytest.mark.parametrize("parent", PARENTS)
    def test_positions_are_in_world(self, builder, parent):
        positions = [(1, 2, 3), (-4, 5, -6)]
        node = builder.points(positions, PARENTS[parent])
        matrix = np.eye(4) if PARENTS[parent] is None else PARENTS[parent]
        expected = np.array(positions) @ matrix[:3, :3].T + matrix[:3, 3]
        np.testing.assert_allclose([p.ras for p in points_from(node, True)], expected)

    def test_the_sign_is_the_callers(self, builder):
        node = builder.points([(1, 2, 3)])
        assert points_from(node, False) == (Point((1, 2, 3), positive=False),)

    def test_points_that_are_not_placed_do_not_count(self, builder):
        node = builder.points([(1, 2, 3), (4, 5, 6), (7, 8, 9)])
        node.UnsetNthControlPointPosition(1)
        node.SetNthControlPointPositionMissing(2)
        assert [p.ras for p in points_from(node)] == [(1, 2, 3)]

    def test_the_preview_point_does_not_count(self, builder):
        node = builder.points([(1, 2, 3)])
        node.AddControlPoint(vtk.vtkVector3d(9, 9, 9))
        node.SetNthControlPointPosition(1, 9, 9, 9, slicer.vtkMRMLMarkupsNode.PositionPreview)
        assert len(points_from(node)) == 1

    @pytest.mark.parametrize("points", [[(1, 2, 3)], ((1, 2, 3),), np.array([[1, 2, 3]])])
    def test_positions_may_be_given(self, points):
        assert points_from(points) == (Point((1, 2, 3)),)

    def test_no_points(self, builder):
        assert points_from(None) == points_from([]) == points_from(builder.points([])) == ()

    @pytest.mark.parametrize(
        "points", [[(1, 2)], [1, 2, 3], [("a", 2, 3)], [(1, 2, np.nan)], 5, "p"]
    )
    def test_what_is_no_position_is_refused(self, points):
        with pytest.raises(InputError):
            points_from(points)

    def test_another_node_is_refused(self, builder):
        with pytest.raises(InputError, match="not a point list"):
            points_from(builder.roi((0, 0, 0), (1, 1, 1)))


class TestPrompts:
    def test_all_kinds_together(self, builder):
        prompts = prompts_from(
            builder.roi((0, 0, 0), (2, 2, 2)), builder.points([(0, 0, 1)]), [(5, 5, 5)]
        )
        assert prompts.points == (Point((0, 0, 1)), Point((5, 5, 5), positive=False))
        np.testing.assert_allclose(prompts.roi.size, [2, 2, 2])

    def test_an_roi_may_be_a_value(self):
        roi = Roi.from_box((0, 0, 0), (1, 2, 3))
        assert prompts_from(roi).roi is roi

    def test_none(self):
        assert prompts_from() == Prompts()


class TestLine:
    @pytest.mark.parametrize("parent", PARENTS)
    def test_it_is_what_slicer_measures(self, builder, parent):
        node = builder.line([(1, 2, 3), (11, -4, 8)], PARENTS[parent])
        line = line_from_node(node)
        np.testing.assert_allclose(line.start, node.GetNthControlPointPositionWorld(0))
        np.testing.assert_allclose(line.end, node.GetNthControlPointPositionWorld(1))
        assert line.length == pytest.approx(node.GetLineLengthWorld())

    @pytest.mark.parametrize("ends", [[], [(1, 2, 3)]])
    def test_an_unfinished_one_says_what_is_missing(self, builder, ends):
        with pytest.raises(InputError, match=f"{len(ends)} of 2 ends"):
            line_from_node(builder.line(ends))

    def test_an_end_that_follows_the_mouse_does_not_count(self, builder):
        node = builder.line([(0, 0, 0), (5, 5, 5)])
        node.SetNthControlPointPosition(1, 6, 6, 6, node.PositionPreview)
        with pytest.raises(InputError, match="1 of 2 ends"):
            line_from_node(node)

    def test_a_bent_one_is_refused(self, builder):
        node = builder.line([(0, 0, 0), (5, 5, 5)])
        node.SetAndObserveTransformNodeID(builder.bend().GetID())
        with pytest.raises(InputError, match="non-linear"):
            line_from_node(node)

    def test_other_nodes_are_refused(self, builder):
        with pytest.raises(InputError, match="is not a line"):
            line_from_node(builder.points([(0, 0, 0), (1, 1, 1)]))


def test_a_roi_that_is_being_drawn_says_so(builder):
    node = builder.host.add("vtkMRMLMarkupsROINode", "ROI")
    node.AddControlPoint(vtk.vtkVector3d(0, 0, 0))
    with pytest.raises(InputError, match="not drawn yet"):
        roi_from_node(node)
    node.AddControlPoint(vtk.vtkVector3d(4, 6, 8))
    np.testing.assert_allclose(roi_from_node(node).size, [4, 6, 8])
