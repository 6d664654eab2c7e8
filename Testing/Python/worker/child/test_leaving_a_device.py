"""A graphics card with too little memory, or that fails, gives way to the processor."""

import gc
import weakref

import pytest
import torch

from SAMSegmentLib.core.errors import Cancelled, OutOfMemoryError
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.worker.child import predictor as predictor_module
from SAMSegmentLib.worker.protocol.events import (
    PredictionRequest,
    Progress,
    Proposed,
    Ready,
    WorkerState,
)
from TestSupport import fake_card
from TestSupport.catalogue_models import model_run_by
from TestSupport.quick_engine import SLOW

from ..conftest import BALL, GEOMETRY, MODEL, VOXELS

IMAGE = Image(VOXELS, GEOMETRY)
CLICK = Prompts(points=(Point(BALL),))
TOO_LARGE = model_run_by("too-large")
TOO_SMALL = "Pretended card has too little free memory: the processor computes instead"


@pytest.fixture
def predictor(monkeypatch):
    """`predictor(engine)`: a Predictor with that engine on a card."""
    fake_card.plug_in(monkeypatch.setattr)

    def make(engine, device="auto"):
        monkeypatch.setattr(predictor_module, "engine_of", lambda model: (engine, {}))
        return predictor_module.Predictor(device)

    return make


def raising(raised):
    """An engine that raises that on a card."""

    class Raising(fake_card.OnCard):
        error = raised

    return Raising


def predict(predictor, watch=None):
    return predictor.predict(PredictionRequest(MODEL, IMAGE, CLICK), watch or Watch())


@pytest.mark.parametrize(
    "error",
    [
        torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 8.10 GB)"),
    ],
    ids=str,
)
def test_however_a_card_says_that_its_memory_ran_out_the_processor_answers(predictor, error):
    used = predictor(raising(error))
    assert str(used.device) == "cuda:0" and used.notice == ""
    prediction = predict(used)
    assert (prediction.logits > 0).sum() > 100
    assert prediction.warnings[0].startswith(TOO_SMALL)
    assert prediction.alternatives[0].warnings[0].startswith(TOO_SMALL)
    assert str(used.device) == "cpu" and used.notice == prediction.warnings[0]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("CUDA error: unspecified launch failure\nCUDA kernel errors might be", None),
        ("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if", None),
        ("The operator 'aten::x' is not currently implemented for the MPS device.", None),
        ("Cannot convert a MPS Tensor to float64 dtype as the MPS framework doesn't", None),
    ],
)
def test_a_card_that_fails_gives_way_likewise_and_its_error_is_told(predictor, error, line):
    kind = TypeError if "convert" in error else RuntimeError
    used = predictor(raising(kind(error)))
    prediction = predict(used)
    first = error.partition("\n")[0].rstrip(".")
    assert prediction.warnings[0].startswith(f"Pretended card has failed ({first}): the processor")
    assert "kernel errors" not in prediction.warnings[0]
    assert str(used.device) == "cpu"


def test_the_first_answer_alone_warns_and_the_card_is_not_tried_again(predictor):
    used = predictor(fake_card.TooLarge)
    assert len(predict(used).warnings) == 1
    assert predict(used).warnings == ()
    assert used.notice.startswith(TOO_SMALL)


def test_the_model_may_be_too_large_even_to_load(predictor):
    used = predictor(fake_card.TooLargeToLoad)
    used.load(MODEL)
    assert str(used.device) == "cpu"
    assert predict(used).warnings[0].startswith(TOO_SMALL)


def test_work_ahead_of_need_leaves_the_card_likewise_and_the_next_answer_warns(predictor):
    class Unprepared(fake_card.OnCard):
        def prepare(self, *_):
            if self._is_on_card:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    used = predictor(Unprepared)
    used.prepare(MODEL, IMAGE, BALL, Watch())
    assert str(used.device) == "cpu"
    assert predict(used).warnings[0].startswith(TOO_SMALL)


def test_what_filled_the_card_is_let_go_before_the_processor_begins(predictor, monkeypatch):
    kept, seen = [], []

    class Filling(fake_card.OnCard):
        def predict(self, *arguments):
            if self._is_on_card:
                features = torch.zeros(10)
                self.circle = self  # as networks have them
                kept.extend((weakref.ref(self), weakref.ref(features)))
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            return super().predict(*arguments)

    def empty_cache():
        seen.append([reference() for reference in kept])

    used = predictor(Filling)
    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    gc.disable()  # nobody waits for it by chance
    try:
        predict(used)
    finally:
        gc.enable()
    assert seen == [[None, None]]


def test_a_card_that_cannot_even_be_emptied_hinders_nothing(predictor, monkeypatch):
    def refuse():
        raise RuntimeError("CUDA error: unspecified launch failure")

    used = predictor(fake_card.Lost)
    monkeypatch.setattr(torch.cuda, "empty_cache", refuse)
    assert predict(used).warnings[0].startswith("Pretended card has failed")


def test_a_cancelled_prediction_does_not_begin_again_on_the_processor(predictor):
    class Flag:
        def __init__(self):
            self.looks = 0

        def is_set(self):
            self.looks += 1
            return self.looks > 1  # after the first step on the card

    used = predictor(fake_card.TooLarge)
    with pytest.raises(Cancelled):
        predict(used, Watch(cancel=Flag()))
    assert used._engines == {}


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: not enough memory")]
)
def test_too_little_memory_of_the_computer_is_an_error_on_a_card_too(predictor, error):
    used = predictor(raising(error))
    with pytest.raises(OutOfMemoryError, match="Nothing was changed"):
        predict(used)
    assert str(used.device) == "cuda:0"


