"""Choosing a model whose weights the user has to get first, or that takes other prompts."""

import dataclasses
import hashlib
import os

import pytest

from SAMSegmentLib.weights.catalogue import catalogue, model_entry
from TestSupport.kept_worker import kept_worker
from TestSupport.phantoms import ball, dice

from .conftest import BALL, GRID, RADIUS

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
    with kept_worker("TestSupport.quick_engine:ENGINES") as client:
        yield client


@pytest.fixture(autouse=True)
def model(folder, monkeypatch):
    """SAM-Med3D turbo with small weights and, as it were, the quick engine; not installed yet."""
    entry = dataclasses.replace(
        model_entry(NAME), architecture="litemedsam", sha256=hashlib.sha256(WEIGHTS).hexdigest()
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
def told(desk, monkeypatch):
    """What the worker was told: names of models by kind of message."""
    told = []
    client = desk.session._service.client

    def note(name, model_of):
        method = getattr(client, name)

        def noted(argument, *more):
            told.append((name, model_of(argument)))
            return method(argument, *more)

        monkeypatch.setattr(client, name, noted)

    note("load", lambda model: model.name)
    note("ask", lambda request: request.model.name)
    note("look", lambda image: None)
    return told


def choose(desk, name) -> None:
    selector = desk.ui.modelSelector
    selector.setCurrentIndex(selector.findData(name))
    desk.application.process_events()


def titles(desk) -> dict[str, str]:
    selector = desk.ui.modelSelector
    return {selector.itemData(i): selector.itemText(i) for i in range(selector.count)}


def is_error(desk) -> bool:
    return is_meant(desk, "error")


def is_meant(desk, kind: str) -> bool:
    from SAMSegmentLib.ui.status_style import COLORS

    return any(color in desk.ui.statusLabel.styleSheet for color in COLORS[kind])


def missing(model) -> str:
    return f"{model.title} is not installed: download it above, or choose another model."


def made_by(desk) -> str:
    from SAMSegmentLib.scene import provenance

    segment = desk.segmentation.GetSegmentation().GetSegment(desk.first)
    tags = [provenance.tag_of(segment, name) for name in (provenance.MODEL, "SAMSegment.Version")]
    assert tags[1]
    assert provenance.tag_of(segment, provenance.WEIGHTS_SHA256) == model_entry(tags[0]).sha256
    return tags[0]


def measured_line(desk):
    line = desk.scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "Long axis")
    line.AddControlPointWorld(BALL[0] - RADIUS, BALL[1], BALL[2])
    line.AddControlPointWorld(BALL[0] + RADIUS, BALL[1], BALL[2])
    desk.ui.lineSelector.setCurrentNode(line)
    return line


# Not installed


def test_the_selector_says_which_models_are_not_installed(desk, install):
    assert titles(desk)["litemedsam"] == "LiteMedSAM"
    assert titles(desk)[NAME] == "SAM-Med3D turbo (not installed)"
    assert titles(desk)[f"{NAME}-int8"] == "SAM-Med3D int8 (not installed)"
    install()
    desk.choose_effect("Paint")
    desk.choose_effect()
    # The same file serves both.
    assert titles(desk)[NAME] == "SAM-Med3D turbo"
    assert titles(desk)[f"{NAME}-int8"] == "SAM-Med3D int8"


def test_choosing_one_says_at_once_how_to_get_it_and_asks_nothing_of_the_worker(desk, model, told):
    assert not desk.ui.offerFrame.isVisible()
    choose(desk, NAME)
    assert desk.status == missing(model) and is_meant(desk, "warning")
    assert desk.ui.modelSelector.currentText == "SAM-Med3D turbo"  # there is no room for more
    assert desk.ui.offerFrame.isVisible() and desk.ui.optionsSection.collapsed
    assert desk.ui.offerLabel.text == "402 MB, Apache-2.0, from huggingface.co"
    assert desk.ui.offerDownloadButton.text == "Download"
    desk.session.mouse_moved(BALL, (0.0, 0.0, 1.0))
    desk.application.wait(seconds=0.3)
    assert told == []
    choose(desk, "litemedsam")
    assert desk.status == "" and told == [("load", "litemedsam")]
    assert not desk.ui.offerFrame.isVisible()


def test_a_scene_that_comes_with_one_says_so_when_the_effect_is_chosen(desk, model):
    choose(desk, NAME)
    desk.choose_effect("Paint")
    desk.choose_effect()
    assert desk.status == missing(model) and is_meant(desk, "warning")
    assert desk.ui.offerFrame.isVisible()


def test_prompts_and_proposal_are_kept_and_the_proposal_stays_that_of_its_model(desk, model, told):
    mask = desk.propose()
    del told[:]
    choose(desk, NAME)
    desk.wait(lambda: desk.status == missing(model))
    assert is_meant(desk, "warning") and not desk.is_asking and told == []
    assert len(desk.rows) == 1 and (desk.preview_mask() == mask).all()
    desk.apply()
    assert (desk.mask() == mask).all()
    assert made_by(desk) == "litemedsam"


