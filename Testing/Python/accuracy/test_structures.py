"""structures.json: what is scored is there, and no patient is on both sides."""

import json
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from Accuracy.structures import (
    STRUCTURES,
    ScoredCase,
    chosen,
    nth_component,
    scored_cases,
    truth_of,
)
from Accuracy.summary import voxel_class
from SAMSegmentLib.core.image import sitk_from_array
from TestSupport.cases import DATA
from TestSupport.phantoms import grid

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
    assert all(word in about for word in ("split", "goal", "component", "derived"))


def test_reporting_holds_every_kind_of_structure_image_and_voxel():
    reporting = [
        (case, structure)
        for case in chosen(CASES, split="reporting")
        if case.derived is None
        for structure in case.structures
    ]
    groups = {"organ", "bone", "vessel", "brain", "lesion", "muscle", "lung"}
    assert {structure.group for _, structure in reporting} == groups
    assert {case.modality for case, _ in reporting} == {"CT", "MR", "PET"}
    assert sum(structure.goal for _, structure in reporting) >= 12
    if DATA.is_dir():
        images = {case.image: case for case, _ in reporting if not case.missing(DATA)}
        spacings = [case.load(DATA).image.geometry.spacing.max() for case in images.values()]
        assert {"fine", "medium", "coarse"} == {voxel_class(mm).split()[0] for mm in spacings}


def test_what_was_tuned_on_once_stays_tuning():
    tuned = {"ct_abdomen", "mr_brain_t1_aseg", "sts_019", "mr_brain_ms_lesions"}
    assert {case.split for case in CASES if case.patient in tuned} == {"tuning"}


def test_a_derived_case_has_the_split_and_patient_of_its_source():
    sources = {(case.image, case.truth): case for case in CASES if case.derived is None}
    derived = [case for case in CASES if case.derived is not None]
    assert {case.split for case in derived} == {"tuning", "reporting"}
    for case in derived:
        source = sources[case.image, case.truth]
        assert (case.patient, case.split) == (source.patient, source.split), case.case
        assert case.modality == source.modality


def test_a_case_that_is_not_there_says_so(tmp_path):
    beside = CASES[0]
    assert beside.missing(tmp_path) == f"{tmp_path / beside.image} is not there"
    absent = replace(beside, package="no_such_package")
    assert absent.missing(tmp_path) == "the package no_such_package is not installed"


def test_a_truth_of_probabilities_is_cut_at_a_value(tmp_path):
    geometry = grid((2, 3, 4))
    probability = np.arange(24, dtype=np.uint8).reshape(geometry.shape)
    for name, voxels in (("t1.nrrd", probability + 1), ("wm.nrrd", probability)):
        sitk.WriteImage(sitk_from_array(voxels, geometry), str(tmp_path / name))
    case = ScoredCase(
        "a", "p", "MR", "tuning", "t1.nrrd", "wm.nrrd", CASES[0].structures[:1], truth_above=11
    )
    assert np.array_equal(case.load(tmp_path).mask(1), probability > 11)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.case)
def test_every_structure_is_in_its_label_map_and_large_enough(case):
    if reason := case.missing(DATA):
        pytest.skip(reason)
    labelled = case.load(DATA)
    assert labelled.warnings == ()
    for structure in case.structures:
        truth = truth_of(labelled, structure)
        assert np.count_nonzero(truth) >= 60, structure.name
        assert not truth.all()


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
