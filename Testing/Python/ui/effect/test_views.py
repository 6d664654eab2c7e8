"""Real clicks in real views: where the mouse goes, the prompt lies, and the preview shows."""

import numpy as np
import pytest

from SlicerHost.scene_builder import GRIDS
from SlicerHost.views import SliceView, ThreeDView
from TestSupport.phantoms import ball, dice
from TestSupport.scene_answers import geometry_of

from ..conftest import BALL, GRID, RADIUS

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)
BELOW = (33.0, 30.0, 9.0)


@pytest.fixture
def red(user):
    with SliceView(user.application, "Red", size=(300, 300)) as view:
        user.application.add_views(view)
        view.show(user.volume)
        view.look_at(BALL)
        yield view


def test_a_click_in_a_slice_view_places_a_positive_point_there(user, red):
    where = red.click(BALL)
    assert dice(user.proposal(), TRUTH) > 0.95
    placed = user.list(True).GetNthControlPointPositionWorld(0)
    assert np.allclose(placed, where, atol=1e-6)


def test_clicks_go_on_placing_until_it_is_ended(user, red):
    red.click(BALL)
    user.proposal()
    user.button("negativeButton", True)
    red.click((33, 39, 18))
    user.proposal()
    assert user.list(False).GetNumberOfDefinedControlPoints() == 1
    user.button("negativeButton", False)
    red.click((39, 30, 18))
    assert len(user.rows) == 2


def test_a_point_that_is_dragged_takes_the_proposal_along_when_it_is_let_go(user, red):
    before = user.propose(BALL)
    user.button("positiveButton", False)
    red.look_at(BALL)
    red.drag(BALL, (30, 27, 18))
    after = user.proposal()
    assert dice(after, before) > 0.9
    moved = user.list(True).GetNthControlPointPositionWorld(0)
    assert np.allclose(moved, (30, 27, 18), atol=0.5)
    user.button("undoPromptButton")
    user.proposal()
    assert np.allclose(user.list(True).GetNthControlPointPositionWorld(0), BALL)


def test_a_click_on_an_oblique_slice_lies_in_that_slice(user, red):
    normal = np.array([0.3, -0.2, 1.0]) / np.linalg.norm([0.3, -0.2, 1.0])
    red.reformat(normal)
    red.look_at(BALL)
    where = red.click(BALL)
    assert dice(user.proposal(), TRUTH) > 0.95
    placed = np.array(user.list(True).GetNthControlPointPositionWorld(0))
    assert np.allclose(placed, where, atol=1e-6)
    assert abs((placed - BALL) @ normal) < 0.1


def test_an_roi_is_drawn_with_the_mouse(user, red):
    user.button("roiButton", True)
    red.click((20, 17, 18))
    red.click((46, 43, 18))
    mask = user.proposal()
    assert "ROI" in user.rows[0] and mask.any()
    assert not user.ui.roiButton.isChecked()


def test_a_click_on_the_preview_in_3d_places_a_point_on_its_surface(user):
    user.propose(BALL)
    user.application.wait(lambda: surface_of(user) is not None, 5)
    with ThreeDView(user.application, size=(300, 300)) as view:
        view.look_from("Anterior")
        view.render()
        where = view.click(BALL)
        assert where is not None
        user.proposal()
    distance = np.linalg.norm(np.array(where) - BALL)
    assert abs(distance - RADIUS) < 4


def markups_pixels(view) -> int:
    """How many pixels have a colour of the ROI or of points."""
    view.leave()
    pixels = view.pixels().astype(int)
    return sum(
        changed_to(pixels, color) for color in ((77, 255, 89), (255, 38, 38), (255, 217, 51))
    )


def changed_to(pixels, color, tolerance=30) -> int:
    return int((np.abs(pixels - color).max(-1) < tolerance).sum())


def draw_roi(user, size=(30, 30, 30)):
    # Red, as it is, it could be taken for a negative point.
    user.segmentation.GetSegmentation().GetSegment(user.first).SetColor(0.1, 0.4, 0.9)
    user.button("roiButton", True)
    roi = user.scene.GetFirstNodeByName("SAM Segment ROI")
    roi.SetCenterWorld(*BALL)
    roi.SetSize(*size)
    user.button("roiButton", False)
    return roi


