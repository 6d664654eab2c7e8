"""What is scored: structures.json, read; and the truth about each structure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy import ndimage

from Accuracy.derived import Derivation
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.core.files import read_image
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
    """A volume and the structures in it.

    Attributes:
        image, truth: files, relative to the data folder or to the package.
        package: an installed package that brings the files; "": they are in the data folder.
        truth_above: for a truth of probabilities: label 1 is what is above; None: it has labels.
        derived: how the case is made from these files; None: it is what they hold.
    """

    case: str
    patient: str
    modality: str
    split: str
    image: str
    truth: str
    structures: tuple[Structure, ...]
    package: str = ""
    truth_above: float | None = None
    derived: Derivation | None = None

    def missing(self, data: Path) -> str:
        """Why the case cannot be loaded here; "" if it can."""
        if self.package and find_spec(self.package) is None:
            return f"the package {self.package} is not installed"
        folder = self._folder(data)
        absent = [name for name in (self.image, self.truth) if not (folder / name).is_file()]
        return f"{folder / absent[0]} is not there" if absent else ""

    def load(self, data: Path) -> LabelledImage:
        """Reads volume and labels; raises InputError if they cannot be used."""
        labels = sorted({structure.label for structure in self.structures})
        folder = self._folder(data)
        if self.truth_above is None:
            labelled = load_case(folder / self.image, folder / self.truth, labels)
        else:
            labelled = self._from_probabilities(folder)
        return labelled if self.derived is None else self.derived.of(labelled)

    def _folder(self, data: Path) -> Path:
        # Found, not imported: the packages are needed for their files alone.
        return Path(find_spec(self.package).origin).parent if self.package else data

    def _from_probabilities(self, folder: Path) -> LabelledImage:
        image, truth = read_image(folder / self.image), read_image(folder / self.truth)
        if not truth.geometry.is_close(image.geometry):
            raise InputError(f"{self.truth} is not on the grid of {self.image}.")
        return LabelledImage(image, (truth.voxels > self.truth_above).astype("uint8"), (1,))


def scored_cases(path: Path = STRUCTURES) -> tuple[ScoredCase, ...]:
    """All cases in the file's order."""
    return tuple(_case(**about) for about in json.loads(path.read_text(encoding="utf-8"))["cases"])


def _case(structures: list[dict], derived: dict | None = None, **about) -> ScoredCase:
    return ScoredCase(
        **about,
        structures=tuple(Structure(**structure) for structure in structures),
        derived=None if derived is None else Derivation(**derived),
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
