"""Numbers with a decimal point, whatever the application's locale."""

from __future__ import annotations

import locale
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_lock = threading.RLock()


@contextmanager
def decimal_point() -> Iterator[None]:
    """While it lasts, C and C++ read and write 1.5 as "1.5".

    ITK's readers and writers of text headers take the C library's numbers. Every Qt application on
    Unix sets the user's locale, and with a German one 1.5 is then read as 1. Slicer sets it back
    (Base/QTCore/qSlicerCoreApplication.cxx), but other applications do not.

    The locale belongs to the process: other threads see the decimal point as well, for as long as
    the file takes; two of these blocks never overlap.
    """
    with _lock:
        before = locale.setlocale(locale.LC_NUMERIC)
        locale.setlocale(locale.LC_NUMERIC, "C")
        try:
            yield
        finally:
            locale.setlocale(locale.LC_NUMERIC, before)
