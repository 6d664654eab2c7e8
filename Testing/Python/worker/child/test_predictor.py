"""The side that holds torch: what it makes of errors that come out of an engine."""

from dataclasses import replace

import numpy as np
import pytest

from SAMSegmentLib.core.answer import Answer
from SAMSegmentLib.core.errors import InputError, OutOfMemoryError
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.patch import Patch
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Prompts, Roi
from SAMSegmentLib.core.voxel_prompts import VoxelPrompts
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.worker.child import predictor as predictor_module
from SAMSegmentLib.worker.protocol import memory
from SAMSegmentLib.worker.protocol.events import PredictionRequest
from TestSupport.catalogue_models import model_run_by
from TestSupport.phantoms import ct_with_ball, grid
from TestSupport.quick_engine import QuickEngine

MODEL = model_run_by("quick")

GRID = grid((8, 16, 16))
IMAGE = ct_with_ball(GRID, (8, 8, 4), 3)
PROMPTS = Prompts(roi=Roi.from_box((8, 8, 4), (8, 8, 8)))


def predict_with(monkeypatch, error):
    """A prediction by an engine that fails."""

    class Failing(QuickEngine):
        def predict(self, *_):
            raise error

    monkeypatch.setattr(predictor_module, "engine_of", lambda model: (Failing, {}))
    return predictor_module.Predictor("cpu").predict(
        PredictionRequest(MODEL, IMAGE, PROMPTS), Watch()
    )


class Recording(QuickEngine):
    """An engine that remembers what it was asked."""

    made = 0

    def __init__(self, *_):
        Recording.made += 1
        self.calls = []

    def predict(self, *what):
        self.calls.append(what)

    def prepare(self, *what):
        self.calls.append(what)

    def forget_answers(self):
        self.calls.append("forget")


@pytest.fixture
def recording(monkeypatch):
    """A Predictor whose engine records, and what that recorded."""
    monkeypatch.setattr(predictor_module, "engine_of", lambda model: (Recording, {}))
    monkeypatch.setattr(Recording, "made", 0)
    predictor = predictor_module.Predictor("cpu")
    predictor.load(MODEL)
    (engine,) = predictor._engines.values()
    return predictor, engine.calls


def test_masks_and_the_intensity_range_reach_the_engine(recording):
    predictor, calls = recording
    voxels, watch = VoxelPrompts(refine=True), Watch()
    request = PredictionRequest(MODEL, IMAGE, PROMPTS, voxels=voxels, intensity_range=(0.0, 9.0))
    predictor.predict(request, watch)
    assert calls == [(IMAGE, PROMPTS, watch, (0.0, 9.0), voxels)]
    assert Recording.made == 1


def test_answers_and_their_previews_are_smoothed_as_the_request_says(monkeypatch):
    tooth = np.zeros(IMAGE.geometry.shape, bool)
    tooth[:4] = tooth[4, 8, 8] = True
    answer = Answer.of(Patch(np.where(tooth, 4.0, -4.0).astype(np.float32), (0, 0, 0)), GRID)
    shown = []

    class Toothed(QuickEngine):
        def predict(self, image, prompts, watch, *_):
            watch.show(lambda: answer)
            return answer

    monkeypatch.setattr(predictor_module, "engine_of", lambda model: (Toothed, {}))
    predictor = predictor_module.Predictor("cpu")
    for mm, is_left in ((0.0, True), (2.0, False)):
        watch = Watch(preview=lambda make: shown.append(make()))
        request = PredictionRequest(MODEL, IMAGE, PROMPTS, smoothing_mm=mm)
        found = predictor.predict(request, watch)
        assert found.mask()[4, 8, 8] == shown[-1].mask()[4, 8, 8] == is_left
        assert found.mask()[3, 8, 8]
    with pytest.raises(InputError, match="from 0 to 5"):
        PredictionRequest(MODEL, IMAGE, PROMPTS, smoothing_mm=6.0).check()


def test_clicks_to_come_are_prepared_by_the_engine(recording):
    predictor, calls = recording
    watch = Watch()
    predictor.prepare(MODEL, IMAGE, (1, 2, 3), watch)
    ((image, ras, given),) = calls
    assert (image, given) == (IMAGE, watch)
    assert ras.tolist() == [1, 2, 3]


