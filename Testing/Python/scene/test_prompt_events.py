"""Prompts placed with real mouse and key events in a slice view."""

import numpy as np
import pytest

from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.scene.placing import Placing
from SAMSegmentLib.scene.prompt_listener import PromptListener
from SAMSegmentLib.scene.prompt_nodes import PromptNodes
from SlicerHost.studio import affine
from SlicerHost.views import SliceView

pytestmark = pytest.mark.mrml

PLACES = {(-13, 2, 0): True, (30, -20, 0): False, (10, 25, 0): True, (-40, 40, 0): False}


class Desk(PromptListener):
    """A slice view over a volume, and prompts."""

    def __init__(self, studio, view) -> None:
        self.view = view
        self.events = []
        self.nodes = PromptNodes(studio.scene, self)
        self.placing = Placing(studio.scene, lambda: self.events.append("stopped"))

    def point_placed(self, number):
        self.events.append(("placed", number))

    def point_moved(self, number):
        self.events.append(("moved", number))

    def points_removed(self, numbers):
        self.events.append(("removed", *numbers))

    def roi_changed(self):
        self.events.append("roi")

    def place_all(self):
        for ras, positive in PLACES.items():
            self.placing.start(self.nodes.point_node(positive))
            self.view.click(ras)

    def flush(self):
        events, self.events = self.events, []
        return events

    @property
    def placed(self):
        return [(p.ras, p.positive) for p in self.nodes.prompts().points]

    def previews(self):
        """How many points follow the mouse."""
        lists = [self.nodes.point_node(positive) for positive in (True, False)]
        return sum(
            n.GetNumberOfControlPoints() - n.GetNumberOfDefinedControlPoints() for n in lists
        )


@pytest.fixture
def desk(studio):
    volume = studio.volume(affine(np.eye(3), (-64, -64, -4)), shape=(9, 128, 128))
    with SliceView(studio.host, "Red", size=(500, 500)) as view:
        view.show(volume)
        view.look_at((0, 0, 0))
        desk = Desk(studio, view)
        yield desk
        desk.placing.stop()
        desk.nodes.remove_nodes()


def test_clicks_place_points_where_the_mouse_is(desk):
    desk.place_all()
    assert desk.flush() == [("placed", n) for n in (1, 2, 3, 4)]
    for (ras, positive), (expected, sign) in zip(desk.placed, PLACES.items(), strict=True):
        # To a pixel.
        np.testing.assert_allclose(ras, expected, atol=0.3)
        assert positive == sign


def test_place_mode_goes_on_until_it_is_stopped(desk):
    desk.placing.start(desk.nodes.point_node(True))
    for ras in PLACES:
        desk.view.click(ras)
    assert len(desk.placed) == 4
    desk.placing.stop()
    desk.view.click((0, 0, 0))
    assert len(desk.placed) == 4
    assert desk.previews() == 0


def test_a_right_click_ends_it(desk):
    desk.placing.start(desk.nodes.point_node(True))
    desk.view.click((0, 0, 0))
    desk.view.click((20, 20, 0), "right")
    assert desk.flush() == [("placed", 1), "stopped"]
    assert desk.placing.active_node() is None


def test_a_drag_is_told_when_it_ends(desk):
    desk.place_all()
    desk.placing.stop()
    desk.flush()
    desk.view.drag(desk.placed[0][0], (-25, -10, 0), steps=8)
    assert desk.flush() == [("moved", 1)]
    np.testing.assert_allclose(desk.placed[0][0], (-25, -10, 0), atol=0.3)


def test_the_delete_key_removes_the_point_under_the_mouse(desk):
    desk.place_all()
    desk.placing.stop()
    desk.flush()
    desk.view.move(desk.placed[1][0])
    desk.view.key("Delete")
    assert desk.flush() == [("removed", 2)]
    assert [positive for _, positive in desk.placed] == [True, True, False]


def test_prompts_can_be_taken_back_while_placing(desk):
    desk.place_all()
    prompts = desk.nodes.prompts()
    desk.flush()
    for count in (3, 2, 3, 4, 0, 4):
        desk.nodes.load(Prompts(points=prompts.points[:count]))
        desk.view.move((count * 3, 5, 0))
        assert desk.nodes.prompts().points == prompts.points[:count]
        assert desk.previews() == 1
    desk.view.click((0, -40, 0))
    assert len(desk.placed) == 5
    assert desk.placing.active_node() is desk.nodes.point_node(False)
    desk.placing.stop()
    assert desk.previews() == 0


def test_an_roi_is_drawn_with_two_clicks(desk):
    node = desk.nodes.own_roi_node()
    desk.placing.start(node, persistent=False)
    desk.view.click((-45, -40, 0))
    assert desk.nodes.prompts().roi is None
    desk.view.click((45, 45, 0))
    roi = desk.nodes.prompts().roi
    np.testing.assert_allclose(roi.size[:2], (90, 85), atol=0.6)
    np.testing.assert_allclose(roi.center[:2], (0, 2.5), atol=0.3)
    assert desk.placing.active_node() is None
    assert set(desk.flush()) == {"roi", "stopped"}
