"""What the child has to do: the newest of each kind, and when to give up what it is doing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from ...core.image import Image
from ...core.voxel_prompts import VoxelPrompts
from ..protocol.messages import Ask, Drop, Load, Look


@dataclass(eq=False)
class Job:
    """Something to do.

    Attributes:
        order: the message that asked for it.
        image, voxels: what it names, opened.
        stop: set once it is not wanted any more.
        can_stop: whether it looks at `stop` soon; not while a model is being loaded.
    """

    order: Ask | Look | Load | Drop
    image: Image | None = None
    voxels: VoxelPrompts | None = None
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
        self._ask: Job | None = None
        self._drop: Job | None = None
        self._load: Job | None = None
        self._look: Job | None = None
        self._current: Job | None = None

    def put(self, job: Job) -> None:
        """A new job replaces any of its kind, and interrupts what it makes unwanted."""
        given_up = []
        with self._changed:
            if isinstance(job.order, Ask):
                given_up += self._give_up_ask()
                self._look, self._ask = None, job
            elif isinstance(job.order, Drop):
                self._drop = job
            elif isinstance(job.order, Load):
                self._load = job
            elif not self._is_looking_there(job.order):
                self._look = job
                if self._current is not None and isinstance(self._current.order, Look):
                    self._current.stop.set()
            self._changed.notify()
        for number in given_up:
            self._stopped(number)

    def cancel(self, number: int) -> None:
        """The request of that number is not wanted any more."""
        with self._changed:
            running = self._current
            is_running = (
                running is not None
                and isinstance(running.order, Ask)
                and running.order.number == number
            )
            if is_running:
                running.stop.set()
            elif self._ask is not None and self._ask.order.number == number:
                self._ask = None
            is_over = not (is_running and running.can_stop)
        if is_over:
            self._stopped(number)

    def next(self) -> Job:
        """The job to do now; waits for one."""
        with self._changed:
            self._current = None
            while self._current is None:
                for name in ("_drop", "_ask", "_load", "_look"):
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

    def _give_up_ask(self) -> list[int]:
        """Stops whatever is done for another request or none; requests that never began."""
        if self._current is not None:
            self._current.stop.set()
        return [] if self._ask is None else [self._ask.order.number]

    def _is_looking_there(self, order: Look) -> bool:
        waiting = self._look
        if waiting is not None:
            return order.is_same(waiting.order)
        current = self._current
        return current is not None and not current.stop.is_set() and order.is_same(current.order)
