"""Requests proposals from the worker for one session, and keeps the one to show."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from slicer.i18n import tr as _

from ...core.answer import UNCHANGED
from ...core.errors import Cancelled, SAMSegmentError
from ...core.geometry import apply_matrix
from ...core.patch import Patch
from ...core.prompts import Prompts
from ...core.proposal import Proposal
from ...scene.steps import finish
from ...worker.protocol import events
from ..common.status import BUSY, ERROR, HINT, WARNING
from ..common.steps import Steps
from .parameters import Parameters
from .proposal_request import ProposalRequest, request_of
from .status_texts import progress_text, proposal_status
from .target import Target, placement_of

if TYPE_CHECKING:
    from ..common.worker_service import WorkerService

GATHER, LIMIT = "gather", "limit"


@dataclass(frozen=True, eq=False)
class ShownProposals:
    """Proposals as they are shown: one for prompts, one for each structure of an automatic model.

    Attributes:
        proposals: without voxels that other segments keep.
        request: for which they were made; there may be another one by now.
        complete: False while the model is still at work on them.
        others: state of the other segments when their voxels were left out.
    """

    proposals: tuple[Proposal, ...]
    request: ProposalRequest
    complete: bool
    others: tuple = ()

    @property
    def candidates(self) -> int:
        """How many masks the same prompts have, this one included."""
        return self.proposals[0].candidates

    @property
    def is_empty(self) -> bool:
        """Whether no threshold could show anything."""
        return all(proposal.is_empty for proposal in self.proposals)


class Requester:
    """One session's requests to the worker.

    Attributes:
        shown: the proposals to show; None if there are none.
        status, status_kind, progress: for the panel, see PanelState.
        error: that the status line is about; None if it is about something else.

    Args:
        changed: called after any of these has changed.
        current_request: gives the request as it would be made now; None if there is none.
        outdated: called when an answer comes to a request that is not the current one, which is
            cancelled then, and its answer not used.
    """

    def __init__(
        self,
        service: WorkerService,
        steps: Steps,
        changed: Callable[[], None],
        current_request: Callable[[], ProposalRequest | None],
        outdated: Callable[[], None],
    ) -> None:
        self._service = service
        self._steps = steps
        self._changed = changed
        self._current_request = current_request
        self._outdated = outdated
        self._pending: ProposalRequest | None = None
        self._number: int | None = None
        self.shown: ShownProposals | None = None
        self.status, self.status_kind, self.progress = "", HINT, None
        self.error: Exception | None = None

    @property
    def is_busy(self) -> bool:
        return self._pending is not None

    @property
    def request(self) -> ProposalRequest | None:
        """The one under way, else the one whose proposals are shown."""
        if self._pending is None and self.shown is not None:
            return self.shown.request
        return self._pending

    def start(
        self,
        target: Target,
        prompts: Prompts,
        parameters: Parameters,
        view_direction: tuple[float, float, float] | None = None,
    ) -> None:
        """Requests the proposal of prompts (world RAS); the one that is shown stays until then.

        Args:
            view_direction: across the slice view in which the user works, world RAS.
        """
        self.cancel()
        try:
            request = request_of(target, prompts, parameters)
            request.model.check_installed()
            for_worker = request.worker_request(view_direction)
        except SAMSegmentError as error:
            self.fail(error)
            return
        self._pending = request
        self._set_status(_("Preparing ..."), BUSY, -1)
        self._steps.run(GATHER, request.with_voxels_steps(for_worker), self._send)

    def cancel(self) -> None:
        """Cancels what is under way; the proposal that is shown stays."""
        self._steps.stop(GATHER)
        self._steps.stop(LIMIT)
        if self._pending is not None:
            self._pending = self._number = None
            self._service.cancel(self)
            self._set_status("", HINT)

    def discard(self) -> None:
        """Cancels what is under way, and discards the proposal."""
        self.cancel()
        self.shown = None
        self._set_status("", HINT)

    def fail(self, error: Exception) -> None:
        """Shows the user what went wrong; the last good proposal stays.

        What nobody has foreseen goes to the log, too.
        """
        text = str(error)
        if not isinstance(error, SAMSegmentError):
            logging.exception("SAMSegment: unexpected error", exc_info=error)
            text = _("Something went wrong: {error}. The prompts are kept.").format(error=error)
        self._pending = self._number = None
        self._set_status(text, ERROR, error=error)

    def show_status(self, text: str, kind: str = HINT) -> None:
        """A line for the user, if nothing is under way."""
        if not self.is_busy:
            self._set_status(text, kind)

    def prepare(self, target: Target, ras: Sequence[float]) -> None:
        """The user may click there next (world RAS): the worker prepares if it has time."""
        placement = placement_of(target)
        position = apply_matrix(np.linalg.inv(placement.volume_to_world), np.array(ras))
        if placement.image.geometry.contains(position):
            self._service.prepare(placement.image, tuple(position))

    def on_worker_event(self, event: object) -> None:
        """See worker_service.Listener."""
        if isinstance(event, events.Ready | events.Crashed):
            return
        if self._pending is None or event.number != self._number:
            return
        if isinstance(event, events.Progress):
            share = event.done / event.total if event.total else -1
            self._set_status(progress_text(event), BUSY, share)
        elif isinstance(event, events.Failed):
            self._on_failed(event.error)
        elif self._is_current():
            if isinstance(event, events.Proposed):
                self._limit(event.proposals, True)
            elif self.shown is None or not self.shown.complete:
                # A part of an answer must never hide a whole one that it corrects.
                self._limit(event.proposals, False)

    def respects_other_segments(self, threshold: float) -> bool:
        """Whether what is shown still keeps out of other segments; else it is limited again.

        Raises:
            InputError: if the segmentation has another grid by now.
        """
        shown = self.shown
        others = shown.request.others_state()
        if others == shown.others:
            return True
        limited = finish(shown.request.limited_steps(shown.proposals))
        unchanged = all(
            _is_same(new.patch(threshold), old.patch(threshold))
            for new, old in zip(limited, shown.proposals, strict=True)
        )
        proposals = shown.proposals if unchanged else limited
        self.shown = replace(shown, proposals=proposals, others=others)
        if not unchanged:
            text = _("Other segments have changed, and keep their voxels: look again, then Apply.")
            self._set_status(text, WARNING)
        return unchanged

    def _is_current(self) -> bool:
        """Whether the request under way is still the right one; else it is cancelled."""
        pending = self._pending
        try:
            now = self._current_request()
        except SAMSegmentError:
            now = None
        if now is not None and pending.is_same(now):
            return True
        self._outdated()
        if self._pending is pending:
            self.cancel()
        return False

    def _send(self, request: events.PredictionRequest) -> None:
        if not self._is_current():
            return
        try:
            self._number = self._service.request(self, request)
        except SAMSegmentError as error:
            self.fail(error)
            return
        self._set_status(_("Starting the model ..."), BUSY, -1)

    def _on_failed(self, error: SAMSegmentError) -> None:
        if isinstance(error, Cancelled):
            self._pending = self._number = None
            self._set_status("", HINT)
        else:
            logging.error("SAMSegment: %s", error)
            self.fail(error)

    def _limit(self, proposals: tuple[Proposal, ...], complete: bool) -> None:
        request = self._pending
        others = request.others_state()

        def show(limited: tuple[Proposal, ...]) -> None:
            if not self._is_current():
                return
            if complete and not self._is_as_before(limited, request):
                limited = tuple(_without(UNCHANGED, each) for each in limited)
            self.shown = ShownProposals(limited, request, complete, others)
            if complete:
                self._pending = self._number = None
                self._set_status(*proposal_status(limited, request.prompts))
            else:
                self._changed()

        self._steps.run(LIMIT, request.limited_steps(proposals), show)

    def _is_as_before(self, proposals: tuple[Proposal, ...], request: ProposalRequest) -> bool:
        """Whether one more point has left what is shown as it is, if a model says so.

        It does not know of smoothing, small parts and the threshold, nor of what the user did last.
        """
        shown, threshold = self.shown, request.parameters.threshold
        if shown is None or not any(UNCHANGED in each.warnings for each in proposals):
            return True
        if len(shown.proposals) != len(proposals):
            return False
        if len(request.prompts.points) <= len(shown.request.prompts.points):
            return False
        return all(
            _is_same(new.patch(threshold), old.patch(threshold))
            for new, old in zip(proposals, shown.proposals, strict=True)
        )

    def _set_status(
        self,
        text: str,
        kind: str,
        progress: float | None = None,
        error: Exception | None = None,
    ) -> None:
        self.status, self.status_kind, self.progress = text, kind, progress
        self.error = error
        self._changed()


def _without(warning: str, proposal: Proposal) -> Proposal:
    warnings = tuple(other for other in proposal.warnings if other != warning)
    return replace(proposal, warnings=warnings)


def _is_same(first: Patch | None, second: Patch | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.start == second.start and np.array_equal(first.values, second.values)
