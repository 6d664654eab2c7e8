"""Rows of scores: into files and back, as tables, and as means."""

import os

import numpy as np
import pytest

from Accuracy.rows import append_rows, read_rows
from SAMSegmentLib.core.errors import InputError, WriteError
from SAMSegmentLib.evaluation import report
from SAMSegmentLib.evaluation.report import (
    COLUMNS,
    markdown_table,
    measured,
    write_rows,
)
from TestSupport.phantoms import grid
from TestSupport.score_rows import rows


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

    monkeypatch.setattr(report, "write_table", fail)
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
