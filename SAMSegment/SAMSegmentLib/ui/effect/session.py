"""One user at work in one Segment Editor: prompts become a proposal, and that a segment.

The way of a click: Slicer's markups (PromptEditor) -> Session -> Requester -> the worker's client
(WorkerService) -> ProposalView -> ProposalWriter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import slicer
import vtk
from slicer.i18n import tr as _

from ...core.errors import SAMSegmentError, WeightsError
from ...core.prompts import Prompts
from ...scene.hierarchy import remove_orphans
from ...scene.observers import Observers
from ...scene.time_point import time_point_of
from ...weights.catalogue import ModelEntry
from ..common.delay import Delay
from ..common.status import WARNING
from ..common.steps import Steps
from .apply import ProposalWriter
from .panel_state import NEGATIVE, POSITIVE, PanelState
from .parameters import REFINE, Parameters, parameters_of
from .prompt_editor import PromptEditor
from .prompt_persistence import PromptPersistence
from .proposal_request import ProposalRequest, request_of
from .proposal_view import ProposalView
from .requester import Requester
from .session_commands import SessionCommands
from .status_texts import idle_status, time_note, why_no_other_mask, why_no_prompts
from .target import Target, TargetObserver, target_of

if TYPE_CHECKING:
    from ..common.worker_service import WorkerService

# Where the mouse rests for so long, the user may click next.
MOUSE_REST_MS = 250


class Session(SessionCommands):
    """What the effect does while it is active, see also SessionCommands.

    Args:
        scripted_effect: Slicer's adaptor of the effect.
        service: the shared worker, see ui.common.worker_service.
        show: draws a PanelState.
        editor: finds the Segment Editor widget of this effect, for its undo history.
    """

    def __init__(
        self,
        scripted_effect: slicer.qSlicerSegmentEditorScriptedEffect,
        service: WorkerService,
        show: Callable[[PanelState], None],
        editor: Callable[[], object] = lambda: None,
    ) -> None:
        self._effect = scripted_effect
        self._service = service
        self._show = show
        self._writer = ProposalWriter(editor)
        self._steps = Steps(self._on_error)
        self._requester = Requester(
            service,
            self._steps,
            self._on_requester_changed,
            self._current_request,
            self._check_request,
        )
        self._persistence = PromptPersistence(scripted_effect)
        callbacks = self._save, self._on_prompts_changed, self._update_panel, self._on_error
        self._prompts = PromptEditor(slicer.mrmlScene, *callbacks)
        self._view = ProposalView(self._steps, self._update_panel)
        self._is_active = False
        self._is_refreshing = False
        self._target: Target | None = None
        self._parameters: Parameters | None = None
        self._mouse_position: tuple[float, float, float] | None = None
        self._view_direction: tuple[float, float, float] | None = None
        self._request_soon = Delay(0, self._request)
        self._refresh_soon = Delay(0, self.refresh)
        self._mouse_rests = Delay(MOUSE_REST_MS, self._prepare_for_click)
        self._active_observers = Observers()
        self._inactive_observers = Observers()
        self._target_observer = TargetObserver(self._check_request)

    @property
    def is_active(self) -> bool:
        return self._is_active

    # From activation to release

    def activate(self) -> None:
        """The effect was chosen."""
        if self.is_active:
            return
        self._is_active = True
        self._inactive_observers.release()
        remove_orphans(slicer.mrmlScene)
        self._service.acquire(self._requester, parameters_of(self._effect).entry)
        # Slicer tells effects when their parameters change, not when segment or volume do.
        node = self._effect.parameterSetNode()
        self._active_observers.add(node, [vtk.vtkCommand.ModifiedEvent], self._on_node_modified)
        self.refresh()
        if self._target is not None and not self._is_automatic:
            self._prompts.place_soon(POSITIVE)

    def deactivate(self) -> None:
        """Another effect was chosen, or none, or the editor goes away: nothing stays visible."""
        if not self.is_active:
            return
        self._active_observers.release()
        self._refresh_soon.stop()
        self._leave()
        self._service.release(self._requester)
        self._is_active = False
        self._target = self._parameters = None
        self._hide_nodes()

    def parameter_node_changed(self) -> None:
        """The editor has another parameter node; that node says which effect is chosen."""
        if not self.is_active:
            self._remove_nodes()

    def release(self) -> None:
        """The effect is destroyed."""
        self.deactivate()
        self._remove_nodes()
        parts = self._prompts, self._view, self._target_observer, self._steps
        for part in (*parts, self._request_soon, self._refresh_soon, self._mouse_rests):
            part.release()

    def _hide_nodes(self) -> None:
        """Keeps point lists and preview in the scene while the user works with another effect.

        Slicer is slow at adding and removing nodes. They are empty then, not seen, listed or saved.
        As soon as no effect is chosen in the editor (as when its module is left) they are removed:
        parts of Slicer and scripts take the first or last node of a class, also a hidden one, for
        the user's (SegmentEditor.py, `enter`; DICOMTID1500Plugin.py, `load`).
        """
        node = self._effect.parameterSetNode()
        if node is None or node.GetActiveEffectName() in (None, "", self._effect.name):
            self._remove_nodes()
            return
        self._view.hide_node()
        self._prompts.hide_nodes()
        events = [vtk.vtkCommand.ModifiedEvent]
        self._inactive_observers.add(node, events, self._remove_nodes_without_effect)

    def _remove_nodes_without_effect(self) -> None:
        node = self._effect.parameterSetNode()
        # This effect's own name is all right: it is just about to become active.
        if node is None or not node.GetActiveEffectName():
            self._remove_nodes()

    def _remove_nodes(self) -> None:
        self._inactive_observers.release()
        self._view.leave()
        self._prompts.remove_nodes()

    # The parameter node

    def refresh(self) -> None:
        """Reads the parameter node: another segment, volume, or parameter may be meant now."""
        if not self.is_active or self._is_refreshing:
            return
        self._is_refreshing = True  # Parameters are set on the way.
        try:
            self._refresh()
        finally:
            self._is_refreshing = False
        self._update_panel()

    def _refresh(self) -> None:
        target = target_of(self._effect.parameterSetNode())
        if target != self._target:
            self._leave()
            self._enter(target)
            self._parameters = None  # what came back with it is no change to it
        parameters = parameters_of(self._effect)
        before, self._parameters = self._parameters, parameters
        if self._target is None:
            self._requester.show_status(*idle_status(None, parameters))
            return
        before = before or parameters
        if parameters.model != before.model:
            self._service.acquire(self._requester, parameters.entry)
        if self._is_automatic:
            if self._prompts.placing:
                self._prompts.place(None)
            self._prompts.hide()
        self._prompts.use_markups(parameters.roi, parameters.line)
        self._view.set_opacity(parameters.opacity)
        if parameters.threshold != before.threshold:
            self._save(self._prompts.prompts)
            self._draw()
        if parameters.request_key != before.request_key:
            self._start_request_soon()

    def _on_node_modified(self) -> None:
        if slicer.mrmlScene.IsClosing() or slicer.mrmlScene.IsBatchProcessing():
            self._refresh_soon.start()
        else:
            # At once: a prompt that is placed next belongs to the segment that is selected now.
            self.refresh()

    def _enter(self, target: Target | None) -> None:
        self._target = target
        if target is None:
            return
        self._deselect_unused_markups()
        if self._view.enter(target):
            self._prompts.remove_nodes()
        self._target_observer.observe(target)
        self._guarded(self._restore)
        self._show_restored_message()
        if target.is_started:  # a further prompt goes on from there, and shows the others
            self._prompts.hide()
        elif self._prompts.prompts.kinds:
            self._start_request_soon()

    def _leave(self) -> None:
        self._persistence.reset()
        self._request_soon.stop()
        self._mouse_rests.stop()
        self._target_observer.stop()
        self._requester.discard()
        self._prompts.leave()
        self._view.hide()
        self._target = None

    # What happens in the views and in the scene

    def mouse_moved(self, ras: Sequence[float], view_direction: Sequence[float]) -> None:
        """The mouse is over a slice.

        Args:
            ras: position in world RAS, mm.
            view_direction: across that slice, in world RAS.
        """
        if self.is_active:
            self._mouse_position, self._view_direction = tuple(ras), tuple(view_direction)
            self._mouse_rests.start()

    def interaction_mode_changed(self) -> None:
        """The mouse mode may have been changed by somebody else."""
        self._update_panel()

    def scene_changed(self) -> None:
        """Volume or segmentation may have got other voxels, another time point, grid or place."""
        if self.is_active and self._target is not None:
            self._target_observer.notify()

    def _prepare_for_click(self) -> None:
        if not self.is_active or self._prompts.placing not in (POSITIVE, NEGATIVE):
            return
        if self._target and _can_be_loaded(self._parameters.entry):
            self._guarded(self._requester.prepare, self._target, self._mouse_position)

    # From prompts to a proposal

    def _start_request_soon(self) -> None:
        # Several changes of one user action become one request.
        if self.is_active and self._target is not None:
            self._request_soon.start()

    def _request(self) -> None:
        if not self.is_active or self._target is None:
            return
        if not _can_be_loaded(self._parameters.entry):  # The panel says how to get the model.
            self._requester.cancel()
            self._requester.show_status("")
            return
        if self._is_automatic:  # Its proposal is requested by a button alone.
            self._requester.discard()
            return
        prompts = self._prompts.prompts
        if not prompts.kinds and self._parameters.start_from != REFINE:
            self._requester.discard()
            self._show_restored_message()
            return
        self._prompts.show()  # a proposal is seen with the prompts that it is made of
        request = self._target, prompts, self._parameters, self._view_direction
        self._guarded(self._requester.start, *request)

    def _current_request(self) -> ProposalRequest | None:
        """The request as it would be made now; None if there is none.

        Raises:
            InputError: if volume or segmentation cannot be used.
        """
        node = self._effect.parameterSetNode()
        if not self.is_active or self._target is None or target_of(node) != self._target:
            return None
        return request_of(self._target, self._prompts.prompts, parameters_of(self._effect))

    def _check_request(self) -> None:
        """Makes the request anew, or drops it, if what it is about has changed."""
        if not self.is_active or self._target is None:
            return
        if self._persistence.has_moved(self._target):
            self._guarded(self._restore)
            self._deselect_unused_markups()
            self._show_restored_message()
        request = self._requester.request
        if request is None:
            return
        try:
            now = self._current_request()
        except SAMSegmentError as error:
            self._requester.discard()
            self._requester.fail(error)
            return
        if now is None:
            self._requester.discard()
            return
        # What is shown may be made of other prompts, if the model failed at those of now.
        is_right = request.is_same if self._requester.is_busy else request.has_same_scene
        if is_right(now):
            return
        is_same_image = request.placement.image.key == now.placement.image.key
        is_at_time_point = self._persistence.placed_at == time_point_of(self._target.volume)
        if is_same_image or (self._requester.is_busy and is_at_time_point):
            self._request()
            return
        self._requester.discard()
        text = _("The volume has changed: move or add a prompt to segment what it shows now.")
        if self._is_automatic:
            text = _("The volume has changed: press Propose to segment what it shows now.")
        self._requester.show_status(text, WARNING)

    def _on_requester_changed(self) -> None:
        self._draw()
        self._update_panel()

    def _draw(self) -> None:
        shown = self._requester.shown
        if shown is None:
            self._view.hide()
        else:
            placement, threshold = shown.request.placement, self._parameters.threshold
            self._guarded(self._view.show, shown.proposals, placement, threshold)

    # The prompts of the segment

    def _on_prompts_changed(self) -> None:
        self._start_request_soon()
        self._update_panel()

    def _restore(self) -> None:
        """The prompts that are stored with the segment, where they lie now."""
        target, stored = self._target, Prompts()
        try:
            stored = self._persistence.restore(target)
        finally:
            segment = target.segmentation.GetID(), target.segment_id, self._persistence.place_key
            self._prompts.enter(segment, stored)

    def _save(self, prompts: Prompts) -> None:
        if self._persistence.has_moved(self._target):
            # What is seen is not where the segment is by now.
            self._target_observer.notify()
        elif prompts.kinds or self._prompts.can_undo:
            self._persistence.save(self._target, self._parameters, prompts)

    def _show_restored_message(self) -> None:
        if self._persistence.message:
            self._requester.show_status(self._persistence.message, WARNING)

    # The panel

    def _update_panel(self) -> None:
        if self.is_active:
            self._prompts.show_roi_in_3d(self._requester.shown is None)
            self._show(self._panel_state())

    def _panel_state(self) -> PanelState:
        requester, prompts = self._requester, self._prompts
        target, parameters, shown = self._target, self._parameters, self._requester.shown
        ready = shown is not None and shown.complete and not requester.is_busy
        # What would be written, and nothing else, is in the views.
        is_seen = ready and self._view.shows(shown.proposals, parameters.threshold)
        status = requester.status, requester.status_kind
        if not requester.status:
            status = idle_status(target, parameters)
        no_prompts = why_no_prompts(parameters.entry) if parameters else ""
        is_damaged = parameters is not None and isinstance(requester.error, WeightsError)
        return PanelState(
            rows=prompts.rows,
            note=time_note(target.volume, self._persistence.placed_at) if target else "",
            status=status[0],
            status_kind=status[1],
            progress=requester.progress,
            placing=prompts.placing,
            can_place=target is not None and not no_prompts,
            no_prompts=no_prompts,
            can_propose=self._is_automatic and target is not None and not requester.is_busy,
            can_undo=prompts.can_undo,
            can_redo=prompts.can_redo,
            can_apply=is_seen and not shown.is_empty,
            can_cancel=requester.is_busy or shown is not None,
            no_other_mask=why_no_other_mask(requester),
            damaged_model=parameters.model if is_damaged else "",
        )

    @property
    def _is_automatic(self) -> bool:
        """Whether the chosen model finds its structures without prompts."""
        return self._parameters is not None and self._parameters.entry.is_automatic

    def _guarded(self, action, *arguments) -> None:
        try:
            action(*arguments)
        except Exception as error:
            self._on_error(error)

    def _on_error(self, error: Exception) -> None:
        self._requester.fail(error)


def _can_be_loaded(entry: ModelEntry) -> bool:
    """Whether to request a model's load: of one that is included, the worker says why not."""
    return entry.embedded or entry.is_installed
