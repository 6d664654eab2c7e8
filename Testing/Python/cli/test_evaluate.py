"""The command `evaluate`: what it prints and writes, and how it ends."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from Accuracy.rows import read_rows
from SAMSegmentLib.__main__ import main
from SAMSegmentLib.cli import evaluate as command
from SAMSegmentLib.core.answer import Answer, Cost
from SAMSegmentLib.core.image import sitk_from_array
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.weights.catalogue import model_entry
from TestSupport.messages import AUTOMATIC
from TestSupport.phantoms import ball, ct_with_ball, grid

GEOMETRY = grid((8, 64, 64))
CENTER, RADIUS = (48.0, 48.0, 10.0), 18.0
IMAGE = ct_with_ball(GEOMETRY, CENTER, RADIUS)
# Five slices of the ball, and a piece of the body.
LABELS = ball(GEOMETRY, CENTER, RADIUS).astype(np.uint8) * 2
LABELS[[0, 1, 6, 7]] = 0
LABELS[3:5, 8:14, 8:14] = 4


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / "ct.nii.gz", tmp_path / "labels.nii.gz"]
    for path, voxels in zip(paths, (IMAGE.voxels, LABELS), strict=True):
        sitk.WriteImage(sitk_from_array(voxels, GEOMETRY), str(path))
    return [str(path) for path in paths]


class FakeClient:
    """Finds what is bright, and one voxel more with each click."""

    asked: list

    def __init__(self, device):
        FakeClient.asked = []

    def predict(self, request):
        image, prompts = request.image, request.prompts
        FakeClient.asked.append((request.model.name, prompts, request.intensity_range))
        logits = np.where(image.voxels > 120, 5, -5).astype(np.float32)
        cost = Cost(frozenset(range(1 + len(prompts.points))), 1, 0.001)
        return Answer.of(Patch(logits, (0, 0, 0)), image.geometry, cost=cost)

    def close(self):
        pass


@pytest.fixture
def fake(monkeypatch):
    """A model that takes an ROI and points, and costs nothing."""
    monkeypatch.setattr(command, "InProcessClient", FakeClient)
    entry = replace(model_entry("litemedsam"), prompts=("roi", "points"))
    monkeypatch.setattr(command, "model_entry", lambda name: entry)
    return FakeClient


def one_line(capsys):
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1, captured.err
    assert captured.out == ""
    return lines[0]


def test_the_model_itself_is_scored_on_an_roi(files, tmp_path, capsys):
    output = tmp_path / "scores.csv"
    arguments = ["evaluate", *files, "--label", "2", "--protocol", "roi", "--device", "cpu"]
    assert main([*arguments, "--csv", str(output)]) == 0
    (row,) = read_rows(output)
    assert (row["model"], row["protocol"], row["step"]) == ("litemedsam", "roi", "roi")
    # Above and below the label the ball goes on, so the margin of the ROI is taken for it too.
    assert row["dsc"] > 0.6
    assert row["encoder_passes"] >= 4 and row["seconds"] > 0
    assert row["voxels"] == (LABELS == 2).sum()
    table = capsys.readouterr().out
    assert f"| roi | {row['dsc']:.3f} | {row['nsd']:.3f} |" in table
    assert table.startswith("Label 2, ") and "| final |" in table and "AUC" not in table


def test_each_label_has_a_table_for_each_protocol(files, fake, capsys):
    assert main(["evaluate", *files]) == 0
    headings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Label")]
    assert [heading.split(", ")[::2] for heading in headings] == [
        ["Label 2", "roi_then_clicks"],
        ["Label 2", "clicks_alone"],
        ["Label 4", "roi_then_clicks"],
        ["Label 4", "clicks_alone"],
    ]


def test_a_table_ends_with_area_and_final_scores(files, fake, capsys):
    assert main(["evaluate", *files, "--label", "2", "--protocol", "roi_then_clicks"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    names = [line.split("|")[1].strip() for line in lines]
    clicks = [f"click {n}" for n in range(1, 6)]
    assert names == ["step", "---", "roi", *clicks, "AUC of the clicks", "final"]
    final, area = lines[-1].split("|"), lines[-2].split("|")
    # Every step of the fake model gives the same mask.
    assert float(area[2]) == pytest.approx(4 * float(final[2]), abs=0.003)
    assert final[5].strip() == "6"


def test_the_number_of_clicks_is_chosen(files, fake, tmp_path):
    output = tmp_path / "scores.csv"
    arguments = ["--label", "2", "--clicks", "2", "--csv", str(output)]
    assert main(["evaluate", *files, *arguments]) == 0
    steps = [(row["protocol"], row["step"]) for row in read_rows(output)]
    assert steps == [
        ("roi_then_clicks", "roi"),
        ("roi_then_clicks", "click 1"),
        ("roi_then_clicks", "click 2"),
        ("clicks_alone", "click 1"),
        ("clicks_alone", "click 2"),
    ]


def test_a_shaken_protocol_follows_the_seed(files, fake):
    def asked(seed):
        arguments = ["--label", "2", "--protocol", "shaken_clicks_alone", "--seed", seed]
        assert main(["evaluate", *files, *arguments]) == 0
        return [prompts.to_json() for _, prompts, _ in fake.asked]

    assert asked("1") == asked("1") != asked("2")


def test_the_intensity_range_reaches_the_model(files, fake):
    arguments = ["--label", "2", "--protocol", "roi", "--intensity-range", "-100", "300"]
    assert main(["evaluate", *files, *arguments]) == 0
    assert [intensity_range for _, _, intensity_range in fake.asked] == [[-100, 300]]


def test_a_model_without_points_is_scored_on_its_roi_alone(files, fake, monkeypatch, capsys):
    entry = replace(model_entry("litemedsam"), prompts=("roi",))
    monkeypatch.setattr(command, "model_entry", lambda name: entry)
    assert main(["evaluate", *files, "--label", "2"]) == 0
    table = capsys.readouterr().out
    assert "Label 2" in table and "roi" in table and "click" not in table


def test_a_model_without_prompts_is_not_scored(files, fake, monkeypatch, capsys):
    monkeypatch.setattr(command, "model_entry", lambda _: AUTOMATIC)
    assert main(["evaluate", *files]) == 2
    assert "Organs takes no prompts" in one_line(capsys)


def test_warnings_about_the_data_go_to_stderr(files, fake, tmp_path, capsys):
    cut = sitk_from_array(LABELS[:, :, :60].copy(), GEOMETRY.crop((0, 0, 0), (8, 64, 60)))
    sitk.WriteImage(cut, files[1])
    assert main(["evaluate", *files, "--label", "2", "--protocol", "roi"]) == 0
    assert "another grid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--label", "9"], "does not hold label 9: it holds labels 2, 4."),
        (["--label", "two"], "--label"),
        (["--model", "nonsense"], "no model"),
        (["--protocol", "nonsense"], "roi_then_clicks"),
        (["--clicks", "0"], "--protocol roi"),
        (["--seed", "-1"], "negative"),
        (["--csv", "missing/scores.csv"], "does not exist"),
        (["--device", "abacus", "--protocol", "roi"], "no device"),
        (["--intensity-range", "5", "5", "--protocol", "roi"], "intensity range"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_arguments_end_with_2_and_one_line_and_write_nothing(
    files, tmp_path, capsys, arguments, says
):
    before = sorted(os.listdir(tmp_path))
    assert main(["evaluate", *files, *arguments]) == 2
    assert says in one_line(capsys)
    assert sorted(os.listdir(tmp_path)) == before


def test_the_csv_file_replaces_neither_image_nor_labels_nor_what_was_there(
    files, fake, tmp_path, capsys
):
    asked = ["evaluate", *files, "--label", "2", "--protocol", "roi"]
    for path in files:
        before = Path(path).read_bytes()
        assert main([*asked, "--csv", path, "--overwrite"]) == 2
        assert "would be lost" in one_line(capsys)
        assert Path(path).read_bytes() == before
    table = tmp_path / "scores.csv"
    table.write_text("of last week")
    assert main([*asked, "--csv", str(table)]) == 2
    assert "--overwrite" in one_line(capsys)
    assert table.read_text() == "of last week"
    assert main([*asked, "--csv", str(table), "--overwrite"]) == 0
    assert read_rows(table)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_case_whose_name_is_not_utf8_is_scored_and_written(files, fake, tmp_path):
    path = os.fsdecode(os.fsencode(tmp_path) + b"/Sch\xe4del.nii.gz")
    os.rename(files[0], path)
    table = tmp_path / "scores.csv"
    asked = ["evaluate", path, files[1], "--label", "2", "--protocol", "roi"]
    assert main([*asked, "--csv", str(table)]) == 0
    assert read_rows(table)[0]["case"] == r"Sch\udce4del.nii.gz"


def test_files_that_do_not_go_together_end_with_2_and_one_line(files, capsys):
    assert main(["evaluate", files[0], files[0]]) == 2
    assert "both image and label map" in one_line(capsys)
    assert main(["evaluate", files[1], files[0]]) == 2
    assert "give the image first" in one_line(capsys)
    assert main(["evaluate", files[0], files[1] + ".missing"]) == 2
    assert "no file" in one_line(capsys)


def test_a_missing_package_ends_with_1_before_the_work(files, fake, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "surface_distance", None)
    assert main(["evaluate", *files]) == 1
    assert "pip install surface-distance" in one_line(capsys)
