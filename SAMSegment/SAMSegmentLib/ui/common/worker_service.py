"""The one worker process of this Slicer: shared by all Segment Editors, polled from a timer."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

import qt

from ...core.errors import Cancelled, SAMSegmentError
from ...weights.catalogue import ModelEntry
from ...worker.client.process_client import WorkerClient
from ...worker.protocol.events import Answer, Failed, PredictionRequest, Ready, WorkerState
from . import known_devices, settings
from .connections import Connections

BUSY_INTERVAL_MS = 15
# A poll may copy voxels for so long; if somebody waits, for that share of the time since the one
# before: where drawing is slow there are few polls, and a volume would be under way for seconds.
COPY_S, COPY_SHARE, MOST_COPY_S = 0.004, 0.2, 0.03
# Often enough to notice that the process has died.
IDLE_INTERVAL_MS = 250
# How long it is polled as if busy after it was told where the user looks.
LIVELY_S = 3.0
# Without any effect in use, the model's memory is given back after this time.
KEEP_WARM_MS = 10 * 60 * 1000


class Listener(Protocol):
    """Who asks the worker."""

    def on_worker_event(self, event) -> None:
        """An event of worker.events about one's own request, or about the worker itself."""


class WorkerService:
    """Starts the worker when it is first needed and passes its events to who has asked.

    One request is under way at a time: the newest one, whoever asked it.
    """

    def __init__(self, make_client: Callable[[str], WorkerClient] = WorkerClient) -> None:
        self._make_client = make_client
        self._client: WorkerClient | None = None
        self._device = ""
        self._users: list[Listener] = []
        self._asking: Listener | None = None
        self._number = 0
        self._lively_until = 0.0
        self._polled = time.monotonic()
        self._connections = Connections()
        self._timer = qt.QTimer()
        self._connections.connect(self._timer.timeout, self._poll)
        self._farewell = qt.QTimer()
        self._farewell.setSingleShot(True)
        self._farewell.setInterval(KEEP_WARM_MS)
        self._connections.connect(self._farewell.timeout, self.stop)

    @property
    def client(self) -> WorkerClient | None:
        """The worker's client; None while there is no worker."""
        return self._client

    def acquire(self, listener: Listener, model: ModelEntry | None = None) -> None:
        """Says that the worker, and a model, will be needed: they load now, in the background.

        A model that is not installed is not loaded: who asks it will be told.
        """
        if listener not in self._users:
            self._users.append(listener)
        self._farewell.stop()
        self.restart_if_device_changed()
        if model is not None and model.is_installed:
            self._client.load(model)

    def release(self, listener: Listener) -> None:
        """Says that a listener does not need the worker any more."""
        self.cancel(listener)
        if listener in self._users:
            self._users.remove(listener)
        if not self._users and self._client is not None:
            # Nobody can close a volume whose voxels are still held.
            self._client.forget_images()
            self._farewell.start()

    def restart_if_device_changed(self) -> None:
        """Starts the worker, anew if the user has chosen another device."""
        device = settings.device()
        if self._client is not None and device != self._device:
            self.stop()
        if self._client is None:
            self._client, self._device = self._make_client(device), device
        if self._client.state in (WorkerState.OFF, WorkerState.FAILED):
            self._client.start()
        self._set_interval()

    def ask(self, listener: Listener, request: PredictionRequest) -> int:
        """Asks for a prediction; what was asked before is given up. Its number.

        Raises:
            InputError: if the request cannot be answered.
        """
        self.acquire(listener)
        number = self._client.ask(request)
        if self._asking is not None and self._asking is not listener:
            self._tell(self._asking, Failed(self._number, Cancelled("Another request came first.")))
        self._asking, self._number = listener, number
        self._set_interval()
        return number

    def cancel(self, listener: Listener) -> None:
        """Gives up what that listener has asked, if it is still under way."""
        if self._asking is listener and self._client is not None:
            self._asking = None
            self._client.cancel()
            self._set_interval()

    def look(self, image, ras) -> None:
        """Tells where the user may click next; (R, A, S) in mm of the image's own RAS."""
        if self._client is not None and self._asking is None:
            self._client.look(image, ras)
            # Its volume may have to be copied.
            self._timer.start(BUSY_INTERVAL_MS)
            self._lively_until = time.monotonic() + LIVELY_S

    def stop(self) -> None:
        """Ends the worker; the next request starts it again."""
        client, self._client = self._client, None
        self._timer.stop()
        self._farewell.stop()
        if client is not None:
            client.close()
        if self._asking is not None:
            asking, self._asking = self._asking, None
            self._tell(asking, Failed(self._number, Cancelled("The worker was ended.")))

    def close(self) -> None:
        """Ends the worker for good, when Slicer ends."""
        self._asking = None
        self._users.clear()
        self.stop()
        self._connections.disconnect()

    def _poll(self) -> None:
        if self._client is None:
            return
        now = time.monotonic()
        budget, self._polled = COPY_SHARE * (now - self._polled), now
        budget = min(max(COPY_S, budget), MOST_COPY_S) if self._asking is not None else COPY_S
        for event in self._client.poll(budget):
            self._pass_on(event)
        self._set_interval()

    def _pass_on(self, event) -> None:
        if isinstance(event, Ready):
            known_devices.tell_devices(event.info)
        number = getattr(event, "number", None)
        if number is None:
            for listener in list(self._users):
                self._tell(listener, event)
            return
        listener = self._asking
        if listener is None or number != self._number:
            return
        if isinstance(event, Answer | Failed):
            self._asking = None
        self._tell(listener, event)

    def _tell(self, listener: Listener, event) -> None:
        try:
            listener.on_worker_event(event)
        except SAMSegmentError as error:
            logging.error("SAMSegment: %s", error)
        except Exception:
            logging.exception("SAMSegment: the panel could not handle an answer")

    def _set_interval(self) -> None:
        client = self._client
        ended = client is None or client.state in (WorkerState.OFF, WorkerState.FAILED)
        if client is None or (ended and self._asking is None):
            self._timer.stop()
            return
        busy = self._asking is not None or client.state is not WorkerState.READY
        busy = busy or time.monotonic() < self._lively_until
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
