"""Models in the user's own folder: like any other, and never able to harm them."""

import hashlib
import json
import os

import pytest

from SAMSegmentLib.core.errors import InputError, WeightsError
from SAMSegmentLib.weights.catalogue import OWN, catalogue, model_entry, problems
from SAMSegmentLib.weights.store import install, remove, verify
from TestSupport.own_model import CONTENT, put_own_model

KNOWN = list(catalogue())


@pytest.fixture
def put(folder):
    """`put(place="mine", **changes)`: a model's folder, with its weights."""
    return lambda place="mine", **changes: put_own_model(folder, place, **changes)


def only_problem() -> str:
    """What is reported of the one folder that is wrong; all other models are there."""
    assert list(catalogue()) == KNOWN
    (problem,) = problems()
    assert len(problem.splitlines()) == 1 and problem.endswith(".")
    return problem


def test_a_model_in_the_users_folder_is_one_like_any_other(put, folder):
    assert (list(catalogue()), problems()) == (KNOWN, ())
    put()
    assert (list(catalogue()), problems()) == ([*KNOWN, "mine"], ())
    entry = model_entry("mine")
    assert (entry.origin, entry.embedded, entry.is_installed) == (OWN, False, True)
    assert entry.verified_path() == verify(entry) == folder / "mine" / "mine.safetensors"


def test_it_may_be_automatic_and_says_what_it_finds(put):
    put(task="automatic", prompts=[], structures=[{"name": "liver"}, {"name": "spleen"}])
    assert [one.name for one in model_entry("mine").structures] == ["liver", "spleen"]


@pytest.fixture
def put_pair(put, folder):
    """`put_pair(**parts)`: a model that is made of others."""

    def make(**parts: str) -> None:
        put("a-pair", architecture="cascade", parts=parts)
        path = folder / "a-pair" / "model.json"
        said = json.loads(path.read_text())
        path.write_text(json.dumps({k: v for k, v in said.items() if k not in OF_WEIGHTS}))

    return make


OF_WEIGHTS = ("file", "size", "sha256")


def test_it_may_be_made_of_others_of_the_users_and_is_there_if_they_are(put, put_pair):
    place = put()
    put_pair(fast="mine", borders="litemedsam")
    assert problems() == ()
    pair = model_entry("a-pair")
    assert (pair.embedded, pair.is_installed, pair.is_installable) == (False, True, False)
    pair.check_installed()
    (place / "mine.safetensors").unlink()
    assert not pair.is_installed
    with pytest.raises(
        WeightsError, match=r"Mine is made of Mine and LiteMedSAM\. Mine is not installed: put the"
    ):
        pair.check_installed()
    for work in (install, remove):
        with pytest.raises(InputError, match="no weights of its own, it is made of Mine and Lite"):
            work(pair)


def test_what_is_made_of_one_that_has_to_be_downloaded_says_how_to_get_it(put_pair, folder):
    put_pair(fast="sam-med3d-turbo", borders="litemedsam")
    with pytest.raises(WeightsError, match="SAM-Med3D turbo is not installed: install it"):
        model_entry("a-pair").check_installed()


@pytest.mark.parametrize(
    ("part", "says"),
    [("nothing", "'nothing', and there is no such model"), ("automatic", "made of others itself")],
)
def test_what_it_cannot_be_made_of_is_told(put_pair, part, says):
    put_pair(fast=part, borders="litemedsam")
    assert says in only_problem()


def test_it_comes_changes_and_goes_while_the_program_runs(put):
    place = put()
    put(title="Mine, the second")
    assert model_entry("mine").title == "Mine, the second"
    (place / "model.json").unlink()
    with pytest.raises(InputError, match="no model 'mine'"):
        model_entry("mine")


def test_damaged_weights_are_told_with_what_to_do(put):
    place = put()
    (place / "mine.safetensors").write_bytes(b"other")
    with pytest.raises(WeightsError, match=r"damaged .* put the file mine\.safetensors into"):
        model_entry("mine").verified_path()
    (place / "mine.safetensors").unlink()
    with pytest.raises(WeightsError, match="Mine is not installed: put the file"):
        model_entry("mine").check_installed()


def test_its_weights_are_neither_installed_nor_removed(put):
    place = put()
    for work in (install, remove):
        with pytest.raises(InputError, match="your own, and lies in"):
            work(model_entry("mine"))
    assert (place / "mine.safetensors").read_bytes() == CONTENT


def test_what_it_downloads_lies_in_its_own_folder(put, folder):
    put(downloads=["https://a.org/sam_med3d_turbo.pth"], file="sam_med3d_turbo.pth")
    assert model_entry("mine").path == folder / "mine" / "sam_med3d_turbo.pth"
    assert model_entry("sam-med3d-turbo").path == folder / "sam_med3d_turbo.pth"


