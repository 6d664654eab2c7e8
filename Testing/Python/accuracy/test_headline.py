"""The first figures: measures of protocols, means over structures and over patients."""

import pytest

from Accuracy.headline import MEASURES, by_patient, headline, mean_over_patients, patient_of
from Accuracy.summary import objects_of
from SAMSegmentLib.evaluation.protocol import CLICKS_ALONE, ROI_ALONE
from TestSupport.score_rows import rows

BY_NAME = {measure.name: measure for measure in MEASURES}


def test_measures_are_steps_of_protocols():
    objects = objects_of(
        rows(dscs=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6))
        + rows(dscs=(0.7, 0.75, 0.8, 0.85, 0.9), protocol=CLICKS_ALONE)
        + rows(structure="spleen", dscs=(0.2,), protocol=ROI_ALONE)
    )
    found = {name: measure.values(objects) for name, measure in BY_NAME.items()}
    liver, spleen = ("a", "liver"), ("a", "spleen")
    assert found["ROI"] == {liver: 0.1, spleen: 0.2}
    assert found["one click"] == {liver: 0.7} and found["three clicks"] == {liver: 0.8}
    assert found["five clicks"] == {liver: 0.9} and found["ROI + five"] == {liver: 0.6}
    assert found["shaken ROI"] == {}


def test_a_patient_with_many_structures_counts_once():
    # Two cases of one patient, the second derived from the first.
    one, derived = "ct_abdomen_3mm", "ct_abdomen_3mm, cut"
    values = {(one, "liver"): 0.2, (derived, "liver"): 0.4, ("ct_lung", "lung"): 0.9}
    assert by_patient(values) == {"ct_abdomen": pytest.approx(0.3), "ct_lung": 0.9}
    assert mean_over_patients(values) == pytest.approx(0.6)
    assert patient_of("unknown") == "unknown"


def test_the_table_has_both_means_for_each_part():
    text = headline(
        rows("ct_abdomen_3mm", dscs=(0.2,), goal=True)
        + rows("ct_abdomen_3mm, cut", dscs=(0.4,), goal=True)
        + rows("ct_lung", dscs=(0.9,), split="reporting", group="lung")
    )
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if "|" in line}
    assert lines["objects"] == "| objects | number | ROI |"
    assert lines["all"] == "| all | 3 / 2 | 0.500 / 0.600 |"
    assert lines["goal, tuning"] == "| goal, tuning | 2 / 1 | 0.300 / 0.300 |"
    assert lines["derived"] == "| derived | 1 / 1 | 0.400 / 0.400 |"
    assert lines["group lung"] == "| group lung | 1 / 1 | 0.900 / 0.900 |"
    assert "goal, reporting" not in lines
