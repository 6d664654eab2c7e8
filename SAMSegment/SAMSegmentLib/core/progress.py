"""How long work tells how far it is, and learns that it should stop."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from .errors import Cancelled

if TYPE_CHECKING:
    from .prediction import Prediction

ProgressCallback = Callable[[int, int, str], None]
PreviewCallback = Callable[[Callable[[], "Prediction"]], None]


class CancelFlag(Protocol):
    """Anything with `is_set()`: threading.Event and multiprocessing.Event are."""

    def is_set(self) -> bool: ...


class Watch:
    """Carries progress, the wish to cancel, and looks at what is there so far, through the work.

    Args:
        progress: called as `progress(done, total, message)` from the thread that works.
        cancel: looked at before each step.
        preview: called as `preview(make)` when there is something to look at; `make()` gives it as
            a Prediction, and is only to be called if somebody looks: it takes a moment.
        facing: across the plane in which the user looks, a direction in the image's RAS: what lies
            in that plane is best shown first; None if it is not known.

    Attributes:
        facing: see above; it never changes the answer.
    """

    def __init__(
        self,
        progress: ProgressCallback | None = None,
        cancel: CancelFlag | None = None,
        preview: PreviewCallback | None = None,
        facing: tuple[float, float, float] | None = None,
    ) -> None:
        self.facing = facing
        self._progress = progress
        self._cancel = cancel
        self._preview = preview

    def step(self, done: int, total: int, message: str) -> None:
        """Reports that `done` of `total` steps are done.

        Raises:
            Cancelled: if the user asked to stop.
        """
        self.check()
        if self._progress is not None:
            self._progress(done, total, message)

    def check(self) -> None:
        """Raises Cancelled if the user asked to stop; for the insides of long steps."""
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("Cancelled. Nothing was changed.")

    def show(self, make: Callable[[], Prediction]) -> None:
        """Offers what is there so far for looking at."""
        if self._preview is not None:
            self._preview(make)
