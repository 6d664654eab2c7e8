"""Other masks for the same prompts: which one is shown, and why there may be no other."""

from __future__ import annotations

from slicer.i18n import tr as _

from ...core.prompts import Prompts
from ...core.proposal import Proposal


def next_reading(shown) -> int:
    """The reading (Prompts.reading) after the one that is Shown; after the last one the first."""
    return (shown.question.prompts.reading + 1) % (shown.proposal.alternatives + 1)


def which_mask(proposal: Proposal, prompts: Prompts) -> str:
    """Which one is shown, such as "Mask 2 of 3."; "" if there is only one."""
    count = proposal.alternatives + 1
    if count == 1:
        return ""
    number = prompts.reading % count + 1
    return _("Mask {number} of {count}.").format(number=number, count=count)


def why_no_other(asking) -> str:
    """Why an `Asking` can show no other mask now; "" if it can."""
    shown = asking.shown
    if asking.is_busy:
        return _("The model is still at work: other masks can be seen when it is done.")
    if shown is None or not shown.complete:
        return _("There is no proposal: place a point or draw an ROI first.")
    if shown.proposal.alternatives:
        return ""
    prompts = shown.question.prompts
    first = int(prompts.roi is None and prompts.line is None)
    if len(prompts.points) > first:
        return _(
            "The points after the first prompt say already which object is meant: without them "
            "(key U takes back) other masks can be seen."
        )
    return _("The model has only one mask for these prompts.")
