"""The accuracy run as a whole, with a model that costs nothing."""

import os

import numpy as np
import pytest
import SimpleITK as sitk

from Accuracy import run as accuracy
from Accuracy.contenders import PLAIN_RULE, Contender, contenders
from Accuracy.rows import read_rows
from Accuracy.structures import ScoredCase, Structure
from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.errors import InputError, WeightsError
from SAMSegmentLib.core.image import sitk_from_array
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.prompts import Prompts
from SAMSegmentLib.evaluation.protocol import CLICKS_ALONE, ROI_ALONE, ROI_THEN_CLICKS
from SAMSegmentLib.evaluation.simulated_user import roi_around
from SAMSegmentLib.models.embedding_cache import EmbeddingCache
from SAMSegmentLib.weights.catalogue import model_entry
from TestSupport.phantoms import ball, ct_with_ball, grid

GEOMETRY = grid((10, 32, 32))
CENTER, RADIUS = (24.0, 24.0, 14.0), 10.0
STRUCTURES = (
    Structure(1, "ball", "organ", True),
    Structure(2, "small piece", "lesion", False, component=2),
)
CASES = (
    ScoredCase("phantom", "p", "CT", "tuning", "image.nrrd", "label.nrrd", STRUCTURES),
    ScoredCase("again", "q", "CT", "reporting", "image.nrrd", "label.nrrd", STRUCTURES[:1]),
)


class Model:
    """Finds a ball around the truth's middle; it may be bad or refuse small objects."""

    def __init__(self, radius=9.0, error=None):
        self.radius = radius
        self.error = error

    def __call__(self, image, prompts):
        if self.error is not None:
            raise self.error
        radius = self.radius + 0.3 * len(prompts.points)
        logits = np.where(ball(GEOMETRY, CENTER, radius), 5, -5).astype(np.float32)
        return Answer.of(Patch(logits, (0, 0, 0)), GEOMETRY)


@pytest.fixture
def folders(tmp_path):
    data, output, results = (tmp_path / name for name in ("data", "out", "results"))
    data.mkdir()
    labels = ball(GEOMETRY, CENTER, RADIUS).astype(np.uint8)
    labels[0, 0, :9] = labels[9, 31, 20:26] = 2
    voxels = ct_with_ball(GEOMETRY, CENTER, RADIUS).voxels
    sitk.WriteImage(sitk_from_array(voxels, GEOMETRY), str(data / "image.nrrd"))
    sitk.WriteImage(sitk_from_array(labels, GEOMETRY), str(data / "label.nrrd"))
    return {"data": data, "output": output, "results": results}


@pytest.fixture
def competing(monkeypatch):
    """Says which model competes; by default one that is quite good."""
    chosen = {}

    def compete(model):
        chosen["models"] = [
            Contender(PLAIN_RULE, Model(6.0), (ROI_ALONE,)),
            Contender("litemedsam", model, (ROI_THEN_CLICKS, CLICKS_ALONE)),
        ]

    compete(Model())
    monkeypatch.setattr(accuracy, "scored_cases", lambda: CASES)
    monkeypatch.setattr(accuracy, "contenders", lambda *_: chosen["models"])
    return compete


def test_without_the_folder_of_cases_it_is_left_out(tmp_path, capsys):
    assert accuracy.main([], data=tmp_path / "missing", output=tmp_path / "out") == 0
    assert "left out" in capsys.readouterr().out
    assert os.listdir(tmp_path) == []


def test_a_run_writes_rows_a_report_and_pictures(folders, competing, capsys):
    assert accuracy.main([], **folders) == 0
    output = folders["output"]
    rows = read_rows(output / "accuracy.csv")
    # Three objects: one step by the plain rule, six and five by the model.
    assert len(rows) == 3 * (1 + 6 + 5)
    first = rows[0]
    assert (first["model"], first["patient"], first["split"]) == (PLAIN_RULE, "p", "tuning")
    assert (first["structure"], first["group"], first["goal"]) == ("ball", "organ", True)
    assert {row["voxels"] for row in rows if row["structure"] == "small piece"} == {6}
    report = (output / "accuracy.md").read_text("utf-8")
    assert "## litemedsam, roi_then_clicks" in report and "| phantom | small piece |" in report
    assert (output / "accuracy_clicks.png").stat().st_size > 10_000
    # The goal structures, with ROI and clicks and with clicks alone.
    assert len(os.listdir(output / "accuracy_worst")) == 4
    told = capsys.readouterr().out.splitlines()
    assert told[0].startswith("[1/3] phantom, ball: plain-rule 0.")
    assert "roi_then_clicks 0." in told[0] and " -> 0." in told[0]
    assert not folders["results"].exists()


def test_a_quick_run_scores_the_tuning_cases_without_surfaces_and_pictures(
    folders, competing, capsys
):
    output = folders["output"]
    assert accuracy.main(["--quick"], **folders) == 0
    rows = read_rows(output / "accuracy.csv")
    assert {row["split"] for row in rows} == {"tuning"}
    assert all(np.isnan(row["nsd"]) for row in rows)
    assert sorted(os.listdir(output)) == ["accuracy.csv", "accuracy.md"]
    assert "| all | 2 / 1 | 0." in capsys.readouterr().out
    assert accuracy.main(["--quick", "--split", "reporting"], **folders) == 0
    assert {row["split"] for row in read_rows(output / "accuracy.csv")} == {"reporting"}


