"""Clicks that cost Dice, by sign; the worst are named."""

from Accuracy.costs import clicks_of, costs
from Accuracy.summary import objects_of
from SAMSegmentLib.evaluation.protocol import CLICKS_ALONE
from TestSupport.score_rows import rows


def test_a_click_is_judged_by_the_mask_before_it():
    objects = objects_of(rows(dscs=(0.5, 0.6, 0.4), negative=[2]))
    clicks = [(c.step, c.sign, c.before, c.after) for c in clicks_of(objects)]
    assert clicks == [("click 1", "positive", 0.5, 0.6), ("click 2", "negative", 0.6, 0.4)]


def test_the_click_that_begins_an_object_is_not_judged():
    objects = objects_of(rows(dscs=(0.5, 0.6), protocol=CLICKS_ALONE))
    assert [click.step for click in clicks_of(objects)] == ["click 2"]


def test_shares_are_told_by_protocol_and_sign_and_the_worst_first():
    text = costs(
        rows(dscs=(0.5, 0.44, 0.4, 0.9), negative=[2])
        + rows(structure="spleen", dscs=(0.9, 0.85, 0.1, 0.2), negative=[2])
        + rows(dscs=(0.5, 0.6, 0.7), protocol=CLICKS_ALONE)
    )
    lines = text.splitlines()
    assert "| m, roi_then_clicks | 6 | 33.3 (2 of 6) | 25.0 (1 of 4) | 50.0 (1 of 2) |" in lines
    assert "| m, clicks_alone | 2 | 0.0 (0 of 2) | 0.0 (0 of 2) | – |" in lines
    assert "| all | 8 | 25.0 (2 of 8) | 16.7 (1 of 6) | 50.0 (1 of 2) |" in lines
    named = [line for line in lines if line.startswith("- ")]
    assert named == [
        "- 0.850 -> 0.100: a, spleen, roi_then_clicks, click 2 (negative)",
        "- 0.500 -> 0.440: a, liver, roi_then_clicks, click 1 (positive)",
    ]


def test_a_perfect_mask_is_not_clicked_at():
    assert len(clicks_of(objects_of(rows(dscs=(0.9, 1.0, 1.0))))) == 1


def test_clicks_of_kept_results_count_without_their_signs():
    kept = [{key: value for key, value in row.items() if key != "click"} for row in rows()]
    assert [click.sign for click in clicks_of(objects_of(kept))] == ["unknown"] * 2
    assert "| m, roi_then_clicks | 2 | 0.0 (0 of 2) | – | – |" in costs(kept)


def test_without_clicks_there_is_no_table():
    assert costs(rows(dscs=(0.5,))) == ""
