"""Choosing a model whose weights the user has to get first, or that takes other prompts."""

import dataclasses
import hashlib
import os
import shutil

import pytest

from SAMSegmentLib.weights.catalogue import catalogue, model_entry
from TestSupport.own_model import put_own_model
from TestSupport.phantoms import ball, dice
from TestSupport.shared_worker import shared_worker

from ..conftest import BALL, GRID, RADIUS

pytestmark = pytest.mark.mrml

NAME = "sam-med3d-turbo"
TRUTH = ball(GRID, BALL, RADIUS)
WEIGHTS = b"weights for a test"


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


@pytest.fixture(autouse=True)
def model(folder, monkeypatch):
    """SAM-Med3D turbo with small weights and, as it were, the quick engine; not installed yet."""
    entry = dataclasses.replace(
        model_entry(NAME), architecture="quick", sha256=hashlib.sha256(WEIGHTS).hexdigest()
    )
    monkeypatch.setitem(catalogue(), NAME, entry)
    yield entry
    entry.path.unlink(missing_ok=True)


@pytest.fixture
def install(model):
    """Puts the weights, or what else they may hold, into the user's folder."""

    def install(content: bytes = WEIGHTS) -> None:
        model.path.write_bytes(content)
        # Whatever the clock's steps: other content is not taken for the one before.
        install.times += 1
        os.utime(model.path, (install.times, install.times))

    install.times = 0
    return install


@pytest.fixture
def messages(user, monkeypatch):
    """The messages to the worker: their kinds, and the names of models."""
    messages = []
    client = user.session._service.client

    def note(name, model_of):
        method = getattr(client, name)

        def noted(argument, *more):
            messages.append((name, model_of(argument)))
            return method(argument, *more)

        monkeypatch.setattr(client, name, noted)

    note("load", lambda model: model.name)
    note("ask", lambda request: request.model.name)
    note("prepare_click", lambda image: None)
    return messages


def choose(user, name) -> None:
    selector = user.ui.modelSelector
    selector.setCurrentIndex(selector.findData(name))
    user.application.process_events()


def titles(user) -> dict[str, str]:
    selector = user.ui.modelSelector
    return {selector.itemData(i): selector.itemText(i) for i in range(selector.count)}


def is_error(user) -> bool:
    return is_meant(user, "error")


def is_meant(user, kind: str) -> bool:
    from SAMSegmentLib.ui.common.status import COLORS

    return any(color in user.ui.statusLabel.styleSheet for color in COLORS[kind])


def missing(model) -> str:
    return f"{model.title} is not installed: download it above, or choose another model."


def made_by(user) -> str:
    from SAMSegmentLib.scene import provenance

    segment = user.segmentation.GetSegmentation().GetSegment(user.first)
    tags = [provenance.tag_of(segment, name) for name in (provenance.MODEL, "SAMSegment.Version")]
    assert tags[1]
    assert provenance.tag_of(segment, provenance.WEIGHTS_SHA256) == model_entry(tags[0]).sha256
    return tags[0]


def measured_line(user):
    line = user.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Long axis")
    line.AddControlPointWorld(BALL[0] - RADIUS, BALL[1], BALL[2])
    line.AddControlPointWorld(BALL[0] + RADIUS, BALL[1], BALL[2])
    user.ui.lineSelector.setCurrentNode(line)
    return line


# Not installed


def test_the_selector_says_which_models_are_not_installed(user, install):
    assert titles(user)["litemedsam"] == "LiteMedSAM"
    assert titles(user)[NAME] == "SAM-Med3D turbo (not installed)"
    assert titles(user)[f"{NAME}-int8"] == "SAM-Med3D int8 (not installed)"
    install()
    user.choose_effect("Paint")
    user.choose_effect()
    # The same file serves both.
    assert titles(user)[NAME] == "SAM-Med3D turbo"
    assert titles(user)[f"{NAME}-int8"] == "SAM-Med3D int8"


