"""How long computations report their progress, and notice that they were cancelled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from .errors import Cancelled

if TYPE_CHECKING:
    from .answer import Answer

ProgressCallback = Callable[[int, int, str], None]
PreviewCallback = Callable[[Callable[[], "Answer"]], None]


class CancelFlag(Protocol):
    """Anything with `is_set()`, such as threading.Event and multiprocessing.Event."""

    def is_set(self) -> bool: ...


class Watch:
    """Passes progress, cancellation and previews through a computation.

    Args:
        progress: called as `progress(done, total, message)` from the computing thread.
        cancel: checked before each step.
        preview: called as `preview(make)` when there is an intermediate result; `make()` computes
            it as a Answer, which takes a moment, so it should be called only if it is shown.
        facing: normal of the slice that the user is viewing, a direction in the image's RAS; a
            preview should begin with that slice. None if unknown.

    Attributes:
        facing: see above; it never changes the result.
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
        """Raises Cancelled if the user asked to stop; for use within long steps."""
        if self._cancel is not None and self._cancel.is_set():
            raise Cancelled("Cancelled. Nothing was changed.")

    def showing(self, change: Callable[[Answer], Answer]) -> Watch:
        """This watch, but its previews are shown as `change` makes them."""
        preview = self._preview
        if preview is None:
            return self
        return Watch(
            self._progress, self._cancel, lambda make: preview(lambda: change(make())), self.facing
        )

    def show(self, make: Callable[[], Answer]) -> None:
        """Offers an intermediate result for a preview."""
        if self._preview is not None:
            self._preview(make)
