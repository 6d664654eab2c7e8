"""How many events a change sends: one for what is one change."""

from collections import Counter

import pytest
import slicer

from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.scene.prompt_store import StoredPrompts, store
from SAMSegmentLib.scene.provenance import Provenance
from TestSupport.editor_user import User
from TestSupport.prompt_user import NODE, PromptUser

pytestmark = pytest.mark.mrml
PROMPTS = Prompts(points=tuple(Point((n, n, n)) for n in range(5)))


def listen(subject, counter, **events):
    for name, event in events.items():
        subject.AddObserver(event, lambda *_, name=name: counter.update([name]))


@pytest.mark.parametrize("editors", [0, 1])
class TestOfASegment:
    @pytest.fixture
    def observed(self, builder, editors):
        """(a user with a written segment, its ID, the events since)."""
        user, counter = User(builder, editors), Counter()
        segment_id = user.write(0.4)
        segmentation = user.segmentation.GetSegmentation()
        event = slicer.vtkSegmentation.SegmentModified
        listen(segmentation, counter, segmentation=event)
        listen(user.segmentation, counter, node=event)
        listen(segmentation.GetSegment(segment_id), counter, segment="ModifiedEvent")
        return user, segment_id, counter

    def test_a_write_with_all_its_tags_is_one_event(self, observed):
        user, segment_id, counter = observed
        made = Provenance(PROMPTS, user.volume, "litemedsam", "1", "ab" * 32)
        user.write(0.6, segment_id, name="Lesion", provenance=made)
        assert counter == {"segment": 1, "segmentation": 1, "node": 1}

    def test_storing_prompts_sends_no_event(self, observed):
        user, segment_id, counter = observed
        for threshold in (0.4, 0.5):
            store(user.segmentation, segment_id, StoredPrompts(PROMPTS, "m", threshold))
        assert counter == {}


class TestOfPoints:
    @pytest.fixture
    def observed(self, builder):
        user, counter = PromptUser(builder), Counter()
        listen(user.list(), counter, point=NODE.PointModifiedEvent, node="ModifiedEvent")
        yield user, counter
        user.nodes.remove_nodes()

    def test_a_point_that_is_placed_gets_its_number_and_label_in_one(self, observed, builder):
        user, counter = observed
        user.click((1, 2, 3))
        of_ours = counter["point"]
        counter.clear()
        bare = builder.points([])
        listen(bare, counter, point=NODE.PointModifiedEvent)
        index = bare.AddControlPoint((0, 0, 0))
        bare.UnsetNthControlPointPosition(index)
        counter.clear()
        for status in (NODE.PositionPreview, NODE.PositionPreview, NODE.PositionDefined):
            bare.SetNthControlPointPosition(index, 1, 2, 3, status)
        assert of_ours <= counter["point"] + 2

    def test_a_drag_sends_the_events_of_the_mouse_and_no_more(self, observed):
        user, counter = observed
        user.click((1, 2, 3))
        counter.clear()
        user.drag(user.list(), 0, (5, 5, 5))
        assert counter == {"point": 3}

    def test_points_behind_a_removed_one_are_renumbered_in_one(self, observed):
        user, counter = observed
        user.nodes.load(PROMPTS)
        counter.clear()
        user.nodes.remove(user.nodes.ids[0])
        assert user.labels(True) == ["1", "2", "3", "4"]
        assert counter == {"point": 1}
