"""What goes between the client and its child process, both ways.

Voxels do not: they lie in shared memory, and messages only name them (see `shared_array`); for an
Image or a Patch, a SentImage or SentPatch crosses. The types of a message's values say how it
becomes bytes (see `encoding`), so each is a dataclass of numbers, strings, tuples and such
dataclasses. What a type cannot say, `__post_init__` checks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.geometry import Geometry
from ...core.image import Image
from ...weights.catalogue import ModelEntry
from .encoding import MessageLists
from .error_messages import SentError
from .events import PredictionRequest, Progress, Ready
from .sent_proposals import SentProposals
from .shared_array import BlockHandle

#: What voxels may be: real numbers, by numpy's short names. An "object" would be an address.
DTYPES = frozenset(np.dtype(code).str for code in "?bBhHiIlLqQefdg")

# ---- From the client to the child --------------------------------------------------------------


@dataclass(frozen=True)
class AllocateArray:
    """Asks for shared memory for an array, which the client then fills.

    Attributes:
        array: the client's number for it.
        dtype: numpy's short name, such as "<i2".
    """

    array: int
    shape: tuple[int, int, int]
    dtype: str

    def __post_init__(self) -> None:
        if min(self.shape) < 0 or self.dtype not in DTYPES:
            raise ValueError(f"there is no array of shape {self.shape} of {self.dtype}")


@dataclass(frozen=True)
class DropArray:
    """An array that is not needed any more."""

    array: int


@dataclass(frozen=True)
class BlockReceived:
    """An ArrayAllocated or SentProposals has arrived, and its shared memory is open here."""

    transfer: int


@dataclass(frozen=True, eq=False)
class SentImage:
    """An Image whose voxels are the array of that number."""

    array: int
    geometry: Geometry
    modality: str | None


@dataclass(frozen=True)
class SentPatch:
    """A Patch whose mask is the array of that number."""

    array: int
    start: tuple[int, int, int]
    cut: float


@dataclass(frozen=True, eq=False)
class Predict:
    """A prediction is wanted, and none that was asked for before it."""

    number: int
    request: PredictionRequest


@dataclass(frozen=True)
class Cancel:
    """The prediction of that number is not wanted any more."""

    number: int


@dataclass(frozen=True, eq=False)
class PrepareClick:
    """A click at `ras` (mm, the image's RAS) may come next."""

    model: ModelEntry
    image: Image
    ras: tuple[float, float, float]

    def is_same(self, other: object) -> bool:
        """Whether the other one asks for the same work."""
        return (
            isinstance(other, PrepareClick)
            and (self.model, self.ras) == (other.model, other.ras)
            and self.image.key == other.image.key
        )


@dataclass(frozen=True)
class LoadModel:
    """A model that will be asked."""

    model: ModelEntry


# ---- From the child to the client (beside the events Ready and Progress) -----------------------


@dataclass(frozen=True)
class StartFailed:
    """Torch or the device is not there: the child leaves, and a new one would fail likewise."""

    error: SentError


@dataclass(frozen=True)
class ArrayAllocated:
    """Shared memory for an array, as large as was asked for."""

    array: int
    transfer: int
    handle: BlockHandle


@dataclass(frozen=True)
class AllocationFailed:
    """There is not enough memory for an array."""

    array: int
    error: SentError


@dataclass(frozen=True)
class Stopped:
    """The prediction of that number was given up, as asked."""

    number: int


@dataclass(frozen=True)
class PredictionFailed:
    """The prediction of that number failed."""

    number: int
    error: SentError


@dataclass(frozen=True)
class PrepareFailed:
    """Work ahead of need failed; only for diagnostics."""

    error: SentError


#: What may come over the channel between a WorkerClient and its child, and nothing else.
PREDICTION_MESSAGES = MessageLists(
    to_child=(AllocateArray, BlockReceived, Cancel, DropArray, LoadModel, Predict, PrepareClick),
    to_client=(
        AllocationFailed,
        ArrayAllocated,
        PredictionFailed,
        PrepareFailed,
        Progress,
        Ready,
        SentProposals,
        StartFailed,
        Stopped,
    ),
)
