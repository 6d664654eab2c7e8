"""The panel in all its states and looks, and the views, as the pictures show them."""

import numpy as np
import pytest
from PIL import Image

# Not marked mrml, so not run on the newer line as well: Qt draws, and that is the same.

STATES = ["empty", "ready", "busy", "warning", "error", "options"]
# Without the effect it is 381 pixels wide, at least; less than half a digit more is no matter.
WITHOUT_EFFECT = 384
VIEW = (160, 140)


@pytest.fixture(scope="module")
def client():
    """One worker process for all tests of this file."""
    from TestSupport.shared_worker import shared_worker

    with shared_worker() as client:
        yield client


@pytest.fixture
def user(application, client):
    from Pictures import panel_pictures, panel_states, themes

    with panel_pictures.quick_worker(client):
        themes.use("light")
        yield panel_states.make_user(application)
        application.close()


def show(user, state, **look):
    from Pictures.panel_pictures import Look, show_state

    show_state(user, state, Look(**look))


def wrong(user):
    from Pictures.layout_check import defects

    return defects(user.window)


@pytest.mark.parametrize("state", STATES)
def test_at_any_width_no_text_is_cut_and_nothing_overlaps(user, state):
    show(user, state)
    assert wrong(user) == []
    for width in (320, 600):
        user.resize(width)
        assert wrong(user) == [], width


@pytest.mark.parametrize("state", STATES)
def test_there_is_room_for_languages_with_longer_words(user, state):
    show(user, state, long_texts=True)
    assert wrong(user) == []


@pytest.mark.parametrize("state", STATES)
def test_the_effect_needs_no_wider_panel_than_the_segment_editor(user, state):
    show(user, state, width=100)
    assert user.window.width <= WITHOUT_EFFECT


def test_the_states_are_what_they_are_called(application, client):
    from Pictures import panel_states

    assert list(panel_states.STATES) == STATES


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_status_lines_are_readable_on_both_themes(user, theme):
    from Pictures import themes
    from SAMSegmentLib.ui.common.status import COLORS
    from SAMSegmentLib.ui.effect.panel_state import PanelState

    themes.use(theme)
    user.application.process_events()
    for kind in COLORS:
        user.panel.show(PanelState(status="Applied.", status_kind=kind))
        shown = user.panel.ui.statusLabel.styleSheet.removeprefix("color: ")
        assert contrast(shown, themes.THEMES[theme]["Window"]) > 4.5, (kind, shown)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, by the Web Content Accessibility Guidelines."""
    values = np.array([[int(c[n : n + 2], 16) / 255 for n in (1, 3, 5)] for c in (one, other)])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    dark, light = sorted(linear @ [0.2126, 0.7152, 0.0722])
    return (light + 0.05) / (dark + 0.05)


def test_a_cut_text_and_widgets_over_each_other_are_found(application):
    import qt

    from Pictures.layout_check import defects

    window = qt.QWidget()
    window.resize(200, 100)
    for x, text in ((0, "Apply"), (20, "Cancel")):
        button = qt.QPushButton(text, window)
        button.setGeometry(x, 0, 40, 30)
    window.show()
    found = defects(window)
    assert [text for text in found if '"Cancel" lacks' in text]
    assert [text for text in found if "lies over" in text]
    below = qt.QLabel("A text of several words", window)
    below.setGeometry(0, 95, 190, 20)
    below.show()
    assert [text for text in defects(window) if "leaves" in text]


def test_a_layout_with_room_has_no_defects(application):
    import qt

    from Pictures.layout_check import defects

    window = qt.QWidget()
    layout = qt.QVBoxLayout(window)
    for text in ("Apply", "Cancel"):
        layout.addWidget(qt.QPushButton(text))
    window.show()
    assert defects(window) == []


def test_the_views_show_points_and_preview(user, tmp_path):
    from Pictures.four_views import FourViews
    from Pictures.panel_states import BALL

    views = FourViews(user.application, user.volume, VIEW, 400, 100)
    views.look_at(BALL)
    before = picture_of(views, tmp_path)
    views.red.click(BALL)
    user.wait_for_proposal()
    views.look_from("Anterior")
    after = picture_of(views, tmp_path)
    for part in quarters(np.abs(after.astype(int) - before).sum(-1) > 25):
        assert part.mean() > 0.02


def picture_of(views, folder) -> np.ndarray:
    return np.asarray(Image.open(views.picture(folder / "views.png")))


def quarters(picture):
    middle = [n // 2 for n in picture.shape]
    for rows in (slice(0, middle[0]), slice(middle[0], None)):
        for columns in (slice(0, middle[1]), slice(middle[1], None)):
            yield picture[rows, columns]


def test_the_panel_stands_at_the_left_of_the_views(application):
    from Pictures.view_pictures import beside

    panel, views = (Image.new("RGB", size, name) for size, name in SIDES)
    picture = beside(panel, views)
    assert picture.size == (151, 80)
    assert picture.getpixel((10, 10)) == (255, 0, 0)
    assert picture.getpixel((10, 70)) == (255, 255, 255)
    assert picture.getpixel((60, 70)) == (0, 0, 255)


SIDES = (((50, 60), "red"), ((100, 80), "blue"))
