"""The worker with the model that is made of both that ship: one proposal, which gets better."""

from dataclasses import replace

import numpy as np
import pytest

from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.core.proposal import propose
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.worker.client.in_process import InProcessClient
from SAMSegmentLib.worker.protocol.events import (
    PredictionRequest,
    Preview,
    Progress,
    Proposed,
)
from TestSupport.phantoms import ct_with_ball, dice, grid

MODEL = model_entry("automatic")
BALL = (48, 48, 30)
IMAGE = ct_with_ball(grid((20, 64, 64)), BALL, 18)
CLICK = Prompts(points=(Point(BALL),))
BESIDE = Point((48, 70, 30), positive=False)


@pytest.fixture
def pump(new_pump):
    return new_pump().ready()


def ask(pump, prompts, model=MODEL):
    return pump.client.ask(PredictionRequest(model, IMAGE, prompts, IMAGE.geometry))


def test_the_fast_model_is_shown_first_and_the_border_follows_then_clicks_are_quick(pump):
    number = ask(pump, CLICK)
    proposed = pump.until(Proposed, number).proposals[0]
    kinds = [type(event) for event in pump.seen]
    assert kinds.index(Preview) < kinds.index(Proposed)
    steps = [event.message for event in pump.seen if isinstance(event, Progress)]
    assert any(message.startswith("Border on slice") for message in steps)
    shown = [event for event in pump.seen if isinstance(event, Preview)][-1].proposals[0]
    client = InProcessClient("cpu")
    expected = client.predict(PredictionRequest(MODEL, IMAGE, CLICK))
    fast = client.predict(PredictionRequest(model_entry("samsegment3d"), IMAGE, CLICK))
    client.close()
    levels = propose(expected, IMAGE.geometry)[0].levels.values
    np.testing.assert_array_equal(proposed.levels.values, levels)
    first = propose(fast, IMAGE.geometry)[0].levels.values
    np.testing.assert_array_equal(shown.levels.values, first)
    # The border of a ball is easy.
    assert dice(expected.mask(), IMAGE.voxels > 120) > 0.9

    pump.until(Proposed, ask(pump, replace(CLICK, points=(*CLICK.points, BESIDE))))
    steps = [event.message for event in pump.seen if isinstance(event, Progress)]
    assert not any(message.startswith("Border") for message in steps)


def test_cancelled_between_the_two_it_is_as_new(pump):
    pid, number = pump.client.info.pid, ask(pump, CLICK)
    while not pump.until(Progress, number).message.startswith("Border"):
        pass
    pump.client.cancel()
    assert not any(isinstance(event, Proposed) for event in pump.stopped())
    fast = pump.until(Proposed, ask(pump, CLICK, model_entry("samsegment3d"))).proposals[0]
    again = pump.until(Proposed, ask(pump, CLICK)).proposals[0]
    assert pump.client.info.pid == pid
    assert not fast.is_empty and not again.is_empty
