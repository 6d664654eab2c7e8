"""The structures of an automatic model become new segments: all in one undo step, or none."""

import numpy as np
import pytest
import slicer

from SAMSegmentLib.core.answer import Answer, LabelledMask
from SAMSegmentLib.core.errors import InputError, WriteError
from SAMSegmentLib.core.label import Label
from SAMSegmentLib.core.patch import BACKGROUND_LOGIT, Patch
from SAMSegmentLib.core.proposal import propose
from SAMSegmentLib.scene import provenance
from SAMSegmentLib.scene.grid import target_geometry
from SAMSegmentLib.scene.modification import Modification
from SAMSegmentLib.scene.provenance import Provenance
from SAMSegmentLib.scene.tags import tag_of
from SlicerHost.scene_builder import GRIDS, PARENTS, affine, world_of, world_positions
from TestSupport.editor_user import User
from TestSupport.scene_answers import ball, geometry_of, mask_positions, segment_array

pytestmark = pytest.mark.mrml

LIVER = (
    "Segmentation category and type - 3D Slicer General Anatomy list"
    "~SCT^123037004^Anatomical Structure~SCT^10200004^Liver~^^"
    "~Anatomic codes - DICOM master list~^^~^^"
)
LABELS = (Label("Liver", LIVER, (0.87, 0.51, 0.40)), Label("Spleen"), Label("Kidney"))
PLACES = ((0.35,) * 3, (0.5,) * 3, (0.75,) * 3)


def answer_on(volume, places=PLACES, radius_mm=5) -> Answer:
    """Balls of which the first two overlap; None for a place: that structure is not there."""
    nothing = Patch(np.full((2, 2, 2), BACKGROUND_LOGIT, np.float32), (0, 0, 0))
    masks = [
        LabelledMask(nothing if at is None else ball(volume, at, radius_mm).masks[0].logits, label)
        for at, label in zip(places, LABELS, strict=True)
    ]
    return Answer(tuple(masks), geometry_of(volume))


def write(user, answer=None, **options):
    answer = answer_on(user.volume) if answer is None else answer
    proposals = propose(answer, target_geometry(user.segmentation, world_of(user.volume)))
    matrix = world_of(user.volume)
    return user.writer.write_structures(user.segmentation, proposals, matrix, **options)


def segment_of(user, segment_id):
    return user.segmentation.GetSegmentation().GetSegment(segment_id)


@pytest.fixture(params=[0, 1], ids=["no editor", "an editor"])
def user(request, builder):
    return User(builder, request.param)


def test_each_becomes_a_new_segment_with_its_name_terminology_and_colour(user):
    old = user.write(0.5, name="Drawn")
    before = user.state
    result = write(user)
    names = [segment_of(user, segment_id).GetName() for segment_id in result.segment_ids]
    assert names == ["Liver", "Spleen", "Kidney"] and result.warnings == ()
    liver, spleen = (segment_of(user, segment_id) for segment_id in result.segment_ids[:2])
    assert liver.GetTerminology() == LIVER and np.allclose(liver.GetColor(), LABELS[0].color)
    assert "Tissue" in spleen.GetTerminology()
    answer = answer_on(user.volume)
    for segment_id, label in zip(result.segment_ids, LABELS, strict=True):
        written = segment_array(user.segmentation, segment_id, user.volume)
        np.testing.assert_array_equal(written, answer.structure(label.name).mask())
    assert user.state[old] == before[old]


def test_all_of_them_are_one_undo_step(user):
    user.write(0.5, name="Drawn")
    before = user.state
    result = write(user)
    after = user.state
    for _ in range(2):
        assert user.writer.undo() == result.segment_id
        assert user.state == before
        assert user.writer.redo() == result.segment_id
        assert user.state == after
    user.writer.undo()
    user.writer.undo()
    assert user.state == {}


def test_the_editors_undo_takes_all_of_them_back(builder):
    user = User(builder, 1)
    user.write(0.5)
    before = user.state
    write(user)
    after = user.state
    user.editors[0].undo()
    assert user.state == before
    user.editors[0].redo()
    assert user.state == after


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_if_one_cannot_be_written_none_is(user, monkeypatch, failing):
    user.write(0.5)
    before = user.state
    original, calls = Modification.set, []

    def fail_once(self, node, segment_id, labelmap):
        calls.append(segment_id)
        if len(calls) != failing:
            original(self, node, segment_id, labelmap)

    monkeypatch.setattr(Modification, "set", fail_once)
    with pytest.raises(WriteError, match="Slicer did not write"):
        write(user)
    assert len(calls) == failing and user.state == before
    user.writer.undo()  # the write before
    assert user.state == {}


