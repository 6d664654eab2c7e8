"""Masking, intensity range and overwrite mode act exactly as when Slicer's own logic writes."""

import itertools

import numpy as np
import pytest
import slicer
from vtk.util.numpy_support import numpy_to_vtk

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.errors import InputError, WriteError
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene import EditorWidget
from SlicerHost.scene_builder import GRIDS, PARENTS, affine, rotation, snapshot, world_positions
from TestSupport.scene_answers import ball, geometry_of, segment_array, write_answer

pytestmark = pytest.mark.mrml

OVERWRITE = {
    name: getattr(slicer.vtkMRMLSegmentEditorNode, name)
    for name in ("OverwriteAllSegments", "OverwriteVisibleSegments", "OverwriteNone")
}
MASKS = {
    name: getattr(slicer.vtkMRMLSegmentationNode, name)
    for name in (
        "EditAllowedEverywhere",
        "EditAllowedInsideAllSegments",
        "EditAllowedInsideVisibleSegments",
        "EditAllowedOutsideAllSegments",
        "EditAllowedOutsideVisibleSegments",
        "EditAllowedInsideSingleSegment",
    )
}
RANGES = {"any intensity": None, "bright only": (180.0, 1000.0)}


class Case:
    """Two equal segmentations: one is written to by us, the other by Slicer's logic, by hand.

    Segments: "target", and its neighbours "seen" and "hidden", which overlap the new mask; all
    but "hidden" are visible.
    """

    def __init__(self, builder, grid="axis-aligned", parent="none", layers="shared") -> None:
        self.builder = builder
        self.volume = builder.volume(GRIDS[grid], PARENTS[parent])
        self.new = ball(self.volume, (0.5, 0.5, 0.5), 7)
        self.ours, self.theirs = (self.segmentation(name, layers) for name in ("ours", "theirs"))
        self.writer = SegmentationWriter(open_editors=list)

    def segmentation(self, name, layers):
        node = self.builder.segmentation(self.volume, PARENTS["rotated"], name)
        contents = {
            "target": ball(self.volume, (0.4, 0.45, 0.4), 6),
            "seen": ball(self.volume, (0.75, 0.6, 0.6), 5),
            "hidden": ball(self.volume, (0.3, 0.75, 0.75), 5),
        }
        for segment_id, content in contents.items():
            node.GetSegmentation().AddEmptySegment(segment_id, segment_id)
            by_hand(node, segment_id, content.mask(), self.builder.editor_node(node))
        if layers == "shared":
            node.GetSegmentation().CollapseBinaryLabelmaps(False)
        node.GetDisplayNode().SetSegmentVisibility("hidden", False)
        return node

    def editor_node(self, segmentation, overwrite, mask, intensities):
        node = self.builder.editor_node(segmentation, self.volume)
        node.SetSelectedSegmentID("target")
        node.SetOverwriteMode(OVERWRITE[overwrite])
        node.SetMaskMode(MASKS[mask])
        node.SetMaskSegmentID("seen")
        if RANGES[intensities] is not None:
            node.SetSourceVolumeIntensityMask(True)
            node.SetSourceVolumeIntensityMaskRange(*RANGES[intensities])
        return node

    def masks(self, segmentation) -> dict[str, np.ndarray]:
        ids = segmentation.GetSegmentation().GetSegmentIDs()
        return {i: segment_array(segmentation, i, self.volume) for i in ids}

    def compare(self, *rules) -> None:
        before = self.masks(self.ours)["target"]
        node = self.editor_node(self.ours, *rules)
        write_answer(
            self.writer, self.ours, self.new, self.volume, "target", segmentEditorNode=node
        )
        by_hand(self.theirs, "target", self.new.mask(), self.editor_node(self.theirs, *rules))
        ours, theirs = self.masks(self.ours), self.masks(self.theirs)
        for segment_id in ours:
            np.testing.assert_array_equal(ours[segment_id], theirs[segment_id], segment_id)
        assert (ours["target"] != before).any()


def by_hand(segmentation, segment_id, mask, editor_node) -> None:
    """The write as the Segment Editor's effects do it: a modifier as large as the volume."""
    logic = slicer.vtkSlicerSegmentEditorLogic()
    logic.SetMRMLScene(segmentation.GetScene())
    logic.SetVerbose(True)
    logic.SetSegmentEditorNode(editor_node)
    editor_node.SetSelectedSegmentID(segment_id)
    assert logic.ResetModifierLabelmapToDefault()
    modifier = logic.GetModifierLabelmap()
    assert modifier.GetDimensions() == mask.shape[::-1]
    modifier.GetPointData().SetScalars(numpy_to_vtk(mask.astype(np.uint8).ravel(), deep=True))
    mode = slicer.vtkSlicerSegmentEditorLogic.ModificationModeSet
    logic.ModifySegmentByLabelmap(segmentation, segment_id, modifier, mode, False, False)