def test_after_apply_the_views_show_the_segment_alone(user, red):
    draw_roi(user)
    user.proposal()
    user.propose((39, 30, 18), positive=False)
    red.look_at((39, 30, 18))
    assert markups_pixels(red) > 100
    user.apply()
    assert markups_pixels(red) == 0
    assert len(user.rows) == 2 and "more points correct it" in user.status


@pytest.mark.parametrize("how", ["point", "button", "row", "undo", "option"])
def test_a_correction_shows_the_prompts_again(user, red, how):
    draw_roi(user)
    user.proposal()
    user.propose((39, 30, 18), positive=False)
    red.look_at((39, 30, 18))
    user.apply()
    if how == "point":
        user.propose((30, 30, 18), positive=False)
    elif how == "button":
        user.button("positiveButton", True)
    elif how == "row":
        user.ui.promptList.setCurrentRow(1)
    elif how == "option":
        user.button("fillHolesBox", False)
        user.proposal()
    else:
        user.button("undoPromptButton")
        user.proposal()
    assert markups_pixels(red) > 100


def test_prompts_of_a_finished_segment_do_not_clutter_it_when_one_comes_back(user, red):
    draw_roi(user)
    user.proposal()
    user.apply()
    user.editor.setCurrentSegmentID(user.second)
    user.editor.setCurrentSegmentID(user.first)
    user.application.process_events()
    assert len(user.rows) == 1 and markups_pixels(red) == 0
    user.propose((39, 30, 18), positive=False)
    assert markups_pixels(red) > 100


def test_in_3d_the_roi_does_not_lie_over_the_proposal(user):
    with ThreeDView(user.application, size=(300, 300)) as view:
        roi = draw_roi(user)
        assert roi.GetDisplayNode().GetVisibility3D()
        user.proposal()
        user.application.wait(lambda: surface_of(user) is not None, 5)
        view.fit()
        view.look_from("Anterior")
        view.render()
        assert markups_pixels(view) == 0
        user.button("cancelButton")
        assert roi.GetDisplayNode().GetVisibility3D()


def test_a_point_hides_less_than_half_of_a_lesion_of_10_mm(user):
    with SliceView(user.application, "Red", size=(484, 372)) as view:
        user.application.add_views(view)
        view.show(user.volume)
        # As a whole body is seen: 400 mm.
        view.slice_node.SetFieldOfView(400, 400 * 372 / 484, 1)
        view.slice_node.UpdateMatrices()
        lesion = np.pi * (10 / 400 * 484 / 2) ** 2
        user.segmentation.GetSegmentation().GetSegment(user.first).SetColor(0.1, 0.4, 0.9)
        for positive, color in ((True, (77, 255, 89)), (False, (255, 38, 38))):
            user.place(BALL, positive)
            # The number beside it has the same colour, and covers no lesion.
            user.list(positive).GetDisplayNode().SetPointLabelsVisibility(False)
            user.proposal()
            view.look_at(BALL)
            view.leave()
            glyph = changed_to(view.pixels().astype(int), color, 80)
            user.button("clearButton")
            assert 8 < glyph < 0.5 * lesion


def surface_of(user):
    segment = user.preview.GetSegmentation().GetNthSegment(0)
    return segment.GetRepresentation("Closed surface")


def test_the_preview_is_drawn_in_the_slice_view(user, red):
    user.propose(BALL)
    user.ui.opacitySlider.value = 0.5
    filled = red.pixels().astype(int)
    user.ui.opacitySlider.value = 0.0
    outlined = red.pixels().astype(int)
    user.button("cancelButton")
    nothing = red.pixels().astype(int)
    assert changed(filled, outlined) > 500
    assert 50 < changed(outlined, nothing) < changed(filled, nothing)


def changed(one, other) -> int:
    """How many pixels differ visibly."""
    return int((np.abs(one - other).sum(-1) > 30).sum())


