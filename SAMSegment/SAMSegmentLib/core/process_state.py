"""State of the whole process that libraries in C and C++ depend on, put right for a while.

The locale of numbers, the working folder, and Ctrl+C.
"""

from __future__ import annotations

import locale
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

_locale_lock = threading.RLock()


@contextmanager
def decimal_point() -> Iterator[None]:
    """Makes C and C++ read and write 1.5 as "1.5", whatever the application's locale is.

    ITK's readers and writers of text headers use the C library's number formats. Every Qt
    application on Unix sets the user's locale, and with a German one 1.5 would be read as 1.
    Slicer sets it back (Base/QTCore/qSlicerCoreApplication.cxx), but other applications do not.

    The locale belongs to the process, so other threads see the decimal point, too, while the file
    is read or written; two of these blocks never overlap.
    """
    with _locale_lock:
        before = locale.setlocale(locale.LC_NUMERIC)
        locale.setlocale(locale.LC_NUMERIC, "C")
        try:
            yield
        finally:
            locale.setlocale(locale.LC_NUMERIC, before)


@contextmanager
def existing_working_folder() -> Iterator[None]:
    """Works in another folder for a while if the process's working folder was deleted.

    Intel's MKL ends a process that loads it in a folder that no longer exists.
    """
    try:
        os.getcwd()
    except OSError:
        with ExitStack() as after:
            # Works for a deleted folder, too; relative paths will then fail as they did before.
            with suppress(OSError):
                folder = os.open(os.curdir, os.O_RDONLY)
                after.callback(os.close, folder)
                after.callback(os.fchdir, folder)
            os.chdir(os.path.abspath(os.sep))
            yield
        return
    yield


@contextmanager
def delayed_interrupts() -> Iterator[None]:
    """Delays Ctrl+C until the end of the block.

    For imports of libraries in C++: a KeyboardInterrupt in the middle of PyTorch's import makes it
    end the process ("terminate called after throwing an instance of
    'pybind11::error_already_set'").
    """
    before = signal.getsignal(signal.SIGINT)
    # Python receives signals, and lets handlers be set, in its main thread only.
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    received = []
    signal.signal(signal.SIGINT, lambda *arguments: received.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if received:
            before(*received[0])
