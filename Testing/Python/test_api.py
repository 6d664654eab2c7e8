"""Segmenter: SimpleITK images in and out."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from SAMSegmentLib import Segmenter
from SAMSegmentLib.core.errors import Cancelled, InputError, OutOfMemoryError, SAMSegmentError
from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.image import geometry_of_sitk, image_from_sitk, sitk_from_array
from SAMSegmentLib.core.prompts import Roi
from TestSupport.cases import chest_ct, chest_ct_files
from TestSupport.catalogue_models import catalogue_run_by
from TestSupport.phantoms import ct_with_ball, dice, grid

BALL, RADIUS = (48.0, 48.0, 10.0), 18.0
IMAGE = ct_with_ball(grid((8, 64, 64)), BALL, RADIUS)
SIZE = (44, 44, 5)


@pytest.fixture
def quick():
    """An engine that answers within milliseconds."""
    with catalogue_run_by("quick"):
        yield


@pytest.fixture
def volume():
    return sitk_from_array(IMAGE.voxels, IMAGE.geometry)


def test_a_mask_lies_on_the_inputs_own_grid(volume):
    volume.SetOrigin((1 / 3, -2 / 7, 100.123456789))
    geometry = image_from_sitk(volume).geometry
    center = geometry.to_ras([32, 32, 4])
    with Segmenter(volume, device="cpu") as segmenter:
        segmenter.set_roi(center=center, size=SIZE)
        mask, probability = segmenter.mask(), segmenter.probability()
    for image, pixel in ((mask, sitk.sitkUInt8), (probability, sitk.sitkFloat32)):
        assert image.GetPixelID() == pixel
        assert image.GetSize() == volume.GetSize()
        assert image.GetOrigin() == volume.GetOrigin()
        assert image.GetSpacing() == volume.GetSpacing()
        assert image.GetDirection() == volume.GetDirection()
    voxels = sitk.GetArrayFromImage(mask)
    assert set(np.unique(voxels)) == {0, 1}
    values = sitk.GetArrayFromImage(probability)
    assert values.min() >= 0 and values.max() <= 1
    assert np.array_equal(values > 0.5, voxels == 1)
    truth = (IMAGE.voxels > 120) & Roi.from_box(center, SIZE).contains_voxels(geometry)
    assert dice(voxels, truth) > 0.9


def test_a_higher_threshold_gives_a_smaller_mask_without_the_model(volume):
    runs = []
    with Segmenter(volume, progress=lambda done, *_: runs.append(done)) as segmenter:
        segmenter.set_roi(BALL, SIZE)
        segmenter.mask()
        asked = len(runs)
        sizes = [sitk.GetArrayFromImage(segmenter.mask(t)).sum() for t in (0.03, 0.5, 0.97)]
    assert sizes[0] >= sizes[1] >= sizes[2] > 0 and sizes[0] > sizes[2]
    assert len(runs) == asked > 0


def test_what_is_to_know_about_the_image_reaches_a_script(volume, monkeypatch):
    known = replace(IMAGE, warnings=("Two slices were missing.",))
    monkeypatch.setattr("SAMSegmentLib.api.read_image", lambda path: known)
    with Segmenter("ct") as segmenter:
        segmenter.set_roi(BALL, SIZE)
        with pytest.warns(UserWarning, match="Two slices were missing") as warned:
            mask = segmenter.mask()
        assert warned[0].filename == __file__
        assert segmenter.prediction().warnings == ("Two slices were missing.",)
    assert mask.GetSize() == volume.GetSize() and mask.GetOrigin() == volume.GetOrigin()


def test_the_mask_of_a_sheared_volume_is_sheared_too():
    tilted = grid((8, 64, 64)).ijk_to_ras.copy()
    tilted[1, 2] = -1.0
    geometry = Geometry(tilted, IMAGE.geometry.shape)
    with Segmenter(sitk_from_array(IMAGE.voxels, geometry)) as segmenter:
        segmenter.set_roi(geometry.to_ras([32, 32, 4]), SIZE)
        assert geometry_of_sitk(segmenter.mask()).is_close(geometry)


def test_a_file_is_read_from_its_path():
    ct, _ = chest_ct_files()
    case = chest_ct()
    with Segmenter(str(ct)) as segmenter:
        roi = case.roi(5)
        segmenter.set_roi(roi.center, (*roi.size[:2], 12), roi.axes)
        mask = sitk.GetArrayFromImage(segmenter.mask())
    assert mask.shape == case.labels.shape and mask.any()


def test_the_last_prompt_is_undone_and_done_again(volume):
    with Segmenter(volume) as segmenter:
        segmenter.set_roi(BALL, SIZE)
        first = segmenter.prompts
        segmenter.add_point(BALL)
        assert len(segmenter.prompts.points) == 1
        assert segmenter.undo()
        assert segmenter.prompts is first
        assert segmenter.redo() and not segmenter.redo()
        segmenter.clear()
        assert not segmenter.prompts.kinds
        assert segmenter.undo() and segmenter.undo() and segmenter.undo()
        assert not segmenter.undo()


@pytest.mark.parametrize(
    "prompt",
    [
        lambda s: s.set_roi((1e4, 0, 0), SIZE),
        lambda s: s.set_roi(BALL, (0, 5, 5)),
        lambda s: s.set_roi(BALL, (np.nan, 5, 5)),
        lambda s: s.add_point((0, 0, 900)),
        lambda s: s.add_point((0, 0)),
    ],
)
def test_a_prompt_that_cannot_be_used_leaves_the_others_as_they_were(volume, prompt):
    with Segmenter(volume) as segmenter:
        segmenter.set_roi(BALL, SIZE)
        before = segmenter.prompts
        with pytest.raises(InputError):
            prompt(segmenter)
        assert segmenter.prompts is before


WRONG = {
    "center": lambda s: s.set_roi("abc", SIZE),
    "size": lambda s: s.set_roi(BALL, 44),
    "axes": lambda s: s.set_roi(BALL, SIZE, 2 * np.eye(3)),
    "A point": lambda s: s.add_point(("48", "48", "10")),
    "positive": lambda s: s.add_point(BALL, "no"),
}


@pytest.mark.parametrize("argument", WRONG)
def test_a_prompt_of_the_wrong_type_is_named(volume, argument):
    with Segmenter(volume) as segmenter:
        with pytest.raises(InputError, match=f"^{argument}: "):
            WRONG[argument](segmenter)
        assert not segmenter.prompts.kinds


@pytest.mark.parametrize(
    "given",
    [
        {"image": IMAGE.voxels},
        {"image": None},
        {"model": 3},
        {"model": ["litemedsam"]},
        {"device": 0},
        {"intensity_range": "abc"},
        {"intensity_range": (5, 5)},
        {"progress": 1},
        {"cancel": True},
    ],
)
def test_an_argument_of_the_wrong_type_is_named_before_any_work(volume, given):
    (argument,) = given
    with pytest.raises(InputError, match=f"^{argument}: "):
        Segmenter(**{"image": volume} | given)


def test_a_threshold_that_is_none_is_named(volume, quick):
    with Segmenter(volume) as segmenter:
        segmenter.set_roi(BALL, SIZE)
        for threshold in ("0.5", None, 0, 1, np.nan, [0.5]):
            for masks in (segmenter.mask, segmenter.alternatives):
                with pytest.raises(InputError, match=r"^threshold: "):
                    masks(threshold)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("itk::ERROR: ImportImageContainer: Failed to allocate memory for image."),
        OSError(12, "Cannot allocate memory"),
    ],
)
def test_when_memory_runs_out_every_call_raises_the_documented_error(
    volume, quick, monkeypatch, error
):
    def fail(*_, **__):
        raise error

    with Segmenter(volume) as segmenter:
        segmenter.set_roi(BALL, SIZE)
        segmenter.mask()
        monkeypatch.setattr("SAMSegmentLib.api.sitk_from_array", fail)
        for call in (segmenter.mask, segmenter.probability, segmenter.alternatives):
            with pytest.raises(OutOfMemoryError, match="not enough memory"):
                call()
        segmenter.add_point(BALL)
        monkeypatch.setattr(segmenter._client, "predict", fail)
        with pytest.raises(OutOfMemoryError):
            segmenter.prediction()
        assert segmenter.prompts.kinds == {"roi", "points"}
    monkeypatch.setattr("SAMSegmentLib.api.read_image", fail)
    with pytest.raises(OutOfMemoryError):
        Segmenter("ct.nii.gz")


def test_a_warning_points_at_the_callers_line(volume, quick):
    with Segmenter(volume) as segmenter:
        segmenter.set_roi((4, 4, 10), (4, 4, 4))
        with pytest.warns(UserWarning, match="empty") as told:
            segmenter.mask()
    assert told[0].filename == __file__


def test_an_empty_mask_is_told(volume, quick):
    with Segmenter(volume) as segmenter:
        segmenter.set_roi((4, 4, 10), (4, 4, 4))
        with pytest.warns(UserWarning, match="The mask is empty"):
            assert not sitk.GetArrayFromImage(segmenter.mask()).any()
        segmenter.set_roi(BALL, SIZE)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert sitk.GetArrayFromImage(segmenter.mask()).any()


def test_without_an_roi_and_a_positive_point_the_error_asks_for_one(volume):
    with Segmenter(volume) as segmenter:
        with pytest.raises(InputError, match="ROI"):
            segmenter.mask()
        segmenter.add_point(BALL, positive=False)
        with pytest.raises(InputError, match="ROI around the object or a positive point"):
            segmenter.mask()


def test_cancel_keeps_the_prompts(volume):
    class Flag:
        value = True

        def is_set(self):
            return self.value

    flag = Flag()
    with Segmenter(volume, cancel=flag) as segmenter:
        segmenter.set_roi(BALL, SIZE)
        with pytest.raises(Cancelled):
            segmenter.mask()
        flag.value = False
        assert sitk.GetArrayFromImage(segmenter.mask()).any()


def test_closed_is_closed(volume):
    segmenter = Segmenter(volume)
    segmenter.close()
    segmenter.close()
    with pytest.raises(SAMSegmentError, match="closed"):
        segmenter.mask()


@pytest.mark.parametrize(
    "arguments", [{"image": "/no/such/file.nii.gz"}, {"image": None, "model": "nonsense"}]
)
def test_no_such_image_or_model(volume, arguments):
    arguments["image"] = arguments["image"] or volume
    with pytest.raises(InputError):
        Segmenter(**arguments)


@pytest.mark.parametrize("flat", [True, False])
def test_a_single_slice_is_segmented_and_its_mask_is_like_it(quick, flat):
    geometry = IMAGE.geometry.crop((3, 0, 0), (1, 64, 64))
    source = sitk_from_array(IMAGE.voxels[3:4], geometry)
    source = source[:, :, 0] if flat else source
    center = (*BALL[:2], 0 if flat else geometry.to_ras(np.zeros(3))[2])
    with Segmenter(source) as segmenter:
        # As it is drawn in the slice: without a thickness.
        segmenter.set_roi(center=center, size=(*SIZE[:2], 0))
        mask = segmenter.mask()
        with pytest.raises(InputError, match="no size"):
            segmenter.set_roi(center=center, size=(0, *SIZE[1:]))
    assert mask.GetSize() == source.GetSize() and mask.GetOrigin() == source.GetOrigin()
    truth = (IMAGE.voxels[3] > 120) & (np.abs(np.indices((64, 64)) * 1.5 - 48) <= 22).all(0)
    assert dice(sitk.GetArrayFromImage(mask).squeeze(), truth) > 0.9
