"""How long work tells how far it is, and learns that it should stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .errors import Cancelled

ProgressCallback = Callable[[int, int, str], None]


class CancelFlag(Protocol):
    """Anything with `is_set()`: threading.Event and multiprocessing.Event are."""

    def is_set(self) -> bool: ...


class Watch:
    """Carries a progress callback and a cancel flag through the work.

    Args:
        progress: called as `progress(done, total, message)` from the thread that works.
        cancel: looked at before each step.
    """

    def __init__(
        self, progress: ProgressCallback | None = None, cancel: CancelFlag | None = None
    ) -> None:
        self._progress = progress
        self._cancel = cancel

    def step(self, done: int, total: int, message: str) -> None:
        """Reports that `done` of `total` steps are done.

        Raises:
            Cancelled: if the user asked to stop.
        """
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("Cancelled. Nothing was changed.")
        if self._progress is not None:
            self._progress(done, total, message)
