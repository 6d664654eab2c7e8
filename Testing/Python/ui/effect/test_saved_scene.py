"""What version 0.1.0 saved in scenes and settings, literally: later versions open it."""

import json

import numpy as np
import pytest

from TestSupport.own_model import put_own_model

from ..conftest import BALL

pytestmark = pytest.mark.mrml

IDENTITY = "[[1.0,0.0,0.0,0.0],[0.0,1.0,0.0,0.0],[0.0,0.0,1.0,0.0],[0.0,0.0,0.0,1.0]]"
GRID = "[[[1.5,0.0,0.0,0.0],[0.0,1.5,0.0,0.0],[0.0,0.0,3.0,0.0],[0.0,0.0,0.0,1.0]],[12,40,44]]"
TAGS = {
    "SAMSegment.Prompts": (
        '{"format":2,"roi":[[30.0,0.0,0.0,33.0],[0.0,28.0,0.0,30.0],[0.0,0.0,26.0,18.0],'
        '[0.0,0.0,0.0,1.0]],"points":[{"ras":[33.0,30.0,18.0],"positive":true},'
        '{"ras":[33.0,30.0,27.0],"positive":false}],"line":[[21.0,30.0,18.0],[45.0,30.0,18.0]],'
        '"reading":1}'
    ),
    "SAMSegment.PromptFrame": (
        f'{{"toWorld":{IDENTITY},"volume":"vtkMRMLScalarVolumeNode1","image":{GRID},'
        '"content":null}'
    ),
    "SAMSegment.Settings": '{"model":"litemedsam","threshold":0.6,"fromContent":false}',
}
# Before prompts moved with their segment.
WORLD_PROMPTS = '{"roi":null,"points":[{"ras":[33.0,30.0,18.0],"positive":true}]}'


def load(user, tags) -> None:
    segment = user.segmentation.GetSegmentation().GetSegment(user.second)
    for name, value in tags.items():
        segment.SetTag(name, value)
    user.editor.setCurrentSegmentID(user.second)


def test_prompts_and_threshold_of_a_segment_come_back(user):
    load(user, TAGS)
    assert len(user.rows) == 4 and user.ui.thresholdSlider.value == pytest.approx(0.6)
    prompts = user.session._prompts.prompts
    np.testing.assert_allclose(prompts.roi.center, BALL)
    np.testing.assert_allclose(prompts.roi.size, (30, 28, 26))
    assert [(p.ras, p.positive) for p in prompts.points] == [(BALL, True), ((33, 30, 27), False)]
    assert (prompts.line.length, prompts.candidate) == (24, 1)
    user.proposal()


def test_prompts_without_a_frame_come_back_to_a_segment_that_is_empty(user):
    load(user, {"SAMSegment.Prompts": WORLD_PROMPTS})
    assert [p.ras for p in user.session._prompts.prompts.points] == [BALL]
    assert user.proposal().any()


def test_a_written_segment_says_how_it_was_made(user):
    user.propose(BALL)
    user.apply()
    segment = user.segmentation.GetSegmentation().GetSegment(user.first)
    for name in ("Prompts", "PromptFrame", "Settings", "AppliedPrompts", "Model", "Version"):
        assert segment.HasTag(f"SAMSegment.{name}")
    assert segment.HasTag("SAMSegment.WeightsSha256")


def test_parameters_are_attributes_and_references_of_the_editor_node(user):
    node = user.editor.mrmlSegmentEditorNode()
    roi, line = user.builder.roi(BALL, (30, 30, 30)), user.builder.line([BALL, (45, 30, 18)])
    for name, value in {
        "Model": "samsegment3d",
        "Threshold": "0.7",
        "PreviewOpacity": "0.4",
        "StartFrom": "refine",
        "KeepOut": "0",
        "FillHoles": "0",
        "SmoothBorder": "1",
        "SmoothingMm": "2.5",
    }.items():
        assert node.GetAttribute(f"SAM Segment.{name}") is not None
        node.SetAttribute(f"SAM Segment.{name}", value)
    effect = user.effect.scriptedEffect
    effect.setNodeReference("ROI", roi)
    effect.setNodeReference("Line", line)
    from SAMSegmentLib.ui.effect.parameters import parameters_of

    found = parameters_of(effect)
    assert (found.model, found.threshold, found.opacity) == ("samsegment3d", 0.7, 0.4)
    assert found.smoothing == 2.5
    assert (found.start_from, found.keep_out, found.fill_holes) == ("refine", False, False)
    assert found.roi is roi and found.line is line


def test_devices_are_kept_in_slicers_settings(application):
    import qt

    from SAMSegmentLib.ui.common import device_settings

    qt.QSettings().setValue("SAMSegment/Device", "cpu")
    text = '{"devices": [["cpu", "Processor", null]], "automatic": "cpu"}'
    qt.QSettings().setValue("SAMSegment/KnownDevices", text)
    assert device_settings.device() == "cpu"
    assert [device.title for device in device_settings.known_devices().devices] == ["Processor"]


def test_a_model_whose_part_is_missing_says_what_to_do_and_the_prompts_stay(
    user, tmp_path, monkeypatch
):
    part = put_own_model(tmp_path, "mine", prompts=["roi", "points", "line"])
    pair = put_own_model(tmp_path, "pair", title="Pair", architecture="cascade")
    said = json.loads((pair / "model.json").read_text())
    for name in ("file", "size", "sha256"):
        del said[name]
    parts = {"fast": "mine", "borders": "litemedsam"}
    (pair / "model.json").write_text(json.dumps({**said, "parts": parts}))
    (part / "mine.safetensors").unlink()
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path))
    user.choose_effect("Paint")
    user.choose_effect()
    load(user, TAGS)
    user.effect.scriptedEffect.setParameter("Model", "pair")
    user.application.process_events()
    assert user.ui.modelSelector.currentText == "Pair"
    assert "Pair is made of Mine and LiteMedSAM. Mine is not installed: put the file" in user.status
    assert len(user.rows) == 4
