"""Runs a model once on a small volume with a known object, without blocking Slicer."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from slicer.i18n import tr as _

from ...core.errors import Cancelled, SAMSegmentError
from ...core.geometry import Geometry
from ...core.image import Image
from ...core.prompts import Prompts, Roi
from ...weights.catalogue import DEFAULT_MODEL, ModelEntry, model_entry
from ...worker.protocol import events
from ..common.status import BUSY, ERROR, GOOD, HINT, WARNING
from .phantom import Phantom, make_phantom

if TYPE_CHECKING:
    from ..common.worker_service import WorkerService

# The model finds the sphere with about 0.95; much less means that something is wrong.
GOOD_DICE = 0.8
# The ROI around the sphere, in its diameters.
ROI_SIZE = 1.1


class ModelCheck:
    """One trial run of a model; it uses the shared worker as a panel of the effect does.

    Attributes:
        status, status_kind: a line for the user, see panel_state.

    Args:
        service: the shared WorkerService.
        changed: called after any of these has changed.
    """

    def __init__(self, service: WorkerService, changed: Callable[[], None]) -> None:
        self._service = service
        self._changed = changed
        self._phantom: Phantom | None = None
        self._entry: ModelEntry | None = None
        self._number: int | None = None
        self._started = self._sent = 0.0
        self.status, self.status_kind = "", HINT

    @property
    def is_running(self) -> bool:
        return self._phantom is not None

    def start(self, model: str = DEFAULT_MODEL) -> None:
        """Starts the worker, if it is not running, and requests a proposal; returns at once."""
        if self.is_running:
            return
        self._phantom = make_phantom()
        self._started = time.monotonic()
        self._sent = 0.0
        try:
            self._entry = model_entry(model)
            self._entry.check_installed()
            if self._entry.embedded:  # others are large: the worker reads them, Slicer need not
                for model in self._entry.models:
                    model.verified_path()
            self._number = self._service.request(self, self._request())
        except SAMSegmentError as error:
            self._end(str(error), ERROR)
            return
        client = self._service.client
        if client is not None and client.info is not None:
            self._sent = self._started  # it was running already
        self._set_status(_("Starting the model ..."), BUSY)

    def stop(self) -> None:
        """Cancels the run, if one is under way."""
        if self.is_running:
            self._end("", HINT)

    def on_worker_event(self, event: object) -> None:
        """See worker_service.Listener."""
        if not self.is_running:
            return
        if isinstance(event, events.Ready):
            self._sent = time.monotonic()
            self._set_status(_("The model is at work ..."), BUSY)
        elif isinstance(event, events.Failed):
            stopped = isinstance(event.error, Cancelled)
            self._end(_("Stopped.") if stopped else str(event.error), HINT if stopped else ERROR)
        elif isinstance(event, events.Proposed) and event.number == self._number:
            self._end(*self._result_status(event.proposals[0]))

    def _request(self) -> events.PredictionRequest:
        phantom = self._phantom
        geometry = Geometry(phantom.ijk_to_ras, phantom.voxels.shape)
        image = Image(phantom.voxels, geometry, "CT")
        roi = Roi.from_box(phantom.center, [2 * ROI_SIZE * phantom.radius] * 3)
        return events.PredictionRequest(self._entry, image, Prompts(roi=roi), geometry)

    def _result_status(self, proposal) -> tuple[str, str]:
        now = time.monotonic()
        mask = np.zeros(self._phantom.sphere.shape, dtype=bool)
        patch = proposal.patch()
        if patch is not None:
            mask = patch.on_box((0, 0, 0), mask.shape)
        dice = self._phantom.dice(mask)
        if dice < GOOD_DICE:
            text = _(
                "{model} ran, but its mask is wrong (Dice {dice:.2f}): please report this with the"
                " diagnostics."
            )
            return text.format(model=self._entry.title, dice=dice), WARNING
        values = {
            "model": self._entry.title,
            "seconds": now - (self._sent or self._started),
            "dice": dice,
            "start": self._sent - self._started,
        }
        if values["start"] > 0:
            text = _(
                "{model} works: test object found in {seconds:.1f} s (Dice {dice:.2f}), after"
                " {start:.1f} s to start."
            )
        else:
            text = _("{model} works: test object found in {seconds:.1f} s (Dice {dice:.2f}).")
        return text.format(**values), GOOD

    def _end(self, text: str, kind: str) -> None:
        self._phantom = self._number = None
        self._service.release(self)
        self._set_status(text, kind)

    def _set_status(self, text: str, kind: str) -> None:
        self.status, self.status_kind = text, kind
        self._changed()
