"""Long work on the weights of models, in a child process: to fetch, copy, convert and check them.

Slicer's one thread must not wait for it, and a Python thread hardly runs beside Slicer's event
loop. So a ModelJob is polled from a timer, like a WorkerClient; scripts and the shell, which may
wait, use `run_job`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...core import arguments
from ...core.errors import Cancelled, InputError, InstallError, SAMSegmentError
from ...core.paths import absolute
from ...core.progress import CancelFlag
from ...weights.catalogue import ModelEntry
from ...weights.progress import Report, Transfer, no_report
from ..protocol.channel import ClosedError
from ..protocol.error_messages import error_of
from ..protocol.model_messages import (
    MODEL_MESSAGES,
    InstallModel,
    ModelDone,
    ModelFailed,
    ModelOrder,
)
from .child_link import ChildLink

# What was killed ends within milliseconds, unless a disk keeps it waiting.
END_S = 0.5
PAUSE_S = 0.05
ENDED = (
    "The process that worked on the weights has ended unexpectedly. What was installed before "
    "still is, and what was downloaded is kept: try again. If it fails again, please report it "
    "with the diagnostics."
)
KEPT = "Cancelled. What was downloaded is kept."
UNCHANGED = "Cancelled. Nothing was changed."


@dataclass(frozen=True, eq=False)
class JobFailed:
    """The order could not be carried out; its error's text says what to do."""

    error: SAMSegmentError


JobEvent = Transfer | ModelDone | JobFailed


def install_order(entry: ModelEntry, source: str | os.PathLike | None = None) -> InstallModel:
    """The order to install a model.

    Args:
        source: the file, or a folder that holds it; None: from the catalogue's places.

    Raises:
        InputError: if the model comes with SAMSegment, or if nothing is at `source`.
    """
    if entry.embedded:
        raise InputError(f"{entry.title} comes with SAMSegment: there is nothing to install.")
    if source is None:
        return InstallModel(entry)
    if not os.fspath(arguments.path(source, "source")):
        raise InputError("The path of the weights is empty: name a file or folder.")
    path = absolute(source)
    if not os.path.lexists(path):
        raise InputError(f"{path} does not exist: give the weights file, or the folder it is in.")
    return InstallModel(entry, path)


class ModelJob:
    """One order, carried out by a process of its own. Not for use from several threads.

    Args:
        order: what is to be done.
        python: the command that runs Python; `worker_python()` if left out.
        clock: seconds, running on.

    Attributes:
        last_error: details of what went wrong, for diagnostics.
    """

    def __init__(
        self,
        order: ModelOrder,
        python: Sequence[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.last_error: str | None = None
        self._order = order
        self._link = ChildLink(python, {"task": "models"}, MODEL_MESSAGES, clock)
        self._is_running = False
        self._is_sent = False
        # Reported only when the process has ended: by then it holds no file and no lock any more.
        self._outcome: ModelDone | JobFailed | None = None

    @property
    def is_running(self) -> bool:
        """Whether the last event is still to come."""
        return self._is_running

    def start(self) -> None:
        """Starts the process, if it does not run; if that fails, `poll` says so."""
        if self._is_running:
            return
        self._is_running, self._is_sent, self._outcome = True, False, None
        try:
            self._link.start()
        except SAMSegmentError as error:
            self._outcome = JobFailed(error)

    def poll(self) -> list[JobEvent]:
        """What has happened since; does not wait.

        The last event is a ModelDone or a JobFailed; nothing follows it, nor a `cancel`.
        """
        if not self._is_running:
            return []
        progress: list[JobEvent] = []
        if self._outcome is None:
            try:
                self._receive(progress)
            except ClosedError as error:
                self._link.keep_report(error)
                self._outcome = JobFailed(InstallError(ENDED))
            if self._outcome is not None:
                self._link.kill()
        self.last_error = self._link.reap() or self.last_error
        if self._outcome is None or self._link.is_ending:
            return progress
        self._is_running = False
        return [*progress, self._outcome]

    def cancel(self) -> None:
        """Ends the process at once. Half a download is kept: the next one carries on from there."""
        self._is_running = False
        self._link.kill()
        self._link.wait(END_S)

    def _receive(self, progress: list[JobEvent]) -> None:
        if not self._link.connect():
            return
        if not self._is_sent:
            self._link.send(self._order)
            self._is_sent = True
        while self._outcome is None and (received := self._link.receive()) is not None:
            match received[0]:
                case Transfer() as transfer:
                    progress.append(transfer)
                case ModelDone() as done:
                    self._outcome = done
                case ModelFailed(error):
                    self.last_error = error.details
                    self._outcome = JobFailed(error_of(error))


def run_job(
    order: ModelOrder, report: Report = no_report, cancel: CancelFlag | None = None
) -> ModelDone:
    """Carries an order out and waits for it.

    Args:
        report: gets each progress; what it raises ends the work.
        cancel: looked at all the time.

    Raises:
        Cancelled: if `cancel` says so.
        InputError, InstallError, WeightsError: what was installed before still is.
    """
    job = ModelJob(order)
    job.start()
    try:
        while True:
            for event in job.poll():
                match event:
                    case Transfer():
                        report(event)
                    case ModelDone():
                        return event
                    case JobFailed(error):
                        raise error
            if cancel is not None and cancel.is_set():
                raise Cancelled(cancelled(order))
            time.sleep(PAUSE_S)
    finally:
        # Also when the user has interrupted the script.
        job.cancel()


def cancelled(order: ModelOrder) -> str:
    """What to say to a user who has cancelled this order."""
    is_download = isinstance(order, InstallModel) and order.source is None
    return KEPT if is_download else UNCHANGED
