"""Getting a model where it is chosen: with a real child process, from a server of this computer."""

import numpy as np
import pytest

from SAMSegmentLib.weights.catalogue import catalogue
from TestSupport.downloading import plain_network, sha256_of
from TestSupport.phantoms import ball, dice
from TestSupport.served_model import served_model
from TestSupport.shared_worker import shared_worker
from TestSupport.weights_server import WeightsServer, flipped, honest, slow, status

from ..conftest import BALL, GRID, RADIUS

pytestmark = pytest.mark.mrml

NAME = "sam-med3d-turbo"
INT8 = f"{NAME}-int8"
TRUTH = ball(GRID, BALL, RADIUS)
CONTENT = np.random.default_rng(4).bytes(200_003)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The user's folder of models, for this process and its worker."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAMSEGMENT_MODELS", str(folder))
        yield folder


@pytest.fixture(scope="module")
def quick_worker(folder):
    """The worker of this file's tests: it starts with the first request, after `folder`."""
    with shared_worker() as client:
        yield client


@pytest.fixture
def server(monkeypatch):
    plain_network(monkeypatch)
    with WeightsServer(CONTENT) as server:
        yield server


@pytest.fixture(autouse=True)
def model(folder, server, monkeypatch):
    """SAM-Med3D turbo as the quick engine; its weights lie on the server."""
    changes = {"architecture": "quick", "file": "small.safetensors"}
    entry = served_model(server, **changes)
    monkeypatch.setitem(catalogue(), NAME, entry)
    other = served_model(server, name=INT8, title="SAM-Med3D int8", **changes)
    monkeypatch.setitem(catalogue(), INT8, other)
    yield entry
    for path in folder.iterdir():
        path.unlink()


def choose(user, name) -> None:
    selector = user.ui.modelSelector
    selector.setCurrentIndex(selector.findData(name))
    user.application.process_events()


def is_offered(user) -> bool:
    return user.ui.offerFrame.isVisible()


def has_ended(user) -> bool:
    return not user.ui.offerProgressBox.isVisible()


def from_file(user) -> None:
    """Presses "From file ..." and then "A file ..."."""
    assert user.ui.offerFileButton.isEnabled()
    user.ui.offerFileButton.menu().actions()[0].trigger()


def from_folder(user) -> None:
    user.ui.offerFileButton.menu().actions()[1].trigger()


def test_a_download_ends_with_the_answer_of_the_model(user, server, model, make_panel):
    other, service = make_other_editor(user), user.session._service
    panel = make_panel(service)
    choose(user, NAME)
    user.place(BALL)
    user.application.wait(seconds=0.3)
    assert server.requests == []  # nothing is fetched before somebody has asked for it
    assert is_offered(user) and user.preview_mask() is None and len(user.rows) == 1
    user.button("offerDownloadButton")
    assert not has_ended(user)
    user.wait(lambda: user.preview_mask() is not None)
    assert dice(user.preview_mask(), TRUTH) > 0.95
    assert not is_offered(user) and len(server.requests) == 1
    assert model.path.read_bytes() == CONTENT
    user.apply()
    assert user.mask().any()
    # All who show models know of it, of both that have the file.
    for ui in (user.ui, other.ui):
        titles = [ui.modelSelector.itemText(i) for i in range(ui.modelSelector.count)]
        assert {"SAM-Med3D turbo", "SAM-Med3D int8"} <= set(titles)
    tree = panel.ui.modelTree
    rows = [tree.topLevelItem(i) for i in range(len(catalogue()))]
    states = {row.text(0): row.text(1) for row in rows}
    assert states["SAM-Med3D turbo"] == states["SAM-Med3D int8"] == "installed"


def make_other_editor(user):
    """A second Segment Editor beside the first, with the effect."""

    class Other:
        editor = user.application.open_segment_editor(user.segmentation, user.volume)
        ui = editor.effectByName("SAM Segment").self()._panel.ui

    return Other


def test_what_was_cancelled_is_carried_on_and_all_prompts_are_kept(user, server, model):
    server.otherwise = slow(drip_s=0.1, drip_bytes=5_000)
    choose(user, NAME)
    user.place(BALL)
    user.button("offerDownloadButton")
    user.wait(lambda: "0.1 of 0.2 MB" in user.ui.offerProgressLabel.text)
    assert 200 < user.ui.offerProgressBar.value < 900
    assert user.ui.offerProgressLabel.text.startswith("Downloading from 127.0.0.1")
    user.button("offerCancelButton")
    assert has_ended(user) and not model.is_installed
    assert user.ui.offerMessage.text == "Cancelled. Download carries on from there."
    assert user.ui.offerDownloadButton.text == "Carry on" and len(user.rows) == 1
    server.otherwise = honest
    user.button("offerDownloadButton")
    user.wait(lambda: user.preview_mask() is not None)
    assert server.offsets[0] is None and 0 < server.offsets[1] < len(CONTENT)
    assert model.path.read_bytes() == CONTENT


