"""Each model gives one mask in the effect, in the console and in a shell.

LiteMedSAM and SAMSegment 3D with their own weights; SAM-Med3D with random ones, installed as by a
user.
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
from SAMSegmentLib.weights.files import file_sha256
from SlicerHost.scene_builder import SceneBuilder
from TestSupport.effect_user import EffectUser, register_effect
from TestSupport.phantoms import ct_with_ball, dice, grid
from TestSupport.sammed3d_weights import random_weights
from TestSupport.scene_answers import segment_array

pytestmark = pytest.mark.mrml

SAM_MED3D, FILE = "sam-med3d-turbo", "sam_med3d_turbo.pth"
MIDDLE, SIZE, BESIDE = (60.0, 60.0, 48.0), (50.0, 40.0, 30.0), (70.0, 55.0, 50.0)
IMAGE = ct_with_ball(grid((16, 40, 40), (3, 3, 6)), MIDDLE, 25)
# Two slices of an ROI are enough, and quick.
FLAT_MIDDLE, FLAT_SIZE = (48.0, 48.0, 10.0), (44, 44, 5)
FLAT = ct_with_ball(grid((8, 64, 64)), FLAT_MIDDLE, 18.0)


@pytest.fixture
def sam_med3d(tmp_path, monkeypatch):
    """A checkpoint of random weights in the user's models folder, as if it were the published."""
    torch.save({"model_state_dict": random_weights(1), "epoch": 3}, tmp_path / FILE)
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path))
    sha256 = file_sha256(tmp_path / FILE)
    entry = dataclasses.replace(catalogue.model_entry(SAM_MED3D), sha256=sha256)
    monkeypatch.setitem(catalogue.catalogue(), SAM_MED3D, entry)
    yield
    shutil.rmtree(tmp_path)  # 402 MB


class User(EffectUser):
    """The effect beside an image, and an ROI."""

    def __init__(self, application, image, roi_center, roi_size) -> None:
        builder = SceneBuilder(application)
        volume = builder.volume(image.geometry.ijk_to_ras, voxels=image.voxels)
        segmentation = builder.segmentation(volume)
        segmentation.GetSegmentation().AddEmptySegment("", "Object")
        self.roi = builder.roi(roi_center, roi_size)
        super().__init__(application, volume, segmentation)
        self.choose_effect()

    def levels(self) -> np.ndarray:
        self.wait_for_proposal()
        assert self.requester.shown is not None, self.status
        return self.requester.shown.proposals[0].levels.values

    def applied(self) -> np.ndarray:
        self.apply()
        return segment_array(self.segmentation, self.segments[0], self.volume) > 0


@pytest.fixture
def make_user(application):
    """`make_user(image, roi_center, roi_size)`; afterwards, Slicer's log must hold no error."""
    from SAMSegmentLib.ui.common.worker_service import close_shared_service

    register_effect(application)
    yield lambda *arguments: User(application, *arguments)
    close_shared_service()
    assert application.errors == []


def by_console(user, **arguments) -> np.ndarray:
    other = SceneBuilder(user.application).segmentation(user.volume, name="By the console")
    logic = SAMSegmentLogic(device="cpu", openEditors=list)
    try:
        segment_id = logic.segment(user.volume, other, roi=user.roi, **arguments)
    finally:
        logic.close()
    return segment_array(other, segment_id, user.volume) > 0


def by_shell(folder, model) -> np.ndarray:
    source, output = folder / "ct.nrrd", folder / "mask.nrrd"
    sitk.WriteImage(sitk_from_array(IMAGE.voxels, IMAGE.geometry), str(source))
    prompts = ["--roi", *map(str, (*MIDDLE, *SIZE)), "--point", *map(str, BESIDE)]
    command = ["segment", str(source), *prompts, "--model", model, "--output", str(output)]
    assert main([*command, "--quiet", "--device", "cpu"]) == 0
    return sitk.GetArrayFromImage(sitk.ReadImage(str(output))) > 0


def correct(user, model) -> np.ndarray:
    """An ROI, a click beside its middle, undo, redo, Apply; the segment's mask."""
    user.ui.modelSelector.setCurrentIndex(user.ui.modelSelector.findData(model))
    assert user.ui.modelSelector.currentText == catalogue.model_entry(model).title
    user.ui.roiSelector.setCurrentNode(user.roi)
    of_roi = user.levels()
    assert np.count_nonzero(of_roi > 0) > 0
    user.place(BESIDE)
    with_click = user.levels()
    user.button("undoPromptButton")
    assert np.array_equal(user.levels(), of_roi)
    user.button("redoPromptButton")
    assert np.array_equal(user.levels(), with_click)
    applied = user.applied()
    k, j, i = np.argwhere(applied).T
    ras = IMAGE.geometry.to_ras(np.stack([i, j, k], axis=-1))
    assert (np.abs(ras - MIDDLE) <= np.array(SIZE) / 2).all()
    return applied


def test_litemedsam_finds_the_object_and_the_console_the_same(make_user):
    user = make_user(FLAT, FLAT_MIDDLE, FLAT_SIZE)
    user.ui.roiSelector.setCurrentNode(user.roi)
    applied, truth = user.applied(), FLAT.voxels > 120
    assert dice(applied[3:5], truth[3:5]) > 0.9
    assert np.array_equal(by_console(user), applied)


def test_samsegment3d_is_corrected_and_console_and_shell_give_the_same(make_user, tmp_path):
    user, model = make_user(IMAGE, MIDDLE, SIZE), "samsegment3d"
    applied = correct(user, model)
    assert np.array_equal(by_console(user, positivePoints=[BESIDE], model=model), applied)
    assert np.array_equal(by_shell(tmp_path, model), applied)


def test_sammed3d_is_converted_and_corrected_and_the_shell_gives_the_same(
    make_user, sam_med3d, tmp_path
):
    applied = correct(make_user(IMAGE, MIDDLE, SIZE), SAM_MED3D)
    assert np.array_equal(by_shell(tmp_path, SAM_MED3D), applied)


def test_the_int8_variant_reads_the_same_file():
    plain, int8 = (catalogue.model_entry(name) for name in (SAM_MED3D, f"{SAM_MED3D}-int8"))
    assert (plain.file, plain.sha256) == (int8.file, int8.sha256)
    assert (plain.parameters, int8.parameters) == ({}, {"numbers": "int8"})
