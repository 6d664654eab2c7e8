"""What holds for this computer and user, not for a scene: kept in Slicer's settings."""

from __future__ import annotations

import qt
from slicer.i18n import tr as _

DEVICE = "SAMSegment/Device"
DEVICES = ("auto", "cuda", "mps", "cpu")


def device() -> str:
    """Where models run: one of DEVICES."""
    value = qt.QSettings().value(DEVICE, DEVICES[0])
    return value if value in DEVICES else DEVICES[0]


def set_device(name: str) -> None:
    qt.QSettings().setValue(DEVICE, name)


def device_names() -> dict[str, str]:
    """What users call DEVICES."""
    return {
        "auto": _("automatic"),
        "cuda": _("graphics card (CUDA)"),
        "mps": _("graphics card (Apple)"),
        "cpu": _("processor"),
    }
