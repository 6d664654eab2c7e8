"""The block below the effect's model selector: gets the chosen model onto this computer."""

from __future__ import annotations

from ...weights.catalogue import ModelEntry
from .model_actions import ModelActions
from .model_store import ModelStore, RunningJob
from .model_texts import facts_line


class ModelOffer:
    """Says what a model that is not installed costs, and offers it; hidden when it is there.

    Args:
        ui: the effect's widgets.
    """

    def __init__(self, ui: object, store: ModelStore) -> None:
        self._ui, self._store = ui, store
        self._entry: ModelEntry | None = None
        self._actions = ModelActions(ui, "offer", store, lambda: self._entry)
        self.show(None)
        store.add(self)

    def release(self) -> None:
        """Lets go of everything."""
        self._store.drop(self)
        self._actions.release()

    def show(self, entry: ModelEntry | None) -> None:
        """Shows how it stands with this model from now on."""
        self._entry = entry
        self.on_models_changed(())

    def on_model_progress(self) -> None:
        """See model_store.Listener."""
        self._actions.show_progress(self._job())

    def on_models_changed(self, names: tuple[str, ...]) -> None:
        """See model_store.Listener."""
        ui, entry, job = self._ui, self._entry, self._job()
        self._actions.show_progress(job)
        state = None if entry is None or entry.embedded else self._store.state(entry)
        is_offered = state is not None and not state.is_usable
        ui.offerFrame.setVisible(is_offered or job is not None)
        if is_offered or job is not None:
            ui.offerLabel.setText(facts_line(entry))
            ui.offerButtons.setVisible(job is None and entry.is_installable)
            self._actions.show_state(entry, state, job)
            self._actions.show_download(entry, self._actions.download_text(entry, state))

    def _job(self) -> RunningJob | None:
        """A check of a file that is there does not concern who works with it."""
        job = None if self._entry is None else self._store.job_on(self._entry)
        return job if job is not None and job.is_install else None
