"""The worker with the model that ships."""

import numpy as np
import pytest

from SAMSegmentLib.core.geometry import Geometry
from SAMSegmentLib.core.prompts import Point, Prompts, Roi
from SAMSegmentLib.core.proposal import propose
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.worker.client.in_process import InProcessClient
from SAMSegmentLib.worker.protocol.events import PredictionRequest, Progress, Proposed
from TestSupport.phantoms import ct_with_ball, dice, grid

MODEL = model_entry("litemedsam")
BALL = (48, 48, 10)
IMAGE = ct_with_ball(grid((8, 64, 64)), BALL, 18)
CLICK = Prompts(points=(Point(BALL),))
ROI = Prompts(roi=Roi.from_box(BALL, (44, 44, 2)))


@pytest.fixture(scope="module")
def expected():
    """The prediction for the ROI that this process makes."""
    client = InProcessClient("cpu")
    yield client.predict(PredictionRequest(MODEL, IMAGE, ROI))
    client.close()


@pytest.fixture
def pump(new_pump):
    return new_pump().ready()


def ask(pump, prompts, target=IMAGE.geometry):
    return pump.client.ask(PredictionRequest(MODEL, IMAGE, prompts, target))


def test_the_answer_is_the_same_as_in_this_process_voxel_by_voxel(pump, expected):
    proposal = pump.until(Proposed, ask(pump, ROI)).proposals[0]
    np.testing.assert_array_equal(
        proposal.levels.values, propose(expected, IMAGE.geometry)[0].levels.values
    )
    assert proposal.levels.start == propose(expected, IMAGE.geometry)[0].levels.start

    finer = Geometry(IMAGE.geometry.ijk_to_ras @ np.diag([0.7, 0.8, 0.5, 1]), (16, 80, 90))
    proposal = pump.until(Proposed, ask(pump, ROI, finer)).proposals[0]
    np.testing.assert_array_equal(proposal.levels.values, propose(expected, finer)[0].levels.values)


def test_a_click_can_be_looked_ahead_cancelled_and_asked_again(pump):
    pid = pump.client.info.pid
    pump.client.prepare_click(IMAGE, BALL)
    pump.wait(lambda: pump.client._expected is None)
    number = ask(pump, CLICK)
    while pump.until(Progress, number).message == "Handing the volume to the model":
        pass
    pump.client.cancel()
    assert pump.stopped() == []
    proposal = pump.until(Proposed, ask(pump, CLICK)).proposals[0]
    assert pump.client.info.pid == pid
    mask = np.zeros(IMAGE.voxels.shape, dtype=bool)
    patch = proposal.patch()
    mask[tuple(slice(a, b) for a, b in zip(patch.start, patch.stop, strict=True))] = patch.values
    assert dice(mask, IMAGE.voxels > 120) > 0.85
