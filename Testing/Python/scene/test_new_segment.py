"""Names, colours, terminology and tags of new segments; prompts and provenance on disk."""

import numpy as np
import pytest
import slicer

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.scene import provenance
from SAMSegmentLib.scene.prompt_frame import Standing
from SAMSegmentLib.scene.prompt_store import restore
from SAMSegmentLib.scene.provenance import Provenance
from SAMSegmentLib.scene.tags import tag_of
from SAMSegmentLib.scene.writer import SegmentationWriter
from SlicerHost.scene import HeadlessScene
from SlicerHost.studio import PARENTS, Studio, ball, segment_array, segments_of, world_of

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


class Desk:
    def __init__(self, studio) -> None:
        self.studio = studio
        self.volume = studio.volume()
        self.segmentation = studio.segmentation(self.volume)
        self.writer = SegmentationWriter(list)

    def write(self, segment_id=None, **arguments):
        prediction = ball(self.volume)
        result = self.writer.write(
            self.segmentation, prediction, world_of(self.volume), segment_id, **arguments
        )
        return self.segmentation.GetSegmentation().GetSegment(result.segment_id)

    @property
    def ids(self):
        return self.segmentation.GetSegmentation().GetSegmentIDs()

    def restored(self):
        return restore(self.segmentation, self.ids[0], self.volume)


@pytest.fixture
def desk(studio):
    return Desk(studio)


class TestName:
    def test_it_is_slicers_default(self, desk):
        assert [desk.write().GetName() for _ in range(3)] == ["Segment_1", "Segment_2", "Segment_3"]

    def test_it_may_be_given(self, desk):
        assert desk.write(name="Liver, left lobe").GetName() == "Liver, left lobe"

    def test_an_old_segment_keeps_its_own(self, desk):
        segment_id = desk.segmentation.GetSegmentation().AddEmptySegment("id", "Spleen")
        assert desk.write(segment_id).GetName() == "Spleen"


class TestColour:
    def test_slicer_generates_it(self, desk):
        colours = [desk.write().GetColor() for _ in range(4)]
        assert len(set(colours)) == 4
        assert slicer.vtkSegment().GetColor() not in colours

    def test_an_old_segment_keeps_its_own(self, desk):
        segment_id = desk.segmentation.GetSegmentation().AddEmptySegment("", "", (0.1, 0.2, 0.3))
        assert desk.write(segment_id).GetColor() == (0.1, 0.2, 0.3)


class TestTerminology:
    def test_it_is_tissue_by_default(self, desk):
        assert desk.write().GetTerminology() == TISSUE

    def test_it_may_be_given(self, desk):
        assert desk.write(terminology=LIVER).GetTerminology() == LIVER

    def test_a_new_segment_does_not_copy_its_neighbours(self, desk):
        desk.write(terminology=LIVER)
        assert desk.write().GetTerminology() == TISSUE

    def test_an_old_segment_keeps_its_own(self, desk):
        segment_id = desk.segmentation.GetSegmentation().AddEmptySegment()
        desk.segmentation.GetSegmentation().GetSegment(segment_id).SetTerminology(LIVER)
        assert desk.write(segment_id).GetTerminology() == LIVER


class TestStatus:
    def test_a_new_segment_is_in_progress(self, desk):
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        assert logic.GetSegmentStatus(desk.write()) == logic.InProgress

    def test_a_finished_one_stays_finished(self, desk):
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        segment_id = desk.segmentation.GetSegmentation().AddEmptySegment()
        segment = desk.segmentation.GetSegmentation().GetSegment(segment_id)
        logic.SetSegmentStatus(segment, logic.Completed)
        assert logic.GetSegmentStatus(desk.write(segment_id)) == logic.Completed


def test_it_is_visible_and_the_editors_selection_stays(desk):
    node = desk.studio.editor_node(desk.segmentation)
    old = desk.segmentation.GetSegmentation().AddEmptySegment()
    node.SetSelectedSegmentID(old)
    desk.write(segmentEditorNode=node)
    new = desk.segmentation.GetSegmentation().GetSegmentIDs()[-1]
    assert desk.segmentation.GetDisplayNode().GetSegmentVisibility(new)
    assert node.GetSelectedSegmentID() == old


def test_it_is_shown_in_3d_if_the_others_are(desk):
    desk.write()
    desk.segmentation.CreateClosedSurfaceRepresentation()
    surface = desk.write().GetRepresentation("Closed surface")
    assert surface.GetNumberOfPoints() > 100


def test_the_labelmap_of_the_others_is_left_alone(desk):
    for place in (0.3, 0.7):
        desk.writer.write(
            desk.segmentation, ball(desk.volume, (place,) * 3, 3), world_of(desk.volume)
        )
    desk.segmentation.GetSegmentation().CollapseBinaryLabelmaps(False)
    shared = (
        desk.segmentation.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    )
    before = shared.GetMTime()
    desk.write()
    assert shared.GetMTime() == before


