"""The module panel's section "Models": what is listed, and what can be done with it."""

import dataclasses

import pytest

from SAMSegmentLib.core.errors import InstallError, WeightsError
from SAMSegmentLib.weights.catalogue import catalogue, model_entry
from SAMSegmentLib.weights.progress import Transfer
from SAMSegmentLib.worker.client.model_jobs import JobFailed
from SAMSegmentLib.worker.protocol.model_messages import ModelDone
from TestSupport.downloading import plain_network
from TestSupport.fake_model_job import FakeModelJobs
from TestSupport.fake_worker_service import FakeWorkerService
from TestSupport.own_model import put_own_model
from TestSupport.served_model import served_model
from TestSupport.weights_server import WeightsServer

# Not marked mrml: nothing here depends on the line of slicer-core.

NAME, INT8, LIMITED = "sam-med3d-turbo", "sam-med3d-turbo-int8", "sam-med3d-cvpr-coreset"
CONTENT = bytes(range(256)) * 800
TIMEOUT_S = 120.0
TWO = [{"name": "liver"}, {"name": "spleen"}]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The user's folder of models; it is made by the first one."""
    folder = tmp_path / "models"
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(folder))
    plain_network(monkeypatch)
    return folder


@pytest.fixture
def jobs(application, monkeypatch):
    """The jobs of Slicer's store; no process is started."""
    from SAMSegmentLib.ui.models.model_store import shared_model_store

    jobs = FakeModelJobs()
    monkeypatch.setattr(shared_model_store(), "_make_job", jobs)
    return jobs


@pytest.fixture
def panel(application, jobs, make_panel):
    return make_panel(FakeWorkerService())


@pytest.fixture
def limited(monkeypatch):
    """A model whose weights must not be used for everything."""
    entry = dataclasses.replace(
        model_entry(LIMITED),
        weights_licence="CC-BY-NC-4.0",
        restriction="non-commercial use only",
        size=416_000_000,
    )
    monkeypatch.setitem(catalogue(), LIMITED, entry)
    return entry


def put(entry, content: bytes = b"weights") -> None:
    entry.path.parent.mkdir(exist_ok=True)
    entry.path.write_bytes(content)


def listed(panel) -> dict[str, tuple[str, str]]:
    """State and size by title."""
    tree = panel.ui.modelTree
    items = [tree.topLevelItem(row) for row in range(tree.topLevelItemCount)]
    return {item.text(0): (item.text(1), item.text(2)) for item in items}


def select(panel, name: str) -> None:
    tree = panel.ui.modelTree
    tree.setCurrentItem(tree.topLevelItem(list(catalogue()).index(name)))


def press(panel, name: str) -> None:
    button = getattr(panel.ui, name)
    assert button.isVisible() and button.isEnabled(), f"{name} cannot be pressed"
    button.click()


def shown(panel) -> set[str]:
    """Which of the buttons that do something to the selected model can be pressed."""
    names = ("Download", "File", "Verify", "Remove", "Cancel")
    buttons = {name: getattr(panel.ui, f"model{name}Button") for name in names}
    return {name for name, button in buttons.items() if button.isVisible() and button.isEnabled()}


# What is listed


def test_every_model_is_listed_with_its_state_and_size(panel):
    rows = listed(panel)
    assert list(rows) == [entry.title for entry in catalogue().values()]
    assert rows["LiteMedSAM"] == ("included", "19.9 MB")
    assert rows["SAM-Med3D turbo"] == ("not installed", "402 MB")


def test_all_rows_are_seen_without_scrolling(panel):
    tree = panel.ui.modelTree
    last = tree.visualItemRect(tree.topLevelItem(tree.topLevelItemCount - 1))
    assert tree.viewport().rect.contains(last)


def test_what_was_put_there_by_hand_is_found_when_the_panel_opens_again(panel):
    put(model_entry(NAME))
    panel.exit()
    panel.enter()
    assert listed(panel)["SAM-Med3D turbo"][0] == listed(panel)["SAM-Med3D int8"][0] == "installed"


