"""Saves the prompts of the segment that is edited in its tags, and restores them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ...core.errors import InputError
from ...core.prompts import Prompts
from ...scene.prompt_frame import PromptFrame, PromptStatus, frame_of, is_in_place
from ...scene.prompt_store import StoredPrompts, restore, store
from ...scene.time_point import TimePoint, time_point_of
from .parameters import FROM_CONTENT, FROM_PROMPTS, Parameters
from .status_texts import restored_prompts_text
from .target import Target

if TYPE_CHECKING:
    import slicer


class PromptPersistence:
    """Saves and restores prompts, and knows whether they still belong where they are.

    Prompts that do not are not restored, and the segment starts from what it holds until it is
    left, so that nothing of it is replaced by what they would make. They stay stored until others
    are placed: if what was moved goes back, they are right again. A segment that was corrected from
    what it holds is so again when it comes back, whether its prompts were applied or not.

    Attributes:
        placed_at: time point at which the prompts were placed; None if the volume has only one.
        message: what the user should know about the prompts that came back; "" if nothing.
    """

    def __init__(self, scripted_effect: slicer.qSlicerSegmentEditorScriptedEffect) -> None:
        self._effect = scripted_effect
        self._frame: PromptFrame | None = None
        self._user_starts_from_prompts = False
        self.placed_at: TimePoint | None = None
        self.message = ""

    @property
    def place_key(self) -> Hashable:
        """Differs when the prompts were saved or restored at another place."""
        frame = self._frame
        return None if frame is None else (frame.to_world.tobytes(), frame.image)

    def restore(self, target: Target) -> Prompts:
        """The prompts that are stored with a target's segment, where they lie now; world RAS.

        Their threshold becomes the effect's parameter.

        Raises:
            InputError: if they cannot be read, or the segmentation is under a transform that is
                not linear.
        """
        self.reset()
        segment = target.segmentation, target.segment_id, target.volume
        stored = restore(*segment)
        self._frame = frame_of(*segment)
        if stored is None:
            return Prompts()
        has_content = self._frame.content is not None
        status = _status_as_markups(stored) if has_content else stored.status
        is_stale = bool(stored.prompts.kinds) and status.is_stale
        goes_on = stored.from_content and has_content
        if (is_stale or goes_on) and self._start_from_content():
            self.message = _(
                "Prompts correct what the segment holds, as the last ones did (Start from)."
            )
        if not stored.prompts.kinds:
            return Prompts()
        self.message = restored_prompts_text(status) or self.message
        if is_stale:
            return Prompts()
        self.placed_at = stored.time_point
        self._effect.setParameter("Threshold", stored.threshold)
        return stored.prompts

    def save(self, target: Target, parameters: Parameters, prompts: Prompts) -> None:
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
        self.note_place(target)
        self.placed_at = time_point if prompts.kinds else None
        self.message = ""

    def note_place(self, target: Target) -> None:
        """Prompts are where they belong now."""
        self._frame = frame_of(target.segmentation, target.segment_id, target.volume)

    def has_moved(self, target: Target) -> bool:
        """Whether segment or volume lie elsewhere than when prompts were last saved or restored."""
        if self._frame is None:
            return False
        try:
            now = frame_of(target.segmentation, target.segment_id, target.volume)
        except InputError:  # Under a transform that is not linear: nobody can say.
            return False
        return not is_in_place(self._frame, now)

    def reset(self) -> None:
        """The segment is left: what was set for it alone is as the user had it."""
        self._frame, self.placed_at, self.message = None, None, ""
        if not self._user_starts_from_prompts:
            return
        self._user_starts_from_prompts = False
        has_node = self._effect.parameterSetNode() is not None
        if has_node and self._effect.parameter("StartFrom") == FROM_CONTENT:
            self._effect.setParameter("StartFrom", FROM_PROMPTS)

    def _start_from_content(self) -> bool:
        """Whether this is another start than the user's."""
        if self._effect.parameter("StartFrom") != FROM_PROMPTS:
            return False
        self._user_starts_from_prompts = True
        self._effect.setParameter("StartFrom", FROM_CONTENT)
        return True


def _status_as_markups(stored: StoredPrompts) -> PromptStatus:
    """Whether prompts mean the same once they are shown as Slicer's markups."""
    roi = stored.prompts.roi
    if stored.status is PromptStatus.MOVED and roi is not None and roi.is_sheared:
        # Slicer's ROIs are boxes: what came back would be another one.
        return PromptStatus.MOVED_APART
    return stored.status
