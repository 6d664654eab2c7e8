"""How often Slicer is told that something has changed: once for what is one change."""

from collections import Counter

import pytest
import slicer

from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.scene.prompt_store import StoredPrompts, discard, store
from SAMSegmentLib.scene.provenance import Provenance
from SlicerHost.desk import Desk
from SlicerHost.prompt_desk import NODE, PromptDesk

pytestmark = pytest.mark.mrml
PROMPTS = Prompts(points=tuple(Point((n, n, n)) for n in range(5)))


def listen(subject, counter, **events):
    for name, event in events.items():
        subject.AddObserver(event, lambda *_, name=name: counter.update([name]))


@pytest.mark.parametrize("editors", [0, 1])
class TestOfASegment:
    @pytest.fixture
    def heard(self, studio, editors):
        """(a desk with a written segment, its ID, what was told since)."""
        desk, counter = Desk(studio, editors), Counter()
        segment_id = desk.write(0.4)
        segmentation = desk.segmentation.GetSegmentation()
        event = slicer.vtkSegmentation.SegmentModified
        listen(segmentation, counter, segmentation=event)
        listen(desk.segmentation, counter, node=event)
        listen(segmentation.GetSegment(segment_id), counter, segment="ModifiedEvent")
        return desk, segment_id, counter

    def test_a_write_with_all_its_tags_tells_it_once(self, heard):
        desk, segment_id, counter = heard
        made = Provenance(PROMPTS, desk.volume, "litemedsam", "1", "ab" * 32)
        desk.write(0.6, segment_id, name="Lesion", provenance=made)
        assert counter == {"segment": 1, "segmentation": 1, "node": 1}

    def test_prompts_that_are_stored_or_forgotten_tell_nobody(self, heard):
        desk, segment_id, counter = heard
        for threshold in (0.4, 0.5):
            store(desk.segmentation, segment_id, StoredPrompts(PROMPTS, "m", threshold))
        discard(desk.segmentation, segment_id)
        assert counter == {}


class TestOfPoints:
    @pytest.fixture
    def heard(self, studio):
        desk, counter = PromptDesk(studio), Counter()
        listen(desk.list(), counter, point=NODE.PointModifiedEvent, node="ModifiedEvent")
        yield desk, counter
        desk.nodes.remove_nodes()

    def test_a_point_that_is_placed_gets_its_number_and_label_in_one(self, heard, studio):
        desk, counter = heard
        desk.click((1, 2, 3))
        of_ours = counter["point"]
        counter.clear()
        bare = studio.points([])
        listen(bare, counter, point=NODE.PointModifiedEvent)
        index = bare.AddControlPoint((0, 0, 0))
        bare.UnsetNthControlPointPosition(index)
        counter.clear()
        for status in (NODE.PositionPreview, NODE.PositionPreview, NODE.PositionDefined):
            bare.SetNthControlPointPosition(index, 1, 2, 3, status)
        assert of_ours <= counter["point"] + 2

    def test_a_drag_tells_what_the_mouse_does_and_nothing_more(self, heard):
        desk, counter = heard
        desk.click((1, 2, 3))
        counter.clear()
        desk.drag(desk.list(), 0, (5, 5, 5))
        assert counter == {"point": 3}

    def test_points_behind_a_removed_one_are_renumbered_in_one(self, heard):
        desk, counter = heard
        desk.nodes.load(PROMPTS)
        counter.clear()
        desk.nodes.remove(desk.nodes.ids[0])
        assert desk.labels(True) == ["1", "2", "3", "4"]
        assert counter == {"point": 1}