def test_a_volume_without_content_does_not_reach_the_engine(recording):
    predictor, calls = recording
    image = Image(np.zeros(IMAGE.voxels.shape), IMAGE.geometry)
    with pytest.raises(InputError, match="nothing to segment"):
        predictor.predict(PredictionRequest(MODEL, image, PROMPTS), Watch())
    with pytest.raises(InputError, match="nothing to segment"):
        predictor.prepare(MODEL, image, (8, 8, 4), Watch())
    assert calls == []


def test_forgetting_answers_keeps_the_models(recording):
    predictor, calls = recording
    predictor.forget_answers()
    predictor.load(MODEL)
    assert calls == ["forget"]
    assert Recording.made == 1


def test_a_model_whose_file_is_gone_is_not_kept_beside_its_successor(monkeypatch, tmp_path):
    monkeypatch.setattr(predictor_module, "engine_of", lambda model: (Recording, {}))
    predictor = predictor_module.Predictor("cpu")
    old, other, new = (tmp_path / name for name in ("a.pth", "b.pth", "a.pth.safetensors"))
    old.touch(), other.touch(), new.touch()
    files = iter((old, other, new))
    monkeypatch.setattr(predictor_module, "prepared", lambda model: next(files))
    predictor.load(MODEL)
    predictor.load(MODEL)
    old.unlink()
    predictor.load(MODEL)
    assert [path for _, (path, _) in predictor._engines] == [other, new]


def test_a_file_with_other_weights_is_loaded_anew(recording, monkeypatch, tmp_path):
    predictor, _ = recording
    monkeypatch.setattr(predictor_module, "prepared", lambda model: tmp_path)
    for model in (MODEL, replace(MODEL, sha256="ab" * 32)):
        predictor.load(model)
        predictor.load(model)
    assert Recording.made == 3
    assert [content for _, content in predictor._engines][1:] == [(tmp_path, "ab" * 32)]


def test_the_parts_of_a_model_are_loaded_once_and_when_they_are_used(monkeypatch):
    made = []

    class Pair(Recording):
        def __init__(self, parts, *_):
            super().__init__()
            self.parts = parts
            parts["fast"]()
            made.append(self)

    monkeypatch.setattr(
        predictor_module, "engine_of", lambda model: (Pair if model.parts else Recording, {})
    )
    monkeypatch.setattr(Recording, "made", 0)
    predictor = predictor_module.Predictor("cpu")
    pair = model_entry("automatic")
    predictor.load(pair)
    predictor.load(pair)
    assert Recording.made == 2  # the pair and its fast part
    predictor.load(model_entry("samsegment3d"))
    assert Recording.made == 2
    (engine,) = made
    borders = engine.parts["borders"]()
    assert borders is engine.parts["borders"]() and Recording.made == 3
    predictor.forget_answers()
    assert borders.calls == ["forget"]


def test_embeddings_take_an_eighth_of_a_small_memory(monkeypatch):
    monkeypatch.setattr(memory, "total_bytes", lambda: 2 * 2**30)
    assert predictor_module.Predictor("cpu").cache_bytes == 256 * 2**20
    monkeypatch.setattr(memory, "total_bytes", lambda: 64 * 2**30)
    assert predictor_module.Predictor("cpu").cache_bytes == predictor_module.CACHE_BYTES
    monkeypatch.setattr(memory, "total_bytes", lambda: None)
    assert predictor_module.Predictor("cpu").cache_bytes == predictor_module.CACHE_BYTES


def test_the_computer_tells_its_memory():
    assert memory.total_bytes() > 2**28
    available = memory.available_bytes()
    assert available is None or 0 < available <= memory.total_bytes()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4 bytes."),
        RuntimeError("could not create a primitive"),
    ],
    ids=str,
)
def test_however_torch_says_that_memory_ran_out_the_user_is_told_so(monkeypatch, error):
    with pytest.raises(OutOfMemoryError, match="Nothing was changed"):
        predict_with(monkeypatch, error)


def test_any_other_error_is_not_taken_for_a_lack_of_memory(monkeypatch):
    with pytest.raises(RuntimeError, match="shapes") as caught:
        predict_with(monkeypatch, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not isinstance(caught.value, OutOfMemoryError)
