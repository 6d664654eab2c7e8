"""Tables of scores compared: what is beyond the spread over patients, and what is not."""

import math

import pytest

from Accuracy.compare import chosen_on_others, difference, jackknife, main, read_objects
from Accuracy.headline import mean_over_patients
from Accuracy.rows import append_rows
from SAMSegmentLib.core.errors import InputError
from SAMSegmentLib.evaluation.protocol import CLICKS_ALONE
from TestSupport.score_rows import rows

# Cases that are not in structures.json are patients of their own.
PATIENTS = "pqrs"


def values(**by_patient):
    """Dice of structures, by patient."""
    return {
        (patient, str(n)): value
        for patient, of_patient in by_patient.items()
        for n, value in enumerate(of_patient)
    }


def test_the_error_is_that_of_leaving_out_patients():
    # With one structure each, it is the usual standard error of a mean.
    deltas = values(p=[0.1], q=[0.3], r=[0.2])
    estimate = jackknife(deltas, mean_over_patients)
    assert estimate.mean == pytest.approx(0.2)
    assert estimate.error == pytest.approx(0.1 / math.sqrt(3))


def test_a_patient_with_many_structures_widens_the_spread_over_structures():
    before = values(p=[0.5] * 20, q=[0.5], r=[0.5], s=[0.5])
    after = values(p=[0.7] * 20, q=[0.5], r=[0.5], s=[0.5])
    found = difference(before, after)
    assert found.over_structures.mean == pytest.approx(0.2 * 20 / 23)
    assert found.over_patients.mean == pytest.approx(0.05)
    assert (found.better, found.worse) == (20, 0)
    assert not found.over_structures.is_beyond and not found.over_patients.is_beyond
    assert found.verdict == "within the spread"


@pytest.mark.parametrize(("gain", "verdict"), [(0.1, "better"), (-0.1, "worse")])
def test_what_nearly_all_patients_show_is_beyond_the_spread(gain, verdict):
    before = values(p=[0.5, 0.4], q=[0.5], r=[0.5], s=[0.6])
    after = {key: value + gain + 0.01 * (key[0] > "q") for key, value in before.items()}
    found = difference(before, after)
    assert found.verdict == f"{verdict}, beyond the spread"
    assert {found.better, found.worse} == {0, 5}


def test_a_single_patient_has_no_spread():
    found = difference(values(p=[0.1, 0.2]), values(p=[0.3, 0.4]))
    assert found.verdict == "one patient: no spread"
    assert str(found.over_patients) == "+0.200"


def test_a_choice_is_judged_on_the_patient_that_was_left_out():
    # The second is best on average, because of one patient alone.
    tables = {
        "a": values(p=[0.5], q=[0.6], r=[0.6]),
        "b": values(p=[0.9], q=[0.5], r=[0.5]),
    }
    chosen = chosen_on_others(tables)
    assert chosen == {"p": ("a", 0.5), "q": ("b", 0.5), "r": ("b", 0.5)}


@pytest.fixture
def table(tmp_path):
    """Writes a table of one structure in each patient."""

    def write(name, gain=0.0, cases=PATIENTS, **about):
        path = tmp_path / name
        for n, case in enumerate(cases):
            dscs = (0.4 + gain + 0.01 * n, 0.6 + gain)
            append_rows(path, rows(case, dscs=dscs, **about))
        return path

    return write


def test_two_tables_are_compared_step_by_step(table, capsys):
    # The first click of the second table costs 0.1.
    assert main([str(table("a.csv")), str(table("b.csv", 0.1))]) == 0
    told = capsys.readouterr().out
    (line,) = [line for line in told.splitlines() if line.startswith("| ROI |")]
    assert "| 4 / 4 | 0.415 -> 0.515 | +0.100 ± 0.000 |" in line
    assert "| 4 / 0 | better, beyond the spread |" in line
    assert "one click" not in told, "no table has clicks alone"
    assert "per 100: 0.0 of 4 -> 0.0 of 4" in told


def test_three_tables_are_also_chosen_among(table, capsys):
    paths = [table("a.csv"), table("b.csv", 0.1), table("c.csv", -0.1)]
    assert main([str(path) for path in paths]) == 0
    told = capsys.readouterr().out
    assert told.count(" against ") == 2
    choice = told[told.index("## Chosen") :]
    assert f"| ROI | 0.415 | 0.515 | 0.315 | 0.515 | {paths[1]} 4 of 4 |" in choice


def test_only_a_split_or_the_goals_are_compared(tmp_path):
    path = tmp_path / "a.csv"
    for case, structure in [("ct_lung", "lung"), ("ct_abdomen_3mm", "pancreas")]:
        append_rows(path, rows(case, structure, dscs=(0.5,)))
    assert [o.key[0] for o in read_objects(path, "reporting", False)] == ["ct_lung"]
    assert [o.key[1] for o in read_objects(path, None, True)] == ["lung"]
    with pytest.raises(InputError, match="nothing that is wanted"):
        read_objects(path, "tuning", True)


def test_tables_that_cannot_be_compared_are_told(table, capsys):
    one = str(table("a.csv"))
    assert main([one]) == 2
    other = table("b.csv", cases="x")
    assert main([one, str(other)]) == 2
    assert "no object and step in common" in capsys.readouterr().err
    append_rows(other, rows("x", model="second", protocol=CLICKS_ALONE))
    assert main([one, str(other)]) == 2
    assert "several models (m, second)" in capsys.readouterr().err
