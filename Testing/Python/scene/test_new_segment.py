"""Names, colours, terminology and tags of new segments; prompts and provenance on disk."""

import numpy as np
import pytest
import slicer

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.scene import provenance
from SAMSegmentLib.scene.prompt_frame import PromptStatus
from SAMSegmentLib.scene.prompt_store import restore
from SAMSegmentLib.scene.provenance import Provenance
from SAMSegmentLib.scene.tags import tag_of
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene import HeadlessScene
from SlicerHost.scene_builder import PARENTS, SceneBuilder, segments_of
from TestSupport.scene_answers import ball, segment_array, write_answer

pytestmark = pytest.mark.mrml

TISSUE = (
    "Segmentation category and type - 3D Slicer General Anatomy list~SCT^85756007^Tissue"
    "~SCT^85756007^Tissue~^^~Anatomic codes - DICOM master list~^^~^^"
)
LIVER = TISSUE.replace("~SCT^85756007^Tissue~SCT", "~SCT^123037004^Anatomical Structure~SCT")
PROMPTS = Prompts(
    Roi.from_box((1.5, -20, 1 / 3), (30, 20, 10)),
    (Point((0.1, 0.2, -0.3)), Point((5, 6, 7), positive=False)),
)
MADE = {
    provenance.MODEL: "litemedsam",
    provenance.VERSION: "0.1.0",
    provenance.WEIGHTS_SHA256: "ab" * 32,
}


def made_on(volume, model="litemedsam", version="0.1.0") -> Provenance:
    return Provenance(PROMPTS, volume, model, version, "ab" * 32)


class User:
    def __init__(self, builder) -> None:
        self.builder = builder
        self.volume = builder.volume()
        self.segmentation = builder.segmentation(self.volume)
        self.writer = SegmentationWriter(list)

    def write(self, segment_id=None, **arguments):
        prediction = ball(self.volume)
        result = write_answer(
            self.writer, self.segmentation, prediction, self.volume, segment_id, **arguments
        )
        return self.segmentation.GetSegmentation().GetSegment(result.segment_id)

    @property
    def ids(self):
        return self.segmentation.GetSegmentation().GetSegmentIDs()

    def restored(self):
        return restore(self.segmentation, self.ids[0], self.volume)


@pytest.fixture
def user(builder):
    return User(builder)


class TestName:
    def test_it_is_slicers_default(self, user):
        assert [user.write().GetName() for _ in range(3)] == ["Segment_1", "Segment_2", "Segment_3"]

    def test_it_may_be_given(self, user):
        assert user.write(name="Liver, left lobe").GetName() == "Liver, left lobe"

    def test_an_old_segment_keeps_its_own(self, user):
        segment_id = user.segmentation.GetSegmentation().AddEmptySegment("id", "Spleen")
        assert user.write(segment_id).GetName() == "Spleen"


class TestColour:
    def test_slicer_generates_it(self, user):
        colours = [user.write().GetColor() for _ in range(4)]
        assert len(set(colours)) == 4
        assert slicer.vtkSegment().GetColor() not in colours

    def test_an_old_segment_keeps_its_own(self, user):
        segment_id = user.segmentation.GetSegmentation().AddEmptySegment("", "", (0.1, 0.2, 0.3))
        assert user.write(segment_id).GetColor() == (0.1, 0.2, 0.3)


class TestTerminology:
    def test_it_is_tissue_by_default(self, user):
        assert user.write().GetTerminology() == TISSUE

    def test_it_may_be_given(self, user):
        assert user.write(terminology=LIVER).GetTerminology() == LIVER

    def test_a_new_segment_does_not_copy_its_neighbours(self, user):
        user.write(terminology=LIVER)
        assert user.write().GetTerminology() == TISSUE

    def test_an_old_segment_keeps_its_own(self, user):
        segment_id = user.segmentation.GetSegmentation().AddEmptySegment()
        user.segmentation.GetSegmentation().GetSegment(segment_id).SetTerminology(LIVER)
        assert user.write(segment_id).GetTerminology() == LIVER


class TestStatus:
    def test_a_new_segment_is_in_progress(self, user):
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        assert logic.GetSegmentStatus(user.write()) == logic.InProgress

    def test_a_finished_one_stays_finished(self, user):
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        segment_id = user.segmentation.GetSegmentation().AddEmptySegment()
        segment = user.segmentation.GetSegmentation().GetSegment(segment_id)
        logic.SetSegmentStatus(segment, logic.Completed)
        assert logic.GetSegmentStatus(user.write(segment_id)) == logic.Completed


def test_it_is_visible_and_the_editors_selection_stays(user):
    node = user.builder.editor_node(user.segmentation)
    old = user.segmentation.GetSegmentation().AddEmptySegment()
    node.SetSelectedSegmentID(old)
    user.write(segmentEditorNode=node)
    new = user.segmentation.GetSegmentation().GetSegmentIDs()[-1]
    assert user.segmentation.GetDisplayNode().GetSegmentVisibility(new)
    assert node.GetSelectedSegmentID() == old


