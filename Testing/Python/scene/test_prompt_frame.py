"""Stored prompts go where segment and volume go; where these part, the prompts are stale."""

import numpy as np
import pytest
import slicer
from hypothesis import given, settings
from hypothesis import strategies as st

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.scene import provenance
from SAMSegmentLib.scene.grid import reference_grid
from SAMSegmentLib.scene.prompt_frame import PromptStatus
from SAMSegmentLib.scene.prompt_store import StoredPrompts, restore, store
from SAMSegmentLib.scene.provenance import Provenance
from SAMSegmentLib.scene.segments import LABELMAP
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene import HeadlessScene
from SlicerHost.scene_builder import (
    GRIDS,
    PARENTS,
    SceneBuilder,
    affine,
    rotation,
    world_of,
    world_positions,
)
from TestSupport.editor_user import save
from TestSupport.geometries import geometries, linear_transforms, rigid_transforms
from TestSupport.properties import examples
from TestSupport.scene_answers import ball, geometry_of, write_answer

pytestmark = pytest.mark.mrml
SHAPE = (12, 14, 16)
TURN = affine(rotation(20, -10, 35), (12, -7, 30))


class Case:
    """A segment that was made from prompts around it, and what happens to it then."""

    def __init__(self, builder, grid="oblique", volume="none", segmentation="none") -> None:
        matrix = GRIDS[grid] if isinstance(grid, str) else grid
        self.builder = builder
        self.volume = builder.volume(matrix, parent(volume), SHAPE)
        self.segmentation = builder.segmentation(self.volume, parent(segmentation))
        self.writer = SegmentationWriter(list)
        logits = np.full((6, 5, 5), -9, dtype=np.float32)
        logits[1:5, 1:4, 1:4] = 9
        inside = Answer.of(Patch(logits, (3, 5, 6)), geometry_of(self.volume))
        self.world = geometry_of(self.volume).transformed(world_of(self.volume))
        self.indices = np.array([(8, 7, 5), (7.5, 7, 6), (1, 1, 2)])
        self.id = write_answer(
            self.writer,
            self.segmentation,
            inside,
            self.volume,
            provenance=Provenance(self.prompts, self.volume, "litemedsam", "1", ""),
        ).segment_id

    @property
    def prompts(self) -> Prompts:
        """At the same voxels of the volume, wherever it lies."""
        world = geometry_of(self.volume).transformed(world_of(self.volume))
        first, second, beside = world.to_ras(self.indices)
        box = world.ijk_to_ras @ affine(np.diag([8.0, 7.0, 6.0]), (8, 7, 6))
        points = (Point(tuple(first)), Point(tuple(beside), positive=False))
        return Prompts(Roi(box), points, Line(tuple(first), tuple(second)))

    def restored(self, segmentation=None, volume=None) -> StoredPrompts:
        return restore(segmentation or self.segmentation, self.id, volume or self.volume)

    def check_stay(self, status=PromptStatus.SAME) -> None:
        """The prompts are at the same voxels of the volume as they were."""
        kept = self.restored()
        assert kept.status is status
        assert far_apart(kept.prompts, self.prompts) < 1e-6

    def check_follow(self, status=PromptStatus.MOVED) -> None:
        """And the segment holds the first point, as before."""
        self.check_stay(status)
        kept = self.restored()
        distances = np.linalg.norm(
            world_positions(self.segmentation, self.id) - kept.prompts.points[0].ras, axis=1
        )
        assert distances.min() < 1e-6 + np.linalg.norm(self.world.spacing)

    def move(self, matrix, *nodes) -> None:
        """Puts nodes under one further transform, above those they have."""
        top = self.builder.transform(matrix)
        for node in nodes or (self.volume, self.segmentation):
            below = node.GetParentTransformNode()
            (below or node).SetAndObserveTransformNodeID(top.GetID())

    def harden(self, *nodes) -> None:
        for node in nodes or (self.volume, self.segmentation):
            assert node.HardenTransform()


def parent(name):
    return PARENTS[name] if isinstance(name, str) else name


def far_apart(first: Prompts, second: Prompts) -> float:
    """mm."""
    points = [np.array([p.ras for p in each.points]) for each in (first, second)]
    lines = [np.array([each.line.start, each.line.end]) for each in (first, second)]
    boxes = [each.roi.corners() for each in (first, second)]
    return max(np.abs(a - b).max() for a, b in (points, lines, boxes))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("parents", [("none", "none"), ("rotated", "rotated"), ("none", "sheared")])
class TestMovedTogether:
    def test_nothing_moved(self, builder, grid, parents):
        Case(builder, grid, *parents).check_follow(PromptStatus.SAME)

    def test_under_a_transform(self, builder, grid, parents):
        case = Case(builder, grid, *parents)
        case.move(TURN)
        case.check_follow()

    def test_a_transform_that_is_hardened(self, builder, grid, parents):
        case = Case(builder, grid, *parents)
        case.move(TURN)
        case.harden()
        case.check_follow()

    def test_hardened_where_it_lies(self, builder, grid, parents):
        case = Case(builder, grid, *parents)
        case.harden()
        case.check_follow(PromptStatus.SAME)


