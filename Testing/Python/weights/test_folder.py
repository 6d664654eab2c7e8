"""Where weights lie that do not come with the extension: one folder per user, on every system."""

import os
from pathlib import Path

import pytest

from SAMSegmentLib.core.errors import InstallError
from SAMSegmentLib.weights.folder import (
    VARIABLE,
    folder_is_fixed,
    models_folder,
    set_models_folder,
)

SYSTEMS = ("linux", "darwin", "win32")


@pytest.fixture
def home(monkeypatch, tmp_path) -> Path:
    """The user's home folder, for whatever asks for it."""
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("system", "place"),
    [
        ("linux", ".local/share/SAMSegment/models"),
        ("darwin", "Library/Application Support/SAMSegment/models"),
        ("win32", "AppData/Local/SAMSegment/models"),
    ],
)
def test_each_system_has_its_place_in_the_users_home(home, system, place):
    assert models_folder({}, system) == home / place


def test_the_systems_own_variables_move_it(home, tmp_path):
    data = str(tmp_path / "data")
    expected = tmp_path / "data" / "SAMSegment" / "models"
    assert models_folder({"XDG_DATA_HOME": data}, "linux") == expected
    assert models_folder({"LOCALAPPDATA": data}, "win32") == expected
    for variable, system in (("XDG_DATA_HOME", "win32"), ("LOCALAPPDATA", "linux")):
        assert models_folder({variable: data}, system) == models_folder({}, system)


@pytest.mark.parametrize("value", ["", "relative/folder"])
def test_a_data_home_that_the_specification_forbids_is_ignored(home, value):
    assert models_folder({"XDG_DATA_HOME": value}, "linux") == models_folder({}, "linux")


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_user_can_name_another_folder(home, tmp_path, system):
    chosen = tmp_path / "large disk"
    others = {"XDG_DATA_HOME": str(home), "LOCALAPPDATA": str(home)}
    assert models_folder({VARIABLE: str(chosen), **others}, system) == chosen
    assert models_folder({VARIABLE: "", **others}, system) == models_folder(others, system)


def test_a_folder_in_the_home_or_beside_this_one_is_made_absolute(home, monkeypatch):
    assert models_folder({VARIABLE: "~/weights"}) == home / "weights"
    monkeypatch.chdir(home)
    assert models_folder({VARIABLE: "weights"}) == home / "weights"


def test_this_process_and_this_system_are_meant_if_nothing_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert models_folder() == tmp_path
    monkeypatch.delenv(VARIABLE)
    assert models_folder().parts[-2:] == ("SAMSegment", "models")


@pytest.mark.parametrize("system", SYSTEMS)
def test_asking_makes_no_folder(home, system):
    models_folder({}, system)
    models_folder({VARIABLE: str(home / "chosen")}, system)
    assert os.listdir(home) == []


# Chosen once, for Slicer, console and shell


@pytest.fixture
def own(home, monkeypatch) -> Path:
    """Where this user's data of SAMSegment lie; no environment variable is set."""
    for name in (VARIABLE, "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    return models_folder().parent


def test_a_chosen_folder_is_made_and_remembered(own, tmp_path):
    chosen = tmp_path / "large disk" / "models"
    assert set_models_folder(chosen) == chosen == models_folder()
    assert chosen.is_dir() and not folder_is_fixed()
    assert os.listdir(chosen) == []


def test_the_default_comes_back(own, tmp_path):
    set_models_folder(tmp_path / "chosen")
    assert set_models_folder(None) == own / "models" == models_folder()
    assert set_models_folder(None) == own / "models"


def test_the_environment_variable_is_stronger(own, tmp_path, monkeypatch):
    set_models_folder(tmp_path / "chosen")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "named"))
    assert models_folder() == tmp_path / "named" and folder_is_fixed()


def test_a_folder_that_cannot_be_made_changes_nothing(own, tmp_path):
    set_models_folder(tmp_path / "chosen")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(InstallError, match="Models cannot be kept in"):
        set_models_folder(tmp_path / "file" / "models")
    assert models_folder() == tmp_path / "chosen"


def test_a_folder_in_which_nothing_can_be_written_changes_nothing(own, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("SAMSegmentLib.weights.folder.tempfile.TemporaryFile", refuse)
    with pytest.raises(InstallError, match="Permission denied"):
        set_models_folder(tmp_path / "chosen")
    assert models_folder() == own / "models"


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\u2028b", "a\x00b", "a\udcffb"])
def test_a_name_that_could_not_be_read_back_is_refused(own, tmp_path, name):
    with pytest.raises(InstallError, match="cannot be the name of a folder"):
        set_models_folder(f"{tmp_path}/{name}" if name.strip() else name)
    assert models_folder() == own / "models"


@pytest.mark.parametrize("name", ["日本\u3000語", "with\u00a0blank", "trail ", "ünï", "a b"])
def test_a_name_in_any_language_is_remembered(own, tmp_path, name):
    assert set_models_folder(tmp_path / name) == tmp_path / name == models_folder()


@pytest.mark.parametrize(
    "content", [b"", b"relative/path\n", b"/two\n/lines\n", b"\xff\xfe", b"/with\x00zero", b"  \n"]
)
def test_a_choice_that_makes_no_sense_is_as_good_as_none(own, content):
    own.mkdir(parents=True)
    (own / "models-folder.txt").write_bytes(content)
    assert models_folder() == own / "models"
