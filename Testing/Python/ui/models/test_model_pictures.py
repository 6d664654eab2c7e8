"""How users get models, as the pictures show it: nothing is cut in any state and look."""

import pytest

# Not marked mrml, so not run on the newer line as well: Qt draws, and that is the same.

EFFECT = ["missing", "downloading", "failed", "partly", "damaged", "limited", "waiting"]
PANEL = [*EFFECT, "installed"]
# As in test_pictures.py.
WITHOUT_EFFECT = 384
LOOKS = {"usual": {}, "narrow": {"width": 320}, "long": {"long_texts": True}}


@pytest.fixture(scope="module")
def client():
    """One worker process for all tests of this file."""
    from TestSupport.shared_worker import shared_worker

    with shared_worker() as client:
        yield client


@pytest.fixture
def pictures(application, client):
    from Pictures import model_pictures, panel_pictures, themes

    with panel_pictures.quick_worker(client):
        themes.use("light")
        yield model_pictures
        assert application.errors == []
        application.close()


def wrong(shown):
    from Pictures.layout_check import defects

    return defects(shown.window)


def test_the_states_are_what_they_are_called(application):
    from Pictures import model_states

    assert [*model_states.IN_EFFECT] == EFFECT and [*model_states.IN_PANEL] == PANEL


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("state", EFFECT)
def test_nothing_is_cut_in_the_effect(application, pictures, tmp_path, state, look):
    from Pictures.panel_pictures import Look

    with pictures.effect_in(application, state, Look(**LOOKS[look]), tmp_path / "models") as user:
        assert user.panel.ui.offerFrame.isVisible()
        assert wrong(user) == []


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("state", PANEL)
def test_nothing_is_cut_in_the_module_panel(application, pictures, tmp_path, state, look):
    from Pictures.panel_pictures import Look

    with pictures.panel_in(application, state, Look(**LOOKS[look]), tmp_path / "models") as window:
        assert wrong(window) == []


@pytest.mark.parametrize("state", EFFECT)
def test_the_effect_needs_no_wider_panel_for_it(application, pictures, tmp_path, state):
    from Pictures.panel_pictures import Look

    with pictures.effect_in(application, state, Look(width=100), tmp_path / "models") as user:
        assert user.window.width <= WITHOUT_EFFECT
