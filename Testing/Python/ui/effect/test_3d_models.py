"""3D models give one mask in the effect, console and shell.

SAM-Med3D with random weights in the user's folder, SAMSegment 3D with its own.
"""

import dataclasses
import shutil

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from SAMSegmentLib import SAMSegmentLogic
from SAMSegmentLib.__main__ import main
from SAMSegmentLib.core.image import sitk_from_array
from SAMSegmentLib.weights import catalogue
from SlicerHost.scene_builder import SceneBuilder
from TestSupport.phantoms import ct_with_ball, grid
from TestSupport.sammed3d_weights import random_weights
from TestSupport.scene_answers import segment_array

from ..conftest import EFFECT, NAME

pytestmark = pytest.mark.mrml

SAM_MED3D, FILE = "sam-med3d-turbo", "sam_med3d_turbo.pth"
OURS = "samsegment3d"
MIDDLE, SIZE, BESIDE = (60.0, 60.0, 48.0), (50.0, 40.0, 30.0), (70.0, 55.0, 50.0)
IMAGE = ct_with_ball(grid((16, 40, 40), (3, 3, 6)), MIDDLE, 25)
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A user's models folder with a checkpoint of random weights."""
    folder = tmp_path_factory.mktemp("models")
    torch.save({"model_state_dict": random_weights(1), "epoch": 3}, folder / FILE)
    yield folder
    shutil.rmtree(folder)  # 402 MB


@pytest.fixture(params=[SAM_MED3D, OURS])
def model(request, monkeypatch):
    """The name of a model that is there; the catalogue takes that checkpoint for the published."""
    if request.param == SAM_MED3D:
        folder = request.getfixturevalue("folder")
        monkeypatch.setenv("SAMSEGMENT_MODELS", str(folder))
        sha256 = catalogue.file_sha256(folder / FILE)
        entry = dataclasses.replace(catalogue.model_entry(SAM_MED3D), sha256=sha256)
        monkeypatch.setitem(catalogue.catalogue(), SAM_MED3D, entry)
    return request.param


@pytest.fixture
def logic():
    from SAMSegmentLib.ui.common import worker_service

    logic = SAMSegmentLogic(device="cpu", openEditors=list)
    yield logic
    logic.close()
    worker_service.close_shared_service()


def test_effect_console_and_shell_give_one_mask(application, logic, model, tmp_path):
    assert application.register_effect(EFFECT)
    builder = SceneBuilder(application)
    volume = builder.volume(IMAGE.geometry.ijk_to_ras, voxels=IMAGE.voxels)
    segmentation = builder.segmentation(volume)
    segment_id = segmentation.GetSegmentation().AddEmptySegment("", "Object")
    roi = builder.roi(MIDDLE, SIZE)
    editor = application.open_segment_editor(segmentation, volume)
    editor.setCurrentSegmentID(segment_id)
    editor.setActiveEffectByName(NAME)
    effect = editor.effectByName(NAME).self()
    ui, requester = effect._panel.ui, effect._session._requester
    ui.modelSelector.setCurrentIndex(ui.modelSelector.findData(model))
    assert ui.modelSelector.currentText == catalogue.model_entry(model).title

    def answered():
        assert application.wait(lambda: requester.is_busy, PATIENCE_S)
        assert application.wait(lambda: not requester.is_busy, PATIENCE_S)
        assert requester.shown is not None, requester.status
        return requester.shown.proposal.levels.values

    ui.roiSelector.setCurrentNode(roi)
    of_roi = answered()
    assert np.count_nonzero(of_roi > 0) > 0
    effect._session.place("Positive")
    application.scene.GetFirstNodeByName("SAM Segment +").AddControlPointWorld(*BESIDE)
    with_click = answered()
    effect._session.undo()
    assert np.array_equal(answered(), of_roi)
    effect._session.redo()
    assert np.array_equal(answered(), with_click)
    assert application.wait(ui.applyButton.isEnabled, PATIENCE_S)
    ui.applyButton.click()
    applied = segment_array(segmentation, segment_id, volume) > 0
    k, j, i = np.argwhere(applied).T
    ras = IMAGE.geometry.to_ras(np.stack([i, j, k], axis=-1))
    assert (np.abs(ras - MIDDLE) <= np.array(SIZE) / 2).all()

    other = builder.segmentation(volume, name="By the console")
    written = logic.segment(volume, other, roi=roi, positivePoints=[BESIDE], model=model)
    assert (segment_array(other, written, volume) > 0).tolist() == applied.tolist()

    source, output = tmp_path / "ct.nrrd", tmp_path / "mask.nrrd"
    sitk.WriteImage(sitk_from_array(IMAGE.voxels, IMAGE.geometry), str(source))
    prompts = ["--roi", *map(str, (*MIDDLE, *SIZE)), "--point", *map(str, BESIDE)]
    command = ["segment", str(source), *prompts, "--model", model, "--output", str(output)]
    assert main([*command, "--quiet", "--device", "cpu"]) == 0
    by_shell = sitk.GetArrayFromImage(sitk.ReadImage(str(output))) > 0
    assert np.array_equal(by_shell, applied)
    assert application.errors == []


def test_the_int8_variant_reads_the_same_file():
    plain, int8 = (catalogue.model_entry(name) for name in (SAM_MED3D, f"{SAM_MED3D}-int8"))
    assert (plain.file, plain.sha256) == (int8.file, int8.sha256)
    assert (plain.parameters, int8.parameters) == ({}, {"numbers": "int8"})