def test_it_is_shown_in_3d_if_the_others_are(user):
    user.write()
    user.segmentation.CreateClosedSurfaceRepresentation()
    surface = user.write().GetRepresentation("Closed surface")
    assert surface.GetNumberOfPoints() > 100


def test_the_labelmap_of_the_others_is_left_alone(user):
    for place in (0.3, 0.7):
        write_answer(
            user.writer, user.segmentation, ball(user.volume, (place,) * 3, 3), user.volume
        )
    user.segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
    shared = (
        user.segmentation.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    )
    before = shared.GetMTime()
    user.write()
    assert shared.GetMTime() == before


def test_an_empty_segmentation_of_another_kind_becomes_a_labelmap(user):
    user.segmentation.GetSegmentation().SetSourceRepresentationName("Closed surface")
    user.write()
    assert user.segmentation.GetSegmentation().GetSourceRepresentationName() == "Binary labelmap"


class TestProvenance:
    def test_prompts_come_back_to_the_last_bit(self, user):
        segment = user.write(name="Lesion", provenance=made_on(user.volume))
        kept = user.restored()
        assert kept.prompts.to_json() == PROMPTS.to_json()
        assert {name: tag_of(segment, name) for name in MADE} == MADE

    def test_a_segment_without_them_has_none(self, user):
        user.write()
        assert user.restored() is None

    @pytest.mark.parametrize("text", ["", "{", "null", '{"roi":null}', '{"roi":1,"points":[]}'])
    def test_damaged_prompts_are_an_input_error(self, user, text):
        user.write(name="Lesion").SetTag(provenance.PROMPTS, text)
        with pytest.raises(InputError, match='"Lesion" cannot be read'):
            user.restored()

    def test_a_bar_can_not_cut_a_tag(self, user):
        user.write(provenance=made_on(user.volume, "my|model", "1|2"))
        made = made_on(user.volume, "my|model", "1|2")
        tags = made.tags(user.segmentation, user.ids[0])
        assert not any("|" in value for value in tags.values() if value is not None)
        assert not any(":" in key for key in tags)


class TestFiles:
    """Tags and voxels survive saving, together with other segments."""

    def written(self, builder, parent=None):
        user = User(builder)
        builder.under(user.segmentation, parent)
        user.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(user.volume)
        made = made_on(user.volume)
        user.write(name="Lesion", terminology=LIVER, provenance=made)
        user.write(name="Other")
        return user

    def check(self, segmentation, expected_voxels, volume):
        segment_id = segmentation.GetSegmentation().GetSegmentIdBySegmentName("Lesion")
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        assert {name: tag_of(segment, name) for name in MADE} == MADE
        kept = restore(segmentation, segment_id, volume)
        assert kept.status is PromptStatus.SAME
        shift = kept.prompts.roi.box_to_ras - PROMPTS.roi.box_to_ras
        assert np.abs(shift).max() < 1e-9
        assert segment.GetTerminology() == LIVER
        np.testing.assert_array_equal(
            segment_array(segmentation, segment_id, volume), expected_voxels
        )

    def test_in_a_segmentation_file(self, builder, tmp_path):
        user = self.written(builder)
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(tmp_path / "lesion.seg.nrrd"))
        assert storage.WriteData(user.segmentation)
        loaded = builder.host.add("vtkMRMLSegmentationNode", "Loaded")
        assert storage.ReadData(loaded)
        self.check(loaded, ball(user.volume).mask(), user.volume)

    @pytest.mark.parametrize("parent", ["none", "sheared"])
    def test_in_a_scene_bundle(self, builder, tmp_path, parent):
        user = self.written(builder, PARENTS[parent])
        voxels = ball(user.volume).mask()
        path = tmp_path / "saved" / "scene.mrb"
        path.parent.mkdir()
        builder.host.save_mrb(path)
        other = HeadlessScene()
        (tmp_path / "cache").mkdir()
        other.load_mrb(path, tmp_path / "cache")
        segmentation = other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
        volume = other.scene.GetFirstNodeByName("CT")
        self.check(segmentation, voxels, volume)

    def test_a_loaded_segment_can_be_refined(self, builder, tmp_path):
        user = self.written(builder)
        path = tmp_path / "scene.mrb"
        builder.host.save_mrb(path)
        other = HeadlessScene()
        (tmp_path / "cache").mkdir()
        other.load_mrb(path, tmp_path / "cache")
        segmentation = other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
        volume = other.scene.GetFirstNodeByName("CT")
        segment_id = segmentation.GetSegmentation().GetSegmentIdBySegmentName("Lesion")
        before = segments_of(segmentation)
        prediction = ball(volume, (0.3, 0.4, 0.5), 5)
        write_answer(user.writer, segmentation, prediction, volume, segment_id)
        np.testing.assert_array_equal(
            segment_array(segmentation, segment_id, volume), prediction.mask()
        )
        user.writer.undo(segmentation)
        assert segments_of(segmentation) == before
        assert SceneBuilder(other).volume() is not None