class TestAsSlicerByHand:
    @pytest.mark.parametrize(
        "rules", list(itertools.product(OVERWRITE, MASKS, RANGES)), ids="-".join
    )
    def test_all_combinations(self, builder, rules):
        Case(builder).compare(*rules)

    @pytest.mark.parametrize("layers", ["shared", "separate"])
    @pytest.mark.parametrize("overwrite", OVERWRITE)
    def test_in_shared_and_separate_labelmaps(self, builder, overwrite, layers):
        Case(builder, layers=layers).compare(overwrite, "EditAllowedEverywhere", "any intensity")

    @pytest.mark.parametrize("grid", GRIDS)
    @pytest.mark.parametrize("parent", PARENTS)
    def test_in_any_geometry(self, builder, grid, parent):
        rules = ("OverwriteVisibleSegments", "EditAllowedOutsideVisibleSegments", "bright only")
        Case(builder, grid, parent).compare(*rules)


class TestIntensityRange:
    def test_on_another_grid_intensities_are_interpolated_as_slicer_does(self, builder):
        volume = builder.volume(GRIDS["oblique"], PARENTS["translated"])
        grid = PARENTS["translated"] @ GRIDS["oblique"] @ affine(rotation(0, 0, 10) * 0.8)
        written = []
        for by_us in (True, False):
            segmentation = builder.on_grid(builder.segmentation(), grid, (30, 30, 30))
            node = builder.editor_node(segmentation, volume)
            node.SetSourceVolumeIntensityMask(True)
            node.SetSourceVolumeIntensityMaskRange(150, 1000)
            segment_id = segmentation.GetSegmentation().AddEmptySegment()
            if by_us:
                prediction = sure_block(volume)
                write_answer(
                    SegmentationWriter(list),
                    segmentation,
                    prediction,
                    volume,
                    segment_id,
                    segmentEditorNode=node,
                )
            else:
                by_hand(segmentation, segment_id, np.ones((30, 30, 30)), node)
            positions = np.round(world_positions(segmentation, segment_id), 3)
            written.append({tuple(position) for position in positions})
        assert 1000 < len(written[0]) < 26000
        assert written[0] == written[1]

    def test_the_volume_meant_is_the_editors(self, builder):
        volume = builder.volume()
        other = builder.volume(voxels=np.zeros((22, 30, 26), np.int16), name="Mask")
        slicer.util.arrayFromVolume(other)[:, :, :13] = 10
        segmentation = builder.segmentation(volume)
        node = builder.editor_node(segmentation, other)
        node.SetSourceVolumeIntensityMask(True)
        node.SetSourceVolumeIntensityMaskRange(5, 20)
        prediction = ball(volume)
        result = write_answer(
            SegmentationWriter(list), segmentation, prediction, volume, segmentEditorNode=node
        )
        written = segment_array(segmentation, result.segment_id, volume)
        expected = prediction.mask()
        expected[:, :, 13:] = 0
        np.testing.assert_array_equal(written, expected)
        assert "outside the editable area" in result.warnings[0]


def sure_block(volume) -> Answer:
    """The model is sure of every voxel, and far beyond the volume, too."""
    logits = np.full([n + 80 for n in geometry_of(volume).shape], 5, dtype=np.float32)
    return Answer.of(Patch(logits, (-40, -40, -40)), geometry_of(volume))


class TestWhoseRules:
    """Without a segment editor node: the visible editor's; without one, nothing else is hurt."""

    def setup_case(self, builder):
        case = Case(builder)
        node = case.editor_node(
            case.ours, "OverwriteAllSegments", "EditAllowedInsideSingleSegment", "any intensity"
        )
        return case, node

    def test_a_script_overwrites_nothing_and_edits_everywhere(self, builder):
        case, _ = self.setup_case(builder)
        before = case.masks(case.ours)
        write_answer(case.writer, case.ours, case.new, case.volume, "target")
        after = case.masks(case.ours)
        np.testing.assert_array_equal(after["target"], case.new.mask())
        for neighbour in ("seen", "hidden"):
            np.testing.assert_array_equal(after[neighbour], before[neighbour])

    @pytest.mark.parametrize("visible", [True, False])
    def test_an_open_editor_counts_only_if_it_is_seen(self, builder, visible):
        case, node = self.setup_case(builder)
        editor = EditorWidget(builder.scene, node, visible=visible)
        writer = SegmentationWriter(lambda: [editor])
        before = case.masks(case.ours)
        write_answer(writer, case.ours, case.new, case.volume, "target")
        eaten = (case.masks(case.ours)["seen"] != before["seen"]).any()
        assert eaten == visible

    def test_an_editor_that_shows_something_else_does_not_count(self, builder):
        case, node = self.setup_case(builder)
        node.SetAndObserveSegmentationNode(case.theirs)
        writer = SegmentationWriter(lambda: [EditorWidget(builder.scene, node)])
        before = case.masks(case.ours)
        write_answer(writer, case.ours, case.new, case.volume, "target")
        np.testing.assert_array_equal(case.masks(case.ours)["seen"], before["seen"])

    def test_a_given_node_comes_before_the_editors(self, builder):
        case, node = self.setup_case(builder)
        given = builder.editor_node(case.ours)
        given.SetOverwriteMode(OVERWRITE["OverwriteNone"])
        writer = SegmentationWriter(lambda: [EditorWidget(builder.scene, node)])
        before = case.masks(case.ours)
        write_answer(writer, case.ours, case.new, case.volume, "target", segmentEditorNode=given)
        np.testing.assert_array_equal(case.masks(case.ours)["seen"], before["seen"])


