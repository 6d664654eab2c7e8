"""Real clicks in real views: where the mouse goes, the prompt lies, and the preview shows."""

import numpy as np
import pytest

from SlicerHost.studio import GRIDS, geometry_of
from SlicerHost.views import SliceView, ThreeDView
from TestSupport.phantoms import ball, dice

from .conftest import BALL, GRID, RADIUS

pytestmark = pytest.mark.mrml

TRUTH = ball(GRID, BALL, RADIUS)
BELOW = (33.0, 30.0, 9.0)


@pytest.fixture
def red(desk):
    with SliceView(desk.application, "Red", size=(300, 300)) as view:
        desk.application.add_views(view)
        view.show(desk.volume)
        view.look_at(BALL)
        yield view


def test_a_click_in_a_slice_view_places_a_positive_point_there(desk, red):
    where = red.click(BALL)
    assert dice(desk.proposal(), TRUTH) > 0.95
    placed = desk.list(True).GetNthControlPointPositionWorld(0)
    assert np.allclose(placed, where, atol=1e-6)


def test_clicks_go_on_placing_until_it_is_ended(desk, red):
    red.click(BALL)
    desk.proposal()
    desk.button("negativeButton", True)
    red.click((33, 39, 18))
    desk.proposal()
    assert desk.list(False).GetNumberOfDefinedControlPoints() == 1
    desk.button("negativeButton", False)
    red.click((39, 30, 18))
    assert len(desk.rows) == 2


def test_a_point_that_is_dragged_takes_the_proposal_along_when_it_is_let_go(desk, red):
    before = desk.propose(BALL)
    desk.button("positiveButton", False)
    red.look_at(BALL)
    red.drag(BALL, (30, 27, 18))
    after = desk.proposal()
    assert dice(after, before) > 0.9
    moved = desk.list(True).GetNthControlPointPositionWorld(0)
    assert np.allclose(moved, (30, 27, 18), atol=0.5)
    desk.button("undoPromptButton")
    desk.proposal()
    assert np.allclose(desk.list(True).GetNthControlPointPositionWorld(0), BALL)


def test_a_click_on_an_oblique_slice_lies_in_that_slice(desk, red):
    normal = np.array([0.3, -0.2, 1.0]) / np.linalg.norm([0.3, -0.2, 1.0])
    red.reformat(normal)
    red.look_at(BALL)
    where = red.click(BALL)
    assert dice(desk.proposal(), TRUTH) > 0.95
    placed = np.array(desk.list(True).GetNthControlPointPositionWorld(0))
    assert np.allclose(placed, where, atol=1e-6)
    assert abs((placed - BALL) @ normal) < 0.1


def test_an_roi_is_drawn_with_the_mouse(desk, red):
    desk.button("roiButton", True)
    red.click((20, 17, 18))
    red.click((46, 43, 18))
    mask = desk.proposal()
    assert "ROI" in desk.rows[0] and mask.any()
    assert not desk.ui.roiButton.isChecked()


def test_a_click_on_the_preview_in_3d_places_a_point_on_its_surface(desk):
    desk.propose(BALL)
    desk.application.wait(lambda: surface_of(desk) is not None, 5)
    with ThreeDView(desk.application, size=(300, 300)) as view:
        view.look_from("Anterior")
        view.render()
        where = view.click(BALL)
        assert where is not None
        desk.proposal()
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


def draw_roi(desk, size=(30, 30, 30)):
    # Red, as it is, it could be taken for a negative point.
    desk.segmentation.GetSegmentation().GetSegment(desk.first).SetColor(0.1, 0.4, 0.9)
    desk.button("roiButton", True)
    roi = desk.scene.GetFirstNodeByName("SAM Segment ROI")
    roi.SetCenterWorld(*BALL)
    roi.SetSize(*size)
    desk.button("roiButton", False)
    return roi


def test_after_apply_the_views_show_the_segment_alone(desk, red):
    draw_roi(desk)
    desk.proposal()
    desk.propose((39, 30, 18), positive=False)
    red.look_at((39, 30, 18))
    assert markups_pixels(red) > 100
    desk.apply()
    assert markups_pixels(red) == 0
    assert len(desk.rows) == 2 and "more points correct it" in desk.status


