"""The devices: which one the user has chosen, and which ones this computer has.

They hold for this computer and user, not for a scene, and are kept in Slicer's settings.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Protocol

import qt
from slicer.i18n import tr as _

from ...worker.protocol.events import DeviceInfo, WorkerInfo

DEVICE = "SAMSegment/Device"
KNOWN_DEVICES = "SAMSegment/KnownDevices"
#: What there may be, until the worker has reported what there is.
DEVICES = ("auto", "cuda", "mps", "cpu")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")


@dataclass(frozen=True)
class KnownDevices:
    """See `events.WorkerInfo` for the attributes; no devices: the worker never reported any."""

    devices: tuple[DeviceInfo, ...] = ()
    automatic: str = ""
    notice: str = ""


class Listener(Protocol):
    """Shows devices."""

    def on_devices_changed(self) -> None:
        """The worker has reported them."""


# What was reported last, and what was written into the settings then: if these hold something else
# now, they belong to another user's profile.
_reported: tuple[str, KnownDevices] | None = None
_listeners: list[Listener] = []


def device() -> str:
    """Where models run: "auto", or a device's name; "cuda" is the first card."""
    value = qt.QSettings().value(DEVICE, DEVICES[0])
    return value if isinstance(value, str) and _DEVICE.fullmatch(value) else DEVICES[0]


def set_device(name: str) -> None:
    qt.QSettings().setValue(DEVICE, name)


def device_name(name: str) -> str:
    """What users call a device of which nothing but the name is known."""
    texts = {
        "auto": _("automatic"),
        "cuda": _("graphics card (CUDA)"),
        "mps": _("graphics card (Apple)"),
        "cpu": _("processor"),
    }
    kind, _colon, number = name.partition(":")
    if kind == "cuda" and number not in ("", "0"):
        return _("graphics card {number} (CUDA)").format(number=int(number) + 1)
    return texts.get(kind, name)


def known_devices() -> KnownDevices:
    """What the worker reported in this Slicer, else in an earlier one.

    Of an earlier one, whether devices can be used is left out: that may have changed.
    """
    text = qt.QSettings().value(KNOWN_DEVICES, "")
    if _reported is not None and text == _reported[0]:
        return _reported[1]
    try:
        saved = json.loads(text)
        found = tuple(DeviceInfo(*_checked(*fields)) for fields in saved["devices"])
        return KnownDevices(found, str(saved["automatic"]))
    except (ValueError, TypeError, KeyError):  # nothing yet, or written by another version
        return KnownDevices()


def set_known_devices(info: WorkerInfo) -> None:
    """The worker reports what it found, and on what it computes."""
    global _reported
    if not info.devices:
        return
    fields = [(one.name, one.title, one.memory_bytes) for one in info.devices]
    text = json.dumps({"devices": fields, "automatic": info.automatic})
    if qt.QSettings().value(KNOWN_DEVICES, "") != text:
        qt.QSettings().setValue(KNOWN_DEVICES, text)
    _reported = text, KnownDevices(info.devices, info.automatic, info.notice)
    for listener in list(_listeners):
        listener.on_devices_changed()


def add_listener(listener: Listener) -> None:
    """From now on, it is notified of changes of the known devices."""
    _listeners.append(listener)


def remove_listener(listener: Listener) -> None:
    """It is not notified any more; nor is it kept alive."""
    if listener in _listeners:
        _listeners.remove(listener)


def _checked(name: object, title: object, memory: object) -> tuple[str, str, int | None]:
    if not isinstance(name, str) or not _DEVICE.fullmatch(name) or not isinstance(title, str):
        raise ValueError("no device")
    return name, title, memory if isinstance(memory, int) else None
