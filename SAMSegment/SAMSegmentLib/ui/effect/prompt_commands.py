"""What the panel's buttons and keys do to the prompts."""

from __future__ import annotations

import slicer

from .parameters import LINE_NODE, ROI_NODE
from .status_texts import why_no_other_mask


class PromptCommands:
    """The part of a session that edits its prompts at the panel's request.

    The session has the effect, the prompts and the requester; and while it is active, a target.
    """

    def place(self, kind: str | None) -> None:
        """Begins to place POSITIVE or NEGATIVE points or an ROI; None ends it."""
        if self.is_active and self._target is not None:
            self._guarded(self._prompts.place, kind)
            if kind is not None:
                self._prompts.show()
            self._update_panel()

    def toggle_place(self, kind: str) -> None:
        """Begins to place, or ends it if this is being placed."""
        placing = self._prompts.placing if self.is_active else None
        self.place(None if placing == kind else kind)

    def show_prompt(self, key: str) -> None:
        """Moves the slice views to a prompt."""
        rows = self._prompts.rows if self.is_active else ()
        for row in rows:
            if row.key == key:
                self._prompts.show()
                slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *row.ras)
                return

    def flip(self, key: str) -> None:
        self._edit("flip", key)

    def delete(self, key: str) -> None:
        self._edit("delete", key)

    def clear(self) -> None:
        self._edit("clear")

    def undo(self) -> None:
        self._edit("undo")

    def redo(self) -> None:
        self._edit("redo")

    def next_candidate(self) -> None:
        """Another mask of the same prompts; after the last one the first again."""
        if reason := why_no_other_mask(self._requester):
            self._requester.show_status(reason)
            return
        shown = self._requester.shown
        count = shown.proposal.alternatives + 1
        self._edit("choose_candidate", (shown.request.prompts.reading + 1) % count)

    def set_parameter(self, name: str, value) -> None:
        """Keeps a parameter in the parameter node; from there it comes back to `refresh`."""
        if name in (ROI_NODE, LINE_NODE):
            self._effect.setNodeReference(name, value)
        else:
            self._effect.setParameter(name, value)
        self.refresh()

    def _edit(self, command: str, *arguments) -> None:
        if self.is_active and self._target is not None:
            self._guarded(getattr(self._prompts, command), *arguments)
            self._deselect_unused_markups()

    def _deselect_unused_markups(self) -> None:
        """The selectors show the user's own markups only while these are the prompts."""
        used = self._prompts.markups
        for name in (ROI_NODE, LINE_NODE):
            node = self._effect.nodeReference(name)
            if node is not None and node not in used:
                self._effect.setNodeReference(name, None)
