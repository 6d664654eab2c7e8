"""Prompts placed with real mouse and key events in a slice view."""

import numpy as np
import pytest

from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.scene.placing import Placing
from SAMSegmentLib.scene.prompt_nodes import PromptNodes
from SlicerHost.scene_builder import affine
from SlicerHost.views import SliceView

pytestmark = pytest.mark.mrml

PLACES = {(-13, 2, 0): True, (30, -20, 0): False, (10, 25, 0): True, (-40, 40, 0): False}


class User:
    """A slice view over a volume, and prompts."""

    def __init__(self, builder, view) -> None:
        self.view = view
        self.events = []
        self.nodes = PromptNodes(builder.scene, lambda: self.events.append("changed"))
        self.placing = Placing(builder.scene, lambda: self.events.append("stopped"))

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
def user(builder):
    volume = builder.volume(affine(np.eye(3), (-64, -64, -4)), shape=(9, 128, 128))
    with SliceView(builder.host, "Red", size=(500, 500)) as view:
        view.show(volume)
        view.look_at((0, 0, 0))
        user = User(builder, view)
        yield user
        user.placing.stop()
        user.nodes.remove_nodes()


def test_clicks_place_points_where_the_mouse_is(user):
    user.place_all()
    assert user.flush() == ["changed"] * 4
    for (ras, positive), (expected, sign) in zip(user.placed, PLACES.items(), strict=True):
        # To a pixel.
        np.testing.assert_allclose(ras, expected, atol=0.3)
        assert positive == sign


def test_place_mode_goes_on_until_it_is_stopped(user):
    user.placing.start(user.nodes.point_node(True))
    for ras in PLACES:
        user.view.click(ras)
    assert len(user.placed) == 4
    user.placing.stop()
    user.view.click((0, 0, 0))
    assert len(user.placed) == 4
    assert user.previews() == 0


def test_a_right_click_ends_it(user):
    user.placing.start(user.nodes.point_node(True))
    user.view.click((0, 0, 0))
    user.view.click((20, 20, 0), "right")
    assert user.flush() == ["changed", "stopped"]
    assert user.placing.active_node() is None


def test_a_drag_is_reported_when_it_ends(user):
    user.place_all()
    user.placing.stop()
    user.flush()
    user.view.drag(user.placed[0][0], (-25, -10, 0), steps=8)
    assert user.flush() == ["changed"]
    np.testing.assert_allclose(user.placed[0][0], (-25, -10, 0), atol=0.3)


def test_the_delete_key_removes_the_point_under_the_mouse(user):
    user.place_all()
    user.placing.stop()
    user.flush()
    user.view.move(user.placed[1][0])
    user.view.key("Delete")
    assert user.flush() == ["changed"]
    assert [positive for _, positive in user.placed] == [True, True, False]


def test_prompts_can_be_taken_back_while_placing(user):
    user.place_all()
    prompts = user.nodes.prompts()
    user.flush()
    for count in (3, 2, 3, 4, 0, 4):
        user.nodes.load(Prompts(points=prompts.points[:count]))
        user.view.move((count * 3, 5, 0))
        assert user.nodes.prompts().points == prompts.points[:count]
        assert user.previews() == 1
    user.view.click((0, -40, 0))
    assert len(user.placed) == 5
    assert user.placing.active_node() is user.nodes.point_node(False)
    user.placing.stop()
    assert user.previews() == 0


def test_an_roi_is_drawn_with_two_clicks(user):
    node = user.nodes.own_roi_node()
    user.placing.start(node, persistent=False)
    user.view.click((-45, -40, 0))
    assert user.nodes.prompts().roi is None
    user.view.click((45, 45, 0))
    roi = user.nodes.prompts().roi
    np.testing.assert_allclose(roi.size[:2], (90, 85), atol=0.6)
    np.testing.assert_allclose(roi.center[:2], (0, 2.5), atol=0.3)
    assert user.placing.active_node() is None
    assert set(user.flush()) == {"changed", "stopped"}
