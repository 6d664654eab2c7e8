"""What the child does all day: take messages in one thread, predict in the other."""

from __future__ import annotations

import importlib
import os
import platform
import socket
import sys
import time
from collections.abc import Callable

from ...core.answer import Answer
from ...core.errors import Cancelled, OutOfMemoryError
from ...core.progress import Watch
from ...core.proposal import Proposal, propose
from ..protocol.channel import ChildChannel, ClosedError
from ..protocol.error_messages import sent_error
from ..protocol.events import Progress, Ready, WorkerInfo
from ..protocol.messages import (
    PREDICTION_MESSAGES,
    AllocateArray,
    BlockReceived,
    Cancel,
    DropArray,
    LoadModel,
    Predict,
    PredictionFailed,
    PrepareClick,
    PrepareFailed,
    StartFailed,
    Stopped,
)
from .job_queue import Job, JobQueue
from .shared_arrays import SharedArrays
from .start import start_predictor
from .time_left import TimeLeft

# Progress is for eyes.
PROGRESS_EVERY_S = 0.05
PREVIEW_EVERY_S = 0.3
# Previews may take this share of the time, so that the answer does not wait for them.
PREVIEW_SHARE = 0.2
NO_MEMORY = (
    "There is not enough memory for this result. Nothing was changed. Close other programs or "
    "volumes, or make the ROI smaller."
)


class JobLoop:
    """Holds the models and works for one client.

    Args:
        device: "auto", "cpu", "cuda", "cuda:1" and so on, or "mps".

    Attributes:
        channel: to the client.
    """

    def __init__(self, connection: socket.socket, device: str) -> None:
        self._device = device
        self._arrays = SharedArrays(lambda *message: self.channel.send(*message))
        self.channel = ChildChannel(connection, PREDICTION_MESSAGES, self._arrays.substitutes)
        self._queue = JobQueue(lambda number: self.channel.send(Stopped(number)))
        self._time_left = TimeLeft(time.monotonic)
        self._preview = 0
        self._predictor = None

    def take(self, message: object) -> None:
        """Takes a message of the client; called by the thread that reads them."""
        match message:
            case AllocateArray():
                self._arrays.allocate(message)
            case DropArray(array):
                if self._arrays.drop(array):
                    self._queue.put(Job(message))
            case BlockReceived(transfer):
                self._arrays.received(transfer)
            case Cancel(number):
                self._queue.cancel(number)
            case Predict() | PrepareClick() | LoadModel():
                self._queue.put(Job(message))

    def run(self) -> None:
        """Imports torch and works until the process ends; returns only if it cannot start."""
        try:
            self._predictor = start_predictor(self._device)
            self._predictor.on_new_device = self._report_device
            info = self._info()
        except Exception as error:
            self.channel.send(StartFailed(sent_error(error)))
            return
        self.channel.send(Ready(info))
        while True:
            job = self._queue.next()
            if isinstance(job.message, Predict):
                self._predict(job)
            elif isinstance(job.message, DropArray):
                self._forget()
            else:
                self._prepare(job)
            # Volumes may be large: none is kept because of a job that is done.
            del job

    def _predict(self, job: Job) -> None:
        number = job.message.number
        try:
            proposals = self._proposals(job)
            self._arrays.send_proposals(number, proposals, final=True)
        except Cancelled:
            self.channel.send(Stopped(number))
        except ClosedError:
            raise
        except Exception as error:
            if isinstance(error, MemoryError) and not isinstance(error, OutOfMemoryError):
                error = OutOfMemoryError(NO_MEMORY).with_traceback(error.__traceback__)
            self.channel.send(PredictionFailed(number, sent_error(error)))

    def _proposals(self, job: Job) -> tuple[Proposal, ...]:
        request = job.message.request
        self._predictor.load(request.model)
        self._queue.begin(job)
        prompts = request.prompts
        self._time_left.start((request.model.name, prompts.kinds, len(prompts.points)))
        watch = self._watch(job)
        watch.check()
        answer = self._predictor.predict(request, watch)
        self._time_left.finish()
        watch.check()
        return propose(answer, request.grid, request.alternative)

    def _watch(self, job: Job) -> Watch:
        number, request = job.message.number, job.message.request
        last_report = shown_until = float("-inf")

        def progress(done: int, total: int, message: str) -> None:
            nonlocal last_report
            left = self._time_left.step(done, total, message)
            now = time.monotonic()
            if now - last_report >= PROGRESS_EVERY_S:
                last_report = now
                self.channel.send(Progress(number, done, total, message, left))

        def preview(make: Callable[[], Answer]) -> None:
            nonlocal shown_until
            began = time.monotonic()
            # One at a time: if the client is busy, it gets the next one.
            if began < shown_until or self._arrays.is_in_transit(self._preview):
                return
            proposals = propose(make(), request.grid)
            self._preview = self._arrays.send_proposals(number, proposals, final=False)
            took = time.monotonic() - began
            shown_until = began + max(PREVIEW_EVERY_S, took / PREVIEW_SHARE)

        # Of another alternative there is nothing to see before the end.
        show = preview if request.alternative == 0 else None
        return Watch(progress, job.stop, show, request.facing)

    def _prepare(self, job: Job) -> None:
        """Work ahead of need: if it fails, the request will say why."""
        message = job.message
        try:
            self._predictor.load(message.model)
            if isinstance(message, PrepareClick):
                self._queue.begin(job)
                watch = Watch(cancel=job.stop)
                self._predictor.prepare(message.model, message.image, message.ras, watch)
        except Cancelled:
            pass
        except ClosedError:
            raise
        except Exception as error:
            self.channel.send(PrepareFailed(sent_error(error)))

    def _forget(self) -> None:
        """Gives up what is kept of images that were dropped."""
        if self._arrays.is_without_images:
            self._predictor.close()
        else:
            self._predictor.forget_answers()

    def _report_device(self) -> None:
        """Models run on another device now, where all takes another time."""
        self._time_left = TimeLeft(time.monotonic)
        self.channel.send(Ready(self._info()))

    def _info(self) -> WorkerInfo:
        torch = importlib.import_module("torch")
        if "OMP_NUM_THREADS" not in os.environ:
            # Torch's own choice may be all cores; Slicer needs one.
            torch.set_num_threads(max(1, min(torch.get_num_threads(), _cores() - 1)))
        predictor, device = self._predictor, str(self._predictor.device)
        return WorkerInfo(
            pid=os.getpid(),
            python=platform.python_version(),
            # A plain one: its own class of strings would bring torch to the client.
            torch=str(torch.__version__),
            device=device,
            device_name=next((i.title for i in predictor.devices if i.name == device), ""),
            threads=torch.get_num_threads(),
            cache_bytes=predictor.cache_bytes,
            devices=predictor.devices,
            automatic=predictor.automatic,
            notice=predictor.notice,
        )


def _cores() -> int:
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
