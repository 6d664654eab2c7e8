"""Rows of scores: into files and back, as tables, and as means."""

import os

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError, WriteError
from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.evaluation import report
from SAMSegmentLib.evaluation.protocol import ROI_ALONE, ROI_THEN_CLICKS, Step
from SAMSegmentLib.evaluation.report import (
    COLUMNS,
    Subject,
    append_rows,
    markdown_table,
    measured,
    read_rows,
    rows_of,
    write_rows,
)
from SAMSegmentLib.evaluation.summary import (
    objects_of,
    size_class,
    summary,
    thickness_class,
)
from TestSupport.phantoms import grid

MASK = np.ones((1, 1, 1), dtype=bool)


def rows(case="a", structure="liver", dscs=(0.5, 0.6, 0.7), protocol=ROI_THEN_CLICKS, **about):
    subject = Subject(
        **{
            "model": "m",
            "version": "1",
            "case": case,
            "structure": structure,
            "voxels": 1000,
            "volume_ml": 20.0,
            "slice_thickness_mm": 3.0,
            "split": "tuning",
            "modality": "CT",
            "group": "organ",
            **about,
        }
    )
    names = ["roi", *(f"click {n}" for n in range(1, len(dscs)))]
    steps = [
        Step(name, Prompts(), dsc, dsc / 2, 2.0, 3, MASK)
        for name, dsc in zip(names, dscs, strict=True)
    ]
    return rows_of(subject, protocol, steps)


def line_of(table, name):
    line = next(line for line in table.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_holds_every_column():
    for row in rows():
        assert set(row) == set(COLUMNS)


def test_rows_come_back_from_a_file_as_they_were(tmp_path):
    written = rows(goal=True) + rows(case="b, with a comma", goal=False)
    write_rows(tmp_path / "scores.csv", written)
    assert read_rows(tmp_path / "scores.csv") == written
    assert os.listdir(tmp_path) == ["scores.csv"]


def test_appended_rows_follow_those_that_are_there(tmp_path):
    path = tmp_path / "scores.csv"
    append_rows(path, rows(case="a"))
    append_rows(path, rows(case="b"))
    assert read_rows(path) == rows(case="a") + rows(case="b")
    assert path.read_text().count("model,") == 1


def test_a_file_stays_as_it_was_when_writing_fails(tmp_path, monkeypatch):
    path = tmp_path / "scores.csv"
    write_rows(path, rows())
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(report, "_writer", fail)
    with pytest.raises(WriteError, match="disk full"):
        write_rows(path, rows(case="b"))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["scores.csv"]


@pytest.mark.parametrize("text", ["dsc\nnonsense\n", "dsc,nsd\n0.5,0.5,0.5,0.5\n", "voxels\n1.5\n"])
def test_a_file_that_is_no_table_of_scores_is_told(tmp_path, text):
    path = tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="not a table of scores"):
        read_rows(path)
    with pytest.raises(InputError, match="not a table of scores"):
        read_rows(tmp_path / "missing.csv")


def test_sizes_are_measured_in_millilitres_and_millimetres():
    geometry = grid((10, 10, 10), (0.5, 0.5, 4.0))
    assert measured(np.ones(geometry.shape), geometry) == {
        "voxels": 1000,
        "volume_ml": 1.0,
        "slice_thickness_mm": 4.0,
    }


def test_a_markdown_table_has_a_line_for_the_header_the_rule_and_each_row():
    table = markdown_table(["step", "DSC"], [["roi", "0.5"], ["click 1", "0.6"]])
    assert table.splitlines() == [
        "| step | DSC |",
        "| --- | ---: |",
        "| roi | 0.5 |",
        "| click 1 | 0.6 |",
    ]


def test_steps_are_put_together_to_objects_and_the_last_score_wins():
    found = objects_of(rows() + rows(structure="spleen") + rows(dscs=(0.1, 0.2, 0.3)))
    assert [o.key for o in found] == [
        ("a", "liver", "roi_then_clicks"),
        ("a", "spleen", "roi_then_clicks"),
    ]
    assert [row["dsc"] for row in found[0].rows] == [0.1, 0.2, 0.3]
    assert found[0].at("roi", "dsc") == 0.1 and found[0].at("click 9", "dsc") is None
    assert found[0].auc("dsc") == pytest.approx(0.25)
    assert found[0].final["nsd"] == 0.15


def test_a_summary_is_of_means_over_objects_not_over_voxels():
    text = summary(rows(dscs=(0.4, 0.6, 1.0)) + rows(case="b", dscs=(0.2, 0.4, 0.6), voxels=9))
    header = line_of(text, "objects")
    cells = dict(zip(header, line_of(text, "all"), strict=True))
    assert cells["number"] == "2"
    assert (cells["DSC roi"], cells["DSC click 2"]) == ("0.300", "0.800")
    assert (cells["DSC AUC"], cells["NSD AUC"]) == ("0.650", "0.325")
    assert (cells["final DSC"], cells["final NSD"]) == ("0.800", "0.400")
    assert (cells["s per step"], cells["passes"]) == ("2.0", "9.0")


def test_a_summary_divides_objects_in_every_way():
    both = rows(goal=True, volume_ml=2, slice_thickness_mm=1.0, split="tuning")
    both += rows(
        "b",
        dscs=(0.1, 0.2, 0.3),
        volume_ml=200,
        slice_thickness_mm=5.0,
        split="reporting",
        modality="MR",
        group="lesion",
    )
    text = summary(both)
    expected = {
        "goal": "0.700",
        "no goal": "0.300",
        "tuning": "0.700",
        "reporting": "0.300",
        "CT": "0.700",
        "MR": "0.300",
        "small (< 5 ml)": "0.700",
        "large (> 100 ml)": "0.300",
        "slices <= 2 mm": "0.700",
        "slices > 4 mm": "0.300",
        "group organ": "0.700",
        "group lesion": "0.300",
    }
    column = line_of(text, "objects").index("final DSC")
    assert {name: line_of(text, name)[column] for name in expected} == expected


def test_models_and_protocols_have_tables_of_their_own():
    text = summary(rows() + rows(dscs=(0.9,), protocol=ROI_ALONE, model="other"))
    assert "## m, roi_then_clicks" in text and "## other, roi" in text
    alone = text[text.index("## other") :]
    assert (
        dict(zip(line_of(alone, "objects"), line_of(alone, "all"), strict=True))["DSC AUC"] == "–"
    )


@pytest.mark.parametrize(
    ("volume_ml", "starts"), [(4.9, "small"), (5, "medium"), (100, "medium"), (101, "large")]
)
def test_size_classes(volume_ml, starts):
    assert size_class(volume_ml).startswith(starts)


@pytest.mark.parametrize(
    ("thickness", "name"), [(2.0, "<= 2 mm"), (2.1, "<= 4 mm"), (4.0, "<= 4 mm"), (4.1, "> 4 mm")]
)
def test_thickness_classes(thickness, name):
    assert thickness_class(thickness).endswith(name)
