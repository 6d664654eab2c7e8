"""One user at work in one Segment Editor: prompts become a proposal, and that a segment."""

from __future__ import annotations

import slicer
import vtk
from slicer.i18n import tr as _

from ...core.errors import SAMSegmentError
from ...core.prompts import Prompts
from ...scene.hierarchy import remove_orphans
from ...scene.observers import Observers
from ...scene.time_point import time_point_of
from ...weights.catalogue import model_entry
from ..common import settings
from ..common.delay import Delay
from ..common.steps import Steps
from .applying import Applier, verdict_on
from .asking import Asking, Shown
from .gaze import Gaze
from .idle_status import can_be_loaded
from .keeping import PromptKeeper
from .panel_state import ERROR, HINT, NEGATIVE, POSITIVE, WARNING
from .parameters import Parameters, parameters_of
from .prompt_commands import PromptCommands
from .prompt_editor import PromptEditor
from .proposal_view import ProposalView
from .question import Question, question_of
from .retention import Retention
from .target import Target, TargetWatch, target_of
from .telling import panel_state_of


class Session(PromptCommands):
    """What the effect does while it is active. The panel's `Commands`.

    Args:
        scripted_effect: Slicer's adaptor of the effect.
        service: the shared worker, see ui.worker_service.
        show: draws a PanelState.
        editor: finds the Segment Editor widget of this effect, for its undo history.
    """

    def __init__(self, scripted_effect, service, show, editor=lambda: None) -> None:
        self._effect = scripted_effect
        self._service = service
        self._show = show
        self._applier = Applier(editor)
        self._steps = Steps(self._on_error)
        self._asking = Asking(
            service, self._steps, self._on_asking_changed, self._question, self._look_again
        )
        self._keeper = PromptKeeper(scripted_effect)
        self._prompts = PromptEditor(
            slicer.mrmlScene, self._keep, self._on_prompts_changed, self._tell, self._on_error
        )
        self._is_active = False
        self._view = ProposalView(self._steps, self._tell)
        self._retention = Retention(scripted_effect, self._prompts, self._view)
        self._target: Target | None = None
        self._parameters: Parameters | None = None
        self._is_refreshing = False
        self._soon = Delay(0, self._ask)
        self._later = Delay(0, self.refresh)
        self._observers = Observers()
        self._gaze = Gaze(self._look_ahead)
        self._watch = TargetWatch(self._look_again)

    @property
    def is_active(self) -> bool:
        return self._is_active

    # Life

    def activate(self) -> None:
        """The effect was chosen."""
        if self.is_active:
            return
        self._is_active = True
        self._retention.resume()
        remove_orphans(slicer.mrmlScene)
        self._service.acquire(self._asking, model_entry(parameters_of(self._effect).model))
        # Slicer tells effects of their parameters only, not of another segment or volume.
        node = self._effect.parameterSetNode()
        self._observers.add(node, [vtk.vtkCommand.ModifiedEvent], self._on_node_modified)
        self.refresh()
        if self._target is not None:
            self._prompts.place_soon(POSITIVE)

    def deactivate(self) -> None:
        """Another effect was chosen, or none, or the editor goes away: nothing of ours is seen."""
        if not self.is_active:
            return
        self._observers.release()
        self._later.stop()
        self._leave()
        self._service.release(self._asking)
        self._is_active = False
        self._target = self._parameters = None
        self._retention.begin()

    def parameter_node_changed(self) -> None:
        """The editor has another parameter node, in which it is told which effect is chosen."""
        if not self.is_active:
            self._retention.end()

    def release(self) -> None:
        """The effect is destroyed."""
        self.deactivate()
        self._retention.end()
        parts = self._prompts, self._view, self._watch, self._steps, self._gaze
        for part in (*parts, self._soon, self._later):
            part.release()

    def refresh(self) -> None:
        """Looks at the parameter node: another segment, volume, or parameter may be meant now."""
        if not self.is_active or self._is_refreshing:
            return
        self._is_refreshing = True  # Parameters are set on the way.
        try:
            self._refresh()
        finally:
            self._is_refreshing = False
        self._tell()

    def _refresh(self) -> None:
        target = target_of(self._effect.parameterSetNode())
        if target != self._target:
            self._leave()
            self._enter(target)
            self._parameters = None  # what came back with it is no change to it
        parameters = parameters_of(self._effect)
        before, self._parameters = self._parameters, parameters
        if self._target is None:
            self._asking.say(_("Select a source volume and a segment."), HINT)
            return
        before = before or parameters
        if parameters.model != before.model:
            self._service.acquire(self._asking, model_entry(parameters.model))
        self._prompts.use_markups(parameters.roi, parameters.line)
        self._view.set_opacity(parameters.opacity)
        if parameters.threshold != before.threshold:
            self._keep(self._prompts.prompts)
            self._draw()
        if parameters.question != before.question:
            self._ask_soon()

    # Commands of the panel

    def cancel(self) -> None:
        """Stops the model and drops the proposal; the prompts stay."""
        if not self.is_active:
            return
        self._soon.stop()
        self._asking.drop()
        self._asking.say(_("Cancelled. The prompts are kept."), HINT)

    def apply(self) -> None:
        """Writes the proposal into the segment: one undo step of the Segment Editor."""
        self.refresh()
        if self.is_active:
            self._prompts.take_note()
        shown = self._asking.shown
        is_busy = self._asking.is_busy or self._soon.is_waiting
        if not self.is_active or shown is None or not shown.complete or is_busy:
            return
        target, parameters = self._target, self._parameters
        if not self._view.shows(shown.proposal, parameters.threshold):
            # Nothing is written unseen; if it got lost, it is drawn again.
            self._view.draw_again()
            return
        if not self._effect.confirmCurrentSegmentVisible():
            return
        try:
            if not self._is_right(shown):
                return
            result = self._applier.apply(shown, target, parameters, self._effect.parameterSetNode())
        except SAMSegmentError as error:
            self._asking.say(str(error), ERROR)
            # Perhaps the segmentation has another geometry now: then there is a new proposal.
            self.scene_changed()
            return
        except Exception as error:
            self._on_error(error)
            return
        self._asking.drop()
        self._keeper.note(target)
        self._prompts.rest()
        if parameters.start_from != "prompts":
            self._prompts.clear_quietly()  # the next proposal starts from the segment
        self._asking.say(*verdict_on(result))

    def set_device(self, name: str) -> None:
        """Where models run from now on, in all of Slicer."""
        settings.set_device(name)
        self._asking.drop()
        self._service.restart_if_device_changed()
        self._ask_soon()

    def models_changed(self, names: tuple[str, ...]) -> None:
        """Files of these models came or went, or were replaced; the worker may have been ended."""
        if not self.is_active or self._parameters is None or not names:
            return
        model = model_entry(self._parameters.model)
        self._service.acquire(self._asking, model)
        if model.name in names:
            self._ask_soon()
        self._tell()

    # What happens in the scene

    def mouse_moved(self, ras, facing) -> None:
        """The mouse is over a slice, at a position in world RAS, mm.

        Args:
            facing: across that slice, a direction in world RAS.
        """
        if self.is_active:
            self._gaze.move(ras, facing)

    def interaction_mode_changed(self) -> None:
        """The mouse mode may have been changed by somebody else."""
        self._tell()

    def scene_changed(self) -> None:
        """Volume or segmentation may have got other voxels, another time point, grid or place."""
        if self.is_active and self._target is not None:
            self._watch.look()

    def _look_again(self) -> None:
        """Compares what is asked or shown with what it is about as that stands now."""
        if not self.is_active or self._target is None:
            return
        if self._keeper.has_moved(self._target):
            self._guarded(self._restore)
            self._let_go_of_markups()
            self._say_what_came_back()
        asked = self._asking.question
        if asked is None:
            return
        try:
            now = self._question()
        except SAMSegmentError as error:
            self._asking.drop()
            self._asking.fail(error)
            return
        if now is None:
            self._asking.drop()
            return
        # What is shown may answer other prompts: those that the model could not answer.
        is_right = asked.is_same if self._asking.is_busy else asked.is_at_same_place
        if is_right(now):
            return
        same_image = asked.place.image.key == now.place.image.key
        if same_image or (self._asking.is_busy and self._is_at_time_point):
            self._ask()
            return
        self._asking.drop()
        text = _("The volume has changed: move or add a prompt to segment what it shows now.")
        self._asking.say(text, WARNING)

    @property
    def _is_at_time_point(self) -> bool:
        """Whether the volume shows the time point at which the prompts were placed."""
        return self._keeper.placed_at == time_point_of(self._target.volume)

    def _is_right(self, shown: Shown) -> bool:
        """Whether what is shown may be written as it is; else there will be another one."""
        now = self._question()
        if shown is not self._asking.shown or now is None:
            return False
        if not shown.question.is_at_same_place(now):
            self._look_again()
            return False
        return self._asking.leaves_others_alone(self._parameters.threshold)

    def _question(self) -> Question | None:
        """What would be asked now; None if nothing.

        Raises:
            InputError: if volume or segmentation cannot be used.
        """
        node = self._effect.parameterSetNode()
        if not self.is_active or self._target is None or target_of(node) != self._target:
            return None
        return question_of(self._target, self._prompts.prompts, parameters_of(self._effect))

    # Within

    def _on_node_modified(self) -> None:
        if slicer.mrmlScene.IsClosing() or slicer.mrmlScene.IsBatchProcessing():
            self._later.start()
        else:
            # At once: a prompt that is placed next belongs to the segment that is selected now.
            self.refresh()

    def _enter(self, target: Target | None) -> None:
        self._target = target
        if target is None:
            return
        self._let_go_of_markups()
        if self._view.enter(target):
            self._prompts.remove_nodes()
        self._watch.watch(target)
        self._guarded(self._restore)
        self._say_what_came_back()
        if target.is_started:  # a further prompt carries on, and shows the others
            self._prompts.rest()
        elif self._prompts.prompts.kinds:
            self._ask_soon()

    def _restore(self) -> None:
        """The prompts that are stored with the segment, where they lie now."""
        target, stored = self._target, Prompts()
        try:
            stored = self._keeper.restore(target)
        finally:
            self._prompts.enter(
                (target.segmentation.GetID(), target.segment_id, self._keeper.place), stored
            )

    def _keep(self, prompts: Prompts) -> None:
        if self._keeper.has_moved(self._target):
            # What is seen is not where the segment is by now.
            self._watch.look()
        elif prompts.kinds or self._prompts.can_undo:
            self._keeper.keep(self._target, self._parameters, prompts)

    def _say_what_came_back(self) -> None:
        if self._keeper.message:
            self._asking.say(self._keeper.message, WARNING)

    def _leave(self) -> None:
        self._keeper.forget()
        self._soon.stop()
        self._gaze.stop()
        self._watch.leave()
        self._asking.drop()
        self._prompts.leave()
        self._view.hide()
        self._target = None

    def _on_prompts_changed(self) -> None:
        self._ask_soon()
        self._tell()

    def _ask_soon(self) -> None:
        # Several changes of one user action become one question.
        if self.is_active and self._target is not None:
            self._soon.start()

    def _ask(self) -> None:
        if not self.is_active or self._target is None:
            return
        if not can_be_loaded(self._parameters.model):  # The panel says how to get the model.
            self._asking.stop()
            self._asking.say("")
            return
        prompts = self._prompts.prompts
        if not prompts.kinds and self._parameters.start_from != "refine":
            self._asking.drop()
            self._say_what_came_back()
            return
        self._prompts.wake()  # a proposal is seen with what it answers
        asked = self._target, prompts, self._parameters, self._gaze.facing
        self._guarded(self._asking.ask, *asked)

    def _on_asking_changed(self) -> None:
        self._draw()
        self._tell()

    def _draw(self) -> None:
        shown = self._asking.shown
        if shown is None:
            self._view.hide()
        else:
            threshold = self._parameters.threshold
            self._guarded(self._view.show, shown.proposal, shown.question.place, threshold)

    def _look_ahead(self, ras) -> None:
        if not self.is_active or self._prompts.placing not in (POSITIVE, NEGATIVE):
            return
        if self._target and can_be_loaded(self._parameters.model):
            self._guarded(self._asking.look, self._target, ras)

    def _tell(self) -> None:
        if not self.is_active:
            return
        self._prompts.show_roi_in_3d(self._asking.shown is None)
        parts = self._prompts, self._keeper.placed_at, self._asking, self._view
        self._show(panel_state_of(self._target, self._parameters, *parts))

    def _guarded(self, action, *arguments) -> None:
        try:
            action(*arguments)
        except Exception as error:
            self._on_error(error)

    def _on_error(self, error: Exception) -> None:
        self._asking.report(error)
