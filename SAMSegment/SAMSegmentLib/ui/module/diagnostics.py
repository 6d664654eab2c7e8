"""A text about the computer for bug reports, with nothing of the patient in it.

No node, file, image or prompt is read; see also `error_report`.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import qt
import slicer

from ... import __version__
from ...core.errors import SAMSegmentError
from ...weights.catalogue import catalogue
from ...worker.protocol import memory
from ..common import device_settings
from .error_report import without_patient_data
from .packages import version_of

if TYPE_CHECKING:
    from ...worker.client.process_client import WorkerClient

GIB = 1 << 30
PACKAGES = ("torch", "safetensors", "numpy", "scipy", "SimpleITK", "vtk")
NOT_INSTALLED = "not installed"


def diagnostics(client: WorkerClient | None = None, last_error: str | None = None) -> str:
    """The text; in English, because developers read it.

    Args:
        client: the worker's client, or None while there is none.
    """
    lines = ["SAM Segment diagnostics"]
    lines += [f"{name}: {value}" for name, value in _facts(client)]
    error = getattr(client, "last_error", None)
    lines.append("Last error: " + (without_patient_data(error) if error else "none"))
    return _without_home("\n".join(lines))


def _facts(client) -> Iterator[tuple[str, str]]:
    yield "SAM Segment", __version__
    app = slicer.app
    yield "Slicer", f"{app.applicationVersion} (revision {app.revision})"
    yield "Python", platform.python_version()
    yield "Qt", _qt_version()
    for package in PACKAGES:
        version = version_of(package)
        yield package, NOT_INSTALLED if version is None else version or "installed"
    yield "System", platform.platform()
    yield "Processor", f"{cpu_name()}, {os.cpu_count()} logical cores"
    yield "Memory", f"{_gib(memory.total_bytes())}, free {_gib(memory.available_bytes())}"
    yield "Device setting", device_settings.device()
    yield "Devices", _devices(client)
    yield "Worker", _worker(client)
    for entry in catalogue().values():
        yield f"Model {entry.name}", f"{_weights(entry)}, SHA-256 {entry.sha256}"


def _worker(client) -> str:
    if client is None:
        return "not started"
    info = client.info
    if info is None:
        return client.state.value
    device = f"{info.device} ({info.device_name})" if info.device_name else info.device
    return (
        f"{client.state.value}, device {device}, torch {info.torch}, Python {info.python},"
        f" {info.threads} threads, cache {_gib(info.cache_bytes)}"
        + (f"; {info.notice}" if info.notice else "")
    )


def _devices(client) -> str:
    """What the worker found; a device that it did not try counts as usable."""
    info = None if client is None else client.info
    if info is None or not info.devices:
        return "not told yet"
    return "; ".join(_device(one, one.name == info.automatic) for one in info.devices)


def _device(device, is_automatic: bool) -> str:
    parts = [f"{device.name} {device.title}".strip(), _gib(device.memory_bytes)]
    parts += ["automatic"] * is_automatic
    if not device.usable:
        parts.append(f"not usable ({device.reason})")
    return ", ".join(parts)


def _weights(entry) -> str:
    if not entry.embedded:  # large: reading them would keep Slicer waiting
        return "installed, not verified" if entry.is_installed else NOT_INSTALLED
    try:
        for model in entry.models:
            model.verified_path()
    except (SAMSegmentError, OSError):
        return "damaged" if entry.is_installed else "missing"
    return "right"


def cpu_name() -> str:
    """The processor's name, if the system knows it."""
    try:
        if sys.platform.startswith("linux"):
            text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
            found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
            if found:
                return found[1].strip()
        elif sys.platform == "darwin":
            command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            result = subprocess.run(command, capture_output=True, text=True, timeout=2)
            if result.stdout.strip():
                return result.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass
    return platform.processor() or platform.machine() or "unknown"


def _qt_version() -> str:
    for owner in (qt, qt.Qt):
        version = getattr(owner, "qVersion", None)
        if version is not None:
            return str(version())
    return "unknown"


def _gib(count: int | None) -> str:
    return "unknown" if count is None else f"{count / GIB:.1f} GiB"


def _without_home(text: str) -> str:
    """The user's name may be in the path of the home folder."""
    home = str(Path.home())
    for form in {home, home.replace("\\", "/")}:
        if len(form) > 1:
            text = re.sub(re.escape(form), "~", text, flags=re.IGNORECASE)
    return text
