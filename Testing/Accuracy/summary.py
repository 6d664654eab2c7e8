"""Means over objects, by protocol and by kind of object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, median

from SAMSegmentLib.evaluation.protocol import ROI_STEP, area_under_clicks
from SAMSegmentLib.evaluation.report import markdown_table, number

SMALL_ML, LARGE_ML = 5.0, 100.0
FINE_MM, COARSE_MM = 1.2, 4.0


@dataclass(frozen=True)
class ObjectScores:
    """One object under one protocol: its rows of report.COLUMNS in order of the steps."""

    rows: tuple[dict, ...]

    @property
    def about(self) -> dict:
        """The columns that are the same in all rows."""
        return self.rows[0]

    @property
    def key(self) -> tuple[str, str, str]:
        """Case, structure and protocol."""
        return tuple(self.about[name] for name in ("case", "structure", "protocol"))

    @property
    def final(self) -> dict:
        """The row of the last step."""
        return self.rows[-1]

    def at(self, step: str, metric: str) -> float | None:
        """The score after a step; None if the protocol has no such step."""
        return next((row[metric] for row in self.rows if row["step"] == step), None)

    def auc(self, metric: str) -> float | None:
        """See evaluation.protocol.area_under_clicks."""
        return area_under_clicks([r[metric] for r in self.rows if r["step"] != ROI_STEP])


def objects_of(rows: Iterable[dict]) -> list[ObjectScores]:
    """Rows put together to objects; the last wins where a step was scored twice."""
    found: dict[tuple, dict[str, dict]] = {}
    for row in rows:
        key = tuple(row[name] for name in ("model", "protocol", "case", "structure"))
        found.setdefault(key, {})[row["step"]] = row
    return [ObjectScores(tuple(steps.values())) for steps in found.values()]


def size_class(volume_ml: float) -> str:
    """Small, medium or large, by volume."""
    if volume_ml < SMALL_ML:
        return f"small (< {SMALL_ML:g} ml)"
    return (
        f"large (> {LARGE_ML:g} ml)"
        if volume_ml > LARGE_ML
        else f"medium ({SMALL_ML:g} to {LARGE_ML:g} ml)"
    )


def voxel_class(slice_thickness_mm: float) -> str:
    """Fine, medium or coarse, by the largest distance of voxels, mostly that of slices."""
    if slice_thickness_mm < FINE_MM:
        return f"fine voxels (< {FINE_MM:g} mm)"
    return (
        f"coarse voxels (> {COARSE_MM:g} mm)"
        if slice_thickness_mm > COARSE_MM
        else f"medium voxels ({FINE_MM:g} to {COARSE_MM:g} mm)"
    )


#: How objects are divided: the name of an object's part under each division.
DIVISIONS: tuple[Callable[[dict], str], ...] = (
    lambda about: "all",
    lambda about: "goal" if about["goal"] else "no goal",
    lambda about: about["split"],
    lambda about: about["modality"],
    lambda about: size_class(about["volume_ml"]),
    lambda about: voxel_class(about["slice_thickness_mm"]),
    lambda about: f"group {about['group']}" if about["group"] else "",
)


def summary(rows: Iterable[dict]) -> str:
    """Markdown: a table per model and protocol, a line per part of the objects."""
    sections: dict[tuple, list[ObjectScores]] = {}
    for scored in objects_of(rows):
        heading = (scored.about["model"], scored.about["protocol"])
        sections.setdefault(heading, []).append(scored)
    return "\n\n".join(
        f"## {model}, {protocol}\n\n{_table(objects)}"
        for (model, protocol), objects in sections.items()
    )


def _table(objects: Sequence[ObjectScores]) -> str:
    steps = [row["step"] for row in max((o.rows for o in objects), key=len)]
    header = ["objects", "number", *[f"DSC {step}" for step in steps]]
    header += [f"NSD {step}" for step in steps]
    header += ["DSC AUC", "NSD AUC", "final DSC", "final NSD", "s per step", "passes"]
    lines = []
    for division in DIVISIONS:
        parts: dict[str, list[ObjectScores]] = {}
        for scored in objects:
            parts.setdefault(division(scored.about), []).append(scored)
        lines += [_line(name, parts[name], steps) for name in sorted(parts) if name]
    return markdown_table(header, lines)


def _line(name: str, objects: Sequence[ObjectScores], steps: Sequence[str]) -> list[str]:
    cells = [name, str(len(objects))]
    for metric in ("dsc", "nsd"):
        cells += [number(mean_of(o.at(step, metric) for o in objects)) for step in steps]
    cells += [number(mean_of(o.auc(metric) for o in objects)) for metric in ("dsc", "nsd")]
    cells += [number(mean_of(o.final[metric] for o in objects)) for metric in ("dsc", "nsd")]
    # Nothing was done, and no time taken, once a mask was perfect.
    waited = [row["seconds"] for o in objects for row in o.rows if row["seconds"] > 0]
    cells.append(number(median(waited) if waited else None, 1))
    cells.append(number(mean(sum(row["encoder_passes"] for row in o.rows) for o in objects), 1))
    return cells


def mean_of(values: Iterable[float | None]) -> float | None:
    """The mean of those that are there; None if none is."""
    there = [value for value in values if value is not None]
    return mean(there) if there else None