@pytest.mark.parametrize("how", ["point", "button", "row", "undo", "option"])
def test_a_correction_shows_the_prompts_again(desk, red, how):
    draw_roi(desk)
    desk.proposal()
    desk.propose((39, 30, 18), positive=False)
    red.look_at((39, 30, 18))
    desk.apply()
    if how == "point":
        desk.propose((30, 30, 18), positive=False)
    elif how == "button":
        desk.button("positiveButton", True)
    elif how == "row":
        desk.ui.promptList.setCurrentRow(1)
    elif how == "option":
        desk.button("fillHolesBox", False)
        desk.proposal()
    else:
        desk.button("undoPromptButton")
        desk.proposal()
    assert markups_pixels(red) > 100


def test_prompts_of_a_finished_segment_do_not_clutter_it_when_one_comes_back(desk, red):
    draw_roi(desk)
    desk.proposal()
    desk.apply()
    desk.editor.setCurrentSegmentID(desk.second)
    desk.editor.setCurrentSegmentID(desk.first)
    desk.application.process_events()
    assert len(desk.rows) == 1 and markups_pixels(red) == 0
    desk.propose((39, 30, 18), positive=False)
    assert markups_pixels(red) > 100


def test_in_3d_the_roi_does_not_lie_over_the_proposal(desk):
    with ThreeDView(desk.application, size=(300, 300)) as view:
        roi = draw_roi(desk)
        assert roi.GetDisplayNode().GetVisibility3D()
        desk.proposal()
        desk.application.wait(lambda: surface_of(desk) is not None, 5)
        view.fit()
        view.look_from("Anterior")
        view.render()
        assert markups_pixels(view) == 0
        desk.button("cancelButton")
        assert roi.GetDisplayNode().GetVisibility3D()


def test_a_point_hides_less_than_half_of_a_lesion_of_10_mm(desk):
    with SliceView(desk.application, "Red", size=(484, 372)) as view:
        desk.application.add_views(view)
        view.show(desk.volume)
        # As a whole body is seen: 400 mm.
        view.slice_node.SetFieldOfView(400, 400 * 372 / 484, 1)
        view.slice_node.UpdateMatrices()
        lesion = np.pi * (10 / 400 * 484 / 2) ** 2
        desk.segmentation.GetSegmentation().GetSegment(desk.first).SetColor(0.1, 0.4, 0.9)
        for positive, color in ((True, (77, 255, 89)), (False, (255, 38, 38))):
            desk.place(BALL, positive)
            # The number beside it has the same colour, and covers no lesion.
            desk.list(positive).GetDisplayNode().SetPointLabelsVisibility(False)
            desk.proposal()
            view.look_at(BALL)
            view.leave()
            glyph = changed_to(view.pixels().astype(int), color, 80)
            desk.button("clearButton")
            assert 8 < glyph < 0.5 * lesion


def surface_of(desk):
    segment = desk.preview.GetSegmentation().GetNthSegment(0)
    return segment.GetRepresentation("Closed surface")


def test_the_preview_is_drawn_in_the_slice_view(desk, red):
    desk.propose(BALL)
    desk.ui.opacitySlider.value = 0.5
    filled = red.pixels().astype(int)
    desk.ui.opacitySlider.value = 0.0
    outlined = red.pixels().astype(int)
    desk.button("cancelButton")
    nothing = red.pixels().astype(int)
    assert changed(filled, outlined) > 500
    assert 50 < changed(outlined, nothing) < changed(filled, nothing)


def changed(one, other) -> int:
    """How many pixels differ visibly."""
    return int((np.abs(one - other).sum(-1) > 30).sum())


def test_on_an_oblique_volume_a_click_means_what_is_under_it(make_desk):
    desk = make_desk(matrix=GRIDS["oblique"])
    geometry = geometry_of(desk.volume)
    middle = geometry.to_ras(np.argwhere(TRUTH).mean(0)[::-1])
    with SliceView(desk.application, "Yellow", size=(300, 300)) as view:
        view.show(desk.volume)
        view.look_at(middle)
        view.click(middle)
        mask = desk.proposal()
    assert (mask & TRUTH).sum() > 0.9 * TRUTH.sum()


