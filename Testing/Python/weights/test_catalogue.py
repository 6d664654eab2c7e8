"""The catalogue says what there is, and the files are what it says."""

import dataclasses
import re

import numpy as np
import pytest

from SAMSegmentLib.core.errors import InputError, WeightsError
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Line, Point, Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from SAMSegmentLib.weights.catalogue import DEFAULT_MODEL, MODELS_FOLDER, catalogue, model_entry

ROI = Roi.from_box((0, 0, 0), (10, 10, 10))
POINT = Point((1, 2, 3))
LINE = Line((1, 2, 3), (4, 2, 3))


@pytest.mark.parametrize("name", catalogue())
def test_an_entry_is_complete(name):
    entry = model_entry(name)
    assert entry.name == name
    assert re.fullmatch("[0-9a-f]{64}", entry.sha256)
    assert entry.size > 0 and entry.parameters > 0
    assert all((entry.title, entry.code_licence, entry.weights_licence, entry.source))
    assert set(entry.prompts) <= {"roi", "points", "line"} and entry.prompts


@pytest.mark.parametrize("name", [n for n, entry in catalogue().items() if entry.embedded])
def test_embedded_weights_are_the_ones_that_the_catalogue_means(name):
    entry = model_entry(name)
    assert entry.verified_path() == MODELS_FOLDER / entry.file
    assert entry.path.stat().st_size == entry.size


def test_the_default_model_is_embedded():
    assert model_entry(DEFAULT_MODEL).embedded


def test_an_unknown_model_is_refused_and_the_known_ones_are_named():
    with pytest.raises(InputError, match="litemedsam"):
        model_entry("medsam")


def elsewhere(monkeypatch, folder):
    monkeypatch.setattr("SAMSegmentLib.weights.catalogue.MODELS_FOLDER", folder)
    return model_entry(DEFAULT_MODEL)


def test_missing_weights_are_reported(monkeypatch, tmp_path):
    with pytest.raises(WeightsError, match="missing"):
        elsewhere(monkeypatch, tmp_path).verified_path()


def test_damaged_weights_are_reported_even_if_they_were_good_before(monkeypatch, tmp_path):
    entry = elsewhere(monkeypatch, tmp_path)
    file = tmp_path / entry.file
    file.write_bytes(b"good")
    good = dataclasses.replace(entry, sha256=_sha256(b"good"))
    assert good.verified_path() == file
    file.write_bytes(b"evil!")
    with pytest.raises(WeightsError, match="damaged"):
        good.verified_path()


def _sha256(data):
    import hashlib

    return hashlib.sha256(data).hexdigest()


def test_prompts_that_a_box_model_cannot_use_are_refused_with_what_to_do():
    entry = dataclasses.replace(model_entry("litemedsam"), prompts=("roi",))
    entry.check_prompts(Prompts(roi=ROI))
    with pytest.raises(InputError, match=r"needs an ROI .* none was given"):
        entry.check_prompts(Prompts())
    with pytest.raises(InputError, match=r"does not take points, .*draw an ROI"):
        entry.check_prompts(Prompts(points=(POINT,)))
    with pytest.raises(InputError, match=r"does not take points, .*remove the points"):
        entry.check_prompts(Prompts(roi=ROI, points=(POINT,)))


@pytest.mark.parametrize(
    "prompts",
    [
        Prompts(ROI),
        Prompts(points=(POINT,)),
        Prompts(ROI, (POINT, POINT)),
        Prompts(line=LINE),
        Prompts(ROI, (POINT,), LINE),
    ],
)
def test_litemedsam_takes_an_roi_points_a_line_and_all_of_them(prompts):
    model_entry("litemedsam").check_prompts(prompts)


def test_a_model_for_all_asks_for_any():
    with pytest.raises(InputError, match="an ROI, points or a line"):
        model_entry("litemedsam").check_prompts(Prompts())


def test_a_line_is_refused_by_a_model_that_takes_none():
    entry = dataclasses.replace(model_entry("litemedsam"), prompts=("roi", "points"))
    with pytest.raises(
        InputError, match=r"does not take a line, only an ROI or points: draw an ROI"
    ):
        entry.check_prompts(Prompts(line=LINE))
    with pytest.raises(InputError, match="remove the line"):
        entry.check_prompts(Prompts(ROI, (), LINE))


def test_what_a_segment_holds_is_prompt_enough_unless_it_holds_nothing():
    entry, mask = model_entry("litemedsam"), np.ones((1, 2, 3), dtype=bool)
    entry.check_prompts(Prompts(), VoxelPrompts(Patch((0, 0, 0), mask)))
    for nothing in (
        VoxelPrompts(Patch((0, 0, 0), ~mask)),
        VoxelPrompts(occupied=Patch((0,) * 3, mask)),
    ):
        with pytest.raises(InputError, match="none was given"):
            entry.check_prompts(Prompts(), nothing)
