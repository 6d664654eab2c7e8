"""Prompts and what goes with them, kept with their segment while they are edited."""

from __future__ import annotations

from collections.abc import Hashable

from slicer.i18n import tr as _

from ...core.errors import InputError
from ...core.prompts import Prompts
from ...scene.prompt_frame import PromptFrame, Standing, frame_of, is_in_place
from ...scene.prompt_store import StoredPrompts, restore, store
from ...scene.time_point import TimePoint, time_point_of
from .parameters import STARTS, Parameters
from .target import Target

FROM_PROMPTS, FROM_CONTENT = STARTS[:2]


class PromptKeeper:
    """Keeps the prompts of the segment that is edited, and knows whether they still hold.

    Prompts that do not are not brought back, and the segment starts from what it holds until it is
    left, so that nothing of it is replaced by what they would make. They stay stored until others
    are placed: if what was moved goes back, they are right again. A segment that was corrected from
    what it holds is so again when it comes back, whether its prompts were applied or not.

    Attributes:
        placed_at: time point at which the prompts were placed; None if the volume has only one.
        message: what the user should know about the prompts that came back; "" if nothing.
    """

    def __init__(self, scripted_effect) -> None:
        self._effect = scripted_effect
        self._frame: PromptFrame | None = None
        self._user_starts_from_prompts = False
        self.placed_at: TimePoint | None = None
        self.message = ""

    @property
    def place(self) -> Hashable:
        """Where prompts were when they were last kept or restored."""
        frame = self._frame
        return None if frame is None else (frame.to_world.tobytes(), frame.image)

    def restore(self, target: Target) -> Prompts:
        """The prompts that are stored with a target's segment, where they lie now; world RAS.

        Their threshold becomes the effect's parameter.

        Raises:
            InputError: if they cannot be read, or the segmentation is under a transform that is
                not linear.
        """
        self.forget()
        segment = target.segmentation, target.segment_id, target.volume
        kept = restore(*segment)
        self._frame = frame_of(*segment)
        if kept is None:
            return Prompts()
        holds = self._frame.content is not None
        standing = _standing_of(kept) if holds else kept.standing
        is_stale = bool(kept.prompts.kinds) and standing.is_stale
        carries_on = kept.from_content and holds
        if (is_stale or carries_on) and self._start_from_content():
            self.message = _(
                "Prompts correct what the segment holds, as the last ones did (Start from)."
            )
        if not kept.prompts.kinds:
            return Prompts()
        self.message = _message(standing) or self.message
        if is_stale:
            return Prompts()
        self.placed_at = kept.time_point
        self._effect.setParameter("Threshold", kept.threshold)
        return kept.prompts

    def keep(self, target: Target, parameters: Parameters, prompts: Prompts) -> None:
        """Stores prompts with the target's segment: no undo step, and no voxel is touched."""
        time_point = time_point_of(target.volume)
        stored = StoredPrompts(
            prompts,
            parameters.model,
            parameters.threshold,
            parameters.start_from != FROM_PROMPTS,
            time_point,
        )
        store(target.segmentation, target.segment_id, stored, target.volume)
        self.note(target)
        self.placed_at = time_point if prompts.kinds else None
        self.message = ""

    def note(self, target: Target) -> None:
        """Prompts are where they belong now."""
        self._frame = frame_of(target.segmentation, target.segment_id, target.volume)

    def has_moved(self, target: Target) -> bool:
        """Whether segment or volume lie elsewhere than when prompts were last kept or restored."""
        if self._frame is None:
            return False
        try:
            now = frame_of(target.segmentation, target.segment_id, target.volume)
        except InputError:  # Under a transform that is not linear: nobody can say.
            return False
        return not is_in_place(self._frame, now)

    def forget(self) -> None:
        """The segment is left: what was set for it alone is as the user had it."""
        self._frame, self.placed_at, self.message = None, None, ""
        if not self._user_starts_from_prompts:
            return
        self._user_starts_from_prompts = False
        there = self._effect.parameterSetNode() is not None
        if there and self._effect.parameter("StartFrom") == FROM_CONTENT:
            self._effect.setParameter("StartFrom", FROM_PROMPTS)

    def _start_from_content(self) -> bool:
        """Whether this is another start than the user's."""
        if self._effect.parameter("StartFrom") != FROM_PROMPTS:
            return False
        self._user_starts_from_prompts = True
        self._effect.setParameter("StartFrom", FROM_CONTENT)
        return True


def time_note(volume, placed_at: TimePoint | None) -> str:
    """Which time point a volume shows, and which one prompts mean if that is another."""
    now = time_point_of(volume)
    note = "" if now is None else _("Time point {time}.").format(time=now.text)
    if placed_at is not None and placed_at != now:
        other = _("The prompts were placed at {time}.").format(time=placed_at.text)
        note = f"{note} {other}".strip()
    return note


def _standing_of(kept: StoredPrompts) -> Standing:
    """Whether prompts mean the same once they are shown as Slicer's markups."""
    roi = kept.prompts.roi
    if kept.standing is Standing.MOVED and roi is not None and roi.is_sheared:
        # Slicer's ROIs are boxes: what came back would be another one.
        return Standing.PARTED
    return kept.standing


def _message(standing: Standing) -> str:
    if standing is Standing.SAME:
        return ""
    if standing is Standing.MOVED:
        return _("The segment has moved since its prompts were placed: they moved with it.")
    why = {
        Standing.PARTED: _("The segment or the volume has moved since its prompts were placed"),
        Standing.EDITED: _("The segment was changed since its prompts were placed"),
        Standing.UNKNOWN: _("An earlier version did not note where the prompts belong"),
    }[standing]
    rest = _("they are left out, and new ones correct what the segment holds (Start from).")
    return f"{why}: {rest}"
