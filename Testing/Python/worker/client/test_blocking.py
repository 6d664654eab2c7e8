"""A caller that waits for its answer."""

import threading

import pytest

from SAMSegmentLib.core.errors import Cancelled, InputError, OutOfMemoryError
from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.worker.client.blocking import BlockingClient, BlockingInProcess
from SAMSegmentLib.worker.protocol.events import PredictionRequest
from TestSupport.phantoms import dice

from ..conftest import BALL, GEOMETRY, MODEL


@pytest.fixture
def client(pump):
    return BlockingClient(worker=pump.client)


def request(pump, behaviour=None, **more):
    prompts = more.pop("prompts", Prompts(points=(Point(BALL),)))
    return PredictionRequest(MODEL, pump.image(behaviour), prompts, GEOMETRY, **more)


def test_the_answer_is_what_the_worker_says(pump, client):
    told = []
    (proposal,) = client.propose(request(pump), lambda *what: told.append(what))
    assert proposal.patch().values.any()
    assert told[0][0] == 0 and told[-1] == (1, 1, "Done")


def test_another_alternative_is_given_when_asked_for(pump, client):
    (best,) = client.propose(request(pump))
    (other,) = client.propose(request(pump, alternative=1))
    assert other.patch().values.sum() < best.patch().values.sum()
    assert other.candidates == best.candidates == 2


def test_it_can_be_cancelled_from_the_progress_callback(pump, client):
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        client.propose(request(pump, "slow"), lambda *_: cancel.set(), cancel)
    assert client.propose(request(pump))[0].patch() is not None


def test_an_interrupted_script_leaves_a_worker_that_works(pump, client):
    def interrupt(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.propose(request(pump, "slow"), interrupt)
    assert client.propose(request(pump))[0].patch() is not None


def test_errors_come_as_they_are(pump, client):
    with pytest.raises(OutOfMemoryError):
        client.propose(request(pump, "without memory"))
    with pytest.raises(InputError, match="outside the volume"):
        client.propose(request(pump, prompts=Prompts(points=(Point((900, 0, 0)),))))


def test_a_closed_one_starts_again(pump, client):
    client.propose(request(pump))
    client.close()
    assert client.propose(request(pump))[0].patch() is not None


def test_without_a_process_the_answer_is_the_same(pump):
    from SAMSegmentLib.core.prompts import Roi

    roi = Prompts(roi=Roi.from_box(BALL, (44, 44, 2)))
    own, child = BlockingInProcess("cpu"), BlockingClient("cpu")
    try:
        (one,) = own.propose(request(pump, prompts=roi))
        (other,) = child.propose(request(pump, prompts=roi))
    finally:
        own.close()
        child.close()
    assert one.levels.start == other.levels.start
    assert (one.levels.values == other.levels.values).mean() > 0.999
    assert dice(one.box_mask(), other.box_mask()) == 1.0
