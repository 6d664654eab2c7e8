"""How it stands with the weights of a model on this computer, as one value."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ...core.errors import WeightsError
from ...weights.catalogue import ModelEntry, catalogue
from ...weights.store import partial_bytes

#: With the extension; installed; half downloaded; not there; there, but of no use; gone, though it
#: should come with the extension.
INCLUDED, INSTALLED, PARTLY, MISSING, DAMAGED, GONE = (
    "included",
    "installed",
    "partly",
    "missing",
    "damaged",
    "gone",
)


@dataclass(frozen=True)
class ModelState:
    """One look at the files of a model.

    Attributes:
        kind: INCLUDED, INSTALLED, PARTLY, MISSING, DAMAGED or GONE.
        partial: bytes of an unfinished download; 0 if there is none.
        reason: why the file is of no use, if that can be seen at once; else "".
    """

    kind: str
    partial: int = 0
    reason: str = ""

    @property
    def is_usable(self) -> bool:
        return self.kind in (INCLUDED, INSTALLED)

    @property
    def has_files(self) -> bool:
        """Whether there is anything that a user may want to remove."""
        return self.kind in (INSTALLED, PARTLY, DAMAGED)


def state_of(entry: ModelEntry) -> ModelState:
    """Looks at the files of a model, not into them."""
    if entry.embedded:
        return ModelState(INCLUDED) if entry.is_installed else ModelState(GONE, 0, _reason(entry))
    if entry.is_installed:
        return ModelState(INSTALLED)
    partial = partial_bytes(entry)
    if os.path.lexists(entry.path):
        return ModelState(DAMAGED, partial, _reason(entry))
    return ModelState(PARTLY if partial else MISSING, partial)


def same_file(one: ModelEntry, other: ModelEntry) -> bool:
    """Whether two models, which may be one, have the same weights."""
    return (one.embedded, one.file, one.sha256) == (other.embedded, other.file, other.sha256)


def sharing(entry: ModelEntry) -> tuple[str, ...]:
    """Names of all models with the file of this one, also its own."""
    return tuple(name for name, other in catalogue().items() if same_file(entry, other))


def _reason(entry: ModelEntry) -> str:
    try:
        entry.check_installed()
    except WeightsError as error:
        return str(error)
    return ""
