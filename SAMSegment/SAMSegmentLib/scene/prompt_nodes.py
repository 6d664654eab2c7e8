"""The markups in which the user places prompts, and what happens to them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

import slicer
import vtk

from ..core.prompts import Point, Prompts
from .hidden_nodes import HiddenNode
from .observers import Observers
from .point_lists import PlacedPoint, PointList
from .shapes import LINE, ROI, Shape, add_roi_node, draw_roi

_MARKUPS = slicer.vtkMRMLMarkupsNode
CHANGES = (
    _MARKUPS.PointModifiedEvent,
    _MARKUPS.PointPositionDefinedEvent,
    _MARKUPS.PointPositionUndefinedEvent,
    _MARKUPS.PointRemovedEvent,
    _MARKUPS.TransformModifiedEvent,
    vtk.vtkCommand.ModifiedEvent,
)


class PromptNodes:
    """Two lists of points, an ROI and a line, as `core.prompts.Prompts` in world RAS.

    Its own nodes are made when they are first needed, hidden from Slicer's lists, and not saved
    (see `prompt_store`). An ROI or line of the user's is only read.

    Args:
        changed: called when somebody else has placed, moved (once the mouse lets go), or removed
            prompts, or a point has lost its position (NaN), see `remove_lost_points`. Slicer is
            still at work on the event then: nodes and points must not be removed before it is done.
    """

    def __init__(self, scene: slicer.vtkMRMLScene, changed: Callable[[], None]) -> None:
        self._scene = scene
        self._changed = changed
        self._observers = Observers()
        self._numbers = itertools.count(1)
        self._is_own_change = False
        self._forget()

    @property
    def ids(self) -> tuple[int, ...]:
        """The points' numbers, in the order in which they were placed, as in `prompts`."""
        return tuple(self._order)

    def prompts(self) -> Prompts:
        """All prompts, world RAS in mm; an ROI or line that is still being drawn is left out.

        Raises:
            InputError: if the ROI or the line cannot be used, see `scene.markups`.
        """
        points = tuple(self._known[number].point for number in self._order)
        return Prompts(self._shapes[ROI].value, points, self._shapes[LINE].value)

    @property
    def roi_node(self):
        """The ROI node in use: the user's or the own one; None without one."""
        return self._shapes[ROI].node

    @property
    def line_node(self):
        """The user's line node in use, or None."""
        return self._shapes[LINE].node

    @property
    def owns_roi(self) -> bool:
        """Whether the ROI in use is the own one."""
        return self._own_roi is not None

    def point_node(self, positive: bool):
        """The point list to place in; both are made, or shown again, if they are not there."""
        for sign in (True, False):
            points = self._lists.get(sign)
            if points is not None and points.in_use:
                continue
            with self._own_change():
                if points is None:
                    points = self._lists[sign] = PointList(self._scene, sign)
                else:
                    points.reset()
            self._observe(sign, points.node)
        return self._lists[positive].node

    def own_roi_node(self):
        """The own ROI node, made if it is not there, and used from now on instead of the user's."""
        if self._own_roi is None:
            with self._own_change():
                self._own_roi = add_roi_node(self._scene)
            self._follow(ROI, self._own_roi.node)
        return self._own_roi.node

    def use_roi(self, roi_node: slicer.vtkMRMLMarkupsROINode | None) -> None:
        """Follows an ROI of the user's, as it is; None: no ROI. The own one is removed.

        Raises:
            InputError: if this is no ROI node in the scene.
        """
        if self._own_roi is not None and roi_node is self._own_roi.node:
            return
        self._follow(ROI, roi_node)
        if self._own_roi is not None:
            with self._own_change():
                self._own_roi.remove()
            self._own_roi = None

    def use_line(self, line_node: slicer.vtkMRMLMarkupsLineNode | None) -> None:
        """Follows a line of the user's, as it is; None: no line.

        Raises:
            InputError: if this is no line node in the scene.
        """
        self._follow(LINE, line_node)

    def load(self, prompts: Prompts) -> None:
        """Replaces the prompts; what stays the same is not touched, and keeps its number.

        An ROI that is not there gets an own node, a line is kept without a node.
        """
        self._load_points(prompts.points)
        if not self._shapes[ROI].has(prompts.roi):
            if prompts.roi is None:
                self.use_roi(None)
            else:
                node = self.own_roi_node()
                with self._own_change():
                    draw_roi(node, prompts.roi)
                self._shapes[ROI].read()
        if not self._shapes[LINE].has(prompts.line):
            self.use_line(None)
            self._shapes[LINE].keep(prompts.line)

    def _load_points(self, points: tuple[Point, ...]) -> None:
        present = [self._known[number].point for number in self._order]
        head = _common(present, points)
        tail = _common(present[head:][::-1], points[head:][::-1])
        numbers, wanted = self._order[head : len(present) - tail], points[head : len(points) - tail]
        last = self._order[len(present) - tail :]
        surplus, numbers = numbers[len(wanted) :], numbers[: len(wanted)]
        flipped = []
        for number, point in zip(numbers, wanted, strict=False):
            placed = self._known[number]
            if placed.point.positive != point.positive:
                flipped.append((number, point))
            elif placed.point != point:
                with self._own_change():
                    node = self._list_of(placed).node
                    node.SetNthControlPointPositionWorld(placed.index, *point.ras)
        self._remove_points([*surplus, *(number for number, _ in flipped)])
        new = [(next(self._numbers), point) for point in wanted[len(numbers) :]]
        for number, point in [*flipped, *new]:
            self.point_node(point.positive)
            with self._own_change():
                self._lists[point.positive].add(number, point.ras)
        numbers += [number for number, _ in new]
        self._order = [*self._order[:head], *numbers, *last]
        self._read_points()

    def remove(self, number: int) -> None:
        """Removes a point; KeyError if there is none of that number."""
        self._remove_points([number])
        self._read_points()

    def _remove_points(self, numbers: Sequence[int]) -> None:
        # Those behind first: the indices of the others stay as they are.
        going = sorted(
            (self._known[number] for number in numbers), key=lambda placed: -placed.index
        )
        with self._own_change():
            for placed in going:
                self._list_of(placed).node.RemoveNthControlPoint(placed.index)

    def flip(self, number: int) -> None:
        """Makes a positive point negative, and the other way round; it keeps its turn."""
        placed = self._known[number]
        self.point_node(not placed.point.positive)
        with self._own_change():
            self._list_of(placed).node.RemoveNthControlPoint(placed.index)
            self._lists[not placed.point.positive].add(number, placed.point.ras)
        self._read_points()

    def remove_lost_points(self) -> int:
        """Puts points that lost their position where they were, or removes them; how many."""
        places = {number: placed.point.ras for number, placed in self._known.items()}
        with self._own_change():
            count = sum(points.remove_lost(places) for points in self._lists.values())
        if count:
            self._read_points()
        return count

    def clear(self) -> None:
        """Removes all points and the own ROI; the user's ROI and line are no longer followed."""
        with self._own_change():
            for points in self._lists.values():
                points.node.RemoveAllControlPoints()
        self.use_roi(None)
        self.use_line(None)
        self._read_points()

    def show(self, visible: bool) -> None:
        """Shows or hides the own nodes; what is placed next is seen anyhow."""
        with self._own_change():
            for hidden in self._own_nodes():
                hidden.show_placed(visible)

    def hide_nodes(self) -> None:
        """Removes all prompts and hides the empty lists, which are used again when they are needed.

        To add a node to the scene or to remove one is slow in Slicer.
        """
        self.clear()
        with self._own_change():
            for key, points in self._lists.items():
                self._forget_node(key, points.node)
                points.hide()

    def remove_nodes(self) -> None:
        """Takes the own nodes out of the scene, observes nothing, and forgets all prompts."""
        self._observers.release()
        for hidden in self._own_nodes():
            hidden.remove()
        self._forget()

    # What others do

    def _observe(self, key: bool | str, node) -> None:
        if not len(self._observers):
            scene = self._scene
            self._observers.add(scene, [scene.StartCloseEvent], self._on_scene_closing)
            self._observers.add(scene, [scene.NodeRemovedEvent], self._on_node_removed)
        self._observers.add(node, CHANGES, self._on_node_changed)
        self._observers.add(node, [_MARKUPS.PointStartInteractionEvent], self._on_drag_begin, key)
        self._observers.add(node, [_MARKUPS.PointEndInteractionEvent], self._on_drag_end, key)

    def _on_drag_begin(self, key: bool | str) -> None:
        self._dragged.add(key)

    def _on_drag_end(self, key: bool | str) -> None:
        self._dragged.discard(key)
        self._on_node_changed()

    def _on_node_changed(self) -> None:
        if self._is_own_change:
            return
        before = {number: placed.point for number, placed in self._known.items()}
        self._read_points()
        after = {number: placed.point for number, placed in self._known.items()}
        kinds = [kind for kind in (ROI, LINE) if kind not in self._dragged]
        shapes_changed = [self._shapes[kind].read() for kind in kinds]
        has_lost = any(points.has_lost for points in self._lists.values())
        if after != before or any(shapes_changed) or has_lost:
            self._changed()

    def _read_points(self) -> None:
        with self._own_change(), ExitStack() as stack:
            for points in self._lists.values():
                # Numbers and labels are one change of a list.
                stack.enter_context(slicer.util.NodeModify(points.node))
            in_use: set[int] = set()
            found = [
                self._as_known(key, placed)
                for key, points in self._lists.items()
                for placed in points.placed(in_use, lambda: next(self._numbers))
            ]
            there = {placed.number: placed for placed in found if placed.point is not None}
            new = sorted(there.keys() - set(self._order))
            self._order = [number for number in self._order if number in there] + new
            self._known = {number: there[number] for number in self._order}
            for turn, placed in enumerate(self._known.values(), start=1):
                self._list_of(placed).label(placed.index, str(turn))

    def _as_known(self, key: bool | str, placed: PlacedPoint) -> PlacedPoint:
        """A point that is dragged, or has lost its position, counts as being where it was."""
        moving = key in self._dragged or placed.point is None
        if moving and placed.number in self._known:
            return replace(placed, point=self._known[placed.number].point)
        return placed

    def _on_node_removed(self) -> None:
        if self._is_own_change:
            return
        for key, points in list(self._lists.items()):
            if not points.hidden.is_in_scene:
                self._forget_node(key, points.node)
                del self._lists[key]
                self._clean_up(points.hidden)
        own_roi = self._own_roi
        if own_roi is not None and not own_roi.is_in_scene:
            self._own_roi = None
            self._clean_up(own_roi)
        gone = [
            kind
            for kind, shape in self._shapes.items()
            if shape.node is not None and shape.node.GetScene() is None
        ]
        for kind in gone:
            self._forget_node(kind, self._shapes[kind].node)
            self._shapes[kind].follow(None)
        self._on_node_changed()
        if gone:
            self._changed()

    def _on_scene_closing(self) -> None:
        self._observers.release()
        self._forget()

    def _follow(self, kind: str, node) -> None:
        shape = self._shapes[kind]
        old = shape.node
        shape.follow(node)
        if old is not None:
            self._forget_node(kind, old)
        if node is not None:
            self._observe(kind, node)

    def _forget_node(self, key: bool | str, node) -> None:
        self._observers.remove(node)
        self._dragged.discard(key)

    def _forget(self) -> None:
        self._lists: dict[bool, PointList] = {}
        self._order: list[int] = []
        self._known: dict[int, PlacedPoint] = {}
        self._shapes = {kind: Shape(kind) for kind in (ROI, LINE)}
        self._own_roi: HiddenNode | None = None
        self._dragged: set[bool | str] = set()

    def _list_of(self, placed: PlacedPoint) -> PointList:
        return self._lists[placed.point.positive]

    def _own_nodes(self) -> list[HiddenNode]:
        lists = [points.hidden for points in self._lists.values()]
        return lists if self._own_roi is None else [*lists, self._own_roi]

    def _clean_up(self, hidden: HiddenNode) -> None:
        with self._own_change():
            hidden.remove()

    @contextmanager
    def _own_change(self) -> Iterator[None]:
        before, self._is_own_change = self._is_own_change, True
        try:
            yield
        finally:
            self._is_own_change = before


def _common(first, second) -> int:
    """How many items two sequences have in common at their beginning."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(first), len(second)))
