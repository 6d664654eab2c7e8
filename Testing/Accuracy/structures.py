"""What is scored: structures.json, read; and the truth about each structure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy import ndimage

from SAMSegmentLib.evaluation.cases import LabelledImage, load_case
from SAMSegmentLib.evaluation.simulated_user import NEIGHBOURS_26

STRUCTURES = Path(__file__).with_name("structures.json")


@dataclass(frozen=True)
class Structure:
    """One object of a case; see the notes in structures.json."""

    label: int
    name: str
    group: str
    goal: bool
    component: int | None = None


@dataclass(frozen=True)
class ScoredCase:
    """A volume and the structures in it; files are relative to the data folder."""

    case: str
    patient: str
    modality: str
    split: str
    image: str
    truth: str
    structures: tuple[Structure, ...]

    def load(self, data: Path) -> LabelledImage:
        """Reads volume and labels; raises InputError if they cannot be used."""
        labels = sorted({structure.label for structure in self.structures})
        return load_case(data / self.image, data / self.truth, labels)


def scored_cases(path: Path = STRUCTURES) -> tuple[ScoredCase, ...]:
    """All cases in the file's order."""
    return tuple(
        ScoredCase(**{**case, "structures": tuple(Structure(**s) for s in case["structures"])})
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]
    )


def chosen(
    cases: Iterable[ScoredCase],
    names: Iterable[str] | None = None,
    split: str | None = None,
    structures: Iterable[str] | None = None,
    goal_only: bool = False,
) -> list[ScoredCase]:
    """The cases and structures that are wanted; None: all.

    Args:
        names: of cases.
        split: "tuning" or "reporting".
        structures: parts of structures' names, in small or capital letters.
        goal_only: only those to which the goals refer.
    """
    result = []
    for case in cases:
        if (names is not None and case.case not in names) or split not in (None, case.split):
            continue
        wanted = [
            structure
            for structure in case.structures
            if (structure.goal or not goal_only)
            and (
                structures is None
                or any(part.lower() in structure.name.lower() for part in structures)
            )
        ]
        if wanted:
            result.append(replace(case, structures=tuple(wanted)))
    return result


def truth_of(labelled: LabelledImage, structure: Structure) -> np.ndarray:
    """Boolean mask of a structure, (k, j, i) of the volume's grid."""
    mask = labelled.mask(structure.label)
    return mask if structure.component is None else nth_component(mask, structure.component)


def nth_component(mask: np.ndarray, n: int) -> np.ndarray:
    """The n-th largest 26-connected component of a mask, counted from 1."""
    labels, count = ndimage.label(mask, NEIGHBOURS_26)
    if not 1 <= n <= count:
        raise ValueError(f"There is no component {n}: the label has {count}.")
    sizes = np.bincount(labels.ravel())[1:]
    return labels == np.argsort(-sizes, kind="stable")[n - 1] + 1