def test_a_download_that_fails_says_why_and_can_be_tried_again(user, server, model):
    mask = user.propose()
    server._script.append(status(404))
    choose(user, NAME)
    user.button("offerDownloadButton")
    user.wait(lambda: has_ended(user))
    assert "404" in user.ui.offerMessage.text and not model.is_installed
    assert user.ui.offerDownloadButton.text == "Try again"
    assert len(user.rows) == 1 and (user.preview_mask() == mask).all()
    user.button("offerDownloadButton")
    user.wait(lambda: not is_offered(user))
    assert model.is_installed
    user.wait(lambda: not user.is_busy)


def test_a_damaged_download_is_never_installed(user, server, model):
    server.otherwise = flipped(7)
    choose(user, NAME)
    user.button("offerDownloadButton")
    user.wait(lambda: has_ended(user))
    assert "SHA-256" in user.ui.offerMessage.text and not model.is_installed
    assert is_offered(user) and user.ui.offerDownloadButton.text == "Try again"


def test_another_model_works_meanwhile(user, server, model):
    server.otherwise = slow(drip_s=0.1, drip_bytes=5_000)
    choose(user, NAME)
    user.button("offerDownloadButton")
    user.wait(lambda: "0.1 of 0.2 MB" in user.ui.offerProgressLabel.text)
    choose(user, "litemedsam")
    assert not is_offered(user)
    assert dice(user.propose(), TRUTH) > 0.95
    choose(user, INT8)  # the same file: its progress is shown, too
    assert is_offered(user) and not has_ended(user)
    user.button("offerCancelButton")
    assert user.ui.offerDownloadButton.text == "Carry on"


def test_a_download_goes_on_when_the_effect_is_left(user, server, model):
    choose(user, NAME)
    user.button("offerDownloadButton")
    user.choose_effect("Paint")
    user.wait(lambda: model.is_installed)
    user.choose_effect()
    user.wait(lambda: not is_offered(user))
    assert dice(user.propose(), TRUTH) > 0.95


def test_a_file_that_is_there_already_needs_no_network(user, server, model, tmp_path):
    stick = tmp_path / "from the stick.safetensors"
    stick.write_bytes(CONTENT)
    choose(user, NAME)
    user.place(BALL)
    user.application.choose(stick)
    from_file(user)
    user.wait(lambda: user.preview_mask() is not None)
    assert server.requests == [] and stick.read_bytes() == CONTENT
    assert model.path.read_bytes() == CONTENT and not is_offered(user)


def test_a_file_of_another_model_is_refused_where_it_was_chosen(user, server, model, tmp_path):
    mask = user.propose()
    wrong = tmp_path / "another.pth"
    wrong.write_bytes(b"another model")
    choose(user, NAME)
    user.application.choose(wrong)
    from_file(user)
    user.wait(lambda: has_ended(user))
    assert "is not the file of SAM-Med3D turbo" in user.ui.offerMessage.text
    assert not model.is_installed and wrong.exists() and server.requests == []
    assert len(user.rows) == 1 and (user.preview_mask() == mask).all()


def test_a_folder_without_the_file_is_refused_and_one_with_it_is_taken(user, model, tmp_path):
    choose(user, NAME)
    (tmp_path / "letters").mkdir()
    user.application.choose(tmp_path / "letters", tmp_path)
    from_folder(user)
    user.wait(lambda: has_ended(user))
    assert "is not in" in user.ui.offerMessage.text
    (tmp_path / "letters" / model.file).write_bytes(CONTENT)
    from_folder(user)
    user.wait(lambda: not is_offered(user))
    assert sha256_of(model.path.read_bytes()) == model.sha256


def test_who_chooses_no_file_changes_nothing(user, model):
    choose(user, NAME)
    user.application.choose("", "")
    from_file(user)
    from_folder(user)
    assert has_ended(user) and not user.ui.offerMessage.isVisible()


def test_a_damaged_file_that_the_worker_meets_can_be_downloaded_again(user, server, model):
    model.path.write_bytes(b"cut off")
    choose(user, NAME)
    assert not is_offered(user)
    user.place(BALL)
    user.wait(lambda: is_offered(user))
    assert user.ui.offerDownloadButton.text == "Download again" and "SHA-256" in user.status
    user.button("offerDownloadButton")
    user.wait(lambda: user.preview_mask() is not None)
    assert dice(user.preview_mask(), TRUTH) > 0.95 and not is_offered(user)


def test_removing_the_model_in_use_keeps_prompts_and_proposal(user, server, model):
    from SAMSegmentLib.ui.models.model_store import shared_model_store

    model.path.write_bytes(CONTENT)
    choose(user, NAME)
    mask = user.propose()
    shared_model_store().remove(NAME)
    user.application.process_events()
    assert is_offered(user) and "is not installed" in user.status and not model.path.exists()
    assert len(user.rows) == 1 and (user.preview_mask() == mask).all()
    user.apply()
    assert (user.mask() == mask).all()


def test_another_model_that_comes_or_goes_asks_nothing_anew(user, server, model):
    from SAMSegmentLib.ui.models.model_store import shared_model_store

    user.propose()
    user.apply()
    shared_model_store().install(NAME)
    user.wait(lambda: model.is_installed and shared_model_store().running_job is None)
    shared_model_store().remove(NAME)
    user.application.wait(seconds=0.2)
    assert not user.is_busy and user.preview_mask() is None and user.mask().any()
    # The worker was ended for it, and is there again.
    assert dice(user.propose((BALL[0] + 3, BALL[1], BALL[2])), TRUTH) > 0.95