def test_weights_that_the_first_version_installed_are_found(folder):
    folder.mkdir()
    entry = model_entry("sam-med3d-turbo")
    (folder / "sam_med3d_turbo.pth.safetensors").write_bytes(CONTENT)
    receipt = {
        "source_sha256": entry.sha256,
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size": len(CONTENT),
    }
    (folder / "sam_med3d_turbo.pth.json").write_text(json.dumps(receipt))
    assert entry.verified_path() == folder / "sam_med3d_turbo.pth.safetensors"
    assert model_entry("sam-med3d-turbo-int8").verified_path() == entry.path


# What is wrong with a folder is reported, and takes nothing from the others.


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"file": "../mine.safetensors"}, "file does not look like"),
        ({"file": "x" * 200 + ".pth"}, "file is longer than 128"),
        ({"title": "x" * 301}, "title is longer than 300"),
        ({"name": "another"}, "the name 'another', which is not its folder's"),
        ({"name": "litemedsam"}, "which is not its folder's"),
        ({"architecture": "unheard_of"}, "architecture 'unheard_of' is not known here"),
        ({"architecture": "../../evil"}, "architecture does not look like"),
        ({"downloads": ["http://a.org/mine"]}, "downloads"),
        ({"sha256": "no"}, "sha256 does not look like"),
        ({"made_by": "\x1b[2J" * 50}, "which is not known"),
    ],
)
def test_an_entry_that_cannot_be_is_told_and_left_out(put, change, says):
    put(**change)
    assert says in only_problem()
    with pytest.raises(InputError, match="cannot be used as a model"):
        model_entry("mine")


@pytest.mark.parametrize("text", [b"", b"{", b"[" * 100_000, b"\xff", b"{}" + b" " * (1 << 20)])
def test_a_damaged_entry_is_told(put, text):
    (put() / "model.json").write_bytes(text)
    assert "'mine'" in only_problem()


def test_an_entry_by_the_name_of_an_included_model_is_told_and_left_out(put):
    put("litemedsam")
    assert "comes with SAMSegment has this name" in only_problem()
    assert model_entry("litemedsam").embedded


@pytest.mark.parametrize("name", ["Mine", "a b", "b\nc", ".hidden", "x" * 90])
def test_a_folder_whose_name_no_model_can_have_is_told(put, name):
    put(name)
    assert "name should be of small letters" in only_problem() or "longer" in only_problem()


def test_a_folder_that_is_a_link_is_told_and_left_out(put, folder, tmp_path):
    os.rename(put(), tmp_path / "mine")
    (folder / "mine").symlink_to(tmp_path / "mine")
    assert "it is a link to another place" in only_problem()
    (folder / "mine").unlink()
    os.rename(tmp_path / "mine", folder / "mine")
    assert "mine" in catalogue() and problems() == ()


def test_an_entry_that_is_a_link_is_told_and_left_out(put, tmp_path):
    entry = put() / "model.json"
    os.rename(entry, tmp_path / "secret")
    entry.symlink_to(tmp_path / "secret")
    assert "model.json is no plain file" in only_problem()


def test_weights_that_are_a_link_are_told_and_left_out(put, tmp_path):
    weights = put() / "mine.safetensors"
    os.rename(weights, tmp_path / "elsewhere")
    weights.symlink_to(tmp_path / "elsewhere")
    assert "mine.safetensors is a symbolic link" in only_problem()
    weights.unlink()
    os.rename(tmp_path / "elsewhere", weights)
    assert "mine" in catalogue() and problems() == ()


def test_an_entry_that_cannot_be_read_for_a_moment_is_there_after_it(put, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    put()
    with monkeypatch.context() as patch:
        patch.setattr("SAMSegmentLib.weights.catalogue._text_of", refuse)
        assert "Permission denied" in only_problem()
    assert "mine" in catalogue() and problems() == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes in folders are POSIX's")
def test_a_pipe_does_not_make_anybody_wait(put):
    entry = put() / "model.json"
    entry.unlink()
    os.mkfifo(entry)
    assert "model.json is no plain file" in only_problem()


def test_one_that_is_wrong_takes_nothing_from_one_that_is_right(put):
    put("bad", size=-1)
    put("good")
    assert "good" in catalogue() and "bad" not in catalogue()
    assert len(problems()) == 1


def test_what_is_no_model_is_not_spoken_of(folder):
    (folder / "pictures").mkdir(parents=True)
    (folder / "notes.txt").write_text("notes")
    assert (list(catalogue()), problems()) == (KNOWN, ())


def test_a_folder_that_cannot_be_listed_holds_nothing(folder):
    folder.write_bytes(b"a file")
    assert (list(catalogue()), problems()) == (KNOWN, ())