def test_weights_that_should_have_come_with_the_extension_are_missed(panel, monkeypatch, tmp_path):
    from SAMSegmentLib.weights import entry as module

    monkeypatch.setattr(module, "MODELS_FOLDER", tmp_path)
    panel.refresh()
    assert listed(panel)["LiteMedSAM"][0] == "missing"
    assert "reinstall SAMSegment" in panel.ui.modelMessage.text and shown(panel) == set()


def test_a_model_of_the_users_own_is_listed_like_any_other(panel, folder):
    put_own_model(folder, trained=True)
    put_own_model(folder, "organs", title="Organs", task="automatic", prompts=[], structures=TWO)
    panel.exit()
    panel.enter()
    assert listed(panel)["Mine"][0] == "trained by you"
    assert listed(panel)["Organs"][0] == "brought by you"
    select(panel, "organs")
    assert "<b>Finds:</b> liver, spleen" in panel.ui.modelDetails.text
    assert shown(panel) == {"Verify"} and not panel.ui.modelMessage.text


def test_what_is_wrong_with_a_folder_of_the_users_is_reported_below(panel, folder):
    before = listed(panel)
    put_own_model(folder, sha256="0")
    panel.exit()
    panel.enter()
    assert listed(panel) == before
    assert "'mine'" in panel.ui.modelFolderMessage.text
    assert "sha256 does not look like" in panel.ui.modelFolderMessage.text


def test_the_selected_model_is_described(panel):
    select(panel, NAME)
    entry, text = model_entry(NAME), panel.ui.modelDetails.text
    for fact in ("ROI, points", "CT, MR", "100.5 million", "Apache-2.0", entry.citation):
        assert fact in text
    assert f'<a href="{entry.source}">huggingface.co</a>' in text
    assert panel.ui.modelDetails.openExternalLinks
    assert all(timing.what in text for timing in entry.timings)
    select(panel, "litemedsam")
    assert "measured line" in panel.ui.modelDetails.text and "lung" in panel.ui.modelDetails.text


def test_what_the_catalogue_says_is_shown_as_it_is_written(application):
    from SAMSegmentLib.ui.models.model_texts import details

    entry = dataclasses.replace(
        model_entry("litemedsam"), citation="A <b> & C", source='https://a.org/"><i>'
    )
    text = details(entry)
    assert "A &lt;b&gt; &amp; C" in text and '"><i>' not in text


# Before a download


def test_size_and_place_are_known_before_the_button_is_pressed(panel, monkeypatch):
    select(panel, NAME)
    assert panel.ui.modelDownloadButton.text == "Download (402 MB)"
    assert panel.ui.modelPlace.text == "From huggingface.co; if that fails, from hf-mirror.com."
    assert shown(panel) == {"Download", "File"}
    monkeypatch.setenv("SAMSEGMENT_MIRROR", "https://mirror.hospital.org/models")
    panel.refresh()
    assert panel.ui.modelPlace.text.startswith("From mirror.hospital.org; if that fails, from hugg")


def test_a_restriction_is_read_before_the_button_that_accepts_it(panel, limited):
    from SAMSegmentLib.ui.common.status import COLORS

    select(panel, LIMITED)
    label, button = panel.ui.modelRestriction, panel.ui.modelDownloadButton
    assert label.text == "The licence CC-BY-NC-4.0 sets a limit: non-commercial use only."
    assert COLORS["warning"][0] in label.styleSheet
    assert button.text == "Accept and download (416 MB)"
    assert label.y < button.parent().y
    select(panel, NAME)
    assert not label.isVisible()


def test_a_model_without_a_place_can_only_come_from_a_file(panel, monkeypatch):
    entry = dataclasses.replace(model_entry(NAME), downloads=())
    monkeypatch.setitem(catalogue(), NAME, entry)
    select(panel, NAME)
    assert shown(panel) == {"File"} and "by other means" in panel.ui.modelPlace.text


def test_the_model_that_is_included_can_be_verified_and_no_more(panel):
    select(panel, "litemedsam")
    assert shown(panel) == {"Verify"}


# While and after


