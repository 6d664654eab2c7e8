"""Taking back what was written.

Every Segment Editor has an undo history of its own, and so has a script that writes without one.
None knows the states of the others, and the undo of one would wipe what another wrote. So before
each write the state is saved in every editor that shows the segmentation; only where there is
none, in a history kept here. And undo is refused here once anybody else has changed the
segmentation.

Prompts are not undone with the mask if the user has edited them since: they are kept as they are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

import slicer

from ..core.errors import InputError, WriteError
from .editors import OpenEditors, editors_showing, keeps_history
from .provenance import PROMPT_TAGS, TAGS
from .tags import events_blocked, set_tags, tag_of
from .transforms import describe

# Each history keeps up to 5 copies of all labelmaps (vtkSegmentationHistory's default).
MOST_HISTORIES = 3
# More than any history can take back.
MOST_STEPS = 50
STATUS_TAG = "Segmentation.Status"


@dataclass(eq=False)
class Step:
    """One write, and how to take it back.

    Attributes:
        segmentation_node: what was written to.
        holder: the editor or the history that saved the state before.
        before, after: `fingerprint` of the segmentation.
        segment_ids: the segments that were written.
        prompts_before, prompts_after: `live_tags` of the segmentation.
    """

    segmentation_node: object
    holder: object
    before: tuple
    after: tuple = ()
    segment_ids: tuple[str, ...] = ()
    prompts_before: dict = field(default_factory=dict)
    prompts_after: dict = field(default_factory=dict)


class SegmentationUndo:
    """Undo and redo of what `writer` wrote, see the module's description."""

    def __init__(self, open_editors: OpenEditors) -> None:
        self._open_editors = open_editors
        self._histories: OrderedDict[object, History] = OrderedDict()
        self._done: list[Step] = []
        self._undone: list[Step] = []

    def begin(
        self, segmentation_node: slicer.vtkMRMLSegmentationNode, editors: Iterable[object]
    ) -> Step:
        """Saves the state of a segmentation, before a write, in the editors that show it."""
        self._forget_removed()
        editors = _save_in(editors)
        if editors:
            holder = editors[0]
        else:
            holder = self._history(segmentation_node)
            holder.save()
        prompts = live_tags(segmentation_node.GetSegmentation())
        return Step(
            segmentation_node, holder, fingerprint(segmentation_node), prompts_before=prompts
        )

    def commit(self, step: Step, segment_ids: tuple[str, ...]) -> None:
        """The write has succeeded: from now on it can be undone."""
        step.segment_ids = segment_ids
        step.after = fingerprint(step.segmentation_node)
        step.prompts_after = live_tags(step.segmentation_node.GetSegmentation())
        self._done = [*self._done, step][-MOST_STEPS:]
        self._undone = [
            s for s in self._undone if s.segmentation_node is not step.segmentation_node
        ]

    def roll_back(self, step: Step) -> None:
        """The write has failed: everything as before.

        The failed state stays in the history as a redo step, until the next change.
        """
        if fingerprint(step.segmentation_node) != step.before:
            step.holder.undo()
            self._rechain(step.segmentation_node, step.before)

    def undo(self, segmentation_node: slicer.vtkMRMLSegmentationNode | None = None) -> str:
        """Takes the last write back (of a segmentation, if given); the ID of its (first) segment.

        Raises:
            InputError: if there is none, or the segmentation was changed since.
        """
        self._forget_removed()
        step = _last(self._done, segmentation_node, "undo")
        self._restore(step, step.after, step.prompts_after, "undo")
        self._done.remove(step)
        self._undone.append(step)
        self._rechain(step.segmentation_node, step.before)
        return step.segment_ids[0]

    def redo(self, segmentation_node: slicer.vtkMRMLSegmentationNode | None = None) -> str:
        """Writes again what the last `undo` took back; the ID of its (first) segment.

        Raises:
            InputError: if there is nothing, or the segmentation was changed since.
        """
        self._forget_removed()
        step = _last(self._undone, segmentation_node, "redo")
        self._restore(step, step.before, step.prompts_before, "redo")
        self._undone.remove(step)
        self._done.append(step)
        self._rechain(step.segmentation_node, step.after)
        return step.segment_ids[0]

    def _rechain(self, segmentation_node, old: tuple) -> None:
        """Restoring makes new labelmaps with the old voxels: one state, a new fingerprint."""
        now = fingerprint(segmentation_node)
        for step in self._done + self._undone:
            if step.segmentation_node is segmentation_node:
                step.before = now if step.before == old else step.before
                step.after = now if step.after == old else step.after

    def _restore(self, step: Step, expected: tuple, expected_prompts: dict, action: str) -> None:
        node = step.segmentation_node
        before = fingerprint(node)
        if before != expected:
            raise InputError(
                f"{describe(node)} was changed by something else since (saving it counts, too): "
                f"that would be lost. Use {action} where the change was made, for example in the "
                "Segment Editor."
            )
        editors = editors_showing(node, self._open_editors)
        if isinstance(step.holder, History):
            _save_in(editors)
        elif step.holder not in editors:
            raise InputError(
                f"The Segment Editor in which the state of {describe(node)} was saved no longer "
                "shows it: its history is gone."
            )
        prompts = live_tags(node.GetSegmentation())
        getattr(step.holder, action)()
        _keep_edited(node.GetSegmentation(), prompts, expected_prompts)
        if fingerprint(node) == before:
            raise WriteError(f"The {action} history of {describe(node)} is gone: nothing changed.")

    def _history(self, segmentation_node) -> History:
        history = self._histories.pop(segmentation_node, None)
        if history is None or not history.is_of(segmentation_node):
            history = History(segmentation_node)
        self._histories[segmentation_node] = history
        while len(self._histories) > MOST_HISTORIES:
            node, _ = self._histories.popitem(last=False)
            self._forget(node)
        return history

    def _forget(self, segmentation_node) -> None:
        self._histories.pop(segmentation_node, None)
        for steps in (self._done, self._undone):
            steps[:] = [step for step in steps if step.segmentation_node is not segmentation_node]

    def _forget_removed(self) -> None:
        """Frees the histories of segmentations that were deleted.

        Asked at each use and not by an observer: a scene that is being destroyed still sends its
        events, and to hand a dying scene to Python crashes.
        """
        nodes = {step.segmentation_node for step in self._done + self._undone}
        for node in nodes | set(self._histories):
            if node.GetScene() is None:
                self._forget(node)