class TestNothingElseChanges:
    @pytest.mark.parametrize("rules", list(itertools.product(["OverwriteNone"], MASKS, RANGES)))
    def test_a_write_touches_only_the_segmentation(self, builder, rules):
        case = Case(builder)
        node = case.editor_node(case.ours, *rules)
        but = [case.ours, case.ours.GetDisplayNode()]
        item = builder.host.hierarchy.GetItemByDataNode(case.ours)
        hierarchy_parent = builder.host.hierarchy.GetItemParent(item)
        before = snapshot(builder.scene, but)
        write_answer(
            case.writer, case.ours, case.new, case.volume, "target", segmentEditorNode=node
        )
        assert snapshot(builder.scene, but) == before
        assert builder.host.hierarchy.GetItemParent(item) == hierarchy_parent

    def test_the_segmentation_stays_in_its_folder(self, builder):
        case = Case(builder)
        hierarchy = builder.host.hierarchy
        folder = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "Results")
        hierarchy.SetItemParent(hierarchy.GetItemByDataNode(case.ours), folder)
        node = case.editor_node(case.ours, "OverwriteNone", "EditAllowedEverywhere", "bright only")
        write_answer(
            case.writer, case.ours, case.new, case.volume, "target", segmentEditorNode=node
        )
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(case.ours)) == folder

    def test_visibility_of_segments_stays(self, builder):
        case = Case(builder)
        write_answer(case.writer, case.ours, case.new, case.volume)
        display = case.ours.GetDisplayNode()
        assert [display.GetSegmentVisibility(i) for i in ("target", "seen", "hidden")] == [
            True,
            True,
            False,
        ]


class TestNothingEditable:
    def test_no_voxel_in_the_range(self, builder):
        case = Case(builder)
        node = case.editor_node(
            case.ours, "OverwriteAllSegments", "EditAllowedEverywhere", "bright only"
        )
        node.SetSourceVolumeIntensityMaskRange(10000, 20000)
        before = snapshot(builder.scene)
        with pytest.raises(WriteError, match="None of the result may be edited"):
            write_answer(
                case.writer, case.ours, case.new, case.volume, "target", segmentEditorNode=node
            )
        assert snapshot(builder.scene) == before

    def test_a_mask_segment_that_is_not_there(self, builder):
        case = Case(builder)
        node = case.editor_node(
            case.ours, "OverwriteNone", "EditAllowedInsideSingleSegment", "any intensity"
        )
        node.SetMaskSegmentID("gone")
        with pytest.raises(InputError, match=r"inside one segment \(gone\)"):
            case.writer.check_writable(case.ours, "target", node)

    def test_no_mask_segment_chosen(self, builder):
        case = Case(builder)
        node = case.editor_node(
            case.ours, "OverwriteNone", "EditAllowedInsideSingleSegment", "any intensity"
        )
        node.SetMaskSegmentID(None)
        with pytest.raises(InputError, match="none chosen"):
            case.writer.check_writable(case.ours, "target", node)

    def test_a_range_without_a_volume(self, builder):
        case = Case(builder)
        node = case.editor_node(case.ours, "OverwriteNone", "EditAllowedEverywhere", "bright only")
        node.SetAndObserveSourceVolumeNode(None)
        with pytest.raises(InputError, match="no source volume"):
            case.writer.check_writable(case.ours, "target", node)

    def test_visible_segments_without_a_display(self, builder):
        volume = builder.volume()
        segmentation = builder.segmentation(volume)
        node = builder.editor_node(segmentation)
        node.SetMaskMode(MASKS["EditAllowedInsideVisibleSegments"])
        segmentation.RemoveAllDisplayNodeIDs()
        with pytest.raises(InputError, match="no display node"):
            SegmentationWriter(list).check_writable(segmentation, None, node)
