"""The catalogue says what there is, and the files are what it says."""

import dataclasses
import hashlib
import json
import os
import re
import shutil

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError, WeightsError
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from SAMSegmentLib.weights.catalogue import (
    DEFAULT_MODEL,
    MODELS_FOLDER,
    catalogue,
    included_models,
    model_entry,
)
from TestSupport import messages

ROI = Roi.from_box((0, 0, 0), (10, 10, 10))
POINT = Point((1, 2, 3))
LINE = Line((1, 2, 3), (4, 2, 3))
TURBO = "sam-med3d-turbo"


@pytest.mark.parametrize("name", catalogue())
def test_an_entry_is_complete(name):
    entry = model_entry(name)
    assert entry.name == name
    assert all(re.fullmatch("[0-9a-f]{64}", one.sha256) for one in entry.models)
    assert entry.size > 0 and entry.parameter_count > 0
    assert all((entry.title, entry.code_licence, entry.weights_licence, entry.source))
    assert entry.citation and (MODELS_FOLDER / name / "card.md").is_file()
    assert set(entry.prompts) <= {"roi", "points", "line"} and entry.prompts
    # The embedded ones need no page to get them from.
    assert entry.embedded or entry.source.startswith("https://")


EMBEDDED = [n for n, entry in catalogue().items() if entry.embedded and not entry.parts]


@pytest.mark.parametrize("name", EMBEDDED)
def test_embedded_weights_are_the_ones_that_the_catalogue_means(name):
    entry = model_entry(name)
    assert entry.verified_path() == MODELS_FOLDER / name / entry.file
    assert entry.path.stat().st_size == entry.size


def test_a_model_that_is_made_of_others_is_what_they_are():
    entry = model_entry("automatic")
    fast, borders = model_entry("samsegment3d"), model_entry("litemedsam")
    assert [(part.role, part.model) for part in entry.parts] == [
        ("fast", fast),
        ("borders", borders),
    ]
    assert entry.sha256 == f"{fast.sha256} {borders.sha256}"
    assert entry.size == fast.size + borders.size
    assert entry.parameter_count == fast.parameter_count + borders.parameter_count
    assert (entry.models, fast.models) == ((fast, borders), (fast,))
    assert entry.embedded and entry.is_installed and not entry.is_installable
    assert entry.path == MODELS_FOLDER / "automatic"


def test_a_model_that_is_made_of_others_has_no_file_to_verify():
    with pytest.raises(InputError, match=r"no weights of its own: .*SAMSegment 3D and LiteMedSAM"):
        model_entry("automatic").verified_path()


def test_the_default_model_is_embedded():
    assert model_entry(DEFAULT_MODEL).embedded


def test_an_unknown_model_is_refused_and_the_known_ones_are_named():
    with pytest.raises(InputError, match=r"Did you mean litemedsam\?"):
        model_entry("litemedsm")
    with pytest.raises(InputError, match=r"There is no model 'x'. There are litemedsam"):
        model_entry("x")


# A catalogue that somebody has edited


@pytest.fixture
def edited(tmp_path):
    """`edited(name, change)`: reads the models after a change to what model.json says of one."""
    for name in catalogue():
        (tmp_path / name).mkdir()
        shutil.copy(MODELS_FOLDER / name / "model.json", tmp_path / name)

    def read(name, change):
        path = tmp_path / name / "model.json"
        said = json.loads(path.read_text(encoding="utf-8"))
        change(said)
        path.write_text(json.dumps(said))
        return included_models(tmp_path)

    return read


def test_models_that_fit_are_read(edited):
    assert edited("litemedsam", lambda model: None) == tuple(catalogue().values())


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (TURBO, {"sha256": "0"}, "sha256 does not look like"),
        (TURBO, {"name": "another"}, "the name 'another', which is not its folder's"),
        (TURBO, {"size": 1}, "mean different files by the same name"),
        (TURBO, {"architecture": "nothing"}, "architecture 'nothing' is not known here"),
        (TURBO, {"architecture": "slicewise"}, "architecture 'slicewise' is not known here"),
        ("samsegment3d", {"file": "sam_med3d_turbo.pth.safetensors"}, "made of sam_"),
        ("automatic", {"parts": {"fast": "none"}}, "made of 'none', and there is no such model"),
        (f"{TURBO}-int8", {"file": "SAM_MED3D_TURBO.pth"}, "different files"),
    ],
)
def test_an_edited_catalogue_is_refused_with_the_place(edited, name, change, says):
    with pytest.raises(WeightsError, match=says) as raised:
        edited(name, lambda model: model.update(change))
    assert str(raised.value).endswith("Reinstall SAMSegment.")


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"version": 1}', "\x00"])
def test_a_damaged_catalogue_is_refused(tmp_path, text):
    (tmp_path / "litemedsam").mkdir()
    (tmp_path / "litemedsam" / "model.json").write_text(text)
    with pytest.raises(WeightsError, match="changed or damaged"):
        included_models(tmp_path)