@pytest.mark.parametrize(
    ("key", "expected"),
    [("N", "negativeButton"), ("O", "roiButton"), ("P", None)],
)
def test_keys_choose_what_is_placed(desk, key, expected):

    press(desk, key)
    buttons = ("positiveButton", "negativeButton", "roiButton")
    checked = [name for name in buttons if getattr(desk.ui, name).isChecked()]
    assert checked == ([expected] if expected else [])


def test_prompts_are_undone_and_applied_by_keys(desk):
    one = desk.propose(BALL)
    desk.propose(BELOW, positive=False)
    press(desk, "U")
    assert (desk.proposal() == one).all()
    press(desk, "Shift+U")
    two = desk.proposal()
    press(desk, "Ctrl+Return")
    assert (desk.mask() == two).all()


def test_the_keys_are_given_back_when_the_effect_is_left(desk):
    assert shortcuts(desk)
    desk.choose_effect("")
    desk.application.process_events()
    assert not shortcuts(desk) & {"P", "N", "O", "U", "X", "M", "C"}


def shortcuts(desk) -> set[str]:
    import qt

    window = desk.application.main_window
    return {s.key.toString() for s in window.findChildren(qt.QShortcut)}


def press(desk, key: str) -> None:
    """Presses a key in Slicer's window, as the window's shortcuts get it."""
    import qt

    window = desk.application.main_window
    wanted = qt.QKeySequence(key).toString()
    matching = [s for s in window.findChildren(qt.QShortcut) if s.key.toString() == wanted]
    assert len(matching) == 1, (key, shortcuts(desk))
    matching[0].activated.emit()
    desk.application.process_events()


def test_where_the_mouse_rests_the_worker_looks_ahead(desk, red, monkeypatch):
    looked = []
    monkeypatch.setattr(desk.session._service, "look", lambda image, ras: looked.append(ras))
    red.move((36, 33, 18))
    red.move((39, 33, 18))
    desk.wait(lambda: looked)
    assert np.allclose(looked[0], red.ras_of(red.xy_of((39, 33, 18))), atol=0.5)
    desk.application.wait(seconds=0.4)
    assert len(looked) == 1


def test_the_worker_is_told_in_which_slice_the_user_clicks(desk, red, monkeypatch):
    asked = []
    ask = desk.session._service.ask
    monkeypatch.setattr(
        desk.session._service, "ask", lambda who, what: asked.append(what) or ask(who, what)
    )
    with SliceView(desk.application, "Yellow", size=(200, 200)) as yellow:
        desk.application.add_views(yellow)
        yellow.show(desk.volume)
        yellow.look_at(BALL)
        yellow.click(BALL)
        desk.proposal()
    assert np.allclose(np.abs(asked[0].facing), (1, 0, 0), atol=1e-6)


def test_without_placing_nothing_is_looked_at(desk, red, monkeypatch):
    looked = []
    monkeypatch.setattr(desk.session._service, "look", lambda image, ras: looked.append(ras))
    desk.button("positiveButton", False)
    red.move((36, 33, 18))
    desk.application.wait(seconds=0.5)
    assert looked == []


def test_a_prompt_that_is_selected_in_the_list_is_shown_in_the_slice_views(desk, red):
    desk.propose(BALL)
    desk.propose(BELOW)
    red.look_at(BALL)
    desk.ui.promptList.setCurrentRow(1)
    assert red.slice_node.GetSliceOffset() == pytest.approx(BELOW[2])


def test_points_are_drawn_over_the_preview(desk):
    def order() -> list[str]:
        scene = desk.scene
        names = [scene.GetNthNode(n).GetName() for n in range(scene.GetNumberOfNodes())]
        return [name for name in names if name in ("SAM Segment preview", "SAM Segment +")]

    desk.propose(BALL)
    assert order() == ["SAM Segment preview", "SAM Segment +"]
    desk.editor.setCurrentSegmentID(desk.second)
    desk.propose(BALL)
    assert order() == ["SAM Segment preview", "SAM Segment +"]
