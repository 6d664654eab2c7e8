"""SAMSegmentLogic and models whose weights the user has to get first."""

import dataclasses
import threading

import numpy as np
import pytest

from SAMSegmentLib import SAMSegmentLogic
from SAMSegmentLib.core.errors import Cancelled, InputError, InstallError, WeightsError
from SAMSegmentLib.weights import catalogue as catalogue_module
from SlicerHost.scene_builder import segments_of
from TestSupport.served_model import served_model
from TestSupport.weights_server import WeightsServer, stall_after

pytestmark = pytest.mark.mrml

CONTENT = np.random.default_rng(2).bytes(500_000)
NAME = "sam-med3d-turbo"


def test_all_models_can_be_listed_and_say_whether_they_are_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path))
    installed = {entry.name: entry.is_installed for entry in SAMSegmentLogic.models()}
    assert installed["litemedsam"] and not installed["sam-med3d-turbo"]


def test_one_that_is_not_installed_is_told_before_a_process_is_started(
    builder, monkeypatch, tmp_path
):
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path))
    volume = builder.volume()
    segmentation = builder.segmentation(volume)
    before = segments_of(segmentation)
    logic = SAMSegmentLogic(device="cpu", openEditors=list)
    monkeypatch.setattr(logic, "_client", None)
    with pytest.raises(WeightsError, match="SAM-Med3D turbo is not installed") as raised:
        logic.segment(volume, segmentation, positivePoints=[(0, 0, 0)], model="sam-med3d-turbo")
    assert 'SAMSegmentLogic.installModel("sam-med3d-turbo")' in str(raised.value)
    assert segments_of(segmentation) == before


@pytest.fixture
def server():
    with WeightsServer(CONTENT) as server:
        yield server


@pytest.fixture
def use(monkeypatch, tmp_path):
    """Puts a model into the catalogue, and the models folder where nothing is yet."""
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path / "models"))

    def use(entry):
        changed = {**catalogue_module.catalogue(), entry.name: entry}
        monkeypatch.setattr(catalogue_module, "catalogue", lambda: changed)
        monkeypatch.setattr("SAMSegmentLib.logic.catalogue", lambda: changed)
        return entry

    return use


@pytest.fixture
def logic():
    logic = SAMSegmentLogic(device="cpu", openEditors=list)
    yield logic
    logic.close()


def test_a_script_installs_verifies_and_removes_a_model(server, use, logic):
    entry, told = use(served_model(server)), []
    path = SAMSegmentLogic.installModel(NAME, progress=lambda *look: told.append(look))
    assert path == str(entry.path) and entry.path.read_bytes() == CONTENT
    done, total, message = told[-1]
    assert 0 <= done <= total <= len(CONTENT) and isinstance(message, str)
    assert any("127.0.0.1" in message for _, _, message in told)
    assert logic.verifyModel(NAME) == path
    logic.removeModel(NAME)
    assert not entry.is_installed
    with pytest.raises(WeightsError, match="not installed"):
        SAMSegmentLogic.verifyModel(NAME)
    assert server.offsets == [None]


def test_a_script_installs_a_model_from_a_folder(server, use, logic, tmp_path):
    entry = use(served_model(server))
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick" / entry.file).write_bytes(CONTENT)
    assert logic.installModel(NAME, source=tmp_path / "stick") == str(entry.path)
    assert entry.path.read_bytes() == CONTENT and server.offsets == []


def test_an_install_that_is_cancelled_keeps_what_came(use):
    cancel = threading.Event()
    with WeightsServer(CONTENT, [stall_after(250_000)]) as server:
        entry = use(served_model(server))
        with pytest.raises(Cancelled, match="is kept"):
            SAMSegmentLogic.installModel(NAME, progress=lambda *_: cancel.set(), cancel=cancel)
    assert not entry.is_installed


def test_what_cannot_be_installed_is_told_with_the_reason(server, use, logic):
    entry = use(served_model(server, sha256="0" * 64))
    with pytest.raises(InstallError, match=r"127\.0\.0\.1"):
        logic.installModel(NAME)
    assert not entry.is_installed
    for name, reason in (("sam-med3d", NAME), ("litemedsam", "comes with SAMSegment")):
        with pytest.raises(InputError, match=reason):
            logic.installModel(name)
    with pytest.raises(InputError, match="does not exist"):
        logic.installModel(NAME, source="nowhere")


def test_removing_ends_this_logics_process_first_for_windows_deletes_no_file_in_use(
    server, use, logic, monkeypatch
):
    entry = use(served_model(server))
    entry.path.parent.mkdir()
    entry.path.write_bytes(CONTENT)
    entry.files.partial.write_bytes(CONTENT[:10])
    was_there = []
    monkeypatch.setattr(logic._client, "close", lambda: was_there.append(entry.is_installed))
    logic.removeModel(NAME)
    assert was_there == [True]
    assert not entry.is_installed and not entry.files.partial.exists()


def test_models_that_come_with_samsegment_cannot_be_removed(logic):
    (entry,) = [e for e in logic.models() if e.name == "litemedsam"]
    with pytest.raises(InputError):
        logic.removeModel("litemedsam")
    assert entry.is_installed


def test_entries_of_models_say_what_a_user_should_know_before_installing(use, server):
    use(dataclasses.replace(served_model(server), restriction="non-commercial use only"))
    (entry,) = [e for e in SAMSegmentLogic.models() if e.name == NAME]
    assert entry.restriction == "non-commercial use only" and entry.downloads == (server.url,)
