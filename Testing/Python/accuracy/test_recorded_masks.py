"""Recorded masks: what they cover, on which volumes, and that a change is told."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")

from Accuracy import recorded_masks
from SAMSegmentLib.core.prompts import Prompts

CONTENT = json.loads(recorded_masks.RECORDED.read_text(encoding="utf-8"))
ENTRIES = CONTENT["entries"]
MODELS = ["litemedsam", "samsegment3d", "sam-med3d"]


@pytest.mark.parametrize("model", MODELS)
def test_each_model_has_a_dozen_entries_on_four_volumes_and_four_anywhere(model):
    entries = [entry for entry in ENTRIES if entry["model"] == model]
    assert len(entries) >= 12
    assert len({entry["volume"] for entry in entries}) >= 4
    assert sum(recorded_masks.is_quick(entry) for entry in entries) >= 4


def test_all_kinds_of_prompt_are_there_and_names_are_unique():
    prompts = [Prompts.from_json(json.dumps(entry["prompts"])) for entry in ENTRIES]
    assert {kind for each in prompts for kind in each.kinds} == {"roi", "points", "line"}
    assert any(len(entry["masks"]) > 1 for entry in ENTRIES)
    for name in ("content", "occupied", "refine", "intensity_range"):
        assert any(name in entry for entry in ENTRIES), name
    assert len({entry["name"] for entry in ENTRIES}) == len(ENTRIES)


def test_a_cut_and_flipped_volume_stays_in_its_place():
    whole = recorded_masks.volume("chest slice").geometry  # all rows and columns
    part = recorded_masks.volume("chest flipped")
    (k, _, _), (_, j, i) = (CONTENT["volumes"][name]["box"][0] for name in ("chest slice",) * 2)
    there = whole.to_ras([80, 60, 0])
    inside = np.rint(part.geometry.to_ijk(there)).astype(int)
    value = recorded_masks.volume("chest slice").voxels[0, 60, 80]
    assert (k, j, i) == (20, 0, 0) and part.voxels[tuple(inside[::-1])] == value


@pytest.mark.parametrize("name", ["phantom oblique", "chest flipped"])
def test_masks_given_as_ellipsoids_lie_where_they_are_told(name):
    image = recorded_masks.volume(name)
    center = image.geometry.to_ras((np.array(image.geometry.shape[::-1]) - 1) / 2)
    mask = recorded_masks.shape_mask([{"center": center, "radii": [9, 12, 15]}], image)
    found = image.geometry.to_ras(np.argwhere(mask).mean(0)[::-1])
    assert np.allclose(found, center, atol=1)
    expected = 4 / 3 * np.pi * 9 * 12 * 15 / image.geometry.voxel_volume
    assert mask.sum() == pytest.approx(expected, rel=0.1)


def answered(*inside, start=(1, 2, 3), warnings=()):
    logits = np.full((2, 2, 2), -1, dtype=np.float32)
    for voxel in inside:
        logits[voxel] = 1
    return recorded_masks.Answered(start, logits, warnings)


def test_a_larger_box_with_the_same_mask_is_no_difference():
    one = answered((0, 0, 0))
    other = recorded_masks.Answered((0, 0, 0), one.whole((5, 5, 5)), ())
    before, now = (recorded_masks.described(each, (5, 5, 5)) for each in (one, other))
    assert (before["voxels"], before["box"]) == (1, [[1, 2, 3], [1, 2, 3]])
    assert recorded_masks.differences([before], [now]) == []


def test_another_mask_probability_number_or_warning_is_told():
    def told(*masks):
        return [recorded_masks.described(each, (5, 5, 5)) for each in masks]

    one = told(answered((0, 0, 0)))
    surer = answered((0, 0, 0))
    surer.logits[0, 0, 0] = 2
    assert "1 voxels" in recorded_masks.differences(one, told(answered((1, 0, 0))))[0]
    assert "probabilities" in recorded_masks.differences(one, told(surer))[0]
    assert "warnings" in recorded_masks.differences(one, told(answered((0, 0, 0), warnings="a")))[0]
    assert recorded_masks.differences(one, one * 2) == ["1 masks -> 2"]
