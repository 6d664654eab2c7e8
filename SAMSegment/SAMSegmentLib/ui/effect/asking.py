"""From prompts to a proposal: the request, what the worker answers, and other segments' voxels."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from slicer.i18n import tr as _

from ...core.checks import check_prompts_in_volume
from ...core.errors import Cancelled, SAMSegmentError
from ...core.geometry import Geometry, apply_matrix
from ...core.patch import Index, Patch
from ...core.prompts import Prompts
from ...core.proposal import Proposal
from ...core.voxel_prompts import VoxelPrompts
from ...scene import content, occupied
from ...scene.filling import filled_steps
from ...scene.layers import layers_of
from ...scene.steps import finish
from ...worker.protocol import events
from ..common.steps import Steps
from .panel_state import BUSY, ERROR, GOOD, HINT, WARNING
from .parameters import STARTS
from .question import Question, question_of
from .readings import which_mask
from .target import Target, place_of

GATHER, LIMIT = "gather", "limit"
# Around a point: most organs are smaller.
REACH_MM = 80.0
CUBE = np.stack(np.meshgrid(*[(-1.0, 1.0)] * 3), axis=-1).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Shown:
    """A proposal as it is shown.

    Attributes:
        proposal: without voxels that other segments keep.
        question: that it answers; there may be another one by now.
        complete: False while the model is still at work on it.
        others: state of the other segments that were left alone.
    """

    proposal: Proposal
    question: Question
    complete: bool
    others: tuple = ()


class Asking:
    """One session's way to the worker.

    Attributes:
        shown: the proposal to show; None if there is none.
        status, status_kind, progress: for the panel, see PanelState.
        error: of which the status tells; None if it tells of something else.

    Args:
        changed: called after any of these has changed.
        current: gives the question as it would be asked now; None if there is none.
        outdated: called when an answer comes to a question that is not the current one, which is
            given up then, and its answer not used.
    """

    def __init__(
        self,
        service,
        steps: Steps,
        changed: Callable[[], None],
        current: Callable[[], Question | None],
        outdated: Callable[[], None],
    ) -> None:
        self._service = service
        self._steps = steps
        self._changed = changed
        self._current = current
        self._outdated = outdated
        self._pending: Question | None = None
        self._number: int | None = None
        self.shown: Shown | None = None
        self.status, self.status_kind, self.progress = "", HINT, None
        self.error: Exception | None = None

    @property
    def is_busy(self) -> bool:
        return self._pending is not None

    @property
    def question(self) -> Question | None:
        """The one under way, else the one whose answer is shown."""
        if self._pending is None and self.shown is not None:
            return self.shown.question
        return self._pending

    def ask(
        self,
        target: Target,
        prompts: Prompts,
        parameters,
        facing: tuple[float, float, float] | None = None,
    ) -> None:
        """Asks for the proposal of prompts (world RAS); the one that is shown stays until then.

        Args:
            facing: across the slice view in which the user works, world RAS.
        """
        self.stop()
        try:
            question = question_of(target, prompts, parameters)
            question.model.check_installed()
            request = _request_of(question, facing)
        except SAMSegmentError as error:
            self.fail(error)
            return
        self._pending = question
        self._say(_("Preparing ..."), BUSY, -1)
        self._steps.run(GATHER, _gathered(question, request), self._send)

    def stop(self) -> None:
        """Gives up what is under way; the proposal that is shown stays."""
        self._steps.stop(GATHER)
        self._steps.stop(LIMIT)
        if self._pending is not None:
            self._pending = None
            self._number = None
            self._service.cancel(self)
            self._say("", HINT, None)

    def drop(self) -> None:
        """Gives up what is under way, and the proposal."""
        self.stop()
        self.shown = None
        self._say("", HINT, None)

    def fail(self, error: Exception) -> None:
        """Tells the user what went wrong; the last good proposal stays."""
        self._pending = self._number = None
        self._say(str(error), ERROR, None, error)

    def report(self, error: Exception) -> None:
        """As `fail`; what nobody has foreseen goes to the log, too."""
        if not isinstance(error, SAMSegmentError):
            logging.exception("SAMSegment: unexpected error", exc_info=error)
            text = _("Something went wrong: {error}. The prompts are kept.")
            error = RuntimeError(text.format(error=error))
        self.fail(error)

    def say(self, text: str, kind: str = HINT) -> None:
        """A line for the user, if nothing is under way."""
        if not self.is_busy:
            self._say(text, kind, None)

    def look(self, target: Target, ras) -> None:
        """The user may click there next (world RAS): the worker prepares if it has time."""
        place = place_of(target)
        position = apply_matrix(np.linalg.inv(place.volume_to_world), np.array(ras))
        if place.image.geometry.contains(position):
            self._service.look(place.image, tuple(position))

    def on_worker_event(self, event) -> None:
        """See worker_service.Listener."""
        if isinstance(event, events.Ready | events.Crashed):
            return
        if self._pending is None or event.number != self._number:
            return
        if isinstance(event, events.Progress):
            self._say(_progress_text(event), BUSY, _share(event))
        elif isinstance(event, events.Failed):
            self._on_failed(event.error)
        elif self._stands():
            if isinstance(event, events.Answer):
                self._limit(event.proposal, True)
            elif self.shown is None or not self.shown.complete:
                # A part of an answer must never hide a whole one that it corrects.
                self._limit(event.proposal, False)

    def leaves_others_alone(self, threshold: float) -> bool:
        """Whether what is shown still keeps out of other segments; else it is limited again.

        Raises:
            InputError: if the segmentation has another grid by now.
        """
        shown = self.shown
        state = _state_of_others(shown.question)
        if state == shown.others:
            return True
        limited = finish(_limited(shown.proposal, shown.question))
        unchanged = _is_same(limited.patch(threshold), shown.proposal.patch(threshold))
        proposal = shown.proposal if unchanged else limited
        self.shown = replace(shown, proposal=proposal, others=state)
        if not unchanged:
            text = _("Other segments have changed, and keep their voxels: look again, then Apply.")
            self._say(text, WARNING, None)
        return unchanged

    def _stands(self) -> bool:
        """Whether the question under way is still the right one; else it is given up."""
        asked = self._pending
        try:
            now = self._current()
        except SAMSegmentError:
            now = None
        if now is not None and asked.is_same(now):
            return True
        self._outdated()
        if self._pending is asked:
            self.stop()
        return False

    def _send(self, request) -> None:
        if not self._stands():
            return
        try:
            self._number = self._service.ask(self, request)
        except SAMSegmentError as error:
            self.fail(error)
            return
        self._say(_("Starting the model ..."), BUSY, -1)

    def _on_failed(self, error: SAMSegmentError) -> None:
        if isinstance(error, Cancelled):
            self._pending = self._number = None
            self._say("", HINT, None)
        else:
            logging.error("SAMSegment: %s", error)
            self.fail(error)

    def _limit(self, proposal: Proposal, complete: bool) -> None:
        question = self._pending
        state = _state_of_others(question)

        def show(limited: Proposal) -> None:
            if not self._stands():
                return
            self.shown = Shown(limited, question, complete, state)
            if complete:
                self._pending = self._number = None
                self._say(*_verdict(limited, question.prompts), None)
            else:
                self._changed()

        work = _limited(proposal, question)
        self._steps.run(LIMIT, work, show)

    def _say(
        self, text: str, kind: str, progress: float | None, error: Exception | None = None
    ) -> None:
        self.status, self.status_kind, self.progress = text, kind, progress
        self.error = error
        self._changed()


def _request_of(question: Question, facing) -> events.PredictionRequest:
    """For the worker, still without voxels of segments; InputError if it cannot be answered."""
    place = question.place
    in_volume = question.prompts.transformed(np.linalg.inv(place.volume_to_world))
    check_prompts_in_volume(in_volume, place.image.geometry)
    if question.parameters.start_from == STARTS[0]:
        question.model.check_prompts(in_volume)
    return events.PredictionRequest(
        question.model,
        place.image,
        in_volume,
        place.grid,
        facing=None if facing is None else tuple(place.volume_to_world[:3, :3].T @ facing),
    )


def _gathered(question: Question, request: events.PredictionRequest):
    """A generator: the request with the voxels of segments that belong to it."""
    target, place, parameters = question.target, question.place, question.parameters
    held = None
    if parameters.start_from != STARTS[0]:
        held = yield from content.content_steps(
            target.segmentation,
            target.segment_id,
            place.image.geometry,
            place.volume_to_world,
        )
    taken = None
    if parameters.keep_out:
        start, shape = reach_of(request.prompts, held, place.image.geometry)
        taken = yield from occupied.occupied_steps(
            target.segmentation,
            occupied.visible_others(target.segmentation, target.segment_id, parameters.area),
            place.image.geometry,
            place.volume_to_world,
            start,
            shape,
        )
    if held is None and taken is None:
        return request
    voxels = VoxelPrompts(held, parameters.start_from == "refine", taken)
    return replace(request, voxels=voxels)


def _state_of_others(question: Question) -> tuple:
    """Differs whenever voxels of other segments, or which of them are visible, have changed."""
    node, segment_id = question.target.segmentation, question.target.segment_id
    visible = occupied.visible_others(node, segment_id, question.parameters.area)
    ids = node.GetSegmentation().GetSegmentIDs()
    layers = layers_of(node, [other for other in ids if other != segment_id])
    return (*visible, *((layer.time, layer.values, layer.geometry) for layer in layers))


def _limited(proposal: Proposal, question: Question):
    """A generator: the proposal without voxels that other segments keep, its small holes filled."""
    node, segment_id = question.target.segmentation, question.target.segment_id
    to_world, parameters = question.place.volume_to_world, question.parameters
    if parameters.keep_out:
        others = occupied.visible_others(node, segment_id, parameters.area)
        proposal = yield from occupied.without_steps(proposal, node, others, to_world)
    # A hole in what the segment holds already may be meant.
    if parameters.fill_holes and parameters.start_from != "content":
        proposal = yield from filled_steps(
            proposal, node, segment_id, to_world, question.prompts.points, parameters.area
        )
    return proposal


def reach_of(prompts: Prompts, held: Patch | None, geometry: Geometry) -> tuple[Index, Index]:
    """A box, start and shape (k, j, i), around all that prompts in the grid's RAS may mean.

    For telling the model what is taken; what is written is limited exactly, wherever it reaches.
    """
    corners = [] if prompts.roi is None else [prompts.roi.corners()]
    around = [np.array(point.ras) for point in prompts.points]
    if prompts.line is not None:
        around += [np.array(prompts.line.start), np.array(prompts.line.end)]
    corners += [position + REACH_MM * CUBE for position in around]
    indices = [geometry.to_ijk(ras)[:, ::-1] for ras in corners]
    if held is not None:
        indices.append(np.array([held.start, held.stop]))
    ends = np.concatenate(indices) if indices else np.array([[0, 0, 0], geometry.shape])
    low = np.clip(np.floor(ends.min(0)), 0, geometry.shape).astype(int)
    high = np.clip(np.ceil(ends.max(0)) + 1, low, geometry.shape).astype(int)
    return tuple(int(n) for n in low), tuple(int(n) for n in high - low)


def _verdict(proposal: Proposal, prompts: Prompts) -> tuple[str, str]:
    if proposal.warnings:
        return " ".join(proposal.warnings), WARNING
    if proposal.levels.size == 0:
        return _("The model found nothing here: add a positive point or change the ROI."), WARNING
    which = which_mask(proposal, prompts)
    return " ".join(filter(None, [which, _("Correct with more points, or Apply.")])), GOOD


def _is_same(first: Patch | None, second: Patch | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.start == second.start and np.array_equal(first.values, second.values)


def _share(event) -> float:
    return event.done / event.total if event.total else -1


def _progress_text(event) -> str:
    if event.seconds_left is None:
        return event.message
    left = max(1, round(event.seconds_left))
    # No more digits than are known.
    left = left if left < 30 else 5 * round(left / 5)
    return _("{message}, about {seconds} s left").format(message=event.message, seconds=left)
