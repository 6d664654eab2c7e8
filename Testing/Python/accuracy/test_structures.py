"""structures.json: what is scored is there, and no patient is on both sides."""

import json
from collections import defaultdict

import numpy as np
import pytest

from Accuracy.structures import STRUCTURES, chosen, nth_component, scored_cases, truth_of
from TestSupport.cases import DATA

CASES = scored_cases()


def test_no_patient_is_in_both_splits():
    splits = defaultdict(set)
    for case in CASES:
        splits[case.patient].add(case.split)
    assert set.union(*splits.values()) == {"tuning", "reporting"}
    assert {patient: s for patient, s in splits.items() if len(s) > 1} == {}


def test_no_file_is_scored_in_both_splits():
    splits = defaultdict(set)
    for case in CASES:
        for file in (case.image, case.truth):
            splits[file].add(case.split)
    assert {file: s for file, s in splits.items() if len(s) > 1} == {}


def test_cases_and_their_structures_are_named_once():
    names = [case.case for case in CASES]
    assert len(set(names)) == len(names)
    for case in CASES:
        structures = [structure.name for structure in case.structures]
        assert len(set(structures)) == len(structures), case.case


def test_the_file_says_what_it_means():
    about = " ".join(json.loads(STRUCTURES.read_text("utf-8"))["about"])
    assert all(word in about for word in ("split", "goal", "component"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.case)
def test_every_structure_is_in_its_label_map_and_large_enough(case):
    if not DATA.is_dir():
        pytest.skip(f"the folder with real cases is not there: {DATA}")
    labelled = case.load(DATA)
    assert labelled.warnings == ()
    for structure in case.structures:
        assert np.count_nonzero(truth_of(labelled, structure)) >= 60, structure.name


def test_cases_are_chosen_by_name_split_and_part_of_a_structures_name():
    tuning = chosen(CASES, split="tuning")
    assert tuning and all(case.split == "tuning" for case in tuning)
    (case,) = chosen(CASES, names=["ct_abdomen_3mm"], structures=["kidney", "spleen"])
    assert [s.name for s in case.structures] == ["spleen", "right kidney", "left kidney"]
    assert chosen(CASES, names=["ct_abdomen_3mm"], split="reporting") == []
    assert chosen(CASES) == list(CASES)


def test_the_nth_component_is_the_nth_largest():
    mask = np.zeros((3, 3, 20), dtype=bool)
    mask[0, 0, 0:2] = mask[1, 1, 5:10] = mask[2, 2, 14:17] = True
    # Joined over a corner.
    mask[2, 2, 10] = True
    assert [nth_component(mask, n).sum() for n in (1, 2, 3)] == [6, 3, 2]
    assert nth_component(mask, 3)[0, 0, 0:2].all()
    with pytest.raises(ValueError, match="has 3"):
        nth_component(mask, 4)