def test_a_missing_catalogue_is_told(tmp_path):
    with pytest.raises(WeightsError, match=r"there is no model\.json"):
        included_models(tmp_path / "nothing")


def elsewhere(monkeypatch, folder):
    monkeypatch.setattr("SAMSegmentLib.weights.entry.MODELS_FOLDER", folder)
    return model_entry(DEFAULT_MODEL)


def test_missing_weights_are_reported(monkeypatch, tmp_path):
    with pytest.raises(WeightsError, match="missing"):
        elsewhere(monkeypatch, tmp_path).verified_path()


def test_damaged_weights_are_reported_even_if_they_were_good_before(monkeypatch, tmp_path):
    entry = elsewhere(monkeypatch, tmp_path)
    file = tmp_path / entry.name / entry.file
    file.parent.mkdir()
    file.write_bytes(b"good")
    good = dataclasses.replace(entry, sha256=_sha256(b"good"))
    assert good.verified_path() == file
    file.write_bytes(b"evil!")
    with pytest.raises(WeightsError, match="damaged"):
        good.verified_path()


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


# Weights that do not come with the extension

OTHERS = [name for name, entry in catalogue().items() if not entry.embedded]


def problem(check) -> str:
    """What a check of weights complains about."""
    with pytest.raises(WeightsError) as raised:
        check()
    # The shell joins lines: it must read the same there.
    assert " ".join(str(raised.value).split()) == str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("name", OTHERS)
def test_they_lie_in_the_users_folder_which_is_not_made(folder, name):
    entry = model_entry(name)
    assert entry.path == folder / entry.file
    assert not entry.is_installed and not folder.exists()


@pytest.mark.parametrize("name", OTHERS)
def test_without_them_the_user_learns_how_to_get_them(folder, name):
    entry = model_entry(name)
    message = problem(entry.verified_path)
    assert message == problem(entry.check_installed)
    for fact in (
        f"{entry.title} is not installed",
        "402 MB",
        "licence Apache-2.0",
        "button Download",
        f'installModel("{name}")',
        f"models install {name}",
    ):
        assert fact in message
    assert not folder.exists()


def test_the_cvpr_weights_know_boxes():
    """Their two more point embeddings of 384 values."""
    more = model_entry("sam-med3d-cvpr-coreset")
    assert more.parameter_count - model_entry(TURBO).parameter_count == 2 * 384
    assert more.architecture == "sammed3d"


def test_sam_med3d_turbo_takes_no_line_and_int8_is_the_same_file():
    turbo, int8 = model_entry(TURBO), model_entry("sam-med3d-turbo-int8")
    assert turbo.sha256.startswith("899a46d04d3b70f7") and turbo.parameter_count == 100509232
    assert (int8.file, int8.sha256, int8.prompts) == (turbo.file, turbo.sha256, turbo.prompts)
    assert (int8.architecture, int8.parameters) == ("sammed3d", {"numbers": "int8"})
    assert (turbo.architecture, turbo.parameters) == ("sammed3d", {})
    turbo.check_prompts(Prompts(ROI, (POINT,)))
    with pytest.raises(InputError, match=r"SAM-Med3D turbo does not take a line"):
        turbo.check_prompts(Prompts(line=LINE))


def test_they_are_installed_once_the_file_is_there_and_verified_by_its_content(folder):
    entry = dataclasses.replace(model_entry(TURBO), sha256=_sha256(b"weights"))
    folder.mkdir()
    (folder / entry.file).write_bytes(b"weights")
    assert entry.is_installed
    assert entry.verified_path() == folder / entry.file
    (folder / entry.file).write_bytes(b"weights, cut")
    assert entry.is_installed
    message = problem(entry.verified_path)
    for fact in ("SHA-256 is not that of the catalogue", "Remove them", "install it"):
        assert fact in message
    assert str(folder / entry.file) in message


def test_finding_out_whether_they_are_there_reads_nothing(folder, monkeypatch):
    entry = model_entry(TURBO)
    folder.mkdir()
    (folder / entry.file).write_bytes(b"")

    def read(*_):
        raise AssertionError("the file was read")

    monkeypatch.setattr("SAMSegmentLib.weights.entry.file_sha256", read)
    entry.check_installed()
    assert entry.is_installed


def make_folder(path):
    path.mkdir()


def make_dangling_link(path):
    path.symlink_to(path.parent / "unplugged disk" / path.name)


def make_circle(path):
    path.symlink_to(path)


@pytest.mark.parametrize(
    ("make", "says"),
    [(make_folder, "is a folder"), (make_dangling_link, "link"), (make_circle, "link")],
)
def test_what_is_no_file_is_told_with_what_to_do(folder, make, says):
    entry = model_entry(TURBO)
    folder.mkdir()
    make(entry.path)
    assert not entry.is_installed
    message = problem(entry.verified_path)
    assert says in message and str(entry.path) in message and "Remove it" in message


