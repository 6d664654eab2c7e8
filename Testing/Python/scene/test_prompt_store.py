"""Prompts stay with their segment: while they are edited, when it is saved, and through undo."""

import math

import pytest
import slicer
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.scene import provenance
from SAMSegmentLib.scene.prompt_store import StoredPrompts, restore, store
from SAMSegmentLib.scene.provenance import Provenance
from SAMSegmentLib.scene.tags import tag_of
from SAMSegmentLib.scene.time_point import TimePoint
from SlicerHost.scene import HeadlessScene
from TestSupport.editor_user import User, save

pytestmark = pytest.mark.mrml

PROMPTS = Prompts(
    Roi.from_box((1, 2, 3), (10, 20, 30)),
    (Point((0.1, 0.2, 1 / 3)), Point((5, 6, 7), False), Point((-1, 0, 2))),
    Line((0, 0, 0), (3, 4, 0)),
)
STORED = StoredPrompts(
    PROMPTS, "litemedsam", 0.35, True, TimePoint("CT | perfusion", 3, 12, "4.5", "time", "s")
)
OTHER = StoredPrompts(Prompts(points=(Point((9, 9, 9)),)))


def parts(stored: StoredPrompts) -> tuple:
    settings = (stored.model, stored.threshold, stored.from_content, stored.time_point)
    return (stored.prompts.to_json(), *settings)


@pytest.fixture
def segmentation(builder):
    node = builder.segmentation(builder.volume())
    for name in ("Liver", "Spleen"):
        node.GetSegmentation().AddEmptySegment(name, name)
    return node


class TestInTheScene:
    def test_what_was_stored_comes_back(self, segmentation):
        assert store(segmentation, "Liver", STORED)
        assert parts(restore(segmentation, "Liver")) == parts(STORED)

    def test_each_segment_has_its_own(self, segmentation):
        store(segmentation, "Liver", STORED)
        store(segmentation, "Spleen", OTHER)
        assert parts(restore(segmentation, "Liver")) == parts(STORED)
        assert parts(restore(segmentation, "Spleen")) == parts(OTHER)

    def test_a_segment_without_prompts_has_none(self, segmentation):
        assert restore(segmentation, "Liver") is None

    def test_a_time_point_that_is_gone_is_forgotten(self, segmentation):
        store(segmentation, "Liver", STORED)
        store(segmentation, "Liver", OTHER)
        assert restore(segmentation, "Liver").time_point is None

    def test_a_copy_of_a_segment_has_them_too(self, builder, segmentation):
        store(segmentation, "Liver", STORED)
        target = builder.segmentation(name="Target")
        target.GetSegmentation().CopySegmentFromSegmentation(
            segmentation.GetSegmentation(), "Liver"
        )
        assert parts(restore(target, "Liver")) == parts(STORED)

    def test_prompts_that_an_earlier_version_wrote_come_back(self, segmentation):
        segment = segmentation.GetSegmentation().GetSegment("Liver")
        segment.SetTag(provenance.PROMPTS, Prompts(points=PROMPTS.points).to_json())
        stored = restore(segmentation, "Liver")
        assert stored.prompts.points == PROMPTS.points
        assert (stored.model, stored.threshold, stored.from_content) == (None, 0.5, False)

    def test_an_unknown_segment_is_named(self, segmentation):
        for action in (restore, lambda node, name: store(node, name, STORED)):
            with pytest.raises(InputError, match="no segment"):
                action(segmentation, "Kidney")


class TestDamage:
    @pytest.mark.parametrize(
        "name", [provenance.PROMPTS, provenance.FRAME, provenance.SETTINGS, provenance.TIME_POINT]
    )
    @pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"roi":3}', "null"])
    def test_a_damaged_tag_says_what_to_do(self, segmentation, name, text):
        store(segmentation, "Liver", STORED)
        segmentation.GetSegmentation().GetSegment("Liver").SetTag(name, text)
        with pytest.raises(InputError, match=r"[Pp]lace"):
            restore(segmentation, "Liver")

    @pytest.mark.parametrize(
        "settings",
        [
            '{"model":3,"threshold":0.5,"fromContent":false}',
            '{"model":"m","threshold":2,"fromContent":false}',
            '{"model":"m","threshold":null,"fromContent":false}',
            '{"model":"m","threshold":NaN,"fromContent":false}',
        ],
    )
    def test_impossible_settings_are_refused(self, segmentation, settings):
        store(segmentation, "Liver", STORED)
        segment = segmentation.GetSegmentation().GetSegment("Liver")
        segment.SetTag(provenance.SETTINGS, settings)
        with pytest.raises(InputError, match="settings"):
            restore(segmentation, "Liver")

    def test_after_storing_others_it_works_again(self, segmentation):
        segmentation.GetSegmentation().GetSegment("Liver").SetTag(provenance.PROMPTS, "{")
        store(segmentation, "Liver", STORED)
        assert parts(restore(segmentation, "Liver")) == parts(STORED)