def test_prompts_that_are_placed_meanwhile_are_kept_for_a_model_that_is_there(desk, model, told):
    choose(desk, NAME)
    desk.place(BALL)
    desk.wait(lambda: len(desk.rows) == 1)
    desk.application.process_events()
    assert desk.status == missing(model) and is_meant(desk, "warning") and told == []
    assert desk.preview_mask() is None and not desk.ui.applyButton.isEnabled()
    choose(desk, "litemedsam")
    assert dice(desk.proposal(), TRUTH) > 0.95


def test_a_prediction_under_way_is_given_up(make_desk, model):
    desk = make_desk(modality="SLOW")
    desk.place(BALL)
    desk.wait(lambda: "Slice" in desk.status)
    choose(desk, NAME)
    desk.wait(lambda: desk.status == missing(model))
    assert not desk.is_asking and not desk.ui.progressBar.isVisible()


def test_once_the_file_is_there_the_next_prompt_is_answered(desk, install):
    choose(desk, NAME)
    desk.place(BALL)
    desk.wait(lambda: "not installed" in desk.status)
    install()
    mask = desk.propose((BALL[0] + 3, BALL[1], BALL[2]))
    assert dice(mask, TRUTH) > 0.95
    desk.apply()
    assert made_by(desk) == NAME


# Installed


def test_one_that_is_installed_is_loaded_when_it_is_chosen(desk, told, install):
    install()
    choose(desk, NAME)
    assert told == [("load", NAME)]
    assert desk.status == ""
    assert dice(desk.propose(), TRUTH) > 0.95


def test_a_damaged_file_is_told_once_when_it_is_needed_and_nothing_is_lost(
    desk, install, told, caplog, folder
):
    mask = desk.propose()
    install(b"weights, cut off")
    del told[:]
    choose(desk, NAME)
    desk.wait(lambda: "SHA-256" in desk.status)
    assert told == [("load", NAME), ("ask", NAME)]
    assert is_error(desk) and str(folder) in desk.status
    assert desk.ui.offerMessage.text == "Its file is damaged, or another model's."
    assert desk.ui.offerDownloadButton.text == "Download again"
    desk.application.wait(seconds=0.3)
    # The worker has met it twice, when it loaded and when it was asked; the user hears it once.
    assert len([r for r in caplog.records if "SHA-256" in r.getMessage()]) == 1
    assert len(desk.rows) == 1 and (desk.preview_mask() == mask).all()
    install()
    desk.propose((BALL[0] + 3, BALL[1], BALL[2]))
    assert "SHA-256" not in desk.status and not desk.ui.offerFrame.isVisible()


def test_slicer_reads_no_large_file_itself(desk, install, monkeypatch):
    from SAMSegmentLib.ui.diagnostics import diagnostics
    from SAMSegmentLib.weights import catalogue as module

    install()
    read = []
    monkeypatch.setattr(module, "file_sha256", lambda path: read.append(path.name) or "0" * 64)
    choose(desk, NAME)
    desk.propose()
    desk.apply()
    diagnostics(desk.session._service.client)
    assert set(read) == {"litemedsam.safetensors", "samsegment3d.safetensors"}


# A model that takes no line


def test_a_model_without_lines_has_no_line_selector_and_says_why(desk, install):
    selector = desk.ui.lineSelector
    tip = selector.toolTip
    assert selector.isEnabled() and "RECIST" in tip
    install()
    choose(desk, NAME)
    assert not selector.isEnabled()
    assert selector.toolTip.startswith("SAM-Med3D turbo does not take a line")
    choose(desk, "litemedsam")
    assert selector.isEnabled() and selector.toolTip == tip


def test_a_line_in_use_is_refused_by_such_a_model_and_not_lost(desk, install):
    install()
    line = measured_line(desk)
    mask = desk.proposal()
    choose(desk, NAME)
    desk.wait(lambda: "does not take a line" in desk.status)
    assert is_error(desk) and "draw an ROI" in desk.status
    assert desk.rows == ["Line   24.0 mm"] and desk.ui.lineSelector.currentNode() is line
    assert (desk.preview_mask() == mask).all()
    choose(desk, "litemedsam")
    assert (desk.proposal() == mask).all()


def test_the_line_can_be_taken_out_of_the_list(desk, install):
    install()
    measured_line(desk)
    desk.proposal()
    choose(desk, NAME)
    desk.wait(lambda: "does not take a line" in desk.status)
    desk.place(BALL)
    desk.wait(lambda: "remove the line" in desk.status)
    desk.ui.promptList.setCurrentRow(0)
    desk.button("deleteButton")
    assert dice(desk.proposal(), TRUTH) > 0.95
    assert desk.ui.lineSelector.currentNode() is None


def test_a_line_beside_a_segment_that_is_refined_is_refused_too(desk, install):
    desk.propose()
    desk.apply()
    desk.button("clearButton")
    selector = desk.ui.startSelector
    selector.setCurrentIndex(selector.findData("refine"))
    measured_line(desk)
    desk.proposal()
    install()
    choose(desk, NAME)
    desk.wait(lambda: "does not take a line" in desk.status)
    assert is_error(desk)
    assert desk.rows == ["Line   24.0 mm"] and desk.mask().any()