def test_choosing_one_says_at_once_how_to_get_it_and_asks_nothing_of_the_worker(
    user, model, messages
):
    assert not user.ui.offerFrame.isVisible()
    choose(user, NAME)
    assert user.status == missing(model) and is_meant(user, "warning")
    assert user.ui.modelSelector.currentText == "SAM-Med3D turbo"  # there is no room for more
    assert user.ui.offerFrame.isVisible() and user.ui.optionsSection.collapsed
    assert user.ui.offerLabel.text == "402 MB, Apache-2.0, from huggingface.co"
    assert user.ui.offerDownloadButton.text == "Download"
    user.session.mouse_moved(BALL, (0.0, 0.0, 1.0))
    user.application.wait(seconds=0.3)
    assert messages == []
    choose(user, "litemedsam")
    assert user.status == "" and messages == [("load", "litemedsam")]
    assert not user.ui.offerFrame.isVisible()


def test_a_scene_that_comes_with_one_says_so_when_the_effect_is_chosen(user, model):
    choose(user, NAME)
    user.choose_effect("Paint")
    user.choose_effect()
    assert user.status == missing(model) and is_meant(user, "warning")
    assert user.ui.offerFrame.isVisible()


def test_prompts_and_proposal_are_kept_and_the_proposal_stays_that_of_its_model(
    user, model, messages
):
    mask = user.propose()
    del messages[:]
    choose(user, NAME)
    user.wait(lambda: user.status == missing(model))
    assert is_meant(user, "warning") and not user.is_busy and messages == []
    assert len(user.rows) == 1 and (user.preview_mask() == mask).all()
    user.apply()
    assert (user.mask() == mask).all()
    assert made_by(user) == "litemedsam"


def test_prompts_that_are_placed_meanwhile_are_kept_for_a_model_that_is_there(
    user, model, messages
):
    choose(user, NAME)
    user.place(BALL)
    user.wait(lambda: len(user.rows) == 1)
    user.application.process_events()
    assert user.status == missing(model) and is_meant(user, "warning") and messages == []
    assert user.preview_mask() is None and not user.ui.applyButton.isEnabled()
    choose(user, "litemedsam")
    assert dice(user.proposal(), TRUTH) > 0.95


def test_a_prediction_under_way_is_given_up(make_user, model):
    user = make_user(modality="SLOW")
    user.place(BALL)
    user.wait(lambda: "Slice" in user.status)
    choose(user, NAME)
    user.wait(lambda: user.status == missing(model))
    assert not user.is_busy and not user.ui.progressBar.isVisible()


def test_once_the_file_is_there_the_next_prompt_is_answered(user, install):
    choose(user, NAME)
    user.place(BALL)
    user.wait(lambda: "not installed" in user.status)
    install()
    mask = user.propose((BALL[0] + 3, BALL[1], BALL[2]))
    assert dice(mask, TRUTH) > 0.95
    user.apply()
    assert made_by(user) == NAME


# Installed


def test_one_that_is_installed_is_loaded_when_it_is_chosen(user, messages, install):
    install()
    choose(user, NAME)
    assert messages == [("load", NAME)]
    assert user.status == ""
    assert dice(user.propose(), TRUTH) > 0.95


def test_a_damaged_file_is_reported_once_when_it_is_needed_and_nothing_is_lost(
    user, install, messages, caplog, folder
):
    mask = user.propose()
    install(b"weights, cut off")
    del messages[:]
    choose(user, NAME)
    user.wait(lambda: "SHA-256" in user.status)
    assert messages == [("load", NAME), ("ask", NAME)]
    assert is_error(user) and str(folder) in user.status
    assert user.ui.offerMessage.text == "The file is damaged, or another model's."
    assert user.ui.offerDownloadButton.text == "Download again"
    user.application.wait(seconds=0.3)
    # The worker has met it twice, when it loaded and when it was asked; the user reads it once.
    assert len([r for r in caplog.records if "SHA-256" in r.getMessage()]) == 1
    assert len(user.rows) == 1 and (user.preview_mask() == mask).all()
    install()
    user.propose((BALL[0] + 3, BALL[1], BALL[2]))
    assert "SHA-256" not in user.status and not user.ui.offerFrame.isVisible()


