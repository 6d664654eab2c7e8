"""The state of a model's weights on this computer, as one value."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ...core.errors import WeightsError
from ...weights.catalogue import PUBLISHED, ModelEntry, catalogue

#: With the extension; in a folder of the user's own; installed; half downloaded; not there; there,
#: but of no use; gone, though it should lie beside its model.json.
INCLUDED, OWN, INSTALLED, PARTLY, MISSING, DAMAGED, GONE = (
    "included",
    "own",
    "installed",
    "partly",
    "missing",
    "damaged",
    "gone",
)


@dataclass(frozen=True)
class ModelState:
    """What the files of a model are at one moment.

    Attributes:
        kind: INCLUDED, OWN, INSTALLED, PARTLY, MISSING, DAMAGED or GONE.
        partial: bytes of an unfinished download; 0 if there is none.
        reason: why the file is of no use, if that can be seen at once; else "".
    """

    kind: str
    partial: int = 0
    reason: str = ""

    @property
    def is_usable(self) -> bool:
        return self.kind in (INCLUDED, OWN, INSTALLED)

    @property
    def has_files(self) -> bool:
        """Whether there is anything that a user may want to remove."""
        return self.kind in (INSTALLED, PARTLY, DAMAGED)


def state_of(entry: ModelEntry) -> ModelState:
    """The state of a model's files; their content is not read."""
    if not entry.is_installable:
        if entry.is_installed:
            return ModelState(INCLUDED if entry.embedded else OWN)
        return ModelState(GONE, 0, _reason(entry))
    if entry.is_installed:
        return ModelState(INSTALLED)
    partial = entry.files.partial_bytes
    if os.path.lexists(entry.path):
        return ModelState(DAMAGED, partial, _reason(entry))
    return ModelState(PARTLY if partial else MISSING, partial)


def same_file(one: ModelEntry, other: ModelEntry) -> bool:
    """Whether two models, which may be one, have the same weights."""
    return weights_key(one) == weights_key(other)


def weights_key(entry: ModelEntry) -> tuple:
    """Tells the weights of a model from those of others; the same for models that share a file."""
    folder = "" if entry.origin == PUBLISHED else entry.name
    return folder, entry.file, entry.sha256


def sharing(entry: ModelEntry) -> tuple[str, ...]:
    """Names of all models with the file of this one, also its own."""
    return tuple(name for name, other in catalogue().items() if same_file(entry, other))


def _reason(entry: ModelEntry) -> str:
    try:
        entry.check_installed()
    except WeightsError as error:
        return str(error)
    return ""
