"""What the status line says while nothing has happened: what is missing before one can begin."""

from __future__ import annotations

from slicer.i18n import tr as _

from ..core.errors import WeightsError
from ..weights.catalogue import model_entry
from .panel_state import ERROR, HINT
from .parameters import Parameters
from .target import Target


def idle_status(target: Target | None, parameters: Parameters | None) -> tuple[str, str]:
    """A line for the user, and how it is meant; cheap."""
    if target is None:
        return _("Select a source volume and a segment."), HINT
    if parameters is None:
        return "", HINT
    try:
        model_entry(parameters.model).check_installed()
    except WeightsError as error:
        return str(error), ERROR
    return "", HINT
