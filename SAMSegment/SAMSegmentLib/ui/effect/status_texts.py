"""Texts of the panel: about the model, a proposal, other masks, and the prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ...core.errors import WeightsError
from ...core.prompts import Prompts
from ...core.proposal import Proposal
from ...scene.prompt_frame import PromptStatus
from ...scene.time_point import TimePoint, time_point_of
from ...scene.writer import WriteResult
from ...weights.catalogue import ModelEntry
from ...worker.protocol.events import Progress
from ..common.status import ERROR, GOOD, HINT, WARNING
from .parameters import Parameters
from .target import Target

if TYPE_CHECKING:
    import slicer

    from .requester import Requester

Status = tuple[str, str]
"""A line for the user, and its kind, see common.status."""


def idle_status(target: Target | None, parameters: Parameters | None) -> Status:
    """What is missing before the user can begin; cheap."""
    if target is None:
        return _("Select a source volume and a segment."), HINT
    if parameters is None:
        return "", HINT
    model = parameters.entry
    try:
        model.check_installed()
        if model.is_automatic:
            return _("Check the structures that you want, and press Propose."), HINT
    except WeightsError as error:
        if not model.is_installable:
            return str(error), ERROR
        # Everything else is said where the model is chosen.
        text = _("{model} is not installed: download it above, or choose another model.")
        return text.format(model=model.title), WARNING
    return "", HINT


def progress_text(event: Progress) -> str:
    """How far the model is."""
    if event.seconds_left is None:
        return event.message
    left = max(1, round(event.seconds_left))
    # No more digits than are known.
    left = left if left < 30 else 5 * round(left / 5)
    return _("{message}, about {seconds} s left").format(message=event.message, seconds=left)


def proposal_status(proposals: Sequence[Proposal], prompts: Prompts) -> Status:
    """What there is to say about proposals that are complete."""
    if proposals[0].label is not None:
        return _structures_status(proposals)
    (proposal,) = proposals
    if proposal.warnings:
        return " ".join(proposal.warnings), WARNING
    if proposal.is_empty:
        return _("The model found nothing here: add a positive point or change the ROI."), WARNING
    text, count = _("Correct with more points, or Apply."), proposal.candidates
    if count > 1:
        number = prompts.candidate % count + 1
        which = _("Mask {number} of {count}.").format(number=number, count=count)
        text = f"{which} {text}"
    return text, GOOD


def _structures_status(proposals: Sequence[Proposal]) -> Status:
    """What there is to say about the structures of an automatic model."""
    found = [each.label.name for each in proposals if not each.is_empty]
    missing = [each.label.name for each in proposals if each.is_empty]
    texts = list(dict.fromkeys(text for each in proposals for text in each.warnings))
    if missing:
        texts.append(_("Nothing was found of: {names}.").format(names=", ".join(missing)))
    is_good = not texts
    if found:
        text = _("Apply adds a new segment for each of: {names}.")
        texts.append(text.format(names=", ".join(found)))
    return " ".join(texts), GOOD if is_good else WARNING


def applied_status(result: WriteResult, is_automatic: bool = False) -> Status:
    """What there is to say after proposals were written into their segments."""
    if result.warnings:
        return " ".join(result.warnings), WARNING
    if is_automatic:
        count = len(result.segment_ids)
        return _("Added {count} segments. Ctrl+Z takes all of them back.").format(count=count), GOOD
    return _("Applied. Ctrl+Z takes it back; more points correct it."), GOOD


def why_no_other_mask(requester: Requester) -> str:
    """Why a `Requester` can show no other mask of the same prompts now; "" if it can."""
    shown = requester.shown
    if requester.is_busy:
        return _("The model is still at work: other masks can be seen when it is done.")
    if shown is None or not shown.complete:
        return _("There is no proposal: place a point or draw an ROI first.")
    if shown.request.is_automatic:
        return why_no_prompts(shown.request.model)
    if shown.candidates > 1:
        return ""
    prompts = shown.request.prompts
    first = int(prompts.roi is None and prompts.line is None)
    if len(prompts.points) > first:
        return _(
            "The points after the first prompt say already which object is meant: without them "
            "(key U takes back) other masks can be seen."
        )
    return _("The model has only one mask for these prompts.")


def why_no_prompts(model: ModelEntry) -> str:
    """Why a model takes no prompts; "" if it takes some."""
    if not model.is_automatic:
        return ""
    text = _("{model} finds its structures by itself: choose another model to place prompts.")
    return text.format(model=model.title)


def time_note(volume: slicer.vtkMRMLScalarVolumeNode, placed_at: TimePoint | None) -> str:
    """Which time point a volume shows, and for which one prompts were placed if that is another."""
    now = time_point_of(volume)
    note = "" if now is None else _("Time point {time}.").format(time=now.text)
    if placed_at is not None and placed_at != now:
        other = _("The prompts were placed at {time}.").format(time=placed_at.text)
        note = f"{note} {other}".strip()
    return note


def restored_prompts_text(status: PromptStatus) -> str:
    """What the user should know about prompts that came back; "" if nothing."""
    if status is PromptStatus.SAME:
        return ""
    if status is PromptStatus.MOVED:
        return _("The segment has moved since its prompts were placed: they moved with it.")
    why = {
        PromptStatus.MOVED_APART: _(
            "The segment or the volume has moved since its prompts were placed"
        ),
        PromptStatus.EDITED: _("The segment was changed since its prompts were placed"),
        PromptStatus.UNKNOWN: _("An earlier version did not note where the prompts belong"),
    }[status]
    rest = _("they are left out, and new ones correct what the segment holds (Start from).")
    return f"{why}: {rest}"
