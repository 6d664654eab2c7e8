"""Ctrl+C where it must wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interrupted_afterwards() -> Iterator[None]:
    """Puts Ctrl+C off until the end of what is done within.

    For imports of libraries in C++: a KeyboardInterrupt in the midst of PyTorch's makes it end the
    process ("terminate called after throwing an instance of 'pybind11::error_already_set'").
    """
    before = signal.getsignal(signal.SIGINT)
    # Python hears signals in its main thread only, and only there may say what they do.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    heard = []
    signal.signal(signal.SIGINT, lambda *arguments: heard.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if heard:
            before(*heard[0])
