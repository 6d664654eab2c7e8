"""The table of models in the documents says what the catalogue says."""

import json
from pathlib import Path

import pytest

import models_table

ROOT = Path(__file__).parents[2]
MODELS = ROOT / "SAMSegment" / "Resources" / "Models"
CATALOGUE = json.loads((MODELS / "catalogue.json").read_text(encoding="utf-8"))["models"]


def test_the_page_is_up_to_date():
    page = (ROOT / models_table.PAGE).read_text(encoding="utf-8")
    made = models_table.table(CATALOGUE, {path.stem for path in MODELS.glob("*.md")})
    assert models_table.updated(page, made) == page, "run: make models-table"


def test_a_restriction_is_seen():
    model = {**CATALOGUE[1], "restriction": "no commercial use"}
    assert "**no commercial use**" in models_table.table([model], set())


def test_every_model_has_a_row():
    lines = models_table.table(CATALOGUE, set()).splitlines()
    assert len(lines) == 2 + len(CATALOGUE)
    assert {line.count("|") for line in lines} == {len(models_table.HEADS) + 1}


@pytest.mark.parametrize("page", ["", f"{models_table.BEGIN}\n{models_table.END}\n" * 2])
def test_without_one_pair_of_marks_nothing_is_written(page):
    with pytest.raises(ValueError, match="one pair of marks"):
        models_table.updated(page, "table")
