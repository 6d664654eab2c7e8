"""What users meet when they get models: states of the effect and of the module's panel."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from SAMSegmentLib.core.errors import InstallError, WeightsError
from SAMSegmentLib.weights.catalogue import ModelEntry, catalogue, model_entry
from SAMSegmentLib.weights.folder import VARIABLE
from SAMSegmentLib.weights.progress import Transfer
from SAMSegmentLib.worker.client.model_jobs import JobFailed
from SAMSegmentLib.worker.protocol.model_messages import ModelDone
from TestSupport.fake_model_job import FakeModelJobs

#: The model that is chosen in most states, and one whose licence has a limit.
USUAL, LIMITED = "sam-med3d-turbo", "sam-med3d-cvpr-coreset"
LIMIT = {
    "weights_licence": "CC-BY-NC-4.0",
    "restriction": "non-commercial use only",
    "size": 416_000_000,
}
PART = 120_000_000
LOOK = Transfer("Downloading from huggingface.co", PART, 402_000_000, 8.1e6, 35)
REFUSED = (
    "The weights could not be downloaded. huggingface.co: the connection was refused. "
    "hf-mirror.com: the name is not known. Check the network and the proxy settings, or install "
    "from a file. What was downloaded is kept."
)
DAMAGED = "The weights are damaged or another model's: their SHA-256 is not the catalogue's."


class Shelf:
    """The models of a made-up computer.

    Attributes:
        store: the ModelStore of panels and effects that are made while the shelf is used.
    """

    def __init__(self, application) -> None:
        from SAMSegmentLib.ui.models.model_store import ModelStore

        self._application, self._jobs = application, FakeModelJobs()
        self.store = ModelStore(lambda: None, self._jobs)

    def missing(self) -> str:
        """Nothing was downloaded. All states return the name of the model to look at."""
        return USUAL

    def downloading(self) -> str:
        """A download is under way."""
        self.store.install(USUAL)
        self._jobs.play(self._application, LOOK)
        return USUAL

    def failed(self) -> str:
        """A download has failed."""
        self.store.install(USUAL)
        self._jobs.play(self._application, JobFailed(InstallError(REFUSED)))
        return USUAL

    def partly(self) -> str:
        """A download was cancelled."""
        self.store.install(USUAL)
        _fill(model_entry(USUAL).files.partial, PART)
        self.store.cancel()
        return USUAL

    def damaged(self) -> str:
        """The file is there, but was found to be wrong."""
        self.installed()
        self.store.verify(USUAL)
        self._jobs.play(self._application, JobFailed(WeightsError(DAMAGED)))
        return USUAL

    def limited(self) -> str:
        """The licence of the weights has a limit."""
        return LIMITED

    def waiting(self) -> str:
        """Another model is being downloaded."""
        self.downloading()
        return LIMITED

    def installed(self) -> str:
        """All is well."""
        entry = model_entry(USUAL)
        _fill(entry.path, entry.size)
        self.store.verify(USUAL)
        self._jobs.play(self._application, ModelDone(str(entry.path)))
        return USUAL


#: Names of Shelf's methods; in the effect, an installed model needs no place.
IN_EFFECT = ("missing", "downloading", "failed", "partly", "damaged", "limited", "waiting")
IN_PANEL = (*IN_EFFECT, "installed")


@contextmanager
def shelf(application, folder: Path):
    """A Shelf whose files lie in a folder of its own, and whose store is Slicer's meanwhile."""
    from SAMSegmentLib.ui.models import model_store

    before = os.environ.get(VARIABLE), model_store._shared, model_entry(LIMITED)
    os.environ[VARIABLE] = str(folder)
    catalogue()[LIMITED] = _limited(before[2])
    made = Shelf(application)
    model_store._shared = made.store
    try:
        yield made
    finally:
        made.store.close()
        # Where files cannot be sparse, they are as large as they look.
        shutil.rmtree(folder, ignore_errors=True)
        model_store._shared, catalogue()[LIMITED] = before[1:]
        os.environ.pop(VARIABLE)
        if before[0] is not None:
            os.environ[VARIABLE] = before[0]


def _limited(entry: ModelEntry) -> ModelEntry:
    return replace(entry, **LIMIT)


def _fill(path: Path, size: int) -> None:
    """A file of that size that takes no room."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
