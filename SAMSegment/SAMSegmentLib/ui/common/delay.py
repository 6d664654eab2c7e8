"""Calling a function a little later, once, however often that is requested."""

from __future__ import annotations

from collections.abc import Callable

import qt


class Delay:
    """Calls a function once no more requests have come for some time.

    Args:
        milliseconds: 0 means: when Slicer has finished the current event.
    """

    def __init__(self, milliseconds: int, action: Callable[[], None]) -> None:
        self._action = action
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(milliseconds)
        self._timer.timeout.connect(action)

    @property
    def is_waiting(self) -> bool:
        """Whether the call is still to come."""
        return self._timer.isActive()

    def start(self) -> None:
        """Requests the call; the time begins anew."""
        self._timer.start()

    def stop(self) -> None:
        """Takes the request back."""
        self._timer.stop()

    def release(self) -> None:
        """Stops for good: a connected method keeps its object alive."""
        self._timer.stop()
        self._timer.timeout.disconnect(self._action)