def test_an_empty_segmentation_of_another_kind_becomes_a_labelmap(desk):
    desk.segmentation.GetSegmentation().SetSourceRepresentationName("Closed surface")
    desk.write()
    assert desk.segmentation.GetSegmentation().GetSourceRepresentationName() == "Binary labelmap"


class TestProvenance:
    def test_prompts_come_back_to_the_last_bit(self, desk):
        segment = desk.write(name="Lesion", provenance=made_on(desk.volume))
        kept = desk.restored()
        assert kept.prompts.to_json() == PROMPTS.to_json()
        assert {name: tag_of(segment, name) for name in MADE} == MADE

    def test_a_segment_without_them_has_none(self, desk):
        desk.write()
        assert desk.restored() is None

    @pytest.mark.parametrize("text", ["", "{", "null", '{"roi":null}', '{"roi":1,"points":[]}'])
    def test_damaged_prompts_are_an_input_error(self, desk, text):
        desk.write(name="Lesion").SetTag(provenance.PROMPTS, text)
        with pytest.raises(InputError, match='"Lesion" cannot be read'):
            desk.restored()

    def test_a_bar_can_not_cut_a_tag(self, desk):
        desk.write(provenance=made_on(desk.volume, "my|model", "1|2"))
        made = made_on(desk.volume, "my|model", "1|2")
        tags = made.tags(desk.segmentation, desk.ids[0])
        assert not any("|" in value for value in tags.values())
        assert not any(":" in key for key in tags)


class TestFiles:
    """Tags and voxels survive saving, together with other segments."""

    def written(self, studio, parent=None):
        desk = Desk(studio)
        studio.under(desk.segmentation, parent)
        desk.segmentation.SetReferenceImageGeometryParameterFromVolumeNode(desk.volume)
        made = made_on(desk.volume)
        desk.write(name="Lesion", terminology=LIVER, provenance=made)
        desk.write(name="Other")
        return desk

    def check(self, segmentation, expected_voxels, volume):
        segment_id = segmentation.GetSegmentation().GetSegmentIdBySegmentName("Lesion")
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        assert {name: tag_of(segment, name) for name in MADE} == MADE
        kept = restore(segmentation, segment_id, volume)
        assert kept.standing is Standing.SAME
        shift = kept.prompts.roi.box_to_ras - PROMPTS.roi.box_to_ras
        assert np.abs(shift).max() < 1e-9
        assert segment.GetTerminology() == LIVER
        np.testing.assert_array_equal(
            segment_array(segmentation, segment_id, volume), expected_voxels
        )

    def test_in_a_segmentation_file(self, studio, tmp_path):
        desk = self.written(studio)
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(tmp_path / "lesion.seg.nrrd"))
        assert storage.WriteData(desk.segmentation)
        loaded = studio.host.add("vtkMRMLSegmentationNode", "Loaded")
        assert storage.ReadData(loaded)
        self.check(loaded, ball(desk.volume).mask(), desk.volume)

    @pytest.mark.parametrize("parent", ["none", "sheared"])
    def test_in_a_scene_bundle(self, studio, tmp_path, parent):
        desk = self.written(studio, PARENTS[parent])
        voxels = ball(desk.volume).mask()
        path = tmp_path / "saved" / "scene.mrb"
        path.parent.mkdir()
        studio.host.save_mrb(path)
        other = HeadlessScene()
        (tmp_path / "cache").mkdir()
        other.load_mrb(path, tmp_path / "cache")
        segmentation = other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
        volume = other.scene.GetFirstNodeByName("CT")
        self.check(segmentation, voxels, volume)

    def test_a_loaded_segment_can_be_refined(self, studio, tmp_path):
        desk = self.written(studio)
        path = tmp_path / "scene.mrb"
        studio.host.save_mrb(path)
        other = HeadlessScene()
        (tmp_path / "cache").mkdir()
        other.load_mrb(path, tmp_path / "cache")
        segmentation = other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
        volume = other.scene.GetFirstNodeByName("CT")
        segment_id = segmentation.GetSegmentation().GetSegmentIdBySegmentName("Lesion")
        before = segments_of(segmentation)
        prediction = ball(volume, (0.3, 0.4, 0.5), 5)
        desk.writer.write(segmentation, prediction, world_of(volume), segment_id)
        np.testing.assert_array_equal(
            segment_array(segmentation, segment_id, volume), prediction.mask()
        )
        desk.writer.undo(segmentation)
        assert segments_of(segmentation) == before
        assert Studio(other).volume() is not None
