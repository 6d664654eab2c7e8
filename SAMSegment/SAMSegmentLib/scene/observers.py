"""Observing nodes without keeping the observing object alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import vtk


class Observers:
    """All observations of one object, so that it can end them at any moment.

    The object is held weakly: it goes away when nobody needs it any more, whatever it observes.
    What VTK passes to observers (the caller may be a scene that is being deleted) is not used.
    """

    def __init__(self) -> None:
        self._observations: list[tuple[object, int]] = []

    def __len__(self) -> int:
        return len(self._observations)

    def add(
        self,
        subject: vtk.vtkObject,
        events: Iterable[int],
        method: Callable[..., None],
        *arguments: object,
    ) -> None:
        """Calls a bound method with these arguments at each of the events of a vtkObject."""
        weak_method = weakref.WeakMethod(method)

        def on_event(*_: object) -> None:
            living = weak_method()
            if living is not None:
                living(*arguments)

        self._observations += [(subject, subject.AddObserver(event, on_event)) for event in events]

    def remove(self, subject: vtk.vtkObject) -> None:
        """Ends all observations of one object."""
        for observed, tag in self._observations:
            if observed is subject:
                observed.RemoveObserver(tag)
        self._observations = [one for one in self._observations if one[0] is not subject]

    def release(self) -> None:
        """Ends all observations."""
        for subject, tag in self._observations:
            subject.RemoveObserver(tag)
        self._observations = []
