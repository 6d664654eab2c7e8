"""Slicer's own Segment Editor effects, as far as the editor widget notices them: no tools.

What they share is that none answers `interactionNodeModified`: the base class leaves the effect
when the mouse begins to place something.
"""

from __future__ import annotations

from dataclasses import dataclass

import slicer

from . import effects
from .python_methods import PythonMethods
from .pythonqt import qt

PULSE_MS = 200


@dataclass(frozen=True)
class Kind:
    """One effect.

    Attributes:
        per_segment: whether it needs a selected segment.
        cursor_in_threed_view: whether its cursor is shown in 3D views, too.
        plain_cursor: whether it shows the main window's cursor (`createCursor`).
        pulses: whether a timer runs while it is active.
    """

    name: str
    per_segment: bool = True
    cursor_in_threed_view: bool = False
    plain_cursor: bool = False
    pulses: bool = False


KINDS = (
    Kind("Threshold", pulses=True),
    Kind("Paint", cursor_in_threed_view=True),
    Kind("Draw"),
    Kind("Erase", cursor_in_threed_view=True),
    Kind("Level tracing"),
    Kind("Grow from seeds", per_segment=False),
    Kind("Fill between slices", per_segment=False),
    Kind("Margin", plain_cursor=True),
    Kind("Hollow", plain_cursor=True),
    Kind("Smoothing"),
    Kind("Scissors", cursor_in_threed_view=True),
    Kind("Islands"),
    Kind("Logical operators", plain_cursor=True),
    Kind("Mask volume", plain_cursor=True),
)
NAMES = tuple(kind.name for kind in KINDS)


def register() -> None:
    """Registers them with the factory, as Slicer's module Segmentations does when it is set up."""
    for kind in KINDS:
        slicer.qSlicerSegmentEditorEffectFactory.instance().registerEffect(_new(kind))


def _new(kind: Kind):
    effect = effects.qSlicerSegmentEditorScriptedEffect(None)
    effect.name = effect.title = kind.name
    effect.perSegment = kind.per_segment
    effect.showEffectCursorInThreeDView = kind.cursor_in_threed_view
    callbacks = _Callbacks(kind)
    if kind.plain_cursor:
        callbacks.createCursor = lambda viewWidget: slicer.util.mainWindow().cursor
    effect._core.python = PythonMethods(callbacks)
    return effect


class _Callbacks:
    """What Slicer calls of an effect."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._pulse = qt.QTimer()
        self._pulse.setInterval(PULSE_MS)

    def clone(self):
        return _new(self._kind)

    def helpText(self) -> str:
        return self._kind.name

    def activate(self) -> None:
        if self._kind.pulses:
            self._pulse.start()

    def deactivate(self) -> None:
        self._pulse.stop()
