"""Kept results: what a model scored before, to see whether a change made it worse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from Accuracy.rows import read_rows
from Accuracy.summary import ObjectScores, mean_of, objects_of
from SAMSegmentLib.evaluation.report import write_rows

RESULTS = Path(__file__).with_name("results")
COLUMNS = (
    "model",
    "version",
    "case",
    "structure",
    "protocol",
    "step",
    "dsc",
    "nsd",
    "encoder_passes",
)
#: Loss of Dice of one object after one step that is told.
OBJECT_LOSS = 0.02
#: Loss of the mean final Dice of a protocol that fails the run.
MEAN_LOSS = 0.01


@dataclass(frozen=True)
class Comparison:
    """What became worse against kept results.

    Attributes:
        compared: number of objects that both have.
        lines: what to tell, one object or mean a line.
        failed: whether a mean became worse by more than MEAN_LOSS.
    """

    compared: int
    lines: tuple[str, ...]
    failed: bool


def kept_rows(model: str, folder: Path) -> list[dict]:
    """The rows kept for a model; none if there is no file."""
    path = folder / f"{model}.csv"
    return read_rows(path) if path.exists() else []


def keep(model: str, rows: Iterable[dict], folder: Path) -> Path:
    """Keeps rows in place of those of the same objects and protocols; the others stay."""
    new = objects_of(rows)
    replaced = {scored.key for scored in new}
    old = [scored for scored in objects_of(kept_rows(model, folder)) if scored.key not in replaced]
    folder.mkdir(exist_ok=True)
    path = folder / f"{model}.csv"
    merged = sorted([*old, *new], key=lambda scored: scored.key)
    write_rows(path, [row for scored in merged for row in scored.rows], COLUMNS)
    return path


def compare(rows: Iterable[dict], kept: Iterable[dict]) -> Comparison:
    """New rows against kept ones of the same model, on the objects that both have."""
    before = {scored.key: scored for scored in objects_of(kept)}
    pairs = [(before[now.key], now) for now in objects_of(rows) if now.key in before]
    lines = [line for old, now in pairs if (line := _losses(old, now))]
    failed = False
    for protocol in dict.fromkeys(now.about["protocol"] for _, now in pairs):
        of_protocol = [pair for pair in pairs if pair[1].about["protocol"] == protocol]
        old, now = (mean_of(pair[n].final["dsc"] for pair in of_protocol) for n in (0, 1))
        if old - now > MEAN_LOSS:
            failed = True
            lines.append(
                f"mean of {len(of_protocol)}, {protocol}: final {old:.3f} -> {now:.3f} (FAILED: "
                f"more than {MEAN_LOSS:g} lost)"
            )
    return Comparison(len(pairs), tuple(lines), failed)


def _losses(old: ObjectScores, now: ObjectScores) -> str:
    """One line about the steps in which an object became worse; "" if in none."""
    steps = [
        f"{row['step']} {before:.3f} -> {row['dsc']:.3f}"
        for row in now.rows
        if (before := old.at(row["step"], "dsc")) is not None and before - row["dsc"] > OBJECT_LOSS
    ]
    case, structure, protocol = now.key
    return f"{case}, {structure}, {protocol}: {', '.join(steps)}" if steps else ""
