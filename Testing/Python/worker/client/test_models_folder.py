"""The child process looks for weights where the user's own process does, and reads them itself."""

import dataclasses
import hashlib

import numpy as np
import pytest

from SAMSegmentLib.core.errors import WeightsError
from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.worker.protocol.events import Failed, PredictionRequest, Proposed, Ready

from ..conftest import BALL, GEOMETRY

WEIGHTS = b"weights for a test"


@pytest.fixture
def model(monkeypatch, tmp_path):
    """A model whose weights the user puts into a folder; the fake engine runs it."""
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path / "models of mine"))
    return dataclasses.replace(
        model_entry("sam-med3d-turbo"),
        architecture="recording",
        sha256=hashlib.sha256(WEIGHTS).hexdigest(),
    )


def ask(pump, model) -> int:
    prompts = Prompts(points=(Point(BALL),))
    return pump.client.ask(PredictionRequest(model, pump.image(), prompts, GEOMETRY))


def test_a_variable_that_names_the_folder_reaches_the_child(pump, model):
    failed = pump.until(Failed, ask(pump, model)).error
    assert isinstance(failed, WeightsError) and "not installed" in str(failed)
    model.path.parent.mkdir()
    model.path.write_bytes(WEIGHTS)
    answer = pump.until(Proposed, ask(pump, model))
    assert np.any(answer.proposals[0].levels.values)


def test_a_load_that_fails_is_kept_for_diagnostics_and_told_by_no_event(pump, model):
    pump.ready()
    model.path.parent.mkdir()
    model.path.write_bytes(b"something else")
    pump.client.load(model)
    events = pump.wait(lambda: pump.client.last_error is not None)
    assert not any(isinstance(event, Failed) for event in events)
    assert "SHA-256" in pump.client.last_error
    failed = pump.until(Failed, ask(pump, model))
    assert isinstance(failed.error, WeightsError)
    assert [event for event in pump.seen if isinstance(event, Failed)] == [failed]
    assert not any(isinstance(event, Ready) for event in pump.seen)
