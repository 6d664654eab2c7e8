"""What the child has to do: the newest of each kind, and when to give up what it is doing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ..protocol.messages import DropArray, LoadModel, Predict, PrepareClick


@dataclass(eq=False)
class Job:
    """Something to do.

    Attributes:
        message: the client's, that asked for it.
        stop: set once it is not wanted any more.
        can_stop: whether it looks at `stop` soon; not while a model is being loaded.
    """

    message: Predict | PrepareClick | LoadModel | DropArray
    stop: threading.Event = field(default_factory=threading.Event)
    can_stop: bool = False


class JobQueue:
    """One thread puts jobs in, another does them.

    What was dropped is forgotten first, then requests are answered; models are loaded and clicks
    prepared only while nothing else is to do.

    Args:
        stopped: called with the number of a request that is given up before it has begun.
    """

    def __init__(self, stopped: Callable[[int], None]) -> None:
        self._stopped = stopped
        self._changed = threading.Condition()
        self._predict: Job | None = None
        self._drop: Job | None = None
        self._load: Job | None = None
        self._prepare: Job | None = None
        self._current: Job | None = None

    def put(self, job: Job) -> None:
        """A new job replaces any of its kind, and interrupts what it makes unwanted."""
        superseded = []
        with self._changed:
            if isinstance(job.message, Predict):
                superseded += self._cancel_requests()
                self._prepare, self._predict = None, job
            elif isinstance(job.message, DropArray):
                self._drop = job
            elif isinstance(job.message, LoadModel):
                self._load = job
            elif not self._is_preparing(job.message):
                self._prepare = job
                if self._current is not None and isinstance(self._current.message, PrepareClick):
                    self._current.stop.set()
            self._changed.notify()
        for number in superseded:
            self._stopped(number)

    def cancel(self, number: int) -> None:
        """The request of that number is not wanted any more."""
        with self._changed:
            running = self._current
            is_running = (
                running is not None
                and isinstance(running.message, Predict)
                and running.message.number == number
            )
            if is_running:
                running.stop.set()
            elif self._predict is not None and self._predict.message.number == number:
                self._predict = None
            is_over = not (is_running and running.can_stop)
        if is_over:
            self._stopped(number)

    def next(self) -> Job:
        """The job to do now; waits for one."""
        with self._changed:
            self._current = None
            while self._current is None:
                for name in ("_drop", "_predict", "_load", "_prepare"):
                    job = getattr(self, name)
                    if job is not None:
                        setattr(self, name, None)
                        self._current = job
                        return job
                self._changed.wait()

    def begin(self, job: Job) -> None:
        """From now on the job looks at its `stop`."""
        with self._changed:
            job.can_stop = True

    def _cancel_requests(self) -> list[int]:
        """Stops whatever is done for another request or none; requests that never began."""
        if self._current is not None:
            self._current.stop.set()
        return [] if self._predict is None else [self._predict.message.number]

    def _is_preparing(self, message: PrepareClick) -> bool:
        waiting = self._prepare
        if waiting is not None:
            return message.is_same(waiting.message)
        current = self._current
        return (
            current is not None and not current.stop.is_set() and message.is_same(current.message)
        )
