"""The figures that are asked for first: Dice from an ROI, and after one, three and five clicks.

A patient with many structures or derived cases dominates a mean over structures, so each mean is
also taken over patients: first within each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from statistics import mean

from Accuracy.structures import scored_cases
from Accuracy.summary import ObjectScores, objects_of, voxel_class
from SAMSegmentLib.evaluation.protocol import (
    CLICKS_ALONE,
    ROI_ALONE,
    ROI_STEP,
    ROI_THEN_CLICKS,
    SHAKEN_CLICKS_ALONE,
    SHAKEN_ROI_THEN_CLICKS,
    Protocol,
)
from SAMSegmentLib.evaluation.report import markdown_table, number

#: Case and structure.
Key = tuple[str, str]


@dataclass(frozen=True)
class Measure:
    """A step of a protocol; of several protocols that have the same step, the first wins."""

    name: str
    protocols: tuple[Protocol, ...]
    step: str

    def values(self, objects: Iterable[ObjectScores]) -> dict[Key, float]:
        """The Dice of every object that was scored so."""
        found: dict[Key, float] = {}
        objects = list(objects)
        for protocol in reversed(self.protocols):
            for scored in objects:
                value = scored.at(self.step, "dsc")
                if scored.about["protocol"] == protocol.name and value is not None:
                    found[scored.key[:2]] = value
        return found


MEASURES = (
    Measure("ROI", (ROI_THEN_CLICKS, ROI_ALONE), ROI_STEP),
    Measure("one click", (CLICKS_ALONE,), "click 1"),
    Measure("three clicks", (CLICKS_ALONE,), "click 3"),
    Measure("five clicks", (CLICKS_ALONE,), "click 5"),
    Measure("ROI + five", (ROI_THEN_CLICKS,), "click 5"),
    Measure("shaken ROI", (SHAKEN_ROI_THEN_CLICKS,), ROI_STEP),
    Measure("shaken, one click", (SHAKEN_CLICKS_ALONE,), "click 1"),
    Measure("shaken, five clicks", (SHAKEN_CLICKS_ALONE,), "click 5"),
    Measure("shaken ROI + five", (SHAKEN_ROI_THEN_CLICKS,), "click 5"),
)
#: How objects are divided: the name of an object's part; "" is left out.
DIVISIONS: tuple[Callable[[dict], str], ...] = (
    lambda about: "all",
    lambda about: "goal" if about["goal"] else "no goal",
    lambda about: about["split"],
    lambda about: f"goal, {about['split']}" if about["goal"] else "",
    lambda about: "derived" if is_derived(about["case"]) else "not derived",
    lambda about: about["modality"],
    lambda about: voxel_class(about["slice_thickness_mm"]),
    lambda about: f"group {about['group']}" if about["group"] else "",
)


def headline(rows: Iterable[dict]) -> str:
    """Markdown: a table per model; a line per part of the objects, a column per measure.

    A cell is the mean Dice over structures / over patients.
    """
    models: dict[str, list[ObjectScores]] = {}
    for scored in objects_of(rows):
        models.setdefault(scored.about["model"], []).append(scored)
    return "\n\n".join(
        f"## {model}: mean Dice over structures / over patients\n\n{_table(objects)}"
        for model, objects in models.items()
    )


def _table(objects: list[ObjectScores]) -> str:
    columns = {m.name: values for m in MEASURES if (values := m.values(objects))}
    about = {scored.key[:2]: scored.about for scored in objects}
    parts: dict[str, list[Key]] = {}
    for division in DIVISIONS:
        named: dict[str, list[Key]] = {}
        for key, of_object in about.items():
            named.setdefault(division(of_object), []).append(key)
        parts |= {name: named[name] for name in sorted(named) if name}
    lines = []
    for name, keys in parts.items():
        patients = len({patient_of(key[0]) for key in keys})
        cells = [
            _cell({key: values[key] for key in keys if key in values})
            for values in columns.values()
        ]
        lines.append([name, f"{len(keys)} / {patients}", *cells])
    return markdown_table(["objects", "number", *columns], lines)


def _cell(values: Mapping[Key, float]) -> str:
    if not values:
        return number(None)
    return f"{number(mean(values.values()))} / {number(mean_over_patients(values))}"


def mean_over_patients(values: Mapping[Key, float]) -> float:
    """The mean of the patients' means; there must be a value."""
    return mean(by_patient(values).values())


def by_patient(values: Mapping[Key, float]) -> dict[str, float]:
    """The mean of each patient."""
    found: dict[str, list[float]] = {}
    for (case, _), value in values.items():
        found.setdefault(patient_of(case), []).append(value)
    return {patient: mean(of_patient) for patient, of_patient in found.items()}


def patient_of(case: str) -> str:
    """The patient of a case in structures.json; a case that is not there is one by itself.

    Kept results do not tell it.
    """
    return _cases()[case].patient if case in _cases() else case


def split_of(case: str) -> str:
    """The split of a case; "" for one that is not in structures.json."""
    return _cases()[case].split if case in _cases() else ""


def is_goal(case: str, structure: str) -> bool:
    """Whether the goals refer to a structure."""
    structures = _cases()[case].structures if case in _cases() else ()
    return any(each.goal for each in structures if each.name == structure)


def is_derived(case: str) -> bool:
    """Whether a case is made from another."""
    return case in _cases() and _cases()[case].derived is not None


@cache
def _cases() -> dict:
    return {case.case: case for case in scored_cases()}
