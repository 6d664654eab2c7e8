"""Scores as rows of CSV files and of Markdown tables."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TextIO

import numpy as np

from ..core.geometry import Geometry
from ..core.outputs import atomic_output
from .protocol import Protocol, Step

#: The columns of a row, one row per step.
COLUMNS = (
    "model",
    "version",
    "case",
    "patient",
    "modality",
    "split",
    "structure",
    "group",
    "goal",
    "voxels",
    "volume_ml",
    "slice_thickness_mm",
    "protocol",
    "step",
    "click",
    "dsc",
    "nsd",
    "seconds",
    "encoder_passes",
)
# A case may have a file name that is not UTF-8.
AS_CSV = {"newline": "", "encoding": "utf-8", "errors": "backslashreplace"}


@dataclass(frozen=True)
class Subject:
    """The object that was segmented, and the model; unknown fields stay empty.

    Attributes:
        goal: whether the project's goals refer to this object.
        slice_thickness_mm: the largest of the volume's spacings.
    """

    model: str
    version: str
    case: str
    structure: str
    voxels: int
    volume_ml: float
    slice_thickness_mm: float
    patient: str = ""
    modality: str = ""
    split: str = ""
    group: str = ""
    goal: bool = False


def measured(truth: np.ndarray, geometry: Geometry) -> dict[str, float]:
    """The fields of a Subject that give its size."""
    voxels = int(np.count_nonzero(truth))
    return {
        "voxels": voxels,
        "volume_ml": round(voxels * geometry.voxel_volume / 1000, 4),
        "slice_thickness_mm": round(float(geometry.spacing.max()), 4),
    }


def rows_of(subject: Subject, protocol: Protocol, steps: Iterable[Step]) -> list[dict]:
    """One row per step, with the keys COLUMNS."""
    return [
        {
            **vars(subject),
            "protocol": protocol.name,
            "step": step.interaction,
            "click": step.click,
            "dsc": round(step.dsc, 5),
            "nsd": round(step.nsd, 5),
            "seconds": round(step.seconds, 3),
            "encoder_passes": step.encoder_passes,
        }
        for step in steps
    ]


def write_rows(
    path: Path,
    rows: Iterable[dict],
    columns: Sequence[str] = COLUMNS,
    overwrite: bool = True,
    inputs: Iterable[str | os.PathLike] = (),
) -> None:
    """Writes a CSV file; an existing one is replaced only once the new one is complete.

    Args:
        overwrite, inputs: see `core.outputs.check_new_file`.

    Raises:
        InputError: if the file exists and must not be replaced.
        WriteError: if writing fails.
    """
    with (
        atomic_output(Path(path), overwrite, inputs) as unfinished,
        unfinished.open("w", **AS_CSV) as file,
    ):
        write_table(file, columns, rows, header=True)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are aligned as numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def number(value: float | None, digits: int = 3) -> str:
    """A number for a table; a dash for None and NaN."""
    return "–" if value is None or isnan(value) else f"{value:.{digits}f}"


def write_table(file: TextIO, columns: Sequence[str], rows: Iterable[dict], header: bool) -> None:
    """Writes rows, after a header if there is none yet; keys without a column are left out."""
    # With Unix line ends, because kept results are text files of the repository.
    writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
