"""Tags of segments, set with as few events as possible.

A segment sends an event at each change of its name, colour or tags, and each costs what its
observers do: the list of segments is drawn again, undo histories forget what can be redone
(vtkSegment::SetTag, vtkSegmentation::OnSegmentModified, vtkSegmentationHistory::
OnSegmentationModified).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import vtk

if TYPE_CHECKING:
    import slicer

# Before any other observer.
FIRST = 1e9


def tag_of(segment: slicer.vtkSegment, name: str) -> str | None:
    """The value of a segment's tag; None if it has no such tag."""
    value = vtk.reference("")
    return str(value) if segment.GetTag(name, value) else None


def set_tags(segment: slicer.vtkSegment, tags: Mapping[str, str | None]) -> bool:
    """Sets tags of a vtkSegment, or removes them (None); whether that changed anything."""
    different = {name: value for name, value in tags.items() if tag_of(segment, name) != value}
    for name, value in different.items():
        if value is None:
            segment.RemoveTag(name)
        else:
            segment.SetTag(name, value)
    return bool(different)


@contextmanager
def events_blocked(segment: slicer.vtkSegment) -> Iterator[None]:
    """Within it, changes of a vtkSegment reach no observer, nor its segmentation."""
    modified = vtk.vtkCommand.ModifiedEvent

    def stop(*_: object) -> None:
        segment.GetCommand(observer).AbortFlagOn()

    observer = segment.AddObserver(modified, stop, FIRST)
    try:
        yield
    finally:
        segment.RemoveObserver(observer)


@contextmanager
def as_one_change(segment: slicer.vtkSegment) -> Iterator[None]:
    """Whatever is changed of a vtkSegment within it is one event, at the end."""
    before = segment.GetMTime()
    try:
        with events_blocked(segment):
            yield
    finally:
        if segment.GetMTime() != before:
            segment.Modified()
