"""Means over objects, by protocol and by kind of object."""

import pytest

from Accuracy.summary import objects_of, size_class, summary, voxel_class
from SAMSegmentLib.evaluation.protocol import ROI_ALONE
from TestSupport.score_rows import rows


def line_of(table, name):
    line = next(line for line in table.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_steps_are_put_together_to_objects_and_the_last_score_wins():
    found = objects_of(rows() + rows(structure="spleen") + rows(dscs=(0.1, 0.2, 0.3)))
    assert [o.key for o in found] == [
        ("a", "liver", "roi_then_clicks"),
        ("a", "spleen", "roi_then_clicks"),
    ]
    assert [row["dsc"] for row in found[0].rows] == [0.1, 0.2, 0.3]
    assert found[0].at("roi", "dsc") == 0.1 and found[0].at("click 9", "dsc") is None
    assert found[0].auc("dsc") == pytest.approx(0.25)
    assert found[0].final["nsd"] == 0.15


def test_a_summary_is_of_means_over_objects_not_over_voxels():
    text = summary(rows(dscs=(0.4, 0.6, 1.0)) + rows(case="b", dscs=(0.2, 0.4, 0.6), voxels=9))
    header = line_of(text, "objects")
    cells = dict(zip(header, line_of(text, "all"), strict=True))
    assert cells["number"] == "2"
    assert (cells["DSC roi"], cells["DSC click 2"]) == ("0.300", "0.800")
    assert (cells["DSC AUC"], cells["NSD AUC"]) == ("0.650", "0.325")
    assert (cells["final DSC"], cells["final NSD"]) == ("0.800", "0.400")
    assert (cells["s per step"], cells["passes"]) == ("2.0", "9.0")


def test_a_summary_divides_objects_in_every_way():
    both = rows(goal=True, volume_ml=2, slice_thickness_mm=1.0, split="tuning")
    both += rows(
        "b",
        dscs=(0.1, 0.2, 0.3),
        volume_ml=200,
        slice_thickness_mm=5.0,
        split="reporting",
        modality="MR",
        group="lesion",
    )
    text = summary(both)
    expected = {
        "goal": "0.700",
        "no goal": "0.300",
        "tuning": "0.700",
        "reporting": "0.300",
        "CT": "0.700",
        "MR": "0.300",
        "small (< 5 ml)": "0.700",
        "large (> 100 ml)": "0.300",
        "fine voxels (< 1.2 mm)": "0.700",
        "coarse voxels (> 4 mm)": "0.300",
        "group organ": "0.700",
        "group lesion": "0.300",
    }
    column = line_of(text, "objects").index("final DSC")
    assert {name: line_of(text, name)[column] for name in expected} == expected


def test_models_and_protocols_have_tables_of_their_own():
    text = summary(rows() + rows(dscs=(0.9,), protocol=ROI_ALONE, model="other"))
    assert "## m, roi_then_clicks" in text and "## other, roi" in text
    alone = text[text.index("## other") :]
    assert (
        dict(zip(line_of(alone, "objects"), line_of(alone, "all"), strict=True))["DSC AUC"] == "–"
    )


@pytest.mark.parametrize(
    ("volume_ml", "starts"), [(4.9, "small"), (5, "medium"), (100, "medium"), (101, "large")]
)
def test_size_classes(volume_ml, starts):
    assert size_class(volume_ml).startswith(starts)


@pytest.mark.parametrize(
    ("thickness", "starts"), [(1.19, "fine"), (1.2, "medium"), (4.0, "medium"), (4.1, "coarse")]
)
def test_voxel_classes(thickness, starts):
    assert voxel_class(thickness).startswith(starts)
