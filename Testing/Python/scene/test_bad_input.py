"""What cannot be written says why and what to do, before the model runs, and changes nothing."""

import numpy as np
import pytest
import slicer

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.errors import InputError, WriteError
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.proposal import NO_LEVELS, Proposal
from SAMSegmentLib.scene.editors import slicer_editors
from SAMSegmentLib.scene.modification import Modification
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene import EditorWidget
from SlicerHost.scene_builder import segments_of, snapshot, world_of
from TestSupport.scene_answers import ball, geometry_of, write_answer

pytestmark = pytest.mark.mrml


@pytest.fixture
def volume(builder):
    return builder.volume()


@pytest.fixture
def segmentation(builder, volume):
    node = builder.segmentation(volume)
    node.GetSegmentation().AddEmptySegment("liver", "Liver")
    write_answer(SegmentationWriter(list), node, ball(volume, (0.3,) * 3, 4), volume, "liver")
    return node


def refused(builder, match, segmentation, volume, segment_id=None, editor_node=None):
    """Both the early check and the write refuse, and the scene stays as it was."""
    writer = SegmentationWriter(list)
    before = snapshot(builder.scene)
    with pytest.raises(InputError, match=match):
        writer.check_writable(segmentation, segment_id, editor_node)
    with pytest.raises(InputError, match=match):
        nothing = Proposal(NO_LEVELS, geometry_of(volume))
        matrix = world_of(volume)
        writer.write(segmentation, nothing, matrix, segment_id, segmentEditorNode=editor_node)
    assert snapshot(builder.scene) == before
    with pytest.raises(InputError, match="nothing to undo"):
        writer.undo()


class TestSegmentation:
    def test_none(self, builder, volume):
        refused(builder, "No segmentation is given", None, volume)

    def test_another_node(self, builder, volume):
        refused(builder, '"CT" is not a segmentation', volume, volume)

    def test_a_deleted_one(self, builder, volume, segmentation):
        builder.scene.RemoveNode(segmentation)
        refused(builder, "in no scene", segmentation, volume)

    def test_without_reference_geometry(self, builder, volume):
        match = "SetReferenceImageGeometryParameterFromVolumeNode"
        refused(builder, match, builder.segmentation(), volume)

    def test_under_a_non_linear_transform(self, builder, volume, segmentation):
        segmentation.SetAndObserveTransformNodeID(builder.bend().GetID())
        refused(builder, "non-linear", segmentation, volume)

    def test_kept_as_closed_surface(self, builder, volume, segmentation):
        segmentation.GetSegmentation().CreateRepresentation("Closed surface")
        segmentation.GetSegmentation().SetSourceRepresentationName("Closed surface")
        refused(builder, "kept as closed surface", segmentation, volume)


class TestSegment:
    def test_unknown(self, builder, volume, segmentation):
        refused(builder, r'"spleen".*It has: liver \("Liver"\)', segmentation, volume, "spleen")

    def test_a_name_is_not_an_id(self, builder, volume, segmentation):
        refused(builder, 'no segment with the ID "Liver"', segmentation, volume, "Liver")


def test_a_node_that_is_no_segment_editor_node(builder, volume, segmentation):
    refused(builder, "not a segment editor node", segmentation, volume, editor_node=volume)


@pytest.mark.parametrize("segment_id", [None, "liver"])
def test_an_empty_mask_does_not_erase_the_segment(builder, volume, segmentation, segment_id):
    nothing = ball(volume)
    nothing = Answer.of(Patch(np.full_like(nothing.logits, -9), nothing.start), nothing.geometry)
    before = snapshot(builder.scene)
    with pytest.raises(WriteError, match="found nothing"):
        write_answer(SegmentationWriter(list), segmentation, nothing, volume, segment_id)
    assert snapshot(builder.scene) == before


class TestSlicerFails:
    """`ModifySegmentByLabelmap` fails without an exception: it must be noticed, and undone."""

    @pytest.fixture(params=[0, 1], ids=["no editor", "an editor"])
    def editors(self, request, builder, segmentation):
        node = builder.editor_node(segmentation)
        return [EditorWidget(builder.scene, node) for _ in range(request.param)]

    @pytest.mark.parametrize("segment_id", [None, "liver"])
    def test_nothing_is_written(
        self, builder, volume, segmentation, editors, segment_id, monkeypatch
    ):
        monkeypatch.setattr(Modification, "set", lambda *_: None)
        self.check(builder, volume, segmentation, editors, segment_id)

    @pytest.mark.parametrize("segment_id", [None, "liver"])
    def test_half_is_written(self, builder, volume, segmentation, editors, segment_id, monkeypatch):
        original = Modification.set

        def half(self, node, identifier, labelmap):
            extent = list(labelmap.GetExtent())
            extent[1] = (extent[0] + extent[1]) // 2
            cropped = slicer.vtkOrientedImageData()
            slicer.vtkOrientedImageDataResample.CopyImage(labelmap, cropped, extent)
            original(self, node, identifier, cropped)

        monkeypatch.setattr(Modification, "set", half)
        self.check(builder, volume, segmentation, editors, segment_id)

    def check(self, builder, volume, segmentation, editors, segment_id):
        writer = SegmentationWriter(lambda: editors)
        before = segments_of(segmentation)
        with pytest.raises(WriteError, match="Slicer did not write"):
            write_answer(writer, segmentation, ball(volume), volume, segment_id, name="x")
        assert segments_of(segmentation) == before
        with pytest.raises(InputError, match="nothing to undo"):
            writer.undo()

    def test_slicers_own_words_are_passed_on(self, builder, volume, segmentation, monkeypatch):
        original = Modification.set

        def to_nobody(self, node, _, labelmap):
            original(self, node, "nobody", labelmap)

        monkeypatch.setattr(Modification, "set", to_nobody)
        with pytest.raises(WriteError, match="ModifySegmentByLabelmap: Invalid segment"):
            write_answer(SegmentationWriter(list), segmentation, ball(volume), volume)

    def test_an_exception_is_a_write_error(self, builder, volume, segmentation, monkeypatch):
        def fail(*_):
            raise MemoryError("no memory")

        monkeypatch.setattr(Modification, "set", fail)
        before = segments_of(segmentation)
        with pytest.raises(WriteError, match="no memory"):
            write_answer(SegmentationWriter(list), segmentation, ball(volume), volume)
        assert segments_of(segmentation) == before

    def test_an_interruption_is_passed_on_and_undone(
        self, builder, volume, segmentation, monkeypatch
    ):
        def interrupt(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(Modification, "set", interrupt)
        before = segments_of(segmentation)
        with pytest.raises(KeyboardInterrupt):
            write_answer(SegmentationWriter(list), segmentation, ball(volume), volume)
        assert segments_of(segmentation) == before

    def test_the_write_before_can_still_be_undone(
        self, builder, volume, segmentation, editors, monkeypatch
    ):
        before = segments_of(segmentation)
        writer = SegmentationWriter(lambda: editors)
        write_answer(writer, segmentation, ball(volume), volume, "liver")
        with monkeypatch.context() as patch:
            patch.setattr(Modification, "set", lambda *_: None)
            with pytest.raises(WriteError):
                write_answer(writer, segmentation, ball(volume), volume)
        writer.undo()
        assert segments_of(segmentation) == before


def test_without_a_window_there_are_no_editors():
    assert slicer_editors() == []
