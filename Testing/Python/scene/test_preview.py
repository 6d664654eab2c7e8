"""The preview shows the proposal where it will be written, and touches nothing else."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.proposal import Proposal
from SAMSegmentLib.scene.grid import target_geometry
from SAMSegmentLib.scene.preview import SEGMENT_ID, SURFACE, Preview, preview_color
from SAMSegmentLib.scene.steps import finish
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene import HeadlessScene
from SlicerHost.scene_builder import (
    GRIDS,
    PARENTS,
    affine,
    snapshot,
    vtk_matrix,
    world_of,
    world_positions,
)
from TestSupport.scene_answers import ball, proposal_of

pytestmark = pytest.mark.mrml


class Case:
    def __init__(self, builder, grid="oblique", volume="rotated", segmentation="translated"):
        self.builder, self.scene = builder, builder.scene
        self.volume = builder.volume(GRIDS[grid], PARENTS[volume])
        self.segmentation = builder.segmentation(self.volume, PARENTS[segmentation])
        self.segmentation.GetSegmentation().AddEmptySegment("Liver", "Liver", (0.8, 0.4, 0.3))
        self.proposal = self.propose(6)
        self.preview = Preview(self.scene, self.segmentation)

    def propose(self, radius):
        return proposal_of(ball(self.volume, radius_mm=radius), self.volume, self.segmentation)

    def show(self, threshold=0.5, proposal=None):
        proposal = self.proposal if proposal is None else proposal
        finish(self.preview.show_steps((proposal,), world_of(self.volume), threshold, "Liver"))

    def set_threshold(self, threshold):
        finish(self.preview.threshold_steps(threshold))

    def seen(self):
        """World RAS of the voxels shown, sorted."""
        return ordered(world_positions(self.preview.node, SEGMENT_ID))

    def surface(self):
        return self.preview.node.GetSegmentation().GetSegment(SEGMENT_ID).GetRepresentation(SURFACE)

    def previews(self):
        return self.scene.GetNodesByName("SAM Segment preview").GetNumberOfItems()


def ordered(positions):
    return positions[np.lexsort(np.round(positions, 4).T)]


@pytest.fixture
def case(builder):
    return Case(builder)


class TestVoxels:
    @pytest.mark.parametrize("grid", GRIDS)
    @pytest.mark.parametrize("parents", [("none", "none"), ("rotated", "translated")])
    def test_what_is_shown_is_what_is_written(self, builder, grid, parents):
        case = Case(builder, grid, *parents)
        case.show()
        shown = case.seen()
        writer = SegmentationWriter(open_editors=list)
        written = writer.write(case.segmentation, case.proposal, world_of(case.volume)).segment_id
        assert len(shown) > 50
        np.testing.assert_allclose(
            shown, ordered(world_positions(case.segmentation, written)), atol=1e-6
        )

    @pytest.mark.parametrize("thresholds", [(0.5, 0.9), (0.9, 0.05), (0.3, 0.3)])
    def test_the_threshold_can_be_moved(self, case, thresholds):
        case.show(thresholds[0])
        case.set_threshold(thresholds[1])
        assert case.preview.threshold == thresholds[1]
        assert len(case.seen()) == np.count_nonzero(case.proposal.box_mask(thresholds[1]))

    def test_another_proposal_replaces_it(self, case):
        case.show()
        node = case.preview.node
        bigger = case.propose(9)
        case.show(proposal=bigger)
        assert len(case.seen()) == np.count_nonzero(bigger.box_mask())
        assert case.preview.node is node
        assert case.previews() == 1

    def test_hiding_shows_nothing(self, case):
        case.show()
        finish(case.preview.update_surface())
        case.preview.hide()
        assert len(case.seen()) == 0
        assert case.surface() is None
        assert case.preview.proposals == ()
        case.show()
        assert len(case.seen()) > 50

    def test_an_empty_proposal_shows_nothing(self, case):
        case.show()
        geometry = target_geometry(case.segmentation, world_of(case.volume))
        case.show(proposal=Proposal(Patch(np.zeros((0, 0, 0), np.int8), (0, 0, 0)), geometry))
        case.set_threshold(0.4)
        finish(case.preview.update_surface())
        assert len(case.seen()) == 0

    def test_a_proposal_for_another_geometry_is_refused(self, case):
        other = case.builder.volume(GRIDS["anisotropic"], name="Other")
        case.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(other)
        with pytest.raises(InputError, match="try again"):
            case.show()
        assert not case.preview.is_in_scene

    def test_the_proposal_is_not_changed(self, case):
        levels = case.proposal.levels.values.copy()
        case.show()
        case.set_threshold(0.2)
        np.testing.assert_array_equal(case.proposal.levels.values, levels)

    def test_a_threshold_that_is_overtaken_gives_way(self, case):
        case.show()
        steps = case.preview.threshold_steps(0.05)
        next(steps)
        bigger = case.propose(9)
        case.show(proposal=bigger)
        finish(steps)
        assert len(case.seen()) == np.count_nonzero(bigger.box_mask())

    def test_the_views_are_notified(self, case):
        case.show()
        events = []
        event = slicer.vtkSegmentation.RepresentationModified
        case.preview.node.AddObserver(event, lambda *_: events.append(1))
        case.set_threshold(0.4)
        assert len(events) == 1
        case.show()
        assert len(events) == 2


class TestSurroundings:
    def test_nothing_else_in_the_scene_changes(self, case):
        case.show()
        case.preview.remove()
        before = snapshot(case.scene)
        case.show()
        case.set_threshold(0.4)
        case.preview.set_opacity(0.1)
        finish(case.preview.update_surface())
        ours = (case.preview.node, case.preview.node.GetDisplayNode())
        assert snapshot(case.scene, but=ours) == before
        case.preview.remove()
        assert snapshot(case.scene) == before

    def test_it_is_neither_saved_nor_listed_nor_undone(self, case):
        case.show()
        for node in (case.preview.node, case.preview.node.GetDisplayNode()):
            assert not node.GetSaveWithScene()
            assert node.GetHideFromEditors()
            assert not node.GetUndoEnabled()

    def test_a_saved_scene_does_not_hold_it(self, case, tmp_path):
        case.show()
        case.builder.host.save_mrb(tmp_path / "scene.mrb")
        other = HeadlessScene()
        try:
            other.load_mrb(tmp_path / "scene.mrb", tmp_path)
            assert other.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 1
        finally:
            other.close()

    def test_it_follows_the_segmentations_transform(self, case):
        case.show()
        before = case.seen()
        case.segmentation.GetParentTransformNode().SetMatrixTransformToParent(
            vtk_matrix(affine(offset=(16, -20, 7)))
        )
        np.testing.assert_allclose(
            case.seen() - before, np.tile((1, 0, 0), (len(before), 1)), atol=1e-6
        )

    def test_it_follows_to_another_transform_and_out_of_it(self, case):
        case.show()
        case.builder.under(case.segmentation, PARENTS["sheared"])
        assert case.preview.node.GetTransformNodeID() == case.segmentation.GetTransformNodeID()
        case.segmentation.SetAndObserveTransformNodeID(None)
        assert case.preview.node.GetTransformNodeID() is None

    def test_it_has_a_tint_of_the_segments_colour(self, case):
        case.show()
        segment = case.preview.node.GetSegmentation().GetSegment(SEGMENT_ID)
        assert segment.GetColor() == preview_color((0.8, 0.4, 0.3))
        case.segmentation.GetSegmentation().GetSegment("Liver").SetColor(0, 0, 1)
        case.show()
        assert segment.GetColor() == preview_color((0, 0, 1))

    @given(st.tuples(*[st.floats(0, 1)] * 3))
    def test_any_tint_can_be_told_from_its_colour(self, color):
        tint = preview_color(color)
        assert all(0 <= value <= 1 for value in tint)
        assert np.abs(np.subtract(tint, color)).max() > 0.15

    def test_its_outline_is_thicker_and_its_filling_lighter_than_the_segments(self, case):
        case.show()
        ours, theirs = case.preview.node.GetDisplayNode(), case.segmentation.GetDisplayNode()
        assert ours.GetSliceIntersectionThickness() > theirs.GetSliceIntersectionThickness()
        assert ours.GetOpacity2DFill() < theirs.GetSegmentOpacity2DFill("Liver")

    def test_the_opacity_stays_when_the_node_is_made_again(self, case):
        case.preview.set_opacity(0.7)
        case.show()
        assert case.preview.node.GetDisplayNode().GetOpacity2DFill() == 0.7
        case.preview.set_opacity(0.1)
        case.scene.RemoveNode(case.preview.node)
        case.show()
        assert case.preview.node.GetDisplayNode().GetOpacity2DFill() == 0.1


class TestRemoval:
    def use(self, preview):
        finish(preview.threshold_steps(0.4))
        preview.set_opacity(0.5)
        finish(preview.update_surface())
        preview.remove_surface()
        preview.hide()

    def test_a_node_that_the_user_deleted_is_made_again(self, case):
        case.show()
        case.scene.RemoveNode(case.preview.node)
        assert not case.preview.is_in_scene
        assert case.preview.node is None
        assert case.preview.proposals == ()
        self.use(case.preview)
        case.show()
        assert case.preview.is_in_scene
        assert len(case.seen()) > 50

    def test_a_node_that_the_user_deleted_leaves_nothing_behind(self, case):
        before = snapshot(case.scene)
        case.show()
        case.scene.RemoveNode(case.preview.node)
        assert snapshot(case.scene) == before

    def test_its_display_node_may_be_deleted(self, case):
        case.show()
        case.scene.RemoveNode(case.preview.node.GetDisplayNode())
        self.use(case.preview)
        case.show()
        assert len(case.seen()) > 50
        assert case.previews() == 1

    def test_the_segmentation_may_be_deleted(self, case):
        case.show()
        case.scene.RemoveNode(case.segmentation)
        self.use(case.preview)
        case.preview.remove()
        assert case.previews() == 0

    def test_the_transform_may_be_deleted(self, case):
        case.show()
        case.scene.RemoveNode(case.segmentation.GetParentTransformNode())
        assert case.preview.node.GetParentTransformNode() is None

    def test_the_scene_may_be_closed(self, case):
        case.show()
        case.scene.Clear(0)
        assert not case.preview.is_in_scene
        self.use(case.preview)
        case.preview.remove()

    def test_it_may_be_removed_twice_and_used_again(self, case):
        case.preview.remove()
        case.show()
        case.preview.remove()
        case.preview.remove()
        assert case.previews() == 0
        case.show()
        assert case.previews() == 1

    @pytest.mark.parametrize("what", ["show_steps", "threshold_steps", "update_surface"])
    @pytest.mark.parametrize("how", ["node", "remove", "scene", "hide"])
    def test_at_any_step(self, builder, what, how):
        case = Case(builder)
        case.show()
        arguments = {
            "show_steps": ((case.proposal,), world_of(case.volume)),
            "threshold_steps": (0.2,),
            "update_surface": (),
        }[what]
        steps = getattr(case.preview, what)(*arguments)
        next(steps)
        {
            "node": lambda: case.scene.RemoveNode(case.preview.node),
            "remove": case.preview.remove,
            "scene": lambda: case.scene.Clear(0),
            "hide": case.preview.hide,
        }[how]()
        finish(steps)
        if how != "hide":
            assert case.previews() == 0

    @pytest.mark.parametrize("how", ["remove", "delete", "close"])
    def test_no_observer_stays_behind(self, case, how):
        event = slicer.vtkMRMLTransformableNode.TransformModifiedEvent
        segmentation, scene = case.segmentation, case.scene
        had = [segmentation.HasObserver(event), scene.HasObserver(scene.NodeRemovedEvent)]
        case.show()
        {
            "remove": case.preview.remove,
            "delete": lambda: scene.RemoveNode(case.preview.node),
            "close": lambda: scene.Clear(0),
        }[how]()
        assert len(case.preview._observers) == 0
        if how == "remove":
            now = [segmentation.HasObserver(event), scene.HasObserver(scene.NodeRemovedEvent)]
            assert now == had

    def test_nobody_keeps_it_alive(self, case):
        case.show()
        node = case.preview.node
        alive = weakref.ref(case.preview)
        case.preview = None
        gc.collect()
        assert alive() is None
        case.segmentation.SetAndObserveTransformNodeID(None)
        case.scene.RemoveNode(node)


class TestSurface:
    def poly_data(self, builder, grid, segmentation="none", radius=7, shape=None):
        case = Case(builder, grid, "none", segmentation)
        case.show(proposal=case.propose(radius))
        finish(case.preview.update_surface())
        return case, case.surface()

    @pytest.mark.parametrize("grid", GRIDS)
    def test_it_surrounds_the_voxels(self, builder, grid):
        case, surface = self.poly_data(builder, grid)
        mass = vtk.vtkMassProperties()
        mass.SetInputData(surface)
        volume = target_geometry(case.segmentation, np.eye(4)).voxel_volume
        assert mass.GetVolume() == pytest.approx(len(case.seen()) * volume, rel=0.15)
        center = vtk.vtkCenterOfMass()
        center.SetInputData(surface)
        center.Update()
        np.testing.assert_allclose(center.GetCenter(), case.seen().mean(axis=0), atol=0.5)

    @pytest.mark.parametrize("grid", GRIDS)
    def test_it_is_closed_and_its_outside_is_outside(self, builder, grid):
        case, surface = self.poly_data(builder, grid)
        clean = vtk.vtkCleanPolyData()
        clean.SetInputData(surface)
        edges = vtk.vtkFeatureEdges()
        edges.SetInputConnection(clean.GetOutputPort())
        edges.FeatureEdgesOff()
        edges.ManifoldEdgesOff()
        edges.Update()
        assert edges.GetOutput().GetNumberOfCells() == 0
        center = case.seen().mean(axis=0)
        turned = 0
        for cell in range(surface.GetNumberOfCells()):
            corners = [
                np.array(surface.GetPoint(surface.GetCell(cell).GetPointId(n))) for n in range(3)
            ]
            normal = np.cross(corners[1] - corners[0], corners[2] - corners[0])
            turned += normal @ (np.mean(corners, axis=0) - center) < 0
        assert turned == 0
        normals = surface.GetPointData().GetNormals()
        outward = [
            np.dot(normals.GetTuple(n), np.array(surface.GetPoint(n)) - center) > 0
            for n in range(surface.GetNumberOfPoints())
        ]
        assert np.mean(outward) > 0.99

    def test_it_lies_under_the_segmentations_transform(self, builder):
        case, surface = self.poly_data(builder, "oblique", "translated")
        bounds = np.array(surface.GetBounds()).reshape(3, 2)
        world = bounds.mean(axis=1) + PARENTS["translated"][:3, 3]
        np.testing.assert_allclose(world, case.seen().mean(axis=0), atol=1)

    def test_the_3d_view_takes_it_without_a_conversion(self, builder):
        case, surface = self.poly_data(builder, "oblique")
        segmentation = case.preview.node.GetSegmentation()
        display = case.preview.node.GetDisplayNode()
        assert display.GetDisplayRepresentationName3D() == SURFACE
        assert display.GetDisplayRepresentationName2D() != SURFACE
        assert segmentation.CreateRepresentation(SURFACE)
        assert case.surface() is surface

    def test_it_stays_until_the_next_one_is_ready(self, builder):
        case, surface = self.poly_data(builder, "oblique")
        case.set_threshold(0.9)
        case.show(proposal=case.propose(8))
        case.show()
        assert case.surface() is surface
        finish(case.preview.update_surface())
        assert case.surface() is not surface
        case.preview.remove_surface()
        assert case.surface() is None

    def test_one_that_is_overtaken_is_not_shown(self, case):
        case.show()
        steps = case.preview.update_surface()
        next(steps)
        case.show(proposal=case.propose(9))
        finish(steps)
        assert case.surface() is None

    def test_an_empty_mask_takes_it_away(self, case):
        case.show()
        finish(case.preview.update_surface())
        levels = np.full(case.proposal.levels.values.shape, -100, np.int8)
        case.show(
            proposal=Proposal(Patch(levels, case.proposal.levels.start), case.proposal.geometry)
        )
        finish(case.preview.update_surface())
        assert case.surface() is None


class TestSeveral:
    """The structures of an automatic model, each in its own colour."""

    LABELS = (Label("Liver", color=(0.9, 0.3, 0.2)), Label("Spleen"), Label("Kidney"))

    def proposals(self, case, count=3):
        return tuple(
            replace(case.propose(4 + number), label=label)
            for number, label in enumerate(self.LABELS[:count])
        )

    def show(self, case, proposals, threshold=0.5):
        finish(case.preview.show_steps(proposals, world_of(case.volume), threshold, "Liver"))

    def seen(self, case):
        node = case.preview.node
        ids = node.GetSegmentation().GetSegmentIDs()
        return [len(world_positions(node, segment_id)) for segment_id in ids]

    def test_all_are_seen_at_the_threshold(self, case):
        proposals = self.proposals(case)
        self.show(case, proposals)
        for threshold in (0.5, 0.9, 0.2):
            case.set_threshold(threshold)
            expected = [np.count_nonzero(each.box_mask(threshold)) for each in proposals]
            assert self.seen(case) == expected
        assert case.preview.proposals is proposals

    def test_they_have_the_colours_that_their_segments_will_have(self, case):
        self.show(case, self.proposals(case))
        segmentation = case.preview.node.GetSegmentation()
        colors = [segmentation.GetNthSegment(n).GetColor() for n in range(3)]
        assert np.allclose(colors[0], self.LABELS[0].color)
        assert len(set(colors)) == 3

    def test_each_has_a_surface_that_is_kept_until_the_next(self, case):
        self.show(case, self.proposals(case))
        finish(case.preview.update_surface())
        segmentation = case.preview.node.GetSegmentation()
        surfaces = [segmentation.GetNthSegment(n).GetRepresentation(SURFACE) for n in range(3)]
        assert all(surface.GetNumberOfPoints() > 100 for surface in surfaces)
        case.set_threshold(0.8)
        assert segmentation.GetNthSegment(2).GetRepresentation(SURFACE) is surfaces[2]

    def test_fewer_or_one_or_none_leave_nothing_behind(self, case):
        self.show(case, self.proposals(case))
        node = case.preview.node
        self.show(case, self.proposals(case, 2))
        assert len(self.seen(case)) == 2 and case.preview.node is node
        case.show()
        assert self.seen(case) == [np.count_nonzero(case.proposal.box_mask())]
        assert np.allclose(node.GetSegmentation().GetNthSegment(0).GetColor(), (0.88, 0.64, 0.58))
        self.show(case, self.proposals(case))
        case.preview.hide()
        assert self.seen(case) == [0] and case.preview.proposals == ()

    def test_if_the_node_is_deleted_they_come_back_with_the_next(self, case):
        self.show(case, self.proposals(case))
        case.scene.RemoveNode(case.preview.node)
        assert case.preview.proposals == ()
        proposals = self.proposals(case)
        self.show(case, proposals)
        assert case.preview.proposals is proposals and len(self.seen(case)) == 3
