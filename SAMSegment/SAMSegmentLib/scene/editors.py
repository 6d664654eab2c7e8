"""The open Segment Editors. Their undo histories must include what others write.

An editor is anything with these public names of `qMRMLSegmentEditorWidget`: `segmentationNode()`,
`mrmlSegmentEditorNode()`, `saveStateForUndo()`, `undo()`, `redo()`, `isVisible()` and
`property("maximumNumberOfUndoStates")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import slicer

OpenEditors = Callable[[], Iterable[object]]


def slicer_editors() -> list[object]:
    """Every Segment Editor widget in Slicer's main window; none where there is no window.

    Slow (it visits all widgets): call it once per action.
    """
    try:
        return slicer.util.findChildren(className="qMRMLSegmentEditorWidget")
    except (AttributeError, ImportError, RuntimeError):
        # slicer-core and PythonSlicer have no Qt.
        return []


def editors_showing(
    segmentation_node: slicer.vtkMRMLSegmentationNode, open_editors: OpenEditors
) -> list[object]:
    """The editors that show a segmentation, visible or not: hidden ones keep a history, too."""
    return [editor for editor in open_editors() if editor.segmentationNode() is segmentation_node]


def keeps_history(editor: object) -> bool:
    """Whether an editor keeps undo states.

    "undoEnabled" says something else: whether the undo buttons can be seen. It is False for every
    hidden editor, though that saves and restores states all the same.
    """
    return editor.property("maximumNumberOfUndoStates") > 0


def visible_editor_node(editors: Iterable[object]):
    """vtkMRMLSegmentEditorNode of the first editor that the user sees, or None."""
    return next((e.mrmlSegmentEditorNode() for e in editors if e.isVisible()), None)
