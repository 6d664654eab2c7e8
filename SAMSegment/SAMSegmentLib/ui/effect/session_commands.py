"""What the panel's buttons and keys do."""

from __future__ import annotations

import slicer
from slicer.i18n import tr as _

from ...core.errors import SAMSegmentError
from ...core.prompts import Prompts
from ..common import device_settings
from ..common.status import ERROR, HINT
from .parameters import FROM_PROMPTS, LINE_NODE, ROI_NODE
from .requester import ShownProposals
from .status_texts import applied_status, why_no_other_mask, why_no_prompts


class SessionCommands:
    """The part of a session that the panel calls. Prompts are named by the keys of their rows.

    The session has the effect, the prompts, the requester, the view and the writer; and while it is
    active, a target and parameters.
    """

    # The proposal

    def propose(self) -> None:
        """Lets an automatic model find its structures."""
        self.refresh()
        if self.is_active and self._target is not None and self._is_automatic:
            self._request_soon.stop()
            request = self._target, Prompts(), self._parameters, None
            self._guarded(self._requester.start, *request)

    def cancel(self) -> None:
        """Stops the model and drops the proposal; the prompts stay."""
        if not self.is_active:
            return
        self._request_soon.stop()
        self._requester.discard()
        text = _("Cancelled.") if self._is_automatic else _("Cancelled. The prompts are kept.")
        self._requester.show_status(text, HINT)

    def apply(self) -> None:
        """Writes what is proposed into segments: one undo step of the Segment Editor."""
        self.refresh()
        if self.is_active:
            self._prompts.read_markups()
        shown = self._requester.shown
        is_busy = self._requester.is_busy or self._request_soon.is_waiting
        if not self.is_active or shown is None or not shown.complete or is_busy:
            return
        target, parameters = self._target, self._parameters
        if not self._view.shows(shown.proposals, parameters.threshold):
            # Nothing is written that is not seen; if its node was deleted, it is drawn again.
            self._view.draw_again()
            return
        is_automatic = shown.request.is_automatic
        if not is_automatic and not self._effect.confirmCurrentSegmentVisible():
            return
        try:
            if not self._can_be_written(shown):
                return
            node = self._effect.parameterSetNode()
            result = self._writer.write(shown, parameters.threshold, node)
        except SAMSegmentError as error:
            self._requester.show_status(str(error), ERROR)
            # Perhaps the segmentation has another geometry now: then there is a new proposal.
            self.scene_changed()
            return
        except Exception as error:
            self._on_error(error)
            return
        self._requester.discard()
        self._persistence.note_place(target)
        self._prompts.hide()
        if parameters.start_from != FROM_PROMPTS and not is_automatic:
            # The next proposal starts from the segment.
            self._prompts.clear_without_request()
        self._requester.show_status(*applied_status(result, is_automatic))

    def set_device(self, name: str) -> None:
        """Where models run from now on, in all of Slicer."""
        device_settings.set_device(name)
        self._requester.discard()
        self._service.restart_if_device_changed()
        self._start_request_soon()

    def models_changed(self, names: tuple[str, ...]) -> None:
        """Files of these models came or went, or were replaced; the worker may have been ended."""
        if not self.is_active or self._parameters is None or not names:
            return
        model = self._parameters.entry
        self._service.acquire(self._requester, model)
        if model.name in names:
            self._start_request_soon()
        self._update_panel()

    def _can_be_written(self, shown: ShownProposals) -> bool:
        """Whether what is shown may be written as it is; else there will be another one."""
        now = self._current_request()
        if shown is not self._requester.shown or now is None:
            return False
        if not shown.request.has_same_scene(now):
            self._check_request()
            return False
        return self._requester.respects_other_segments(self._parameters.threshold)

    # The prompts

    def place(self, kind: str | None) -> None:
        """Begins to place POSITIVE or NEGATIVE points or an ROI; None ends it."""
        if self.is_active and self._target is not None:
            if kind is not None and self._refuse_prompts():
                return
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
        next_one = (shown.request.prompts.candidate + 1) % shown.candidates
        self._edit("choose_candidate", next_one)

    def set_parameter(self, name: str, value: object) -> None:
        """Keeps a parameter in the parameter node; from there it comes back to `refresh`."""
        if name in (ROI_NODE, LINE_NODE):
            self._effect.setNodeReference(name, value)
        else:
            self._effect.setParameter(name, value)
        self.refresh()

    def _refuse_prompts(self) -> bool:
        """Whether the model takes no prompts; then the status line says so."""
        reason = why_no_prompts(self._parameters.entry)
        if reason:
            self._requester.show_status(reason)
        return bool(reason)

    def _edit(self, command: str, *arguments) -> None:
        if self.is_active and self._target is not None and not self._refuse_prompts():
            self._guarded(getattr(self._prompts, command), *arguments)
            self._deselect_unused_markups()

    def _deselect_unused_markups(self) -> None:
        """The selectors show the user's own markups only while these are the prompts."""
        used = self._prompts.markups
        for name in (ROI_NODE, LINE_NODE):
            node = self._effect.nodeReference(name)
            if node is not None and node not in used:
                self._effect.setNodeReference(name, None)