class TestAnyMove:
    """Any grid under any transforms, moved together and hardened, twice."""

    @settings(max_examples=examples(20))
    @given(geometries(st.just(SHAPE)), linear_transforms(), rigid_transforms(), st.booleans())
    def check(self, builder, geometry, below, above, hardened):
        case = Case(builder, geometry.ijk_to_ras, below, below)
        for _ in range(2):
            case.move(above)
            if hardened:
                case.harden()
            kept = case.restored()
            assert not kept.status.is_stale
            assert far_apart(kept.prompts, case.prompts) < 1e-4
            store(case.segmentation, case.id, StoredPrompts(kept.prompts), case.volume)
            assert case.restored().status is PromptStatus.SAME
        builder.scene.Clear(False)

    def test_prompts_stay_on_their_voxels(self):
        host = HeadlessScene()
        try:
            self.check(SceneBuilder(host))
        finally:
            host.close()


class TestApart:
    def test_only_the_segmentation_moved(self, builder):
        case = Case(builder)
        case.move(TURN, case.segmentation)
        assert case.restored().status is PromptStatus.MOVED_APART
        case.harden(case.segmentation)
        assert case.restored().status is PromptStatus.MOVED_APART

    def test_only_the_volume_moved(self, builder):
        case = Case(builder)
        case.move(TURN, case.volume)
        assert case.restored().status is PromptStatus.MOVED_APART

    def test_only_one_of_both_was_hardened_and_the_other_left_the_transform(self, builder):
        case = Case(builder)
        case.move(TURN)
        case.harden(case.segmentation)
        case.volume.SetAndObserveTransformNodeID(None)
        assert case.restored().status is PromptStatus.MOVED_APART

    def test_moved_one_after_the_other_they_agree_again(self, builder):
        case = Case(builder)
        case.move(TURN, case.volume)
        assert case.restored().status is PromptStatus.MOVED_APART
        case.segmentation.SetAndObserveTransformNodeID(case.volume.GetTransformNodeID())
        case.check_follow()

    def test_the_volume_was_centred(self, builder):
        case = Case(builder)
        slicer.vtkSlicerVolumesLogic().CenterVolume(case.volume)
        assert case.restored().status is PromptStatus.MOVED_APART

    def test_a_hundredth_of_a_voxel_is_rounding_and_a_tenth_is_not(self, builder):
        for part, status in ((0.005, PromptStatus.SAME), (0.1, PromptStatus.MOVED_APART)):
            case = Case(builder, "axis-aligned")
            case.move(affine(offset=(part, 0, 0)), case.volume)
            assert case.restored().status is status

    def test_without_content_prompts_stay_on_the_image(self, builder):
        case = Case(builder)
        case.segmentation.GetSegmentation().AddEmptySegment("Empty", "Empty")
        case.id, before = "Empty", case.prompts
        store(case.segmentation, "Empty", StoredPrompts(before), case.volume)
        case.move(TURN, case.segmentation)
        assert far_apart(case.restored().prompts, before) < 1e-6
        case.move(TURN, case.volume)
        assert far_apart(case.restored().prompts, case.prompts) < 1e-6


class TestOtherVolume:
    def test_in_the_same_place_it_is_as_good(self, builder):
        case = Case(builder)
        other = builder.volume(GRIDS["anisotropic"], shape=(5, 6, 7), name="T2")
        kept = case.restored(volume=other)
        assert kept.status is PromptStatus.SAME
        assert far_apart(kept.prompts, case.prompts) < 1e-6

    def test_after_the_segment_has_moved_it_is_not(self, builder):
        case = Case(builder)
        other = builder.volume(GRIDS["anisotropic"], shape=(5, 6, 7), name="Follow-up")
        case.move(TURN, case.segmentation)
        assert case.restored(volume=other).status is PromptStatus.MOVED_APART


class TestCopies:
    def copy(self, case, transform=None):
        target = case.builder.segmentation(name="Target")
        case.builder.under(target, transform)
        target.GetSegmentation().CopySegmentFromSegmentation(
            case.segmentation.GetSegmentation(), case.id
        )
        return target

    def test_into_a_segmentation_at_the_same_place(self, builder):
        case = Case(builder)
        kept = case.restored(self.copy(case))
        assert kept.status is PromptStatus.SAME
        assert far_apart(kept.prompts, case.prompts) < 1e-6

    def test_into_one_that_lies_elsewhere(self, builder):
        case = Case(builder)
        assert case.restored(self.copy(case, TURN)).status is PromptStatus.MOVED_APART

    def test_with_a_copy_of_the_volume_that_lies_there_too(self, builder):
        case = Case(builder)
        target = self.copy(case, TURN)
        volume = builder.volume(GRIDS["oblique"], TURN, SHAPE, name="Copy")
        kept = restore(target, case.id, volume)
        assert kept.status is PromptStatus.MOVED
        case.volume = volume
        assert far_apart(kept.prompts, case.prompts) < 1e-6

    def test_a_copy_on_another_grid(self, builder):
        case = Case(builder)
        target = self.copy(case)
        finer = affine(np.diag([0.6, 0.6, 0.6]), (-20, -20, -20))
        grid = reference_grid(builder.on_grid(target, finer, (80, 80, 80)))
        labelmap = slicer.vtkOrientedImageData()
        target.GetBinaryLabelmapRepresentation(case.id, labelmap)
        slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
            labelmap, grid.image((0, 0, 0), (80, 80, 80)), labelmap
        )
        target.GetSegmentation().GetSegment(case.id).AddRepresentation(LABELMAP, labelmap)
        assert case.restored(target).status is PromptStatus.EDITED