class TestModification:
    def test_storing_the_same_again_changes_nothing(self, segmentation):
        store(segmentation, "Liver", STORED)
        segment = segmentation.GetSegmentation().GetSegment("Liver")
        time = segment.GetMTime()
        assert not store(segmentation, "Liver", STORED)
        assert segment.GetMTime() == time

    def test_a_saved_segmentation_asks_to_be_saved_again(self, segmentation, tmp_path):
        segmentation.AddDefaultStorageNode()
        storage = segmentation.GetStorageNode()
        storage.SetFileName(str(tmp_path / "s.seg.nrrd"))
        assert storage.WriteData(segmentation)
        assert not segmentation.GetModifiedSinceRead()
        store(segmentation, "Liver", STORED)
        assert segmentation.GetModifiedSinceRead()

    def test_nobody_redraws_because_of_it(self, segmentation):
        heard = []
        for event in ("SegmentModified", "SourceRepresentationModified", "RepresentationModified"):
            segmentation.AddObserver(getattr(slicer.vtkSegmentation, event), heard.append)
        store(segmentation, "Liver", STORED)
        assert heard == []

    def test_afterwards_changes_are_noticed_again(self, segmentation):
        heard = []
        segmentation.AddObserver(slicer.vtkSegmentation.SegmentModified, lambda *_: heard.append(1))
        store(segmentation, "Liver", STORED)
        segmentation.GetSegmentation().GetSegment("Liver").SetName("Renamed")
        assert heard


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
POSITION = st.tuples(*[st.floats(-1e4, 1e4, allow_nan=False)] * 3)


@pytest.fixture(scope="module")
def started():
    """Segmentations need Slicer's logics, for their representations."""
    host = HeadlessScene()
    yield host
    host.close()


@given(
    st.lists(st.builds(Point, POSITION, st.booleans()), max_size=5),
    st.floats(0.01, 0.99),
    st.none() | TEXT,
    st.none()
    | st.builds(TimePoint, TEXT, st.integers(1, 99), st.just(99), TEXT, quantity=TEXT, unit=TEXT),
)
def test_anything_can_be_stored_in_what_the_file_keeps(
    started, points, threshold, model, time_point
):
    stored = StoredPrompts(Prompts(points=tuple(points)), model, threshold, True, time_point)
    node = slicer.vtkMRMLSegmentationNode()
    node.GetSegmentation().AddEmptySegment("a", "a")
    store(node, "a", stored)
    segment = node.GetSegmentation().GetSegment("a")
    # The segmentation file joins tags with "|".
    assert not any("|" in (tag_of(segment, name) or "") for name in provenance.PROMPT_TAGS)
    assert parts(restore(node, "a")) == parts(stored)


class TestFiles:
    def test_in_a_segmentation_file(self, builder, tmp_path):
        user = User(builder)
        segment_id = user.write()
        store(user.segmentation, segment_id, STORED)
        save(user.segmentation, tmp_path / "s.seg.nrrd")
        loaded = builder.segmentation(name="Loaded")
        storage = slicer.vtkMRMLSegmentationStorageNode()
        storage.SetFileName(str(tmp_path / "s.seg.nrrd"))
        assert storage.ReadData(loaded)
        assert parts(restore(loaded, segment_id)) == parts(STORED)

    def test_in_a_scene_file(self, builder, tmp_path):
        user = User(builder)
        segment_id = user.write(name="Lesion")
        store(user.segmentation, segment_id, STORED)
        builder.host.save_mrb(tmp_path / "scene.mrb")
        other = HeadlessScene()
        try:
            other.load_mrb(tmp_path / "scene.mrb", tmp_path)
            segmentation = other.scene.GetFirstNodeByClass("vtkMRMLSegmentationNode")
            found = segmentation.GetSegmentation().GetSegmentIdBySegmentName("Lesion")
            assert parts(restore(segmentation, found)) == parts(STORED)
        finally:
            other.close()


