"""How far work on a model's weights is: a bar, a line, and the button that ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..common.connections import Connections
from .model_store import ModelStore, UnderWay
from .model_texts import transfer_text

if TYPE_CHECKING:
    import qt

STEPS = 1000


class ModelProgress:
    """Draws work that is under way; hidden without any.

    Args:
        box: the widget around the three others.
        bar, label, button: a QProgressBar, a QLabel, a QPushButton.
    """

    def __init__(
        self,
        box: qt.QWidget,
        bar: qt.QProgressBar,
        label: qt.QLabel,
        button: qt.QAbstractButton,
        store: ModelStore,
    ) -> None:
        self._box, self._bar, self._label, self._button = box, bar, label, button
        self._store = store
        self._connections = Connections()
        self._connections.connect(button.clicked, self._cancel)
        bar.setTextVisible(False)
        self.show(None)

    def release(self) -> None:
        """Lets go of the widgets."""
        self._connections.disconnect()

    def show(self, work: UnderWay | None) -> None:
        """Draws it as it stands."""
        self._box.setVisible(work is not None)
        if work is None:
            return
        look = work.look
        self._bar.setMaximum(STEPS if look.total > 0 else 0)
        if look.total > 0:
            # Bytes may be more than the bar can count.
            self._bar.setValue(min(int(STEPS * look.done / look.total), STEPS))
        self._label.setText(transfer_text(look))

    def _cancel(self, checked=False) -> None:
        self._store.cancel()
