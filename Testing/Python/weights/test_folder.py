"""Where weights lie that do not come with the extension: one folder per user, on every system."""

import os
from pathlib import Path

import pytest

from SAMSegmentLib.weights.folder import VARIABLE, models_folder

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
