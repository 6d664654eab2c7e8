"""What the child does all day: take messages in one thread, predict in the other."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from collections.abc import Callable

from ...core.answer import Answer
from ...core.errors import Cancelled, OutOfMemoryError
from ...core.progress import Watch
from ...core.proposal import Proposal, propose
from ..protocol.channel import ChildChannel, ClosedError
from ..protocol.events import Progress, Ready, WorkerInfo
from ..protocol.messages import (
    Ask,
    Cancel,
    CannotPredict,
    CannotPrepare,
    CannotStart,
    Drop,
    Load,
    Look,
    MakeRoom,
    Received,
    Stopped,
)
from ..protocol.troubles import trouble_of
from .job_queue import Job, JobQueue
from .shelf import Shelf
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
    """

    def __init__(self, channel: ChildChannel, device: str) -> None:
        self._channel = channel
        self._device = device
        self._queue = JobQueue(lambda number: channel.send(Stopped(number)))
        self._shelf = Shelf(channel.send)
        self._time_left = TimeLeft(time.monotonic)
        self._preview = 0
        self._predictor = None

    def take(self, message: object) -> None:
        """Takes a message of the client; called by the thread that reads them."""
        match message:
            case MakeRoom():
                self._shelf.make_room(message, OutOfMemoryError)
            case Drop(array):
                if self._shelf.drop(array):
                    self._queue.put(Job(message))
            case Received(parcel):
                self._shelf.received(parcel)
            case Ask():
                image = self._shelf.image(message.image)
                self._queue.put(Job(message, image, self._shelf.voxels(message.voxels)))
            case Look():
                self._queue.put(Job(message, self._shelf.image(message.image)))
            case Load():
                self._queue.put(Job(message))
            case Cancel(number):
                self._queue.cancel(number)

    def run(self) -> None:
        """Imports torch and works until the process ends; returns only if it cannot start."""
        try:
            self._predictor = start_predictor(self._device)
            self._predictor.on_new_device = self._tell_device
            info = self._info()
        except Exception as error:
            self._channel.send(CannotStart(trouble_of(error)))
            return
        self._channel.send(Ready(info))
        while True:
            job = self._queue.next()
            if isinstance(job.order, Ask):
                self._answer(job)
            elif isinstance(job.order, Drop):
                self._forget()
            else:
                self._prepare(job)
            # Volumes may be large: none is kept because of a job that is done.
            del job

    def _answer(self, job: Job) -> None:
        number = job.order.number
        try:
            proposals = self._proposals(job)
            self._shelf.post(number, proposals, final=True)
        except Cancelled:
            self._channel.send(Stopped(number))
        except ClosedError:
            raise
        except Exception as error:
            if isinstance(error, MemoryError) and not isinstance(error, OutOfMemoryError):
                error = OutOfMemoryError(NO_MEMORY).with_traceback(error.__traceback__)
            self._channel.send(CannotPredict(number, trouble_of(error)))

    def _proposals(self, job: Job) -> tuple[Proposal, ...]:
        order: Ask = job.order
        self._predictor.load(order.model)
        self._queue.begin(job)
        self._time_left.start((order.model.name, order.prompts.kinds, len(order.prompts.points)))
        watch = self._watch(job)
        watch.check()
        prediction = self._predictor.predict(
            order.model,
            job.image,
            order.prompts,
            watch,
            order.intensity_range,
            job.voxels,
            order.structures,
        )
        self._time_left.finish()
        watch.check()
        return propose(prediction, order.target, order.alternative)

    def _watch(self, job: Job) -> Watch:
        told_at = shown_until = float("-inf")

        def progress(done: int, total: int, message: str) -> None:
            nonlocal told_at
            left = self._time_left.step(done, total, message)
            now = time.monotonic()
            if now - told_at >= PROGRESS_EVERY_S:
                told_at = now
                self._channel.send(Progress(job.order.number, done, total, message, left))

        def preview(make: Callable[[], Answer]) -> None:
            nonlocal shown_until
            began = time.monotonic()
            # One at a time: if the client is busy, it gets the next one.
            if began < shown_until or self._shelf.is_under_way(self._preview):
                return
            proposals = propose(make(), job.order.target)
            self._preview = self._shelf.post(job.order.number, proposals, final=False)
            took = time.monotonic() - began
            shown_until = began + max(PREVIEW_EVERY_S, took / PREVIEW_SHARE)

        # Of another alternative there is nothing to see before the end.
        looks = preview if job.order.alternative == 0 else None
        return Watch(progress, job.stop, looks, job.order.facing)

    def _prepare(self, job: Job) -> None:
        """Work ahead of need: if it fails, the request will say why."""
        order = job.order
        try:
            self._predictor.load(order.model)
            if isinstance(order, Look):
                self._queue.begin(job)
                self._predictor.prepare(
                    order.model,
                    job.image,
                    order.ras,
                    Watch(cancel=job.stop),
                    order.intensity_range,
                )
        except Cancelled:
            pass
        except ClosedError:
            raise
        except Exception as error:
            self._channel.send(CannotPrepare(trouble_of(error)))

    def _forget(self) -> None:
        """Gives up what is kept of images that were dropped."""
        if self._shelf.is_without_images:
            self._predictor.close()
        else:
            self._predictor.forget_answers()

    def _tell_device(self) -> None:
        """Models run on another device now, where all takes another time."""
        self._time_left = TimeLeft(time.monotonic)
        self._channel.send(Ready(self._info()))

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
