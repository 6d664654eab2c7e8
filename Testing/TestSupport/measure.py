"""What a run costs."""

from __future__ import annotations

import os
import sys


def peak_memory_mb() -> float:
    """The most memory that this process held so far, in MB (resident)."""
    if sys.platform == "win32":
        return _windows_peak() / 1e6
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts KiB, macOS bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def memory_of(process: int | str, field: str) -> float:
    """A field of another process's status (VmRSS: now, VmHWM: at most), MB; NaN if not on Linux.

    Args:
        process: its id, or "self".
    """
    try:
        with open(f"/proc/{process}/status", encoding="ascii") as status:
            line = next(line for line in status if line.startswith(field))
    except (OSError, StopIteration):
        return float("nan")
    return int(line.split()[1]) * 1024 / 1e6


def cpu_seconds_of(process: int) -> float:
    """What another process has computed so far, on all cores; NaN if not on Linux."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as status:
            # Its name, in parentheses, may hold spaces.
            fields = status.read().rpartition(")")[2].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _windows_peak() -> int:
    import ctypes
    from ctypes import wintypes

    class Counters(ctypes.Structure):
        _fields_ = (
            ("cb", wintypes.DWORD),
            ("PageFaultCount", wintypes.DWORD),
            *[
                (name, ctypes.c_size_t)
                for name in (
                    "PeakWorkingSetSize",
                    "WorkingSetSize",
                    "QuotaPeakPagedPoolUsage",
                    "QuotaPagedPoolUsage",
                    "QuotaPeakNonPagedPoolUsage",
                    "QuotaNonPagedPoolUsage",
                    "PagefileUsage",
                    "PeakPagefileUsage",
                )
            ],
        )

    counters = Counters()
    counters.cb = ctypes.sizeof(counters)
    kernel = ctypes.windll.kernel32
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    kernel.K32GetProcessMemoryInfo(
        wintypes.HANDLE(kernel.GetCurrentProcess()), ctypes.byref(counters), counters.cb
    )
    return counters.PeakWorkingSetSize