def test_if_the_processor_has_too_little_memory_as_well_that_is_an_error(predictor):
    class Greedy(fake_card.TooLarge):
        def predict(self, *arguments):
            if not self._is_on_card:
                raise RuntimeError("DefaultCPUAllocator: not enough memory")
            return super().predict(*arguments)

    used = predictor(Greedy)
    with pytest.raises(OutOfMemoryError, match="Nothing was changed"):
        predict(used)


def test_an_error_of_the_model_is_no_failure_of_the_card(predictor):
    used = predictor(raising(RuntimeError("mat1 and mat2 shapes cannot be multiplied")))
    with pytest.raises(RuntimeError, match="shapes"):
        predict(used)
    assert str(used.device) == "cuda:0" and used.notice == ""


class TestTheSelfCheck:
    """A card computes what the processor does, or is not used."""

    @pytest.fixture
    def engine(self):
        """An engine whose network is wrong on the devices that are added to `wrong`."""

        class Engine(fake_card.OnCard):
            wrong, checked = set(), []

            @classmethod
            def self_check(cls, device, dtype):
                cls.checked.append((str(device), dtype))
                return (torch.full((3,), 1.1 if str(device) in cls.wrong else 1.0),)

        return Engine

    def test_is_made_when_a_model_is_loaded_there_and_not_again(self, predictor, engine):
        used = predictor(engine)
        assert engine.checked == []
        used.load(MODEL)
        both = [("cpu", torch.float32), ("cuda:0", torch.bfloat16)]
        assert engine.checked == both
        used.close()
        assert predict(used).warnings == () and str(used.device) == "cuda:0"
        assert engine.checked == both

    def test_is_not_made_on_the_processor(self, predictor, engine):
        predict(predictor(engine, "cpu"))
        assert engine.checked == []

    @pytest.mark.parametrize("device", ["auto", "cuda:0"])
    def test_warns_with_the_first_answer_where_the_processor_takes_over(
        self, predictor, engine, device
    ):
        engine.wrong.add("cuda:0")
        used = predictor(engine, device)
        news = []
        used.on_new_device = lambda: news.append(str(used.device))
        used.load(MODEL)
        assert news == ["cpu"] and not used.devices[0].usable
        assert used.automatic == "cpu"
        assert predict(used).warnings == (used.notice,)
        assert used.notice == (
            "Pretended card is not used. PyTorch cannot compute on it: a network gives wrong"
            " numbers there. The processor computes instead."
        )
        assert predict(used).warnings == ()

    def test_goes_on_with_the_next_card_where_any_will_do(self, monkeypatch, engine):
        fake_card.plug_in(monkeypatch.setattr, ("Good", "Bad"), lambda number: 1 + number)
        monkeypatch.setattr(predictor_module, "engine_of", lambda model: (engine, {}))
        engine.wrong.add("cuda:1")
        used = predictor_module.Predictor("auto")
        assert str(used.device) == "cuda:1"
        assert predict(used).warnings == ()
        assert (str(used.device), used.automatic) == ("cuda:0", "cuda:0")
        assert [info.usable for info in used.devices] == [True, False, True]

    def test_fails_where_nothing_can_be_computed_at_all(self, predictor, engine, monkeypatch):
        def fail(device, dtype):
            if device.type == "cuda":
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            return (torch.ones(3),)

        monkeypatch.setattr(engine, "self_check", fail)
        used = predictor(engine)
        assert "It has too little free memory: close" in predict(used).warnings[0]


class TestInAProcessOfItsOwn:
    """With the real worker; only its card is pretended."""

    def test_the_same_request_is_answered_by_the_processor_and_the_client_is_told(self, new_pump):
        pump = new_pump("auto", TOO_LARGE, python=fake_card.PYTHON).ready()
        before = pump.client.info
        assert (before.device, before.device_name) == ("cuda:0", "Pretended card")
        assert (before.automatic, before.notice) == ("cuda:0", "")
        assert [one.name for one in before.devices] == ["cuda:0", "cpu"]

        number = pump.ask()
        proposal = pump.until(Proposed, number).proposals[0]
        assert proposal.levels.values.max() > 0
        assert proposal.warnings[0].startswith(TOO_SMALL)
        (told,) = (event.info for event in pump.seen if isinstance(event, Ready))
        assert (told.device, told.device_name, told.pid) == ("cpu", "", before.pid)
        assert (told.notice, told.devices) == (proposal.warnings[0], before.devices)
        assert pump.client.info == told and pump.client.state is WorkerState.READY
        assert {getattr(event, "number", number) for event in pump.seen} == {number}
        assert pump.answer().warnings == () and pump.client.info.pid == before.pid

    def test_progress_says_that_it_starts_again(self, new_pump):
        pump = new_pump("auto", TOO_LARGE, python=fake_card.PYTHON).ready()
        number = pump.ask(SLOW)
        progress = []
        while predictor_module.STARTS_AGAIN not in progress:
            progress.append(pump.until(Progress, number).message)

    def test_a_request_that_replaces_the_one_that_was_too_large_is_the_one_that_warns(
        self, new_pump
    ):
        pump = new_pump("auto", TOO_LARGE, python=fake_card.PYTHON).ready()
        pump.ask(SLOW)
        assert pump.until(Ready).info.device == "cpu"
        second = pump.ask()
        assert pump.until(Proposed, second).proposals[0].warnings[0].startswith(TOO_SMALL)
