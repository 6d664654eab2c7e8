"""Predictions by a child process, for a program whose one thread must not wait.

A Python thread does not run while Slicer's event loop is idle, so there is none here: whoever owns
a WorkerClient calls `poll` from a timer, every 10 to 30 ms, and gets what has happened. No call
waits for the child.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...core.errors import InputError, OutOfMemoryError, SAMSegmentError
from ...core.image import Image
from ...weights.catalogue import DEFAULT_MODEL, ModelEntry, model_entry
from ..protocol.channel import ClosedError
from ..protocol.error_messages import error_of
from ..protocol.events import (
    Crashed,
    Event,
    Failed,
    PredictionRequest,
    Preview,
    Progress,
    Proposed,
    Ready,
    WorkerInfo,
    WorkerState,
)
from ..protocol.messages import (
    PREDICTION_MESSAGES,
    AllocationFailed,
    ArrayAllocated,
    BlockReceived,
    Cancel,
    LoadModel,
    Predict,
    PredictionFailed,
    PrepareClick,
    PrepareFailed,
    StartFailed,
    Stopped,
)
from ..protocol.sent_proposals import SentProposals
from .array_uploads import ArrayUploads
from .child_link import ChildLink

# How long a cancelled request may go on before its process is ended.
CANCEL_S = 0.5
# The same, if another request waits for it: what the process has in its memory is worth waiting.
SUPERSEDED_S = 5.0
CLOSE_S = 0.5
NOT_OPENED = (
    "Slicer has not enough memory for this. Nothing was changed. Close other programs or volumes."
)
MOST_CRASHES = 3
WITHIN_S = 60.0
CRASHED = (
    "The model's process has ended unexpectedly; it is being started again. Nothing was changed, "
    "and your prompts are kept: try again."
)
CRASHES_AGAIN = (
    "The model's process keeps ending unexpectedly and was not started again. Nothing was changed. "
    "Choose another device, make the ROI smaller, or restart Slicer; if that does not help, please "
    "report it with the diagnostics."
)
STARTING = "Starting the model"
COPYING = "Handing the volume to the model"
PREPARING = "Preparing the model"


class CrashLog:
    """Says when to start no more processes: they would only end again."""

    def __init__(self) -> None:
        self._times: list[float] = []

    def add(self, now: float) -> bool:
        """Another crash, at `now` seconds; True if it is the third within a minute."""
        self._times = [*(t for t in self._times if now - t < WITHIN_S), now]
        return len(self._times) >= MOST_CRASHES

    def clear(self) -> None:
        """The child has done something useful, or somebody has asked to try again."""
        self._times.clear()


@dataclass(eq=False)
class _Pending:
    """The request that is to be answered.

    Attributes:
        is_sent: whether the child has it.
        reported: what it was last said to wait for, and how much of that is done, in percent.
    """

    number: int
    request: PredictionRequest
    is_sent: bool = False
    reported: tuple[str, int] = ("", 0)


class WorkerClient:
    """Asks a child process, which holds torch and the models. Not for use from several threads.

    Args:
        device: "auto", "cpu", "cuda", "cuda:1" and so on, or "mps".
        python: the command that runs Python; `worker_python()` if left out.
        clock: seconds, running on.

    Attributes:
        last_error: details of what went wrong last, for diagnostics; no data of the patient.
    """

    def __init__(
        self,
        device: str = "auto",
        python: Sequence[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last_error: str | None = None
        self._clock = clock
        self._uploads: ArrayUploads | None = None
        self._link = ChildLink(python, {"device": device}, PREDICTION_MESSAGES, clock)
        self._state = WorkerState.OFF
        self._info: WorkerInfo | None = None
        self._crashes = CrashLog()
        self._failure: SAMSegmentError | None = None
        self._events: list[Event] = []
        self._last_number = 0
        self._pending: _Pending | None = None
        # Where a click is expected.
        self._expected: tuple[Image, tuple[float, float, float]] | None = None
        # Numbers that the child should give up, and when it must have.
        self._stopping: dict[int, float] = {}
        # To be ready again after a restart.
        self._model: ModelEntry | None = None
        self._image: Image | None = None

    @property
    def state(self) -> WorkerState:
        """What the worker is doing."""
        if self._state is WorkerState.READY and self._pending is not None:
            return WorkerState.BUSY
        return self._state

    @property
    def info(self) -> WorkerInfo | None:
        """The child process, once it is ready."""
        return self._info

    def start(self) -> None:
        """Starts the child process, if there is none; `poll` says when it is ready."""
        if self._state in (WorkerState.OFF, WorkerState.FAILED):
            self._crashes.clear()
            self._launch()

    def load(self, model: ModelEntry) -> None:
        """This model will be asked: load it while nothing else is to do."""
        self._model = model
        if self._link.is_open:
            self._link.send(LoadModel(model))

    def ask(self, request: PredictionRequest) -> int:
        """Asks for a prediction; the number that its events will have.

        Whatever was asked before is given up. The process is started if it is off.

        Raises:
            InputError: if prompts, image and model do not go together.
        """
        request.check()
        self._cancel_pending(SUPERSEDED_S)
        self._last_number += 1
        self._pending = _Pending(self._last_number, request)
        self._model, self._image, self._expected = request.model, request.image, None
        if self._state is WorkerState.OFF:
            self.start()
        if self._state is WorkerState.FAILED:
            self._fail(self._failure)
        return self._last_number

    def prepare_click(self, image: Image, ras: Sequence[float]) -> None:
        """The user may click at `ras` (mm, the image's RAS) next: the child prepares for it.

        It does so while nothing else is to do, with the model that was asked or loaded last.
        """
        self._expected = image, tuple(float(x) for x in ras)
        self._image = image

    def cancel(self) -> None:
        """Gives up what was asked for: no event of it will come."""
        self._cancel_pending(CANCEL_S)

    def forget_images(self) -> None:
        """Lets go of all images, here and in the child: the scene is closed, or a volume changed.

        Voxels of an image may be read until then, or until another is asked or prepared for.
        """
        self.cancel()
        self._image = self._expected = None
        if self._uploads is not None:
            self._uploads.drop_all()

    def poll(self, budget_s: float = 0.004) -> list[Event]:
        """What has happened since; goes on copying voxels for about `budget_s` seconds."""
        until = self._clock() + budget_s
        self.last_error = self._link.reap() or self.last_error
        try:
            self._receive()
            self._check_deadlines()
            self._advance(lambda: self._clock() >= until)
        except ClosedError as error:
            self._crashed(error)
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Ends the child process. The client can be started again."""
        self._stop()
        self._link.wait(CLOSE_S)
        self._pending = self._expected = self._image = None
        self._events = []
        self._state = WorkerState.OFF

    # ---- The process ---------------------------------------------------------------------------

    def _launch(self) -> None:
        self._uploads = ArrayUploads(self._link.send)
        try:
            self._link.start(self._uploads.substitutes)
        except SAMSegmentError as error:
            self._fail_start(error)
            return
        self._state = WorkerState.STARTING

    def _restart(self) -> None:
        self._stop()
        if self._pending is not None:
            self._pending.is_sent = False
        self._launch()

    def _stop(self) -> None:
        self._link.kill()
        self._uploads = self._info = None
        self._stopping.clear()

    def _crashed(self, error: ClosedError) -> None:
        """The child has ended by itself, or sends nonsense: reports it, and starts another."""
        self._link.keep_report(error)
        if self._crashes.add(self._clock()):
            self._fail_start(SAMSegmentError(CRASHES_AGAIN))
            return
        if self._pending is not None and self._pending.is_sent:
            self._fail(SAMSegmentError(CRASHED))
        self._events.append(Crashed(CRASHED))
        self._restart()

    def _fail_start(self, error: SAMSegmentError) -> None:
        """The child cannot be started, or not to any use."""
        self._stop()
        self._state, self._failure = WorkerState.FAILED, error
        self._fail(error)
        self._events.append(Crashed(str(error)))

    # ---- The request ---------------------------------------------------------------------------

    def _cancel_pending(self, patience_s: float) -> None:
        pending, self._pending = self._pending, None
        # What was not fetched yet is about requests that nobody waits for now.
        self._events = [event for event in self._events if not hasattr(event, "number")]
        if pending is not None and pending.is_sent:
            self._stopping[pending.number] = self._clock() + patience_s
            self._link.send(Cancel(pending.number))
        elif patience_s == CANCEL_S:
            # What was superseded before, and goes on, is cancelled, too.
            latest = self._clock() + patience_s
            self._stopping = {n: min(at, latest) for n, at in self._stopping.items()}

    def _fail(self, error: SAMSegmentError) -> None:
        if self._pending is not None:
            self._events.append(Failed(self._pending.number, error))
            self._pending = None

    def _check_deadlines(self) -> None:
        # While it starts, it computes nothing; and it will see the message when it has.
        late = any(self._clock() > at for at in self._stopping.values())
        if late and self._state is WorkerState.READY:
            self.last_error = "A request that was given up did not stop: the process was ended."
            self._restart()

    def _advance(self, time_is_up: Callable[[], bool]) -> None:
        """Copies what is needed next, and sends what can be sent."""
        if self._pending is not None and self._state is WorkerState.STARTING:
            self._report(STARTING)
        if not self._link.is_open:
            return
        if self._pending is not None:
            if not self._pending.is_sent:
                self._send_pending(time_is_up)
        elif self._expected is not None:
            self._send_expected(time_is_up)
        elif self._image is not None:
            self._provide_ahead(self._image, time_is_up)

    def _send_pending(self, time_is_up: Callable[[], bool]) -> None:
        pending, request = self._pending, self._pending.request
        masks = () if request.voxels is None else request.voxels.masks
        self._uploads.keep_masks(masks)
        needed = (request.image, *masks)
        try:
            if not self._uploads.provide(needed, time_is_up):
                if self._state is not WorkerState.STARTING:
                    self._report(COPYING, self._uploads.percent(needed))
                return
            self._link.send(Predict(pending.number, request))
            pending.is_sent = True
            self._report(PREPARING)
        except SAMSegmentError as error:
            self._fail(error)

    def _send_expected(self, time_is_up: Callable[[], bool]) -> None:
        image, ras = self._expected
        if not self._provide_ahead(image, time_is_up):
            return
        self._expected = None
        model = self._model or model_entry(DEFAULT_MODEL)
        with contextlib.suppress(InputError):  # a request will say what is wrong
            self._link.send(PrepareClick(model, image, ras))

    def _provide_ahead(self, image: Image, time_is_up: Callable[[], bool]) -> bool:
        """Copies an image that nobody has asked about yet; a request will say if it cannot be."""
        try:
            return self._uploads.provide([image], time_is_up)
        except SAMSegmentError:
            self._expected = self._image = None
            return False

    def _report(self, message: str, percent: int = 0) -> None:
        """Says what the request waits for."""
        if self._pending.reported != (message, percent):
            self._pending.reported = (message, percent)
            self._events.append(Progress(self._pending.number, percent, 100, message))

    # ---- What the child says -------------------------------------------------------------------

    def _receive(self) -> None:
        was_open = self._link.is_open
        if not self._link.connect():
            return
        if not was_open and self._model is not None:
            self._link.send(LoadModel(self._model))
        while self._link.is_open and (received := self._link.receive()) is not None:
            self._take(*received)

    def _take(self, message: object, descriptor: int | None) -> None:
        match message:
            case Ready(info):
                self._info, self._state = info, WorkerState.READY
                self._events.append(message)
            case StartFailed(sent):
                self.last_error = sent.details
                self._fail_start(error_of(sent))
            case ArrayAllocated():
                self._take_allocated(message, descriptor)
            case AllocationFailed(array, sent):
                self.last_error = sent.details
                self._uploads.refused(array, error_of(sent))
            case Progress(number):
                if self._is_pending(number):
                    self._events.append(message)
            case SentProposals():
                self._take_proposals(message, descriptor)
            case PredictionFailed(number, sent):
                self._stopping.pop(number, None)
                self._crashes.clear()
                error = error_of(sent)
                if self._is_pending(number):
                    self.last_error = sent.details
                    self._fail(error)
                if isinstance(error, OutOfMemoryError):
                    self._restart()  # oneDNN never makes again what it had no memory for
            case PrepareFailed(sent):
                self.last_error = sent.details
            case Stopped(number):
                self._stopping.pop(number, None)

    def _take_allocated(self, message: ArrayAllocated, descriptor: int | None) -> None:
        try:
            self._uploads.open_block(message.array, message.handle, descriptor)
        except (OSError, MemoryError):
            self._uploads.refused(message.array, OutOfMemoryError(NOT_OPENED))
        self._link.send(BlockReceived(message.transfer))

    def _take_proposals(self, message: SentProposals, descriptor: int | None) -> None:
        if message.final:
            self._stopping.pop(message.number, None)
            self._crashes.clear()
        try:
            proposals = message.unpack(descriptor)
            if self._is_pending(message.number):
                if message.geometry != self._pending.request.grid:
                    raise ClosedError("An answer came on another grid than was asked for.")
                kind = Proposed if message.final else Preview
                self._events.append(kind(message.number, proposals))
                self._pending = None if message.final else self._pending
        except (OSError, MemoryError):
            if self._is_pending(message.number) and message.final:
                self._fail(OutOfMemoryError(NOT_OPENED))
        self._link.send(BlockReceived(message.transfer))

    def _is_pending(self, number: int) -> bool:
        return self._pending is not None and self._pending.number == number