def test_a_download_is_followed_and_another_one_waits(application, panel, jobs, limited):
    select(panel, NAME)
    press(panel, "modelDownloadButton")
    jobs.play(application, Transfer("Downloading from huggingface.co", 120e6, 402e6, 8.1e6, 35))
    text = "Downloading from huggingface.co: 120 of 402 MB, 8.1 MB/s, 35 s left"
    assert panel.ui.modelProgressLabel.text == text
    assert panel.ui.modelProgressBar.value == 298 and panel.ui.modelProgressBar.maximum == 1000
    assert shown(panel) == {"Cancel"}
    assert listed(panel)["SAM-Med3D int8"][0] == "being installed"
    select(panel, LIMITED)
    assert shown(panel) == set()
    assert panel.ui.modelMessage.text == "Wait until SAM-Med3D turbo is done."
    select(panel, NAME)
    put(model_entry(NAME))
    jobs.play(application, ModelDone(str(model_entry(NAME).path)))
    assert shown(panel) == {"Verify", "Remove"} and panel.ui.modelMessage.text == "Installed."
    assert listed(panel)["SAM-Med3D int8"][0] == "installed"


def test_work_of_unknown_length_is_shown_as_such(application, panel, jobs):
    select(panel, NAME)
    press(panel, "modelDownloadButton")
    jobs.play(application, Transfer("Another program is working on these weights"))
    assert panel.ui.modelProgressBar.maximum == 0
    assert panel.ui.modelProgressLabel.text == "Another program is working on these weights"


def test_half_a_download_can_be_carried_on_or_removed(application, panel, jobs):
    select(panel, NAME)
    press(panel, "modelDownloadButton")
    partial = model_entry(NAME).files.partial
    partial.parent.mkdir()
    with partial.open("wb") as file:
        file.truncate(120_000_000)
    press(panel, "modelCancelButton")
    assert panel.ui.modelDownloadButton.text == "Carry on (120 of 402 MB)"
    assert panel.ui.modelMessage.text == "Cancelled. Download carries on from there."
    assert listed(panel)["SAM-Med3D turbo"][0] == "120 of 402 MB"
    place = list(catalogue()).index(NAME)
    assert panel.ui.modelTree.topLevelItem(place).toolTip(1) == "120 of 402 MB downloaded"
    assert shown(panel) == {"Download", "File", "Remove"}
    answer_and_see(application, panel, "Remove the weights of SAM-Med3D turbo (120 MB)")
    assert not partial.exists() and shown(panel) == {"Download", "File"}


@pytest.mark.parametrize(
    "reason", ["huggingface.co: the connection was refused.", "The disk is full: make room."]
)
def test_a_failure_is_reported_in_place_and_can_be_tried_again(application, panel, jobs, reason):
    select(panel, NAME)
    press(panel, "modelDownloadButton")
    jobs.play(application, JobFailed(InstallError(reason)))
    assert panel.ui.modelMessage.text == reason
    assert panel.ui.modelDownloadButton.text == "Try again (402 MB)"
    select(panel, "litemedsam")
    assert not panel.ui.modelMessage.isVisible()
    select(panel, NAME)
    assert panel.ui.modelMessage.text == reason


def test_damage_that_is_found_is_reported_and_can_be_mended(application, panel, jobs):
    put(model_entry(NAME))
    panel.refresh()
    select(panel, NAME)
    press(panel, "modelVerifyButton")
    assert listed(panel)["SAM-Med3D turbo"][0] == "being verified"
    jobs.play(application, JobFailed(WeightsError("Its SHA-256 is another.")))
    assert listed(panel)["SAM-Med3D turbo"][0] == "damaged"
    assert panel.ui.modelMessage.text == "Its SHA-256 is another."
    assert panel.ui.modelDownloadButton.text == "Download again (402 MB)"
    assert shown(panel) == {"Download", "File", "Verify", "Remove"}


# Removing


def answer_and_see(application, panel, question: str, ok: bool = True) -> None:
    """Presses Remove, and answers the one question that comes, which must hold that text."""
    import qt
    import slicer

    asked = []

    def note(text, *arguments, before=slicer.util.confirmOkCancelDisplay, **options):
        asked.append(text)
        return before(text, *arguments, **options)

    slicer.util.confirmOkCancelDisplay, before = note, slicer.util.confirmOkCancelDisplay
    try:
        application.answer(qt.QMessageBox.Ok if ok else qt.QMessageBox.Cancel)
        press(panel, "modelRemoveButton")
    finally:
        slicer.util.confirmOkCancelDisplay = before
    assert len(asked) == 1 and question in asked[0]


