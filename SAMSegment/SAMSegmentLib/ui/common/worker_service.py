"""The one worker process of this Slicer: shared by all Segment Editors, polled from a timer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

import qt

from ...core.errors import Cancelled, SAMSegmentError
from ...weights.catalogue import ModelEntry
from ...worker.client.process_client import WorkerClient
from ...worker.protocol.events import Failed, PredictionRequest, Proposed, Ready, WorkerState
from . import device_settings
from .connections import Connections
from .delay import Delay

if TYPE_CHECKING:
    from ...core.image import Image

BUSY_INTERVAL_MS = 15
# A poll may copy voxels for so long; during a request, for that share of the time since the one
# before: where drawing is slow there are few polls, and a volume would be copied for seconds.
COPY_S, COPY_SHARE, MAX_COPY_S = 0.004, 0.2, 0.03
# Often enough to notice that the process has died.
IDLE_INTERVAL_MS = 250
# How long it is polled as if busy after a preparation was requested.
FAST_POLL_S = 3.0
# Without any effect in use, the model's memory is released after this time.
IDLE_STOP_MS = 10 * 60 * 1000


class Listener(Protocol):
    """Uses the worker."""

    def on_worker_event(self, event: object) -> None:
        """An event of worker.events about the own request, or about the worker itself."""


class WorkerService:
    """Starts the worker when it is first needed and passes its events to the requester.

    One request is under way at a time: the newest one, whoever made it.
    """

    def __init__(self, make_client: Callable[[str], WorkerClient] = WorkerClient) -> None:
        self._make_client = make_client
        self._client: WorkerClient | None = None
        self._device = ""
        self._users: list[Listener] = []
        self._requester: Listener | None = None
        self._number = 0
        self._fast_until = 0.0
        self._polled = time.monotonic()
        self._connections = Connections()
        self._timer = qt.QTimer()
        self._connections.connect(self._timer.timeout, self._poll)
        self._idle_stop = Delay(IDLE_STOP_MS, self.stop)

    @property
    def client(self) -> WorkerClient | None:
        """The worker's client; None while there is no worker."""
        return self._client

    def acquire(self, listener: Listener, model: ModelEntry | None = None) -> None:
        """The worker, and a model, will be needed: they load now, in the background.

        A model that is not installed is not loaded: its first request will fail and say so.
        """
        if listener not in self._users:
            self._users.append(listener)
        self._idle_stop.stop()
        self.restart_if_device_changed()
        if model is not None and model.is_installed:
            self._client.load(model)

    def release(self, listener: Listener) -> None:
        """A listener does not need the worker any more."""
        self.cancel(listener)
        if listener in self._users:
            self._users.remove(listener)
        if not self._users and self._client is not None:
            # Else the memory of a volume that the user closes would stay in use.
            self._client.forget_images()
            self._idle_stop.start()

    def restart_if_device_changed(self) -> None:
        """Starts the worker, anew if the user has chosen another device."""
        device = device_settings.device()
        if self._client is not None and device != self._device:
            self.stop()
        if self._client is None:
            self._client, self._device = self._make_client(device), device
        if self._client.state in (WorkerState.OFF, WorkerState.FAILED):
            self._client.start()
        self._set_interval()

    def request(self, listener: Listener, request: PredictionRequest) -> int:
        """Requests a prediction and cancels the request before it. Its number.

        Raises:
            InputError: if the request cannot be answered.
        """
        self.acquire(listener)
        number = self._client.ask(request)
        if self._requester is not None and self._requester is not listener:
            cancelled = Cancelled("Another request came first.")
            self._notify(self._requester, Failed(self._number, cancelled))
        self._requester, self._number = listener, number
        self._set_interval()
        return number

    def cancel(self, listener: Listener) -> None:
        """Cancels the request of that listener, if it is still under way."""
        if self._requester is listener and self._client is not None:
            self._requester = None
            self._client.cancel()
            self._set_interval()

    def prepare(self, image: Image, ras: Sequence[float]) -> None:
        """Prepares for a click at (R, A, S) in mm of the image's own RAS, if there is time."""
        if self._client is not None and self._requester is None:
            self._client.prepare_click(image, ras)
            # Its volume may have to be copied.
            self._timer.start(BUSY_INTERVAL_MS)
            self._fast_until = time.monotonic() + FAST_POLL_S

    def stop(self) -> None:
        """Ends the worker; the next request starts it again."""
        client, self._client = self._client, None
        self._timer.stop()
        self._idle_stop.stop()
        if client is not None:
            client.close()
        if self._requester is not None:
            requester, self._requester = self._requester, None
            self._notify(requester, Failed(self._number, Cancelled("The worker was ended.")))

    def close(self) -> None:
        """Ends the worker for good, when Slicer ends."""
        self._requester = None
        self._users.clear()
        self.stop()
        self._idle_stop.release()
        self._connections.disconnect()

    def _poll(self) -> None:
        if self._client is None:
            return
        now = time.monotonic()
        budget, self._polled = COPY_SHARE * (now - self._polled), now
        budget = COPY_S if self._requester is None else min(max(COPY_S, budget), MAX_COPY_S)
        for event in self._client.poll(budget):
            self._dispatch(event)
        self._set_interval()

    def _dispatch(self, event) -> None:
        if isinstance(event, Ready):
            device_settings.set_known_devices(event.info)
        number = getattr(event, "number", None)
        if number is None:
            for listener in list(self._users):
                self._notify(listener, event)
            return
        requester = self._requester
        if requester is None or number != self._number:
            return
        if isinstance(event, Proposed | Failed):
            self._requester = None
        self._notify(requester, event)

    def _notify(self, listener: Listener, event) -> None:
        try:
            listener.on_worker_event(event)
        except SAMSegmentError as error:
            logging.error("SAMSegment: %s", error)
        except Exception:
            logging.exception("SAMSegment: the panel could not handle an answer")

    def _set_interval(self) -> None:
        client = self._client
        ended = client is None or client.state in (WorkerState.OFF, WorkerState.FAILED)
        if client is None or (ended and self._requester is None):
            self._timer.stop()
            return
        busy = self._requester is not None or client.state is not WorkerState.READY
        busy = busy or time.monotonic() < self._fast_until
        interval = BUSY_INTERVAL_MS if busy else IDLE_INTERVAL_MS
        if not self._timer.isActive() or self._timer.property("interval") != interval:
            self._timer.start(interval)


_shared: WorkerService | None = None


def shared_service() -> WorkerService:
    """The service of this Slicer; made at the first call."""
    global _shared
    if _shared is None:
        _shared = WorkerService()
        qt.QApplication.instance().aboutToQuit.connect(close_shared_service)
    return _shared


def close_shared_service() -> None:
    """Ends the shared worker, if there is one."""
    global _shared
    if _shared is not None:
        _shared.close()
        _shared = None