@pytest.fixture(params=[0, 1, 2], ids=["no editor", "one editor", "two editors"])
def user(request, builder):
    return User(builder, request.param)


class TestUndo:
    def write(self, user, place, segment_id=None, prompts=PROMPTS):
        made = Provenance(prompts, user.volume, "litemedsam", "0.1.0", "ab" * 32)
        return user.write(place, segment_id, provenance=made)

    def test_prompts_that_change_after_the_write_do_not_stop_undo(self, user):
        segment_id = self.write(user, 0.4)
        before = user.state
        self.write(user, 0.6, segment_id)
        store(user.segmentation, segment_id, OTHER)
        assert user.writer.undo() == segment_id
        assert user.state == before

    def test_edited_prompts_survive_undo_and_redo(self, user):
        segment_id = self.write(user, 0.4)
        self.write(user, 0.6, segment_id)
        after = user.state
        store(user.segmentation, segment_id, OTHER)
        user.writer.undo()
        assert parts(restore(user.segmentation, segment_id)) == parts(OTHER)
        user.writer.redo()
        assert user.state == after
        assert parts(restore(user.segmentation, segment_id)) == parts(OTHER)

    def test_prompts_of_another_segment_survive_undo(self, user):
        first, second = self.write(user, 0.3), self.write(user, 0.7)
        store(user.segmentation, first, OTHER)
        assert user.writer.undo() == second
        assert parts(restore(user.segmentation, first)) == parts(OTHER)

    def test_prompts_that_nobody_edited_go_back_with_the_mask(self, user):
        segment_id = self.write(user, 0.4, prompts=PROMPTS)
        self.write(user, 0.6, segment_id, prompts=OTHER.prompts)
        user.writer.undo()
        stored = restore(user.segmentation, segment_id)
        assert stored.prompts.to_json() == PROMPTS.to_json()
        user.writer.redo()
        stored = restore(user.segmentation, segment_id)
        assert stored.prompts.to_json() == OTHER.prompts.to_json()

    def test_how_the_mask_was_made_stays_with_the_mask(self, user):
        segment_id = self.write(user, 0.4)
        store(user.segmentation, segment_id, OTHER)
        segment = user.segmentation.GetSegmentation().GetSegment(segment_id)
        applied = Prompts.from_json(tag_of(segment, provenance.APPLIED_PROMPTS))
        assert applied.to_json() == PROMPTS.to_json()

    def test_storing_between_undo_and_redo_keeps_the_redo(self, user):
        segment_id = self.write(user, 0.4)
        self.write(user, 0.6, segment_id)
        after = user.state
        user.writer.undo()
        store(user.segmentation, segment_id, OTHER)
        assert user.writer.redo() == segment_id
        assert user.state == after

    def test_the_editors_redo_stays_too(self, builder):
        user = User(builder, 1)
        segment_id = user.write(0.4)
        user.paint(segment_id)
        painted = user.state
        user.editors[0].undo()
        store(user.segmentation, segment_id, OTHER)
        user.editors[0].redo()
        assert user.state == painted

    def test_it_is_no_step_in_the_editors_undo(self, builder):
        user = User(builder, 1)
        segment_id = user.write(0.4)
        before = user.state
        user.paint(segment_id)
        for n in range(5):
            store(user.segmentation, segment_id, StoredPrompts(PROMPTS, threshold=0.1 + n / 10))
        user.editors[0].undo()
        assert user.state == before

    def test_what_else_was_changed_still_refuses_undo(self, user):
        segment_id = self.write(user, 0.4)
        segment = user.segmentation.GetSegmentation().GetSegment(segment_id)
        segment.SetTag(provenance.MODEL, "another")
        with pytest.raises(InputError, match="changed by something else"):
            user.writer.undo()


def test_a_threshold_is_kept_to_the_last_bit(segmentation):
    store(segmentation, "Liver", StoredPrompts(PROMPTS, threshold=math.pi / 10))
    assert restore(segmentation, "Liver").threshold == math.pi / 10
