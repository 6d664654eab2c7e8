"""One worker for all Segment Editors: the requester gets the answer, and nobody else."""

import pytest

from SAMSegmentLib.core.errors import Cancelled
from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.weights.catalogue import model_entry
from SAMSegmentLib.worker.protocol.events import Failed, PredictionRequest, Progress, Proposed
from TestSupport.quick_engine import SLOW

from ..conftest import BALL, GRID, TIMEOUT_S, voxels

pytestmark = pytest.mark.mrml


class Panel:
    """Somebody who asks."""

    def __init__(self) -> None:
        self.events = []

    def on_worker_event(self, event) -> None:
        self.events.append(event)

    def events_of(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def panel():
    return Panel()


def request(modality="CT"):
    image = Image(voxels(), GRID, modality)
    return PredictionRequest(model_entry("litemedsam"), image, Prompts(points=(Point(BALL),)), GRID)


def test_the_requester_gets_the_answer(application, service, panel):
    number = service.request(panel, request())
    assert application.wait(lambda: panel.events_of(Proposed), TIMEOUT_S)
    assert panel.events_of(Proposed)[0].number == number
    assert panel.events_of(Proposed)[0].proposals[0].patch() is not None


def test_another_panels_request_ends_the_first_one(application, service, panel):
    service.request(panel, request(SLOW))
    assert application.wait(lambda: panel.events_of(Progress), TIMEOUT_S)
    other = Panel()
    service.request(other, request())
    assert isinstance(panel.events_of(Failed)[0].error, Cancelled)
    assert application.wait(lambda: other.events_of(Proposed), TIMEOUT_S)
    assert not panel.events_of(Proposed)


def test_after_a_cancel_no_event_comes(application, service, panel):
    service.request(panel, request(SLOW))
    assert application.wait(lambda: panel.events_of(Progress), TIMEOUT_S)
    service.cancel(panel)
    count = len(panel.events)
    application.wait(seconds=0.2)
    assert len(panel.events) == count


def test_one_panels_cancel_does_not_disturb_the_other(application, service, panel):
    other = Panel()
    service.acquire(other)
    service.request(panel, request())
    service.cancel(other)
    service.release(other)
    assert application.wait(lambda: panel.events_of(Proposed), TIMEOUT_S)


def test_a_panel_that_breaks_is_reported_and_the_worker_lives_on(
    application, service, panel, caplog
):
    class Broken(Panel):
        def on_worker_event(self, event) -> None:
            raise ValueError("broken panel")

    service.request(Broken(), request())
    assert application.wait(lambda: "broken panel" in caplog.text, TIMEOUT_S)
    service.request(panel, request())
    assert application.wait(lambda: panel.events_of(Proposed), TIMEOUT_S)


def test_the_worker_keeps_no_image_when_nobody_needs_it(application, service, panel):
    import gc
    import weakref

    message = request()
    watched = weakref.ref(message.image)
    service.request(panel, message)
    assert application.wait(lambda: panel.events_of(Proposed), TIMEOUT_S)
    del message
    service.release(panel)
    gc.collect()
    assert watched() is None


def test_another_device_means_another_worker(application, monkeypatch):
    from SAMSegmentLib.ui.common import device_settings, worker_service
    from SAMSegmentLib.worker.client.process_client import WorkerClient

    made = []

    def make(device):
        made.append((device, WorkerClient("cpu")))
        return made[-1][1]

    monkeypatch.setattr(device_settings, "device", lambda: "auto")
    service = worker_service.WorkerService(make)
    service.acquire(Panel())
    monkeypatch.setattr(device_settings, "device", lambda: "cpu")
    service.restart_if_device_changed()
    service.restart_if_device_changed()
    assert [device for device, _ in made] == ["auto", "cpu"]
    assert made[0][1].state.value == "off"
    service.close()
    assert made[1][1].state.value == "off"


def test_a_worker_that_cannot_start_fails_the_request_with_what_to_do(application, panel):
    from SAMSegmentLib.ui.common.worker_service import WorkerService
    from SAMSegmentLib.worker.client.process_client import WorkerClient

    service = WorkerService(lambda device: WorkerClient(device, ["no-such-python"]))
    service.request(panel, request())
    assert application.wait(lambda: panel.events_of(Failed), TIMEOUT_S)
    assert "could not be started" in str(panel.events_of(Failed)[0].error)
    service.close()


def test_where_drawing_is_slow_and_somebody_waits_a_poll_copies_more(service, panel, monkeypatch):
    from SAMSegmentLib.ui.common import worker_service

    now, budgets = [100.0], []
    monkeypatch.setattr(worker_service.time, "monotonic", lambda: now[0])
    service.acquire(panel)
    monkeypatch.setattr(service.client, "poll", lambda budget: budgets.append(budget) or [])
    for requester in (None, panel):
        service._requester = requester
        for seconds in (0.015, 0.1, 5.0):
            service._poll()
            now[0] += seconds
        service._poll()
    service._requester = None
    assert budgets[:4] == [0.004] * 4
    assert budgets[5:] == pytest.approx([0.004, 0.02, 0.03])
