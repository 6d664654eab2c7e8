"""The prompts of the selected segment: markups in the views, rows in the list, undo."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from ...core.errors import InputError
from ...core.prompt_history import PromptHistory
from ...core.prompts import Prompts
from ...scene.placing import Placing
from ...scene.prompt_nodes import PromptNodes
from ..common.delay import Delay
from .panel_state import LINE, NEGATIVE, POSITIVE, ROI, PromptRow

if TYPE_CHECKING:
    import slicer


class PromptEditor:
    """Synchronises markups, list and history of one segment at a time.

    Every change is an undo step, also of an ROI or a line of the user's own: what undo brings back
    is a copy, for these are only read.

    Args:
        store: stores the prompts; called before `changed`.
        changed: called when the prompts have changed, whoever changed them.
        placing_changed: called when the mouse places something else, or nothing.
        on_error: called with an exception: prompts that cannot be used.
    """

    def __init__(
        self,
        scene: slicer.vtkMRMLScene,
        store: Callable[[Prompts], None],
        changed: Callable[[], None],
        placing_changed: Callable[[], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._store = store
        self._changed = changed
        self._on_error = on_error
        self._placing = Placing(scene, placing_changed)
        self._segment: Hashable | None = None
        # Kept while the effect is active: back at a segment, its undo is still there.
        self._histories: dict[Hashable, PromptHistory] = {}
        # Observers are called while Slicer still works on an event; and one action may be several.
        self._read_soon = Delay(0, self.read_markups)
        self._nodes = PromptNodes(scene, self._read_soon.start)
        self._first_kind = POSITIVE
        self._place_later = Delay(0, self._place_first)
        self._placing_changed = placing_changed

    # State

    @property
    def prompts(self) -> Prompts:
        """All prompts of the segment, world RAS in mm."""
        return Prompts() if self._segment is None else self._history.prompts

    @property
    def rows(self) -> tuple[PromptRow, ...]:
        """The prompts as the list shows them."""
        prompts = self.prompts
        rows = []
        if prompts.roi is not None:
            size = " × ".join(f"{edge:.0f}" for edge in prompts.roi.size)
            text = _("ROI   {size} mm").format(size=size)
            rows.append(PromptRow(ROI, text, ROI, tuple(prompts.roi.center)))
        if prompts.line is not None:
            text = _("Line   {length:.1f} mm").format(length=prompts.line.length)
            rows.append(PromptRow(LINE, text, LINE, tuple(prompts.line.middle)))
        keys = [*map(str, self._nodes.ids), *[""] * len(prompts.points)]
        for number, (point, key) in enumerate(zip(prompts.points, keys, strict=False), start=1):
            kind = POSITIVE if point.positive else NEGATIVE
            rows.append(PromptRow(kind, f"{number}   {_position(point.ras)}", key, point.ras))
        return tuple(rows)

    @property
    def markups(self) -> tuple[object, ...]:
        """The user's own nodes that are prompts."""
        roi = None if self._nodes.owns_roi else self._nodes.roi_node
        return tuple(node for node in (roi, self._nodes.line_node) if node is not None)

    @property
    def can_undo(self) -> bool:
        return self._segment is not None and self._history.can_undo

    @property
    def can_redo(self) -> bool:
        return self._segment is not None and self._history.can_redo

    @property
    def placing(self) -> str | None:
        """POSITIVE, NEGATIVE, ROI, or None: what a click in a view places."""
        node = self._placing.active_node()
        if node is None or self._segment is None:
            return None
        if self._nodes.owns_roi and node is self._nodes.roi_node:
            return ROI
        if node is self._nodes.point_node(True):
            return POSITIVE
        return NEGATIVE if node is self._nodes.point_node(False) else None

    # From segment to segment

    def enter(self, segment: Hashable, stored: Prompts) -> None:
        """Shows the prompts that are stored with a segment; `segment` names it."""
        self._segment = segment
        history = self._histories.get(segment)
        # What was undone or done before belongs to where the prompts were then.
        if history is None or not history.prompts.is_close(stored):
            self._histories[segment] = PromptHistory(stored)
        self._nodes.load(self._history.prompts)

    def leave(self) -> None:
        """Shows no segment's prompts any more; they stay stored with it."""
        self._read_soon.stop()
        self._place_later.stop()
        self._placing.stop()
        self._segment = None
        self._nodes.clear()

    def hide_nodes(self) -> None:
        """Forgets all segments; the effect's markups stay in the scene, empty and hidden."""
        self.leave()
        self._histories.clear()
        self._nodes.hide_nodes()

    def remove_nodes(self) -> None:
        """Takes the effect's markups out of the scene; they are made again when they are needed."""
        self.leave()
        self._nodes.remove_nodes()

    def release(self) -> None:
        """Takes the effect's markups out of the scene, for good."""
        self.remove_nodes()
        self._read_soon.release()
        self._place_later.release()

    # Commands

    def hide(self) -> None:
        """Hides the prompts in the views; a change shows them again."""
        self._nodes.show(False)

    def show(self) -> None:
        """Shows the prompts in the views."""
        self._nodes.show(True)

    def show_roi_in_3d(self, visible: bool) -> None:
        """Whether the effect's own ROI is seen in 3D views, where it lies before what is in it."""
        if self._nodes.owns_roi:
            self._nodes.roi_node.GetDisplayNode().SetVisibility3D(visible)

    def use_markups(
        self,
        roi_node: slicer.vtkMRMLMarkupsROINode | None,
        line_node: slicer.vtkMRMLMarkupsLineNode | None,
    ) -> None:
        """An ROI and a line of the user's own as prompts; None: none of the user's."""
        if self._segment is None:
            return
        nodes = self._nodes
        foreign = None if nodes.owns_roi else nodes.roi_node
        if roi_node is not foreign:
            nodes.use_roi(roi_node)
            self._read_soon.start()
        if line_node is not nodes.line_node:
            nodes.use_line(line_node)
            self._read_soon.start()

    def place(self, kind: str | None) -> None:
        """Lets clicks in the views place POSITIVE or NEGATIVE points or an ROI; None ends it."""
        if kind is None:
            self._placing.stop()
        elif kind == ROI:
            self._delete_roi()
            self._placing.start(self._nodes.own_roi_node(), persistent=False)
        else:
            self._placing.start(self._nodes.point_node(kind == POSITIVE), persistent=True)

    def place_soon(self, kind: str) -> None:
        """As `place`, when Slicer has finished the current event; unless something is placed then.

        For when the effect was just chosen: the editor still takes the effect before for its active
        one (qMRMLSegmentEditorWidget::updateEffectsSectionFromMRML), notifies that one of the place
        mode, and it deactivates itself: then no effect is active
        (qSlicerSegmentEditorAbstractEffect::interactionNodeModified).
        """
        self._first_kind = kind
        self._place_later.start()

    def flip(self, key: str) -> None:
        """Makes a positive point negative, or the other way round."""
        if key.isdecimal():
            self._nodes.flip(int(key))
            self.read_markups()

    def delete(self, key: str) -> None:
        """Deletes a point, or the ROI or the line (a node of the user's own stays)."""
        if key == ROI:
            self._delete_roi()
        elif key == LINE:
            self._nodes.use_line(None)
        elif key.isdecimal():
            self._nodes.remove(int(key))
        self.read_markups()

    def read_markups(self) -> None:
        """Reads the markups now: what was just clicked becomes a prompt."""
        self._read_soon.stop()
        if self._segment is None:
            return
        try:
            lost = self._nodes.remove_lost_points()
            prompts = self._nodes.prompts()
            before = self._history.prompts
            if _first_prompts(prompts) == _first_prompts(before):
                prompts = replace(prompts, candidate=before.candidate)
            if prompts != self._history.prompts:
                self.show()
                self._set_prompts(prompts)
            elif lost:
                raise InputError(_("A point had no position (NaN) and was put back or left out."))
            else:
                return
        except Exception as error:  # called from a timer: nobody else would see it
            self._on_error(error)
            return
        self._changed()

    def choose_candidate(self, number: int) -> None:
        """Chooses one of the masks that the first prompt may mean, see Prompts.candidate."""
        if self._segment is not None:
            self._set_prompts(replace(self._history.prompts, candidate=number))
            self._changed()

    def clear(self) -> None:
        """Deletes all prompts."""
        self._nodes.clear()
        self.read_markups()

    def clear_without_request(self) -> None:
        """Deletes all prompts without asking for another proposal; can be undone."""
        self._nodes.clear()
        self._set_prompts(Prompts())

    def undo(self) -> None:
        if self.can_undo and self._history.undo():
            self._restore()

    def redo(self) -> None:
        if self.can_redo and self._history.redo():
            self._restore()

    # Within

    def _place_first(self) -> None:
        if self._segment is None or self._placing.is_mouse_placing:
            return
        try:
            self.place(self._first_kind)
        except Exception as error:  # called from a timer: nobody else would see it
            self._on_error(error)
        self._placing_changed()

    @property
    def _history(self) -> PromptHistory:
        return self._histories[self._segment]

    def _set_prompts(self, prompts: Prompts) -> None:
        self._history.replace(prompts)
        self._store(prompts)

    def _restore(self) -> None:
        self._nodes.load(self._history.prompts)
        self.show()
        self._store(self._history.prompts)
        self._changed()

    def _delete_roi(self) -> None:
        if self._nodes.roi_node is not None:
            self._nodes.use_roi(None)


def _first_prompts(prompts: Prompts) -> Prompts:
    """What the first mask is made from: with that, its candidates change."""
    first = next((point for point in prompts.points if point.positive), None)
    return Prompts(prompts.roi, () if first is None else (first,), prompts.line)


def _position(ras) -> str:
    return "   ".join(
        f"{positive if value >= 0 else negative} {abs(value):.1f}"
        for value, positive, negative in zip(ras, "RAS", "LPI", strict=True)
    )
