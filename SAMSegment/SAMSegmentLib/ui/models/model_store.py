"""The weights of models in this Slicer: fetched, checked and removed in the background.

One at a time, by a child process that a timer asks how far it is; panels and effects that show it
are notified. Nothing begins unless a user has pressed a button, and what has begun goes on when the
panel with the button is left.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import qt
from slicer.i18n import tr as _

from ...core.errors import SAMSegmentError, WeightsError
from ...weights import store as weights
from ...weights.catalogue import ModelEntry, catalogue, model_entry
from ...weights.folder import models_folder, set_models_folder
from ...weights.progress import Transfer
from ...worker.client.model_jobs import JobFailed, ModelJob, install_order
from ...worker.protocol.model_messages import InstallModel, ModelDone, ModelOrder, VerifyModel
from ..common import worker_service
from ..common.connections import Connections
from ..common.status import ERROR, GOOD, HINT
from .model_states import DAMAGED, ModelState, same_file, sharing, state_of, weights_key

INTERVAL_MS = 100


class Listener(Protocol):
    """Who shows models, or works with one."""

    def on_model_progress(self) -> None:
        """The work that runs has gone on; some times a second."""

    def on_models_changed(self, names: tuple[str, ...]) -> None:
        """A state or a message is another; files of the models `names` have come or gone."""


@dataclass(frozen=True)
class RunningJob:
    """Work on the weights of a model.

    Attributes:
        entry: the model for which it was begun; others may have the same file.
        is_install: else the file is only being checked.
        progress: how far it is.
    """

    entry: ModelEntry
    is_install: bool
    progress: Transfer


@dataclass(frozen=True)
class Message:
    """How the last work on a model ended; `kind` is one of common.status's."""

    text: str
    kind: str = HINT