class TestEdited:
    def test_by_another_effect(self, builder):
        case = Case(builder)
        smaller = ball(case.volume, radius_mm=3)
        write_answer(case.writer, case.segmentation, smaller, case.volume, case.id)
        assert case.restored().status is PromptStatus.EDITED

    def test_undone_again_it_is_as_it_was(self, builder):
        case = Case(builder)
        smaller = ball(case.volume, radius_mm=3)
        write_answer(case.writer, case.segmentation, smaller, case.volume, case.id)
        case.writer.undo()
        assert case.restored().status is PromptStatus.SAME

    def test_by_a_bend_that_is_hardened(self, builder):
        case = Case(builder)
        bend = builder.bend()
        for node in (case.volume, case.segmentation):
            node.SetAndObserveTransformNodeID(bend.GetID())
            node.HardenTransform()
        assert case.restored().status.is_stale

    def test_prompts_that_are_stored_afterwards_are_right_again(self, builder):
        case = Case(builder)
        case.move(TURN, case.segmentation)
        store(case.segmentation, case.id, StoredPrompts(case.prompts), case.volume)
        case.check_stay()

    def test_saving_merges_labelmaps_and_edits_nothing(self, builder, tmp_path):
        case = Case(builder)
        write_answer(case.writer, case.segmentation, ball(case.volume, (0.2,) * 3, 3), case.volume)
        save(case.segmentation, tmp_path / "s.seg.nrrd")
        assert case.restored().status is PromptStatus.SAME


class TestEarlierVersion:
    """0.1.0 stored world RAS, and nothing about what they lay in."""

    def old(self, case, segment_id):
        segment = case.segmentation.GetSegmentation().GetSegment(segment_id)
        segment.RemoveTag(provenance.FRAME)
        segment.SetTag(provenance.PROMPTS, case.prompts.to_json())
        case.id = segment_id

    def test_prompts_that_were_never_applied_come_back(self, builder):
        case = Case(builder, segmentation="rotated", volume="rotated")
        case.segmentation.GetSegmentation().AddEmptySegment("Empty", "Empty")
        self.old(case, "Empty")
        case.check_stay()

    def test_of_a_segment_with_content_nobody_knows(self, builder):
        case = Case(builder)
        self.old(case, case.id)
        assert case.restored().status is PromptStatus.UNKNOWN


class TestFiles:
    @pytest.mark.parametrize("parents", ["none", "sheared"])
    def test_a_scene_comes_back_as_it_was(self, builder, tmp_path, parents):
        case = Case(builder, "gantry tilt", parents, parents)
        (tmp_path / "saved").mkdir()
        (tmp_path / "cache").mkdir()
        builder.host.save_mrb(tmp_path / "saved" / "scene.mrb")
        other = HeadlessScene()
        try:
            other.load_mrb(tmp_path / "saved" / "scene.mrb", tmp_path / "cache")
            case.segmentation = other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
            case.volume = other.scene.GetFirstNodeByName("CT")
            case.builder = SceneBuilder(other)
            case.check_follow(PromptStatus.SAME)
            case.move(TURN)
            case.check_follow()
        finally:
            other.close()

    def test_a_segmentation_file_alone_lies_in_its_own_frame(self, builder, tmp_path):
        case = Case(builder, "gantry tilt", "rotated", "rotated")
        save(case.segmentation, tmp_path / "s.seg.nrrd")
        loaded = builder.segmentation(name="Loaded")
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(tmp_path / "s.seg.nrrd"))
        assert storage.ReadData(loaded)
        # Beside the volume where it was, under its transform, the segment is elsewhere ...
        assert restore(loaded, case.id, case.volume).status is PromptStatus.MOVED_APART
        # ... and beside the volume's own file, which knows no transform either, it is not.
        case.segmentation = loaded
        case.volume.SetAndObserveTransformNodeID(None)
        case.check_follow()


def test_a_change_of_the_frame_alone_is_stored_once(builder):
    case = Case(builder)
    stored = StoredPrompts(case.prompts)
    store(case.segmentation, case.id, stored, case.volume)
    assert not store(case.segmentation, case.id, stored, case.volume)
    case.move(TURN)
    assert store(case.segmentation, case.id, StoredPrompts(case.prompts), case.volume)
