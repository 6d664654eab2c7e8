"""The side that holds torch: what it makes of errors that come out of an engine."""

from pathlib import Path

import pytest

from SAMSegmentLib.core.errors import OutOfMemoryError
from SAMSegmentLib.core.progress import Watch
from SAMSegmentLib.core.prompts import Prompts, Roi
from SAMSegmentLib.worker import server
from TestSupport.phantoms import ct_with_ball, grid

IMAGE = ct_with_ball(grid((8, 16, 16)), (8, 8, 4), 3)
PROMPTS = Prompts(roi=Roi.from_box((8, 8, 4), (8, 8, 8)))


def predict_with(monkeypatch, error):
    """A prediction by an engine that fails."""

    class Failing:
        def __init__(self, *_):
            pass

        def predict(self, *_):
            raise error

    monkeypatch.setitem(server.ENGINES, "failing", Failing)
    return server.Predictor("cpu").predict("failing", Path(), IMAGE, PROMPTS, Watch())


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
