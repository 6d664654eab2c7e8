"""How much memory this computer has."""

from __future__ import annotations

import os
import sys


def total_bytes() -> int | None:
    """Its physical memory; None if that is not known."""
    if sys.platform == "win32":
        return _windows_memory()[0]
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def available_bytes() -> int | None:
    """What programs can still get without swapping; None if that is not known."""
    if sys.platform == "win32":
        return _windows_memory()[1]
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def share_of_memory(part: float, most: int) -> int:
    """`part` (0 to 1) of the computer's memory, but not more than `most` bytes."""
    total = total_bytes()
    return most if total is None else min(most, int(total * part))


def _windows_memory() -> tuple[int, int]:
    """Bytes in all, and bytes that are free."""
    import ctypes

    class Status(ctypes.Structure):
        # MEMORYSTATUSEX of the Windows API.
        _fields_ = (
            ("length", ctypes.c_uint32),
            ("load", ctypes.c_uint32),
            *((name, ctypes.c_uint64) for name in ("total", "available", "rest_1", "rest_2")),
            *((name, ctypes.c_uint64) for name in ("rest_3", "rest_4", "rest_5")),
        )

    status = Status(length=ctypes.sizeof(Status))
    ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status))
    return status.total, status.available