def test_removing_asks_once_and_says_who_else_loses_the_file(application, panel):
    put(model_entry(NAME), b"0" * 1_500_000)
    panel.refresh()
    select(panel, INT8)
    question = (
        "Remove the weights of SAM-Med3D int8 (1.5 MB) from this computer?\n\n"
        "The same file is used by SAM-Med3D turbo, which goes with it."
    )
    answer_and_see(application, panel, question, ok=False)
    assert model_entry(NAME).is_installed
    answer_and_see(application, panel, question)
    assert not model_entry(NAME).is_installed and panel.ui.modelMessage.text == "Removed."
    assert listed(panel)["SAM-Med3D turbo"][0] == "not installed"


def test_a_path_of_windows_can_be_broken_into_lines(application):
    import qt

    from SAMSegmentLib.ui.models.model_texts import breakable

    path = r"D:\Models of the department\SAMSegment\models"
    label = qt.QLabel(breakable(path))
    label.setWordWrap(True)
    plain = qt.QLabel(path)
    plain.setWordWrap(True)
    assert label.text.replace("\u200b", "") == path
    assert label.heightForWidth(100) > plain.heightForWidth(100)


# The folder


def test_the_folder_is_named_and_opened_by_the_system(application, panel, folder):
    assert panel.ui.modelFolderPath.text == f"Folder: {folder}"
    assert not panel.ui.modelShowFolderButton.isEnabled()
    folder.mkdir()
    panel.refresh()
    press(panel, "modelShowFolderButton")
    assert application.opened == [folder.as_uri()]


def test_a_folder_that_is_set_from_outside_cannot_be_changed_here(panel):
    button = panel.ui.modelChangeFolderButton
    assert not button.isEnabled() and "SAMSEGMENT_MODELS" in button.toolTip


def test_another_folder_can_be_chosen(application, panel, monkeypatch, tmp_path):
    monkeypatch.delenv("SAMSEGMENT_MODELS")
    for name in ("HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    panel.refresh()
    there, file = tmp_path / "there", tmp_path / "file"
    there.mkdir()
    file.write_bytes(b"")
    (there / model_entry(NAME).file).write_bytes(b"weights")
    application.choose("", file, there)
    press(panel, "modelChangeFolderButton")  # the user thinks better of it
    press(panel, "modelChangeFolderButton")
    assert "Choose another folder" in panel.ui.modelFolderMessage.text
    assert listed(panel)["SAM-Med3D turbo"][0] == "not installed"
    press(panel, "modelChangeFolderButton")
    assert panel.ui.modelFolderPath.text == f"Folder: {there}"
    assert not panel.ui.modelFolderMessage.isVisible()
    assert listed(panel)["SAM-Med3D turbo"][0] == "installed"


# With a real process and a real server


def test_a_models_whole_life(application, make_panel, monkeypatch, tmp_path):
    from SAMSegmentLib.ui.common import worker_service

    monkeypatch.setattr(worker_service, "_shared", FakeWorkerService())
    with WeightsServer(CONTENT) as server:
        entry = served_model(server, file="small.safetensors")
        monkeypatch.setitem(catalogue(), NAME, entry)
        panel = make_panel(FakeWorkerService())
        select(panel, NAME)

        def do(button: str) -> str:
            press(panel, button)
            assert application.wait(lambda: "Cancel" not in shown(panel), TIMEOUT_S)
            return panel.ui.modelMessage.text

        assert do("modelDownloadButton") == "Installed."
        assert entry.path.read_bytes() == CONTENT
        assert do("modelVerifyButton").startswith("The file is as published")
        entry.path.write_bytes(CONTENT[:-1])
        assert "damaged" in do("modelVerifyButton")
        assert listed(panel)["SAM-Med3D turbo"][0] == "damaged"
        assert do("modelDownloadButton") == "Installed."
        assert entry.path.read_bytes() == CONTENT and len(server.requests) == 2
        answer_and_see(application, panel, "0.2 MB")
        assert not entry.path.exists() and worker_service._shared.stopped
