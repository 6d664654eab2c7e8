"""Kept results: merged over partial runs, and a loss against them is told."""

import pytest

from Accuracy.kept import COLUMNS, compare, keep, kept_rows


def row(case="a", structure="liver", protocol="roi", step="roi", dsc=0.9):
    return {
        "model": "m",
        "version": "1",
        "case": case,
        "structure": structure,
        "protocol": protocol,
        "step": step,
        "dsc": dsc,
        "nsd": 0.8,
        "encoder_passes": 4,
    }


def test_without_kept_results_nothing_is_compared_and_nothing_fails(tmp_path):
    assert kept_rows("m", tmp_path) == []
    comparison = compare([row()], [])
    assert (comparison.compared, comparison.lines, comparison.failed) == (0, (), False)


def test_results_are_kept_compactly_and_come_back(tmp_path):
    path = keep("m", [row() | {"seconds": 3.0, "volume_ml": 7.0}], tmp_path)
    assert path.read_text().splitlines()[0] == ",".join(COLUMNS)
    assert kept_rows("m", tmp_path) == [row()]


def test_partial_runs_replace_their_own_objects_only(tmp_path):
    keep("m", [row("a"), row("b"), row("a", protocol="clicks_alone", step="click 1")], tmp_path)
    keep("m", [row("b", dsc=0.5), row("c")], tmp_path)
    found = {(r["case"], r["protocol"]): r["dsc"] for r in kept_rows("m", tmp_path)}
    assert found == {
        ("a", "roi"): 0.9,
        ("a", "clicks_alone"): 0.9,
        ("b", "roi"): 0.5,
        ("c", "roi"): 0.9,
    }


def test_the_order_of_kept_rows_does_not_depend_on_that_of_the_runs(tmp_path):
    a, b = [row("a")], [row("b")]
    keep("m", a, tmp_path / "one")
    keep("m", b, tmp_path / "one")
    keep("m", b, tmp_path / "two")
    keep("m", a, tmp_path / "two")
    assert (tmp_path / "one/m.csv").read_bytes() == (tmp_path / "two/m.csv").read_bytes()


def test_an_object_that_lost_is_named_with_its_step():
    comparison = compare([row("a", dsc=0.87), row("b", dsc=0.95)], [row("a"), row("b")])
    assert comparison.compared == 2
    assert comparison.lines == ("a, liver, roi: roi 0.900 -> 0.870",)
    # The mean gained.
    assert not comparison.failed


def test_a_small_loss_is_not_told():
    assert compare([row(dsc=0.895)], [row()]).lines == ()


@pytest.mark.parametrize(("loss", "failed"), [(0.009, False), (0.011, True)])
def test_a_loss_of_a_mean_fails_from_a_hundredth_on(loss, failed):
    cases = "abcdef"
    kept = [row(case) for case in cases]
    comparison = compare([row(case, dsc=0.9 - loss) for case in cases], kept)
    assert comparison.failed == failed
    assert len(comparison.lines) == failed


def test_a_mean_is_of_the_final_step_and_of_the_objects_that_both_have():
    clicks = {"protocol": "roi_then_clicks"}
    kept = [row(**clicks, dsc=0.5), row(**clicks, step="click 1", dsc=0.9)]
    kept += [row("gone", **clicks, dsc=1.0)]
    new = [row(**clicks, dsc=0.4), row(**clicks, step="click 1", dsc=0.95)]
    new += [row("new", **clicks, dsc=0.0)]
    comparison = compare(new, kept)
    assert not comparison.failed
    assert comparison.lines == ("a, liver, roi_then_clicks: roi 0.500 -> 0.400",)


def test_a_gain_in_one_protocol_does_not_hide_the_loss_in_another():
    kept = [row(), row(protocol="clicks_alone", step="click 1")]
    new = [row(dsc=1.0), row(protocol="clicks_alone", step="click 1", dsc=0.8)]
    comparison = compare(new, kept)
    assert comparison.failed
    assert any("clicks_alone: final 0.900 -> 0.800" in line for line in comparison.lines)
