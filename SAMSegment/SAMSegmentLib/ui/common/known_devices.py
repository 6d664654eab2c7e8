"""The devices of this computer, as the worker told last; who shows them learns of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import qt

from ...worker.protocol.events import DeviceInfo, WorkerInfo
from . import settings


@dataclass(frozen=True)
class KnownDevices:
    """See `events.WorkerInfo` for the attributes; without devices, the worker never told."""

    devices: tuple[DeviceInfo, ...] = ()
    automatic: str = ""
    notice: str = ""


class Listener(Protocol):
    """Who shows devices."""

    def on_devices_changed(self) -> None:
        """The worker has told of them."""


# What was told, and what was written into the settings then: others, or none, belong to another
# user's profile.
_told: tuple[str, KnownDevices] | None = None
_listeners: list[Listener] = []


def known_devices() -> KnownDevices:
    """What the worker told in this Slicer, else what it told in an earlier one."""
    if _told is not None and qt.QSettings().value(settings.KNOWN_DEVICES, "") == _told[0]:
        return _told[1]
    return KnownDevices(*settings.known_devices())


def tell_devices(info: WorkerInfo) -> None:
    """The worker tells what it found, and on what it computes."""
    global _told
    if not info.devices:
        return
    text = settings.keep_devices(info.devices, info.automatic)
    _told = text, KnownDevices(info.devices, info.automatic, info.notice)
    for listener in list(_listeners):
        listener.on_devices_changed()


def add(listener: Listener) -> None:
    """From now on, it learns of changes."""
    _listeners.append(listener)


def drop(listener: Listener) -> None:
    """It does not any more; nor is it kept."""
    if listener in _listeners:
        _listeners.remove(listener)