def test_a_link_to_the_file_is_refused_too(folder, tmp_path):
    entry = dataclasses.replace(model_entry(TURBO), sha256=_sha256(b"weights"))
    folder.mkdir()
    (tmp_path / "elsewhere").write_bytes(b"weights")
    entry.path.symlink_to(tmp_path / "elsewhere")
    assert not entry.is_installed
    assert "is a symbolic link. Remove it" in problem(entry.verified_path)


def test_a_file_that_may_not_be_read_is_told(folder, monkeypatch):
    entry = model_entry(TURBO)
    folder.mkdir()
    entry.path.write_bytes(b"weights")

    def refuse(*_):
        raise PermissionError(13, "Permission denied", str(entry.path))

    monkeypatch.setattr("SAMSegmentLib.weights.entry.file_sha256", refuse)
    message = problem(entry.verified_path)
    assert "cannot be read: Permission denied" in message and str(entry.path) in message


@pytest.mark.skipif(os.name != "posix", reason="a name that Windows forbids")
def test_a_folder_that_is_a_file_is_no_folder(folder):
    folder.write_bytes(b"")
    entry = model_entry(TURBO)
    assert not entry.is_installed
    assert "not installed" in problem(entry.verified_path)


def test_prompts_that_a_box_model_cannot_use_are_refused_with_what_to_do():
    entry = dataclasses.replace(model_entry("litemedsam"), prompts=("roi",))
    entry.check_prompts(Prompts(roi=ROI))
    with pytest.raises(InputError, match=r"needs an ROI .* none was given"):
        entry.check_prompts(Prompts())
    with pytest.raises(InputError, match=r"does not take points, .*draw an ROI"):
        entry.check_prompts(Prompts(points=(POINT,)))
    with pytest.raises(InputError, match=r"does not take points, .*remove the points"):
        entry.check_prompts(Prompts(roi=ROI, points=(POINT,)))


@pytest.mark.parametrize(
    "prompts",
    [
        Prompts(ROI),
        Prompts(points=(POINT,)),
        Prompts(ROI, (POINT, POINT)),
        Prompts(line=LINE),
        Prompts(ROI, (POINT,), LINE),
    ],
)
def test_litemedsam_takes_an_roi_points_a_line_and_all_of_them(prompts):
    model_entry("litemedsam").check_prompts(prompts)


def test_a_model_for_all_asks_for_any():
    with pytest.raises(InputError, match="an ROI, points or a line"):
        model_entry("litemedsam").check_prompts(Prompts())


def test_a_line_is_refused_by_a_model_that_takes_none():
    entry = dataclasses.replace(model_entry("litemedsam"), prompts=("roi", "points"))
    with pytest.raises(
        InputError, match=r"does not take a line, only an ROI or points: draw an ROI"
    ):
        entry.check_prompts(Prompts(line=LINE))
    with pytest.raises(InputError, match="remove the line"):
        entry.check_prompts(Prompts(ROI, (), LINE))


def test_what_a_segment_holds_is_prompt_enough_unless_it_holds_nothing():
    entry, mask = model_entry("litemedsam"), np.ones((1, 2, 3), dtype=bool)
    entry.check_prompts(Prompts(), VoxelPrompts(Patch(mask, (0, 0, 0))))
    for nothing in (
        VoxelPrompts(Patch(~mask, (0, 0, 0))),
        VoxelPrompts(occupied=Patch(mask, (0,) * 3)),
    ):
        with pytest.raises(InputError, match="none was given"):
            entry.check_prompts(Prompts(), nothing)


class TestStructures:
    """What an automatic model finds; `messages.AUTOMATIC` knows the liver and air."""

    def test_they_come_in_the_models_order_all_or_some(self):
        assert [label.name for label in messages.AUTOMATIC.labels()] == ["liver", "air"]
        assert [label.name for label in messages.AUTOMATIC.labels(["air", "liver"])] == [
            "liver",
            "air",
        ]
        assert [label.name for label in messages.AUTOMATIC.labels(["air"])] == ["air"]

    def test_what_it_does_not_find_is_refused_with_what_it_does(self):
        with pytest.raises(InputError, match=r"no structure 'Liver'\. Did you mean liver"):
            messages.AUTOMATIC.labels(["Liver"])
        with pytest.raises(InputError, match=r"'bone'\. It has liver, air\."):
            messages.AUTOMATIC.labels(["bone"])

    def test_a_model_that_follows_prompts_has_none(self):
        assert model_entry("litemedsam").labels() == ()
        with pytest.raises(InputError, match="knows no structures"):
            model_entry("litemedsam").labels(["liver"])

    def test_an_automatic_model_takes_no_prompts(self):
        messages.AUTOMATIC.check_prompts(Prompts())
        with pytest.raises(InputError, match="takes no prompts: remove the points"):
            messages.AUTOMATIC.check_prompts(Prompts(points=(Point((0, 0, 0)),)))
