"""Rows of scores in CSV files that grow while a run goes on, and are read back."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.evaluation.report import AS_CSV, COLUMNS, write_table

_READ = {
    "goal": lambda text: text == "True",
    "voxels": int,
    "volume_ml": float,
    "slice_thickness_mm": float,
    "dsc": float,
    "nsd": float,
    "seconds": float,
    "encoder_passes": int,
}


def append_rows(path: Path, rows: Iterable[dict], columns: Sequence[str] = COLUMNS) -> None:
    """Adds rows to a CSV file, which is created if there is none."""
    new = not path.exists()
    with path.open("a", **AS_CSV) as file:
        write_table(file, columns, rows, header=new)


def read_rows(path: Path) -> list[dict]:
    """The rows of a CSV file of scores, with numbers as numbers.

    Raises:
        InputError: if it is not such a file.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [_parsed(row) for row in csv.DictReader(file, strict=True)]
    except (OSError, ValueError, csv.Error) as error:
        raise InputError(f"{path} is not a table of scores: {error}.") from error


def _parsed(row: dict) -> dict:
    # None is how csv marks cells without a column, and columns without a cell.
    if None in row or None in row.values():
        raise ValueError("a row has not as many cells as the header")
    return {key: _READ.get(key, str)(text) for key, text in row.items()}