class History:
    """Slicer's own undo history, of one segmentation."""

    def __init__(self, segmentation_node: slicer.vtkMRMLSegmentationNode) -> None:
        self._node = segmentation_node
        self._history = slicer.vtkSegmentationHistory()
        self._history.SetSegmentation(segmentation_node.GetSegmentation())

    def is_of(self, segmentation_node: slicer.vtkMRMLSegmentationNode) -> bool:
        """Whether the node still has the segmentation of this history."""
        return self._history.GetSegmentation() is segmentation_node.GetSegmentation()

    def save(self) -> None:
        """Saves the present state, if it is not saved yet.

        Raises:
            WriteError: if Slicer cannot.
        """
        if not self._history.SaveState():
            raise WriteError("Slicer could not save the segmentation's state for undo.")

    def undo(self) -> None:
        """Restores the state before the last change, and keeps the present one for redo."""
        self._apply(self._history.RestorePreviousState)

    def redo(self) -> None:
        """Restores the state that the last undo left."""
        self._apply(self._history.RestoreNextState)

    def _apply(self, restore) -> None:
        # As vtkSlicerSegmentEditorLogic::Undo does.
        was_modifying = self._node.StartModify()
        try:
            restore()
        finally:
            self._node.EndModify(was_modifying)
        self._node.InvokeCustomModifiedEvent(slicer.vtkMRMLDisplayableNode.DisplayModifiedEvent)


def fingerprint(segmentation_node: slicer.vtkMRMLSegmentationNode) -> tuple:
    """Differs whenever what an undo would restore has changed: voxels, names, colours, tags.

    The prompts as they are edited do not count: see the module's description.
    Representations that Slicer derives ("Show 3D") and displays do not count. Saving does where
    several labelmaps can be merged into one (vtkMRMLSegmentationStorageNode does so): the voxels
    are the same, but to tell would take their checksums at every write.
    """
    segmentation = segmentation_node.GetSegmentation()
    if segmentation is None:
        return ()
    return (segmentation.__this__, *(_of_segment(segmentation, i) for i in _ids(segmentation)))


def live_tags(segmentation: slicer.vtkSegmentation) -> dict[str, tuple[str | None, ...]]:
    """The values of PROMPT_TAGS of all segments of a vtkSegmentation, by ID."""
    return {
        segment_id: tuple(tag_of(segmentation.GetSegment(segment_id), name) for name in PROMPT_TAGS)
        for segment_id in segmentation.GetSegmentIDs()
    }


def _ids(segmentation):
    return segmentation.GetSegmentIDs()


def _of_segment(segmentation, segment_id: str) -> tuple:
    segment = segmentation.GetSegment(segment_id)
    source = segment.GetRepresentation(segmentation.GetSourceRepresentationName())
    voxels = (source.__this__, source.GetMTime()) if source is not None else ()
    tags = (segment.GetTerminology(), *(tag_of(segment, name) for name in (STATUS_TAG, *TAGS)))
    return (
        segment_id,
        segment.GetName(),
        segment.GetColor(),
        segment.GetLabelValue(),
        tags,
        voxels,
    )


def _keep_edited(segmentation, prompts: dict, expected: dict) -> None:
    """Puts prompts back that were edited since the step: the histories restore old ones."""
    for segment_id, values in prompts.items():
        segment = segmentation.GetSegment(segment_id)
        if segment is not None and values != expected.get(segment_id):
            with events_blocked(segment):
                set_tags(segment, dict(zip(PROMPT_TAGS, values, strict=True)))


def _save_in(editors) -> list[object]:
    """Saves the state in those editors that keep a history; returns them."""
    editors = [editor for editor in editors if keeps_history(editor)]
    for editor in editors:
        editor.saveStateForUndo()
    return editors


def _last(steps: list[Step], segmentation_node, action: str) -> Step:
    for step in reversed(steps):
        if segmentation_node is None or step.segmentation_node is segmentation_node:
            return step
    where = "" if segmentation_node is None else f" in {describe(segmentation_node)}"
    raise InputError(f"There is nothing to {action}{where}.")