class ModelStore:
    """What is installed, which work runs, and how it ended.

    Args:
        end_worker: ends the process that has loaded weights.
        make_job: as ModelJob.
    """

    def __init__(
        self,
        end_worker: Callable[[], None],
        make_job: Callable[[ModelOrder], ModelJob] = ModelJob,
    ) -> None:
        self._end_worker = end_worker
        self._make_job = make_job
        self._listeners: list[Listener] = []
        self._job: ModelJob | None = None
        self._running: RunningJob | None = None
        self._messages: dict[tuple, Message] = {}
        self._damaged: dict[tuple, tuple] = {}
        self._connections = Connections()
        self._timer = qt.QTimer()
        self._timer.setInterval(INTERVAL_MS)
        self._connections.connect(self._timer.timeout, self._poll)

    @property
    def running_job(self) -> RunningJob | None:
        """What is being done now; None if nothing is."""
        return self._running

    def job_on(self, entry: ModelEntry) -> RunningJob | None:
        """What is being done with the file of this model, if anything is."""
        work = self._running
        return work if work is not None and same_file(work.entry, entry) else None

    def message(self, entry: ModelEntry) -> Message | None:
        """How the last work on the file of this model ended."""
        return self._messages.get(weights_key(entry))

    def state(self, entry: ModelEntry) -> ModelState:
        """The state of a model's files now."""
        state = state_of(entry)
        known = self._damaged.get(weights_key(entry))
        if state.is_usable and known is not None and known == _fingerprint(entry):
            return ModelState(DAMAGED)
        return state

    def add(self, listener: Listener) -> None:
        """Notifies this listener of changes from now on."""
        if listener not in self._listeners:
            self._listeners.append(listener)

    def drop(self, listener: Listener) -> None:
        """Notifies it no more."""
        if listener in self._listeners:
            self._listeners.remove(listener)

    def install(self, name: str, source: str | None = None) -> None:
        """Begins to install a model, from the catalogue's addresses, or from a file or folder.

        Nothing happens while there is other work under way.
        """
        try:
            order = install_order(model_entry(name), source)
        except SAMSegmentError as error:
            self._set_message(model_entry(name), str(error), ERROR)
            return
        self._begin(order)

    def verify(self, name: str) -> None:
        """Begins to compare a model's file with the catalogue, unless there is other work."""
        self._begin(VerifyModel(model_entry(name)))

    def cancel(self) -> None:
        """Ends what is under way; what was downloaded stays for the next time."""
        work = self._running
        if work is None:
            return
        self._end()
        text = _("Cancelled.")
        if work.is_install and work.entry.files.partial_bytes:
            text = _("Cancelled. Download carries on from there.")
        self._set_message(work.entry, text)

    def remove(self, name: str) -> None:
        """Removes a model's files at once; not while other work is under way."""
        entry = model_entry(name)
        if self._job is not None:
            return
        # Windows does not remove a file that is loaded.
        self._end_worker()
        try:
            weights.remove(entry)
        except SAMSegmentError as error:
            self._set_message(entry, str(error), ERROR, sharing(entry))
            return
        self._set_message(entry, _("Removed."), HINT, sharing(entry))

    def use_folder(self, folder: str) -> None:
        """Chooses where models are kept; those in the old folder stay there.

        Raises:
            InstallError: if that cannot be; nothing is changed.
        """
        before = models_folder()
        if self._job is None and set_models_folder(folder) != before:
            self._messages.clear()
            self._changed(tuple(n for n, entry in catalogue().items() if not entry.embedded))

    def mark_damaged(self, entry: ModelEntry) -> None:
        """Somebody has read the file, and could not use it."""
        if not entry.embedded and self.state(entry).is_usable:
            self._damaged[weights_key(entry)] = _fingerprint(entry)
            self._changed()

    def close(self) -> None:
        """Ends all work for good, when Slicer ends."""
        self._listeners.clear()
        self._end()
        self._connections.disconnect()

    def _begin(self, order: ModelOrder) -> None:
        if self._job is not None:
            return
        entry, is_install = order.model, isinstance(order, InstallModel)
        self._messages.pop(weights_key(entry), None)
        self._running = RunningJob(entry, is_install, Transfer(_("Starting")))
        self._job = self._make_job(order)
        self._job.start()
        self._timer.start()
        self._changed()

    def _poll(self) -> None:
        job, work = self._job, self._running
        if job is None:
            return
        progress = None
        for event in job.poll():
            match event:
                case ModelDone() as done:
                    self._end()
                    self._on_done(work, done)
                    return
                case JobFailed(error):
                    self._end()
                    self._on_failed(work, error, job.last_error)
                    return
                case Transfer():
                    progress = event
        if progress is not None:
            self._running = RunningJob(work.entry, work.is_install, progress)
            self._notify(lambda listener: listener.on_model_progress())

    def _on_done(self, work: RunningJob, done: ModelDone) -> None:
        entry = work.entry
        self._damaged.pop(weights_key(entry), None)
        if not work.is_install:
            text = _("The file is as published: its SHA-256 is the catalogue's.")
            if not done.as_published:
                text = _(
                    "The file is unchanged since it was converted on this computer, and fits the "
                    "network. To compare it with what was published, remove and download it again."
                )
            self._set_message(entry, " ".join((text, *done.notes)), GOOD)
            return
        text = " ".join(done.notes) or _("Installed.")
        self._set_message(entry, text, HINT if done.notes else GOOD, sharing(entry))

    def _on_failed(self, work: RunningJob, error: SAMSegmentError, details: str | None) -> None:
        logging.warning("SAMSegment: %s", error)
        if details:
            logging.info("SAMSegment: %s", details)
        if isinstance(error, WeightsError) and not work.is_install:
            self._damaged[weights_key(work.entry)] = _fingerprint(work.entry)
        self._set_message(work.entry, str(error), ERROR)

    def _end(self) -> None:
        self._timer.stop()
        job, self._job = self._job, None
        self._running = None
        if job is not None:
            job.cancel()

    def _set_message(
        self, entry: ModelEntry, text: str, kind: str = HINT, names: tuple[str, ...] = ()
    ) -> None:
        self._messages[weights_key(entry)] = Message(text, kind)
        self._changed(names)

    def _changed(self, names: tuple[str, ...] = ()) -> None:
        self._notify(lambda listener: listener.on_models_changed(names))

    def _notify(self, what: Callable[[Listener], None]) -> None:
        for listener in list(self._listeners):
            try:
                what(listener)
            except Exception:
                logging.exception("SAMSegment: a panel could not show its models")


def _fingerprint(entry: ModelEntry) -> tuple | None:
    """Changes with the file; None without one."""
    path = entry.path
    try:
        found = path.stat()
    except OSError:
        return None
    return path, found.st_size, found.st_mtime_ns


_shared: ModelStore | None = None


def shared_model_store() -> ModelStore:
    """The store of this Slicer; made at the first call."""
    global _shared
    if _shared is None:
        _shared = ModelStore(_end_shared_worker)
        qt.QApplication.instance().aboutToQuit.connect(close_shared_model_store)
    return _shared


def close_shared_model_store() -> None:
    """Ends what is under way, if anything is."""
    global _shared
    if _shared is not None:
        _shared.close()
        _shared = None


def _end_shared_worker() -> None:
    worker_service.shared_service().stop()