def test_an_interruption_leaves_none(user, monkeypatch):
    original = Modification.set

    def interrupt(self, node, segment_id, labelmap):
        original(self, node, segment_id, labelmap)
        raise KeyboardInterrupt

    monkeypatch.setattr(Modification, "set", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(user)
    assert user.state == {}


def test_they_may_overlap_whatever_happens_to_other_segments(builder):
    user = User(builder)
    drawn = user.write(0.5, name="Drawn")
    node = builder.editor_node(user.segmentation, user.volume)
    assert node.GetOverwriteMode() == node.OverwriteAllSegments
    result = write(user, segmentEditorNode=node)
    answer, union = answer_on(user.volume), np.zeros(geometry_of(user.volume).shape, bool)
    for segment_id, label in zip(result.segment_ids, LABELS, strict=True):
        written = segment_array(user.segmentation, segment_id, user.volume)
        expected = answer.structure(label.name).mask()
        np.testing.assert_array_equal(written, expected)
        union |= expected > 0
    liver, spleen = (answer.structure(name).mask() for name in ("Liver", "Spleen"))
    assert (liver & spleen).any()
    kept = segment_array(user.segmentation, drawn, user.volume)
    before = ball(user.volume, radius_mm=5).mask()
    np.testing.assert_array_equal(kept, before & ~union)
    user.writer.undo()
    np.testing.assert_array_equal(segment_array(user.segmentation, drawn, user.volume), before)


def test_the_editable_area_is_that_of_before_not_what_is_written_on_the_way(builder):
    user = User(builder)
    user.segmentation.CreateDefaultDisplayNodes()
    drawn = user.write(0.75, name="Drawn")
    node = builder.editor_node(user.segmentation, user.volume)
    node.SetMaskMode(slicer.vtkMRMLSegmentationNode.EditAllowedOutsideAllSegments)
    result = write(user, segmentEditorNode=node)
    answer = answer_on(user.volume)
    # The third lies in what was there before; the others do not make room for each other.
    names = [segment_of(user, segment_id).GetName() for segment_id in result.segment_ids]
    assert names == ["Liver", "Spleen"]
    assert result.warnings[-1] == "Nothing may be edited of: Kidney."
    for segment_id, name in zip(result.segment_ids, names, strict=True):
        written = segment_array(user.segmentation, segment_id, user.volume)
        mask = answer.structure(name).mask()
        np.testing.assert_array_equal(written, mask & ~ball(user.volume, PLACES[2], 5).mask())
    assert segment_array(user.segmentation, drawn, user.volume).sum() > 100


def test_the_editable_intensity_range_holds_for_each(builder):
    user = User(builder)
    node = builder.editor_node(user.segmentation, user.volume)
    node.SetSourceVolumeIntensityMask(True)
    node.SetSourceVolumeIntensityMaskRange(150, 400)
    result = write(user, segmentEditorNode=node)
    voxels = slicer.util.arrayFromVolume(user.volume)
    for segment_id in result.segment_ids:
        written = segment_array(user.segmentation, segment_id, user.volume) > 0
        assert written.any() and voxels[written].min() >= 150
    assert result.warnings[0].startswith("Liver: ")
    assert "outside the editable area" in result.warnings[0]


def test_where_nothing_may_be_edited_nothing_is_written(builder):
    user = User(builder)
    node = builder.editor_node(user.segmentation, user.volume)
    node.SetSourceVolumeIntensityMask(True)
    node.SetSourceVolumeIntensityMaskRange(5000, 6000)
    with pytest.raises(WriteError, match="None of the result may be edited"):
        write(user, segmentEditorNode=node)
    assert user.state == {}


def test_what_is_not_there_makes_no_segment_and_is_reported(user):
    result = write(user, answer_on(user.volume, (PLACES[0], None, None)))
    assert [entry[0] for entry in user.state.values()] == ["Liver"]
    assert result.warnings == ("Nothing was found of: Spleen, Kidney.",)


def test_if_there_is_nothing_at_all_that_is_an_error(user):
    with pytest.raises(WriteError, match=r"none of these structures.*Nothing was changed"):
        write(user, answer_on(user.volume, (None, None, None)))
    with pytest.raises(WriteError, match=r"lower it\. Nothing was changed"):
        write(user, answer_on(user.volume, radius_mm=-2))
    assert user.state == {}
    with pytest.raises(InputError, match="nothing to undo"):
        user.writer.undo()


def test_each_knows_how_it_was_made_and_that_there_were_no_prompts(user):
    made = Provenance(None, user.volume, "organs", "1.2", "ab" * 32)
    for segment_id, label in zip(write(user, provenance=made).segment_ids, LABELS, strict=True):
        segment = segment_of(user, segment_id)
        assert tag_of(segment, provenance.MODEL) == "organs"
        assert tag_of(segment, provenance.STRUCTURE) == label.name
        assert tag_of(segment, provenance.WEIGHTS_SHA256) == "ab" * 32
        assert tag_of(segment, provenance.PROMPTS) is None
        assert tag_of(segment, provenance.APPLIED_PROMPTS) is None


@pytest.mark.parametrize("grid", ["oblique", "left-handed", "gantry tilt"])
def test_they_lie_where_they_are_on_whatever_grid_the_segmentation_has(builder, grid):
    user = User(builder)
    user.volume = builder.volume(GRIDS[grid], PARENTS["sheared"])
    user.segmentation = builder.segmentation(user.volume, PARENTS["rotated"])
    same = write(user)
    answer = answer_on(user.volume)
    fine = GRIDS[grid] @ affine(np.diag([0.5] * 3))
    user.segmentation = builder.on_grid(
        builder.segmentation(parent=PARENTS["sheared"]), fine, (44, 60, 52)
    )
    finer = write(user)
    for segment_id, label in zip(finer.segment_ids, LABELS, strict=True):
        expected = mask_positions(answer.structure(label.name), user.volume)
        written = world_positions(user.segmentation, segment_id)
        assert np.abs(written.mean(0) - expected.mean(0)).max() < 0.3
        assert len(written) == pytest.approx(8 * len(expected), rel=0.1)
    assert len(same.segment_ids) == 3
