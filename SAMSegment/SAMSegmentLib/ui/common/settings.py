"""What holds for this computer and user, not for a scene: kept in Slicer's settings."""

from __future__ import annotations

import json
import re

import qt
from slicer.i18n import tr as _

from ...worker.protocol.events import DeviceInfo

DEVICE = "SAMSegment/Device"
KNOWN_DEVICES = "SAMSegment/KnownDevices"
#: What there may be, while the worker has not told what there is.
DEVICES = ("auto", "cuda", "mps", "cpu")
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")


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


def known_devices() -> tuple[tuple[DeviceInfo, ...], str]:
    """The devices that this computer had when the worker told last, and what "auto" was then.

    Whether they can be used is not kept: that may have changed.
    """
    try:
        kept = json.loads(qt.QSettings().value(KNOWN_DEVICES, ""))
        found = tuple(DeviceInfo(*_checked(*fields)) for fields in kept["devices"])
        return found, str(kept["automatic"])
    except (ValueError, TypeError, KeyError):  # nothing yet, or written by another version
        return (), ""


def keep_devices(devices: tuple[DeviceInfo, ...], automatic: str) -> str:
    """Keeps them for `known_devices`; the text that stands for them in the settings."""
    fields = [(one.name, one.title, one.memory_bytes) for one in devices]
    text = json.dumps({"devices": fields, "automatic": automatic})
    if qt.QSettings().value(KNOWN_DEVICES, "") != text:
        qt.QSettings().setValue(KNOWN_DEVICES, text)
    return text


def _checked(name: object, title: object, memory: object) -> tuple[str, str, int | None]:
    if not isinstance(name, str) or not _DEVICE.fullmatch(name) or not isinstance(title, str):
        raise ValueError("no device")
    return name, title, memory if isinstance(memory, int) else None
