"""Long work on the main thread, a few milliseconds at a time, so that the window never stops."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator

import qt

# Half a frame at 60 Hz: the rest is for Slicer's own drawing.
BUDGET_S = 0.006

Done = Callable[[object], None]


class Steps:
    """Runs generators piece by piece from a timer. Work of one name replaces older work of it.

    Args:
        fail: called with the exception that a piece of work raised.
    """

    def __init__(self, fail: Callable[[Exception], None]) -> None:
        self._fail = fail
        self._work: dict[str, tuple[Generator, Done | None]] = {}
        self._inside = False
        self._timer = qt.QTimer()
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._on_timeout)

    def run(self, name: str, work: Generator, done: Done | None = None) -> None:
        """Begins to run a generator; `done` gets what it returns.

        The first pieces run at once: most work ends within them.
        """
        self.stop(name)
        self._work[name] = (work, done)
        self._on_timeout()

    def is_running(self, name: str) -> bool:
        return name in self._work

    def stop(self, name: str | None = None) -> None:
        """Gives up the work of that name, or all."""
        for known in [name] if name is not None else list(self._work):
            generator, _ = self._work.pop(known, (None, None))
            if generator is not None and not generator.gi_running:
                generator.close()
        if not self._work:
            self._timer.stop()

    def release(self) -> None:
        """Gives everything up, for good."""
        self.stop()
        self._timer.timeout.disconnect(self._on_timeout)

    def _on_timeout(self) -> None:
        if self._inside:  # a piece of work began other work: that has its turn after it
            return
        self._inside = True
        try:
            end = time.perf_counter() + BUDGET_S
            while self._work and time.perf_counter() < end:
                self._advance(next(iter(self._work)))
        finally:
            self._inside = False
        if self._work:
            self._timer.start()
        else:
            self._timer.stop()

    def _advance(self, name: str) -> None:
        generator, done = self._work[name]
        try:
            next(generator)
        except StopIteration as end:
            self._forget(name, generator)
            if done is not None:
                self._guarded(done, end.value)
        except Exception as error:
            self._forget(name, generator)
            self._fail(error)

    def _forget(self, name: str, generator: Generator) -> None:
        # A step may have replaced its own work by other work.
        if self._work.get(name, (None,))[0] is generator:
            del self._work[name]

    def _guarded(self, done: Done, value: object) -> None:
        try:
            done(value)
        except Exception as error:
            self._fail(error)