def test_slicer_reads_no_large_file_itself(user, install, monkeypatch):
    from SAMSegmentLib.ui.module.diagnostics import diagnostics
    from SAMSegmentLib.weights import entry as module

    install()
    read = []
    monkeypatch.setattr(module, "file_sha256", lambda path: read.append(path.name) or "0" * 64)
    choose(user, NAME)
    user.propose()
    user.apply()
    diagnostics(user.session._service.client)
    assert set(read) == {"litemedsam.safetensors", "samsegment3d.safetensors"}


def test_a_model_of_the_users_own_is_there_when_the_effect_is_entered_again(user, folder):
    put_own_model(folder, "mine", title="Mine", architecture="quick")
    user.choose_effect("Paint")
    user.choose_effect()
    try:
        choose(user, "mine")
        assert user.ui.modelSelector.currentText == "Mine" and not user.ui.offerFrame.isVisible()
        user.propose()
        assert dice(user.preview_mask(), TRUTH) > 0.9
    finally:
        shutil.rmtree(folder / "mine")
    user.choose_effect("Paint")
    user.choose_effect()
    assert user.ui.modelSelector.findData("mine") == -1


# A model that takes no line


def test_a_model_without_lines_has_no_line_selector_and_says_why(user, install):
    selector = user.ui.lineSelector
    tip = selector.toolTip
    assert selector.isEnabled() and "RECIST" in tip
    install()
    choose(user, NAME)
    assert not selector.isEnabled()
    assert selector.toolTip.startswith("SAM-Med3D turbo does not take a line")
    choose(user, "litemedsam")
    assert selector.isEnabled() and selector.toolTip == tip


def test_a_line_in_use_is_refused_by_such_a_model_and_not_lost(user, install):
    install()
    line = measured_line(user)
    mask = user.proposal()
    choose(user, NAME)
    user.wait(lambda: "does not take a line" in user.status)
    assert is_error(user) and "draw an ROI" in user.status
    assert user.rows == ["Line   24.0 mm"] and user.ui.lineSelector.currentNode() is line
    assert (user.preview_mask() == mask).all()
    choose(user, "litemedsam")
    assert (user.proposal() == mask).all()


def test_the_line_can_be_taken_out_of_the_list(user, install):
    install()
    measured_line(user)
    user.proposal()
    choose(user, NAME)
    user.wait(lambda: "does not take a line" in user.status)
    user.place(BALL)
    user.wait(lambda: "remove the line" in user.status)
    user.ui.promptList.setCurrentRow(0)
    user.button("deleteButton")
    assert dice(user.proposal(), TRUTH) > 0.95
    assert user.ui.lineSelector.currentNode() is None


def test_a_line_beside_a_segment_that_is_refined_is_refused_too(user, install):
    user.propose()
    user.apply()
    user.button("clearButton")
    selector = user.ui.startSelector
    selector.setCurrentIndex(selector.findData("refine"))
    measured_line(user)
    user.proposal()
    install()
    choose(user, NAME)
    user.wait(lambda: "does not take a line" in user.status)
    assert is_error(user)
    assert user.rows == ["Line   24.0 mm"] and user.mask().any()


def test_an_entry_that_changes_while_the_effect_is_used_is_the_one_that_is_asked(user, monkeypatch):
    user.propose(BALL)
    changed = dataclasses.replace(model_entry("litemedsam"), title="Trained again")
    monkeypatch.setitem(catalogue(), "litemedsam", changed)
    assert user.propose((33, 30, 27)).any()
    assert user.session._requester.shown.request.model == changed
