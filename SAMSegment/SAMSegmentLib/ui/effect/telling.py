"""How a session stands, as the state that its panel draws."""

from __future__ import annotations

from ...core.errors import WeightsError
from ...scene.time_point import TimePoint
from .asking import Asking
from .idle_status import idle_status
from .keeping import time_note
from .panel_state import PanelState
from .parameters import Parameters
from .prompt_editor import PromptEditor
from .proposal_view import ProposalView
from .readings import why_no_other
from .target import Target


def panel_state_of(
    target: Target | None,
    parameters: Parameters | None,
    prompts: PromptEditor,
    placed_at: TimePoint | None,
    asking: Asking,
    view: ProposalView,
) -> PanelState:
    """All that the panel shows.

    Args:
        placed_at: the time point to which the prompts belong, if the volume has several.
    """
    shown = asking.shown
    ready = shown is not None and shown.complete and not asking.is_busy
    # What would be written, and nothing else, is in the views.
    seen = ready and view.shows(shown.proposal, parameters.threshold)
    status = asking.status, asking.status_kind
    if not asking.status:
        status = idle_status(target, parameters)
    return PanelState(
        rows=prompts.rows,
        note=time_note(target.volume, placed_at) if target else "",
        status=status[0],
        status_kind=status[1],
        progress=asking.progress,
        placing=prompts.placing,
        can_place=target is not None,
        can_undo=prompts.can_undo,
        can_redo=prompts.can_redo,
        can_apply=seen and shown.proposal.levels.size > 0,
        can_cancel=asking.is_busy or shown is not None,
        no_other_mask=why_no_other(asking),
        refused=parameters.model if parameters and isinstance(asking.error, WeightsError) else "",
    )
