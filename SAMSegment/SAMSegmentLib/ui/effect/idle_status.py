"""What the status line says while nothing has happened: what is missing before one can begin."""

from __future__ import annotations

from slicer.i18n import tr as _

from ...core.errors import WeightsError
from ...weights.catalogue import model_entry
from .panel_state import ERROR, HINT, WARNING
from .parameters import Parameters
from .target import Target


def idle_status(target: Target | None, parameters: Parameters | None) -> tuple[str, str]:
    """A line for the user, and how it is meant; cheap."""
    if target is None:
        return _("Select a source volume and a segment."), HINT
    if parameters is None:
        return "", HINT
    model = model_entry(parameters.model)
    try:
        model.check_installed()
    except WeightsError as error:
        if model.embedded:
            return str(error), ERROR
        # All else is said where the model is chosen.
        text = _("{model} is not installed: download it above, or choose another model.")
        return text.format(model=model.title), WARNING
    return "", HINT


def can_be_loaded(model: str) -> bool:
    """Whether to ask the worker for it. Of one that comes with SAMSegment, the worker says why not.

    Args:
        model: name in the catalogue.
    """
    entry = model_entry(model)
    return entry.embedded or entry.is_installed
