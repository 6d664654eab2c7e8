"""The table of models in the documents says what their entries say."""

from pathlib import Path

import pytest

import models_table

ROOT = Path(__file__).parents[2]
MODELS = models_table.models_in(ROOT)


def test_the_page_is_up_to_date():
    page = (ROOT / models_table.PAGE).read_text(encoding="utf-8")
    assert models_table.updated(page, models_table.table(MODELS)) == page, "run: make models-table"


def test_a_restriction_is_seen():
    model = {**MODELS[1], "restriction": "no commercial use"}
    assert "**no commercial use**" in models_table.table([model])


def test_every_model_has_a_row():
    lines = models_table.table(MODELS).splitlines()
    assert len(lines) == 2 + len(MODELS)
    assert {line.count("|") for line in lines} == {len(models_table.HEADS) + 1}


@pytest.mark.parametrize("page", ["", f"{models_table.BEGIN}\n{models_table.END}\n" * 2])
def test_without_one_pair_of_marks_nothing_is_written(page):
    with pytest.raises(ValueError, match="one pair of marks"):
        models_table.updated(page, "table")
