"""The list of devices to choose from; the effect's panel and the module's have one each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import qt
from slicer.i18n import tr as _

from ...worker.protocol.events import DeviceInfo
from . import device_settings
from .connections import Connections

GIB = 1 << 30
AUTOMATIC = "auto"
# Where Qt's combo boxes keep the flags of an item; 0: it can be seen, but not chosen.
FLAGS_ROLE = qt.Qt.UserRole - 1
# Names of cards are long: the list shows them whole, the box as far as there is room.
SHORTEST = 12


@dataclass(frozen=True)
class _Item:
    name: str
    text: str
    tip: str = ""
    can_be_chosen: bool = True


class DeviceSelector:
    """Shows the devices of this computer in a combo box, and which one is chosen.

    Args:
        combo: a QComboBox.
        choose: called with the name of a device that the user chooses, or "auto".
    """

    def __init__(self, combo: qt.QComboBox, choose: Callable[[str], None]) -> None:
        self._combo = combo
        self._choose = choose
        self._connections = Connections()
        self._drawn: list[_Item] = []
        self._tip = combo.property("toolTip")
        combo.setSizeAdjustPolicy(qt.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(SHORTEST)
        self.refresh()
        self._connections.connect(combo.currentIndexChanged, self._on_index)
        device_settings.add_listener(self)

    def release(self) -> None:
        """Lets go of the widget."""
        device_settings.remove_listener(self)
        self._connections.disconnect()

    def refresh(self) -> None:
        """Draws what is known and chosen by now."""
        known = device_settings.known_devices()
        chosen = device_settings.device()
        items = _items(known.devices, known.automatic)
        names = [item.name for item in items]
        if chosen == "cuda" and chosen not in names and "cuda:0" in names:
            chosen = "cuda:0"
        if chosen not in names:
            items.append(_Item(chosen, device_settings.device_name(chosen)))
        combo = self._combo
        was_blocked = combo.blockSignals(True)
        if items != self._drawn:
            self._drawn = items
            self._fill()
        combo.setCurrentIndex(combo.findData(chosen))
        combo.blockSignals(was_blocked)
        lines = [escape(line) for line in (self._tip, known.notice) if line]
        combo.setToolTip("".join(f"<p>{line}</p>" for line in lines))

    def on_devices_changed(self) -> None:
        """See device_settings.Listener."""
        self.refresh()

    def _fill(self) -> None:
        combo = self._combo
        combo.clear()
        for index, item in enumerate(self._drawn):
            combo.addItem(item.text, item.name)
            combo.setItemData(index, item.tip, qt.Qt.ToolTipRole)
            if not item.can_be_chosen:
                combo.setItemData(index, 0, FLAGS_ROLE)
        combo.view().setMinimumWidth(combo.view().sizeHintForColumn(0))

    def _on_index(self, index: int) -> None:
        name = self._combo.itemData(index)
        if name:
            self._choose(name)


def _items(devices: tuple[DeviceInfo, ...], automatic: str) -> list[_Item]:
    if not devices:
        return [_Item(name, device_settings.device_name(name)) for name in device_settings.DEVICES]
    titles = [device.title for device in devices]
    items, text = [], device_settings.device_name(AUTOMATIC)
    for device in devices:
        title = device.title or device_settings.device_name(device.name)
        if device.name == automatic:
            # The box is narrow, and a processor is no surprise.
            text = _("automatic ({device})").format(device=device.title or "CPU")
        if titles.count(device.title) > 1:
            title = f"{title} ({device.name})"
        items.append(_Item(device.name, title, _tip(device), device.usable))
    return [_Item(AUTOMATIC, text), *items]


def _tip(device: DeviceInfo) -> str:
    if device.reason:
        return f"<p>{escape(device.reason)}</p>"
    if device.memory_bytes is None:
        return ""
    return _("{size:.0f} GB of memory").format(size=device.memory_bytes / GIB)
