"""Prompts and what goes with them, kept with their segment while they are edited."""

from __future__ import annotations

from slicer.i18n import tr as _

from ..core.prompts import Prompts
from ..scene.prompt_store import StoredPrompts, store
from ..scene.time_point import TimePoint, time_point_of
from .parameters import STARTS, Parameters
from .target import Target


def time_note(volume, placed_at: TimePoint | None) -> str:
    """Which time point a volume shows, and which one prompts mean if that is another."""
    now = time_point_of(volume)
    note = "" if now is None else _("Time point {time}.").format(time=now.text)
    if placed_at is not None and placed_at != now:
        other = _("The prompts were placed at {time}.").format(time=placed_at.text)
        note = f"{note} {other}".strip()
    return note


def keep(target: Target, parameters: Parameters, prompts: Prompts) -> None:
    """Stores prompts with the target's segment: no undo step, and no voxel is touched."""
    stored = StoredPrompts(
        prompts,
        parameters.model,
        parameters.threshold,
        parameters.start_from != STARTS[0],
        time_point_of(target.volume),
    )
    store(target.segmentation, target.segment_id, stored)
