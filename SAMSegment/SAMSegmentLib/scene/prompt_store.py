"""The prompts of a segment, kept in its tags while they are edited.

They are saved with the segmentation and restored with it. A copy of a segment has them, too. What
has moved meanwhile moves them, see `prompt_frame`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..core.errors import InputError
from ..core.prompts import DAMAGE, Prompts
from ..core.proposal import HIGHEST_THRESHOLD, LOWEST_THRESHOLD
from .prompt_frame import PromptStatus, frame_of, prompt_status
from .provenance import SETTINGS, TIME_POINT, placed_prompts_of, placed_tags
from .segments import get_segment
from .tags import events_blocked, set_tags, tag_of
from .time_point import TimePoint

if TYPE_CHECKING:
    import slicer


@dataclass(frozen=True, eq=False)
class StoredPrompts:
    """All that is needed to go on with a segment.

    Attributes:
        prompts: in world RAS, mm.
        model: name in the catalogue of models, or None.
        threshold: probability, 0.01 to 0.99.
        from_content: the proposal starts from what the segment holds.
        time_point: of the volume, when the prompts were placed; None if it is in no sequence.
        status: whether they still mean what they meant, see `restore`.
    """

    prompts: Prompts
    model: str | None = None
    threshold: float = 0.5
    from_content: bool = False
    time_point: TimePoint | None = None
    status: PromptStatus = PromptStatus.SAME


def store(
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    stored: StoredPrompts,
    volume: slicer.vtkMRMLScalarVolumeNode | None = None,
) -> bool:
    """Keeps prompts with a segment, as placed now; whether anything was different.

    This is no undo step, what can be redone stays so, and the voxels are not touched. What is equal
    already is not set again, so that Slicer does not offer to save the segmentation for nothing.

    Args:
        volume: node on which they were placed.

    Raises:
        InputError: if the segment is not there, or the segmentation is under a transform that is
            not linear.
    """
    segment = get_segment(segmentation_node, segment_id)
    settings = {
        "model": stored.model,
        "threshold": stored.threshold,
        "fromContent": stored.from_content,
    }
    settings_text = json.dumps(settings, separators=(",", ":")).replace("|", "\\u007c")
    tags = {
        **placed_tags(segmentation_node, segment_id, stored.prompts, volume),
        SETTINGS: settings_text,
        TIME_POINT: stored.time_point.to_tag() if stored.time_point is not None else None,
    }
    with events_blocked(segment):
        changed = set_tags(segment, tags)
    if changed:
        segmentation_node.StorableModified()
    return changed


def restore(
    segmentation_node: slicer.vtkMRMLSegmentationNode,
    segment_id: str,
    volume: slicer.vtkMRMLScalarVolumeNode | None = None,
) -> StoredPrompts | None:
    """What was stored with a segment, where it lies now; None if nothing was.

    Args:
        volume: node that is to be segmented now.

    Raises:
        InputError: if the segment is not there, the segmentation is under a transform that is not
            linear, or what is stored is damaged.
    """
    segment = get_segment(segmentation_node, segment_id)
    placed = placed_prompts_of(segment)
    if placed is None:
        return None
    frame = frame_of(segmentation_node, segment_id, volume)
    status, motion = prompt_status(placed.frame, frame)
    model, threshold, from_content = _settings_of(segment)
    time_point = tag_of(segment, TIME_POINT)
    return StoredPrompts(
        placed.in_world(frame.to_world, motion),
        model,
        threshold,
        from_content,
        None if time_point is None else TimePoint.from_tag(time_point),
        status,
    )


def _settings_of(segment) -> tuple[str | None, float, bool]:
    text = tag_of(segment, SETTINGS)
    if text is None:
        return None, 0.5, False
    try:
        data = json.loads(text)
        model, threshold = data["model"], float(data["threshold"])
        from_content = bool(data["fromContent"])
        if not (model is None or isinstance(model, str)):
            raise ValueError("the model has no name")
        if not LOWEST_THRESHOLD <= threshold <= HIGHEST_THRESHOLD:
            raise ValueError(f"the threshold is {threshold}")
    except DAMAGE as error:
        raise InputError(
            f'The settings stored with the segment "{segment.GetName()}" cannot be read ({error}): '
            "place the prompts again."
        ) from error
    return model, threshold, from_content
