"""What guards the tuned constants: the included models score as they did (Accuracy/gate.py).

Where a change makes scores better, `python Scripts/develop.py accuracy-gate -- --keep` keeps them.
"""

import pytest

pytest.importorskip("torch")

from Accuracy import gate

ENTRIES = gate.kept_entries()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return gate.Gate(tmp_path_factory.mktemp("weights"))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_every_mask_that_is_offered_is_as_good_as_it_was(models, entry):
    now = models.scores(entry)
    assert gate.is_within(entry["scores"], now), f"Dice {entry['scores']} -> {now}"


def test_six_structures_are_asked_of_both_models():
    for model in gate.MODELS:
        assert len({e["structure"] for e in ENTRIES if e["model"] == model}) >= 6
    assert len({entry["name"] for entry in ENTRIES}) == len(ENTRIES)


@pytest.mark.parametrize(
    ("kept", "now"), [([0.9], [0.889]), ([0.9], [0.911]), ([0.9], [0.9, 0.5]), ([0.9, 0.5], [0.9])]
)
def test_worse_better_more_or_fewer_masks_are_all_told(kept, now):
    assert gate.is_within(kept, kept)
    assert not gate.is_within(kept, now)
