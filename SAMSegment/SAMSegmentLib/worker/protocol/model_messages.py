"""What goes between a ModelJob and its child process: one order, its progress, and its outcome."""

from __future__ import annotations

from dataclasses import dataclass

from ...weights.catalogue import ModelEntry
from ...weights.progress import Transfer
from .encoding import MessageLists
from .error_messages import SentError

# ---- From the client to the child --------------------------------------------------------------


@dataclass(frozen=True)
class InstallModel:
    """Weights are wanted on this computer.

    Attributes:
        source: a file, or a folder that holds it; None: from the catalogue's places.
    """

    model: ModelEntry
    source: str | None = None


@dataclass(frozen=True)
class VerifyModel:
    """Installed weights are to be read and compared with the SHA-256 that is known of them."""

    model: ModelEntry


ModelOrder = InstallModel | VerifyModel

# ---- From the child to the client (beside weights.progress.Transfer) --------------------


@dataclass(frozen=True)
class ModelDone:
    """The order is carried out.

    Attributes:
        path: of the weights that models now use.
        notes: what the user should know, such as that they could not be converted yet.
        as_published: whether their SHA-256 is the catalogue's; if not, they were converted on this
            computer, have not changed since, and fit the network.
        sha256: of the weights, if they were verified.
    """

    path: str
    notes: tuple[str, ...] = ()
    as_published: bool = True
    sha256: str = ""


@dataclass(frozen=True)
class ModelFailed:
    """The order could not be carried out; what was there before still is."""

    error: SentError


MODEL_MESSAGES = MessageLists(
    to_child=(InstallModel, VerifyModel), to_client=(ModelDone, ModelFailed, Transfer)
)