def test_other_weights_are_scored_beside_the_kept_results(folders, competing, tmp_path, capsys):
    assert accuracy.main(["--keep"], **folders) == 0
    competing(Model(7.0))
    elsewhere, weights = tmp_path / "elsewhere", tmp_path / "new.safetensors"
    arguments = ["--weights", str(weights), "--output", str(elsewhere)]
    assert accuracy.main(arguments, **folders) == 2
    assert "new.safetensors is not there" in capsys.readouterr().err
    weights.touch()
    assert accuracy.main(arguments, **folders) == 0
    assert (elsewhere / "accuracy.csv").exists()
    assert "worse:" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        accuracy.main([*arguments, "--keep"], **folders)


def test_a_model_is_scored_with_weights_that_are_not_installed(tmp_path):
    entry = model_entry("samsegment3d")
    weights = tmp_path / "new.safetensors"
    weights.write_bytes(entry.verified_path().read_bytes())
    (found,) = contenders(entry, "cpu", ["roi"], EmbeddingCache(2**20), weights)
    assert found.model == "samsegment3d"
    weights.write_bytes(b"damaged")
    with pytest.raises(WeightsError):
        contenders(entry, "cpu", ["roi"], EmbeddingCache(2**20), weights)


def test_a_model_made_of_others_is_scored_with_other_weights_of_samsegment_3d(tmp_path):
    weights = tmp_path / "new.safetensors"
    weights.write_bytes(b"damaged")
    image = ct_with_ball(GEOMETRY, CENTER, RADIUS)
    roi = roi_around(ball(GEOMETRY, CENTER, RADIUS), GEOMETRY)
    with pytest.raises(WeightsError, match=r"new\.safetensors"):
        (found,) = contenders(
            model_entry("automatic"), "cpu", ["roi"], EmbeddingCache(2**20), weights
        )
        found.predict(image, Prompts(roi))


def test_pictures_of_an_earlier_run_are_replaced(folders, competing):
    worst = folders["output"] / "accuracy_worst"
    worst.mkdir(parents=True)
    (worst / "01_old.png").touch()
    assert accuracy.main(["--cases", "again"], **folders) == 0
    # Without their ranks, which do not matter here.
    assert sorted(name[3:] for name in os.listdir(worst)) == [
        "again_ball_clicks_alone.png",
        "again_ball_roi_then_clicks.png",
    ]


def test_cases_and_structures_are_chosen(folders, competing, capsys):
    assert accuracy.main(["--split", "tuning", "--structures", "PIECE"], **folders) == 0
    structures = {row["structure"] for row in read_rows(folders["output"] / "accuracy.csv")}
    assert structures == {"small piece"}
    assert accuracy.main(["--cases", "nonsense"], **folders) == 2
    assert "No structure" in capsys.readouterr().err


def test_what_was_scored_before_an_interruption_is_not_lost(folders, competing, capsys):
    class Interrupted(Model):
        def __call__(self, image, prompts):
            if prompts.roi is None:
                raise KeyboardInterrupt
            return super().__call__(image, prompts)

    competing(Interrupted())
    assert accuracy.main([], **folders) == 130
    assert len(read_rows(folders["output"] / "accuracy.csv")) == 1 + 6
    assert "accuracy.csv" in capsys.readouterr().out


def test_an_object_that_fails_is_told_and_the_others_are_scored(folders, competing, capsys):
    competing(Model(error=InputError("too small for me")))
    assert accuracy.main([], **folders) == 1
    told = capsys.readouterr().out
    assert "FAILED: phantom, ball, roi_then_clicks: too small for me" in told
    rows = read_rows(folders["output"] / "accuracy.csv")
    assert [row["model"] for row in rows] == [PLAIN_RULE] * 3


def test_a_run_that_is_worse_than_the_kept_one_ends_with_1(folders, competing, capsys):
    assert accuracy.main(["--keep"], **folders) == 0
    assert sorted(os.listdir(folders["results"])) == ["litemedsam.csv", "plain-rule.csv"]
    assert accuracy.main([], **folders) == 0
    assert "worse:" not in capsys.readouterr().out
    competing(Model(7.0))
    assert accuracy.main([], **folders) == 1
    told = capsys.readouterr().out
    assert "worse: phantom, ball, roi_then_clicks: roi 0." in told
    assert "worse: mean of 3, clicks_alone: final" in told


def test_each_object_has_a_hand_of_its_own_whatever_else_is_scored():
    seeds = {accuracy._seed_of(case, s, n) for case in "ab" for s in "cd" for n in (0, 1)}
    assert len(seeds) == 8
    assert accuracy._seed_of("a", "c", 0) == accuracy._seed_of("a", "c", 0)


def test_the_plain_rule_and_the_model_share_what_the_encoder_saw():
    cache = EmbeddingCache(2**20)
    found = contenders(model_entry("litemedsam"), "cpu", ["plain-rule", "roi"], cache)
    assert [(c.model, c.protocols) for c in found] == [
        (PLAIN_RULE, (ROI_ALONE,)),
        ("litemedsam", (ROI_ALONE,)),
    ]


def test_an_unknown_protocol_is_told_with_those_that_there_are():
    with pytest.raises(InputError, match="plain-rule, roi, roi_then_clicks"):
        contenders(model_entry("litemedsam"), "cpu", ["nonsense"], EmbeddingCache(1))
