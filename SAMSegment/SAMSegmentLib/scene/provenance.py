"""How a segment was made, kept in its tags: saved with the segmentation, restored with it.

The prompts are kept twice: as they stand now, which may be ahead of the mask (see `prompt_store`),
and as they were when the mask was written.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import slicer
import vtk

from ..core.errors import InputError
from ..core.prompts import Prompts

# No colon in a key: the segmentation file splits tags at the first one.
PROMPTS = "SAMSegment.Prompts"
MODEL = "SAMSegment.Model"
VERSION = "SAMSegment.Version"
WEIGHTS_SHA256 = "SAMSegment.WeightsSha256"
APPLIED_PROMPTS = "SAMSegment.AppliedPrompts"
SETTINGS = "SAMSegment.Settings"
TIME_POINT = "SAMSegment.TimePoint"
#: Tags that say how the mask was made, and that change with it.
TAGS = (APPLIED_PROMPTS, MODEL, VERSION, WEIGHTS_SHA256)
#: Tags that change while the user edits prompts.
LIVE_TAGS = (PROMPTS, SETTINGS, TIME_POINT)


def provenance_tags(
    prompts: Prompts, model: str, version: str, weights_sha256: str
) -> dict[str, str]:
    """The tags of a segment.

    Args:
        prompts: in world RAS, mm, at the time of writing.
        model: name in the catalogue of models.
        version: of SAMSegment.
        weights_sha256: of the weights file, in hexadecimal.
    """
    return {
        PROMPTS: prompts_tag(prompts),
        APPLIED_PROMPTS: prompts_tag(prompts),
        MODEL: model.replace("|", "/"),
        VERSION: version.replace("|", "/"),
        WEIGHTS_SHA256: weights_sha256,
    }


def prompts_tag(prompts: Prompts) -> str:
    """Prompts as the value of a tag."""
    # The segmentation file joins tags with "|", and would cut the value there.
    return prompts.to_json().replace("|", "\\u007c")


def prompts_of(segment) -> Prompts | None:
    """The prompts of a vtkSegment as they stand now, in world RAS; None if it has none.

    Raises:
        InputError: if the tag is there but damaged.
    """
    text = tag_of(segment, PROMPTS)
    if text is None:
        return None
    try:
        return Prompts.from_json(text)
    except InputError as error:
        raise InputError(
            f'The prompts stored with the segment "{segment.GetName()}" cannot be read: {error} '
            "Place new ones."
        ) from error


def tag_of(segment, name: str) -> str | None:
    """The value of a segment's tag; None if it has no such tag."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else None


def set_tag(segment, name: str, value: str | None) -> bool:
    """Sets a segment's tag, or removes it (None); whether that changed anything."""
    if tag_of(segment, name) == value:
        return False
    if value is None:
        segment.RemoveTag(name)
    else:
        segment.SetTag(name, value)
    return True


def live_tags(segmentation) -> dict[str, tuple[str | None, ...]]:
    """The values of LIVE_TAGS of all segments of a vtkSegmentation, by ID."""
    return {
        segment_id: tuple(tag_of(segmentation.GetSegment(segment_id), name) for name in LIVE_TAGS)
        for segment_id in segmentation.GetSegmentIDs()
    }


@contextmanager
def unnoticed(segmentation) -> Iterator[None]:
    """Within it, nobody who listens to a vtkSegmentation hears that tags of segments change.

    The undo histories do: each (vtkSegmentationHistory::OnSegmentationModified) would forget what
    can be redone, and count the tags as a change of its own to undo.
    """
    event, first = slicer.vtkSegmentation.SegmentModified, 1e9

    def stop(*_: object) -> None:
        segmentation.GetCommand(observer).AbortFlagOn()

    observer = segmentation.AddObserver(event, stop, first)
    try:
        yield
    finally:
        segmentation.RemoveObserver(observer)
