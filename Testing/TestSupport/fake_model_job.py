"""A ModelJob without a process, whose events a test or a picture says."""

from __future__ import annotations

from SAMSegmentLib.worker.client.model_jobs import JobEvent
from SAMSegmentLib.worker.protocol.model_messages import ModelOrder


class FakeModelJob:
    """Does nothing by itself.

    Attributes:
        order: what it was asked for.
        is_running: since it was started, and until it was cancelled.
    """

    last_error: str | None = None

    def __init__(self, order: ModelOrder) -> None:
        self.order, self.is_running = order, False
        self._events: list[JobEvent] = []

    def start(self) -> None:
        """See ModelJob."""
        self.is_running = True

    def poll(self) -> list[JobEvent]:
        """See ModelJob."""
        events, self._events = self._events, []
        return events

    def cancel(self) -> None:
        """See ModelJob."""
        self.is_running = False

    def play(self, *events: JobEvent) -> None:
        """What the next poll gives."""
        self._events += events

    @property
    def is_read(self) -> bool:
        """Whether all of it was given."""
        return not self._events


class FakeModelJobs:
    """Makes them, for a ModelStore, and keeps them."""

    def __init__(self) -> None:
        self.all: list[FakeModelJob] = []

    def __call__(self, order: ModelOrder) -> FakeModelJob:
        self.all.append(FakeModelJob(order))
        return self.all[-1]

    def play(self, application, *events: JobEvent) -> None:
        """Lets events happen to the newest one, and waits until its store has taken them."""
        job = self.all[-1]
        job.play(*events)
        if not application.wait(lambda: job.is_read):
            raise TimeoutError("Nobody looks at this job.")
