"""The block below the effect's model selector: gets the chosen model onto this computer."""

from __future__ import annotations

from slicer.i18n import tr as _

from ...weights.catalogue import ModelEntry
from ..common.connections import Connections
from ..common.status import ERROR, HINT, WARNING, show_status
from .model_progress import ModelProgress
from .model_source import SourceButton
from .model_states import DAMAGED, ModelState
from .model_store import ModelStore
from .model_texts import breakable, download_text, facts_line, restriction_text


class ModelOffer:
    """Says what a model that is not installed costs, and offers it; hidden when it is there.

    Args:
        ui: the effect's widgets.
    """

    def __init__(self, ui: object, store: ModelStore) -> None:
        self._ui, self._store = ui, store
        self._entry: ModelEntry | None = None
        self._connections = Connections()
        self._source = SourceButton(ui.offerFileButton, lambda: self._entry, self._install)
        self._progress = ModelProgress(
            ui.offerProgressBox,
            ui.offerProgressBar,
            ui.offerProgressLabel,
            ui.offerCancelButton,
            store,
        )
        self._connections.connect(ui.offerDownloadButton.clicked, self._download)
        self.show(None)
        store.add(self)

    def release(self) -> None:
        """Lets go of everything."""
        self._store.drop(self)
        self._source.release()
        self._progress.release()
        self._connections.disconnect()

    @property
    def is_needed(self) -> bool:
        """Whether the model that is shown cannot be used as it is."""
        return self._entry is not None and not self._store.state(self._entry).is_usable

    def show(self, entry: ModelEntry | None) -> None:
        """Shows how it stands with this model from now on."""
        self._entry = entry
        self.on_models_changed(())

    def on_model_progress(self) -> None:
        """See model_store.Listener."""
        self._progress.show(self._work())

    def on_models_changed(self, names: tuple[str, ...]) -> None:
        """See model_store.Listener."""
        ui, entry, work = self._ui, self._entry, self._work()
        self._progress.show(work)
        state = None if entry is None or entry.embedded else self._store.state(entry)
        is_offered = state is not None and not state.is_usable
        ui.offerFrame.setVisible(is_offered or work is not None)
        if is_offered or work is not None:
            self._show_facts(entry)
            self._show_message(entry, state)
            self._show_buttons(entry, state, work is None)

    def _work(self):
        """A check of a file that is there does not concern who works with it."""
        work = None if self._entry is None else self._store.work_on(self._entry)
        return work if work is not None and work.is_install else None

    def _show_facts(self, entry: ModelEntry) -> None:
        ui = self._ui
        ui.offerLabel.setText(facts_line(entry))
        ui.offerRestriction.setVisible(bool(entry.restriction))
        show_status(ui.offerRestriction, restriction_text(entry), WARNING)

    def _show_message(self, entry: ModelEntry, state: ModelState) -> None:
        message, work = self._store.message(entry), self._store.under_way
        text, kind = state.reason or _damage(state), ERROR
        if work is not None:
            text = ""
            if self._work() is None:
                text, kind = _("Wait until {model} is done.").format(model=work.entry.title), HINT
        elif message is not None:
            text, kind = message.text, message.kind
        show_status(self._ui.offerMessage, breakable(text), kind)
        self._ui.offerMessage.setVisible(bool(text))

    def _show_buttons(self, entry: ModelEntry, state: ModelState, are_shown: bool) -> None:
        ui, message = self._ui, self._store.message(entry)
        has_failed = message is not None and message.kind == ERROR
        ui.offerDownloadButton.setText(download_text(entry, state, has_failed))
        ui.offerDownloadButton.setVisible(bool(entry.downloads))
        ui.offerButtons.setVisible(are_shown)
        is_free = self._store.under_way is None
        ui.offerDownloadButton.setEnabled(is_free)
        ui.offerFileButton.setEnabled(is_free)

    def _download(self, checked=False) -> None:
        if self._entry is not None:
            self._store.install(self._entry.name)

    def _install(self, path: str) -> None:
        if self._entry is not None:
            self._store.install(self._entry.name, path)


def _damage(state: ModelState) -> str:
    return _("Its file is damaged, or another model's.") if state.kind == DAMAGED else ""
