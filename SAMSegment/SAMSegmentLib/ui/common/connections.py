"""Connections of Qt signals that end together: a connected method keeps its object alive."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress


class Connections:
    """Remembers what was connected, so that all of it can be disconnected."""

    def __init__(self) -> None:
        self._made: list[tuple[object, Callable]] = []

    def connect(self, signal: object, slot: Callable) -> None:
        signal.connect(slot)
        self._made.append((signal, slot))

    def disconnect(self) -> None:
        """Ends all connections; those of deleted widgets have ended already."""
        for signal, slot in reversed(self._made):
            with suppress(RuntimeError, ValueError, AttributeError):
                signal.disconnect(slot)
        self._made.clear()