def test_on_an_oblique_volume_a_click_means_what_is_under_it(make_user):
    user = make_user(matrix=GRIDS["oblique"])
    geometry = geometry_of(user.volume)
    middle = geometry.to_ras(np.argwhere(TRUTH).mean(0)[::-1])
    with SliceView(user.application, "Yellow", size=(300, 300)) as view:
        view.show(user.volume)
        view.look_at(middle)
        view.click(middle)
        mask = user.proposal()
    assert (mask & TRUTH).sum() > 0.9 * TRUTH.sum()


@pytest.mark.parametrize(
    ("key", "expected"),
    [("N", "negativeButton"), ("O", "roiButton"), ("P", None)],
)
def test_keys_choose_what_is_placed(user, key, expected):

    press(user, key)
    buttons = ("positiveButton", "negativeButton", "roiButton")
    checked = [name for name in buttons if getattr(user.ui, name).isChecked()]
    assert checked == ([expected] if expected else [])


def test_prompts_are_undone_and_applied_by_keys(user):
    one = user.propose(BALL)
    user.propose(BELOW, positive=False)
    press(user, "U")
    assert (user.proposal() == one).all()
    press(user, "Shift+U")
    two = user.proposal()
    press(user, "Ctrl+Return")
    assert (user.mask() == two).all()


def test_the_keys_are_given_back_when_the_effect_is_left(user):
    assert shortcuts(user)
    user.choose_effect("")
    user.application.process_events()
    assert not shortcuts(user) & {"P", "N", "O", "U", "X", "M", "C"}


def shortcuts(user) -> set[str]:
    import qt

    window = user.application.main_window
    return {s.key.toString() for s in window.findChildren(qt.QShortcut)}


def press(user, key: str) -> None:
    """Presses a key in Slicer's window, as the window's shortcuts get it."""
    import qt

    window = user.application.main_window
    wanted = qt.QKeySequence(key).toString()
    matching = [s for s in window.findChildren(qt.QShortcut) if s.key.toString() == wanted]
    assert len(matching) == 1, (key, shortcuts(user))
    matching[0].activated.emit()
    user.application.process_events()


def test_where_the_mouse_rests_the_worker_prepares_for_a_click(user, red, monkeypatch):
    prepared = []
    monkeypatch.setattr(user.session._service, "prepare", lambda image, ras: prepared.append(ras))
    red.move((36, 33, 18))
    red.move((39, 33, 18))
    user.wait(lambda: prepared)
    assert np.allclose(prepared[0], red.ras_of(red.xy_of((39, 33, 18))), atol=0.5)
    user.application.wait(seconds=0.4)
    assert len(prepared) == 1


def test_the_worker_knows_in_which_slice_the_user_clicks(user, red, monkeypatch):
    requests, service = [], user.session._service
    send = service.request
    monkeypatch.setattr(
        service, "request", lambda listener, new: requests.append(new) or send(listener, new)
    )
    with SliceView(user.application, "Yellow", size=(200, 200)) as yellow:
        user.application.add_views(yellow)
        yellow.show(user.volume)
        yellow.look_at(BALL)
        yellow.click(BALL)
        user.proposal()
    assert np.allclose(np.abs(requests[0].facing), (1, 0, 0), atol=1e-6)


def test_without_placing_nothing_is_prepared(user, red, monkeypatch):
    prepared = []
    monkeypatch.setattr(user.session._service, "prepare", lambda image, ras: prepared.append(ras))
    user.button("positiveButton", False)
    red.move((36, 33, 18))
    user.application.wait(seconds=0.5)
    assert prepared == []


def test_a_prompt_that_is_selected_in_the_list_is_shown_in_the_slice_views(user, red):
    user.propose(BALL)
    user.propose(BELOW)
    red.look_at(BALL)
    user.ui.promptList.setCurrentRow(1)
    assert red.slice_node.GetSliceOffset() == pytest.approx(BELOW[2])


def test_points_are_drawn_over_the_preview(user):
    def order() -> list[str]:
        scene = user.scene
        names = [scene.GetNthNode(n).GetName() for n in range(scene.GetNumberOfNodes())]
        return [name for name in names if name in ("SAM Segment preview", "SAM Segment +")]

    user.propose(BALL)
    assert order() == ["SAM Segment preview", "SAM Segment +"]
    user.editor.setCurrentSegmentID(user.second)
    user.propose(BALL)
    assert order() == ["SAM Segment preview", "SAM Segment +"]
