"""Listening to nodes without keeping anybody alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable


class Observers:
    """What one object listens to, so that it can stop listening at any moment.

    The listener is held weakly: an object that nobody needs any more goes away, whatever it
    listens to. What VTK hands over (the caller may be a scene that is just dying) is not looked at.
    """

    def __init__(self) -> None:
        self._observations: list[tuple[object, int]] = []

    def __len__(self) -> int:
        return len(self._observations)

    def add(
        self, subject, events: Iterable[int], method: Callable[..., None], *arguments: str
    ) -> None:
        """Calls a bound method with these arguments at each of the events of a vtkObject."""
        weak_method = weakref.WeakMethod(method)

        def hear(*_: object) -> None:
            alive = weak_method()
            if alive is not None:
                alive(*arguments)

        self._observations += [(subject, subject.AddObserver(event, hear)) for event in events]

    def remove(self, subject) -> None:
        """Stops listening to one object."""
        for observed, tag in self._observations:
            if observed is subject:
                observed.RemoveObserver(tag)
        self._observations = [one for one in self._observations if one[0] is not subject]

    def release(self) -> None:
        """Stops listening to everything."""
        for subject, tag in self._observations:
            subject.RemoveObserver(tag)
        self._observations = []
