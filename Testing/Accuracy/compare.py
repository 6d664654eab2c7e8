"""Compares tables of scores, to choose between constants, weights or models.

    python -m Accuracy.compare before.csv after.csv
    python -m Accuracy.compare one.csv two.csv three.csv --split tuning

A difference counts if it is beyond the spread: the standard error that leaving out one patient
after the other gives (jackknife). Structures and derived cases of one patient are alike, so the
patient is what is left out. With three tables or more, it is also told which one is chosen on all
patients but one, and how it does on that one: what a choice by the best mean is worth on a
stranger.

Files are those that `make accuracy` writes to out/accuracy.csv, or Accuracy/results/*.csv.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan, sqrt
from pathlib import Path
from statistics import mean

from Accuracy.contenders import PLAIN_RULE
from Accuracy.costs import COSTLY, clicks_of
from Accuracy.headline import (
    MEASURES,
    Key,
    by_patient,
    is_goal,
    mean_over_patients,
    patient_of,
    split_of,
)
from Accuracy.rows import read_rows
from Accuracy.summary import ObjectScores, objects_of
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.evaluation.report import markdown_table, number

#: A difference of one structure's Dice that is told.
NOTABLE = 0.02
#: Standard errors that a mean difference must exceed.
ERRORS = 2.0

Values = Mapping[Key, float]


@dataclass(frozen=True)
class Estimate:
    """A mean, and its standard error by leaving out patients; NaN with a single patient."""

    mean: float
    error: float

    @property
    def is_beyond(self) -> bool:
        """Whether the mean differs from 0 by more than the spread."""
        return abs(self.mean) > ERRORS * self.error

    def __str__(self) -> str:
        spread = "" if isnan(self.error) else f" ± {self.error:.3f}"
        return f"{self.mean:+.3f}{spread}"


@dataclass(frozen=True)
class Difference:
    """How one table differs from another in one measure.

    Attributes:
        over_structures, over_patients: mean difference of Dice, the second minus the first.
        better, worse: number of structures that differ by more than NOTABLE.
    """

    over_structures: Estimate
    over_patients: Estimate
    better: int
    worse: int

    @property
    def verdict(self) -> str:
        """Beyond the spread only if both means are, in one direction."""
        estimates = self.over_structures, self.over_patients
        if any(isnan(estimate.error) for estimate in estimates):
            return "one patient: no spread"
        signs = {estimate.mean > 0 for estimate in estimates}
        if len(signs) > 1 or not all(estimate.is_beyond for estimate in estimates):
            return "within the spread"
        return f"{'better' if signs == {True} else 'worse'}, beyond the spread"


def difference(before: Values, after: Values) -> Difference:
    """Compares what both have, which must be something."""
    deltas = {key: after[key] - before[key] for key in before if key in after}
    return Difference(
        jackknife(deltas, lambda values: mean(values.values())),
        jackknife(deltas, mean_over_patients),
        sum(delta > NOTABLE for delta in deltas.values()),
        sum(delta < -NOTABLE for delta in deltas.values()),
    )


def jackknife(values: Values, statistic: Callable[[Values], float]) -> Estimate:
    """A statistic with its standard error, leaving out one patient after the other."""
    patients = sorted({patient_of(case) for case, _ in values})
    if len(patients) < 2:
        return Estimate(statistic(values), nan)
    left = [statistic(without(values, patient)) for patient in patients]
    middle = mean(left)
    squares = sum((each - middle) ** 2 for each in left)
    return Estimate(statistic(values), sqrt(squares * (len(left) - 1) / len(left)))


def without(values: Values, patient: str) -> Values:
    """The values of the other patients."""
    return {key: value for key, value in values.items() if patient_of(key[0]) != patient}


def chosen_on_others(tables: Mapping[str, Values]) -> dict[str, tuple[str, float]]:
    """By patient: the table with the best mean over the other patients, and its mean on this one.

    All tables must have the same objects; the first of equally good ones is chosen.
    """
    means = {name: by_patient(values) for name, values in tables.items()}
    patients = next(iter(means.values()))
    if len(patients) < 2:
        return {}
    found = {}
    for patient in patients:

        def on_others(name: str, left_out: str = patient) -> float:
            return mean(value for other, value in means[name].items() if other != left_out)

        best = max(tables, key=on_others)
        found[patient] = best, means[best][patient]
    return found


def report(tables: Mapping[str, Sequence[ObjectScores]]) -> str:
    """Markdown: every table against the first; then the choice, if there are three or more."""
    first, *others = tables
    sections = [
        f"## {name} against {first}\n\n{_pair(tables[first], tables[name])}" for name in others
    ]
    if len(tables) > 2:
        sections.append(f"## Chosen on all patients but one\n\n{_choices(tables)}")
    return "\n\n".join(sections)


def _pair(before: Sequence[ObjectScores], after: Sequence[ObjectScores]) -> str:
    lines = []
    for measure in MEASURES:
        one, two = measure.values(before), measure.values(after)
        common = one.keys() & two.keys()
        if not common:
            continue
        found = difference(one, two)
        patients = {patient_of(case) for case, _ in common}
        lines.append(
            [
                measure.name,
                f"{len(common)} / {len(patients)}",
                f"{mean(one[k] for k in common):.3f} -> {mean(two[k] for k in common):.3f}",
                found.over_structures,
                found.over_patients,
                f"{found.better} / {found.worse}",
                found.verdict,
            ]
        )
    if not lines:
        raise InputError("The tables have no object and step in common: score the same cases.")
    header = ["Dice", "structures / patients", "mean", "over structures", "over patients"]
    header += [f"better / worse by {NOTABLE:g}", "verdict"]
    costs = [_costs(objects, before, after) for objects in (before, after)]
    told = f"Clicks that cost more than {COSTLY:g}, per 100: {' -> '.join(costs)}"
    return f"{markdown_table(header, lines)}\n\n{told}"


def _costs(
    objects: Sequence[ObjectScores], before: Sequence[ObjectScores], after: Sequence[ObjectScores]
) -> str:
    common = {scored.key for scored in before} & {scored.key for scored in after}
    clicks = clicks_of(scored for scored in objects if scored.key in common)
    costly = sum(click.loss > COSTLY for click in clicks)
    return f"{number(100 * costly / len(clicks), 1)} of {len(clicks)}" if clicks else number(None)


def _choices(tables: Mapping[str, Sequence[ObjectScores]]) -> str:
    lines = []
    for measure in MEASURES:
        values = {name: measure.values(objects) for name, objects in tables.items()}
        common = set.intersection(*(set(each) for each in values.values()))
        same = {name: {key: each[key] for key in common} for name, each in values.items()}
        choices = chosen_on_others(same) if common else {}
        if not choices:
            continue
        counts = Counter(name for name, _ in choices.values())
        told = ", ".join(
            f"{name} {count} of {len(choices)}" for name, count in counts.most_common()
        )
        means = [number(mean_over_patients(same[name])) for name in tables]
        lines.append([measure.name, *means, number(mean(v for _, v in choices.values())), told])
    header = ["Dice over patients", *tables, "chosen on the others", "which"]
    return markdown_table(header, lines)


def read_objects(path: Path, split: str | None, goal_only: bool) -> list[ObjectScores]:
    """The objects of a table of one model; those of the plain rule are left out.

    Raises:
        InputError: if the file is no such table, holds several models, or nothing that is wanted.
    """
    rows = [row for row in read_rows(path) if row.get("model") != PLAIN_RULE]
    if len(models := sorted({row["model"] for row in rows})) > 1:
        raise InputError(f"{path} holds several models ({', '.join(models)}): give a file of one.")
    objects = [
        scored
        for scored in objects_of(rows)
        if split in (None, split_of(scored.about["case"]))
        and (not goal_only or is_goal(*scored.key[:2]))
    ]
    if not objects:
        raise InputError(f"{path} holds nothing that is wanted.")
    return objects


def main(arguments: list[str] | None = None) -> int:
    """Prints the comparison; 2 if it cannot be made."""
    parser = argparse.ArgumentParser(prog="compare", description=__doc__.splitlines()[0])
    parser.add_argument("tables", nargs="+", type=Path, metavar="CSV")
    parser.add_argument("--split", choices=("tuning", "reporting"), help="only these cases")
    parser.add_argument("--goal", action="store_true", help="only those to which the goals refer")
    options = parser.parse_args(arguments)
    try:
        if len(set(options.tables)) < 2:
            raise InputError("Give at least two tables.")
        tables = {
            str(path): read_objects(path, options.split, options.goal) for path in options.tables
        }
        print(report(tables))
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
