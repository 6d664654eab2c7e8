"""What goes between the client and its child process, both ways.

Voxels do not: they lie in shared memory, and messages only name them (see `shared_array`). How
messages become bytes is told by the types of their values (see `encoding`), so each is a dataclass
of numbers, strings, tuples and such dataclasses. What a type cannot say, `__post_init__` checks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...core.geometry import Geometry
from ...core.label import Label
from ...core.prompts import Prompts
from ...weights.catalogue import ModelEntry
from .shared_array import Ticket, nbytes_of

#: What voxels may be: real numbers, by numpy's short names. An "object" would be an address.
DTYPES = frozenset(np.dtype(code).str for code in "?bBhHiIlLqQefdg")

# ---- From the client to the child --------------------------------------------------------------


@dataclass(frozen=True)
class MakeRoom:
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
class Drop:
    """An array that is not needed any more."""

    array: int


@dataclass(frozen=True)
class Received:
    """A parcel (`Room` or `SentProposals`) has arrived, and its shared memory is open here."""

    parcel: int


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


@dataclass(frozen=True)
class SentVoxels:
    """VoxelPrompts."""

    content: SentPatch | None
    refine: bool
    occupied: SentPatch | None


@dataclass(frozen=True, eq=False)
class Ask:
    """A prediction is wanted, and none that was asked for before it."""

    number: int
    model: ModelEntry
    image: SentImage
    prompts: Prompts
    target: Geometry
    voxels: SentVoxels | None
    intensity_range: tuple[float, float] | None
    alternative: int
    structures: tuple[str, ...]
    facing: tuple[float, float, float] | None


@dataclass(frozen=True)
class Cancel:
    """The prediction of that number is not wanted any more."""

    number: int


@dataclass(frozen=True, eq=False)
class Look:
    """A click at `ras` may come next."""

    model: ModelEntry
    image: SentImage
    ras: tuple[float, float, float]
    intensity_range: tuple[float, float] | None

    def is_same(self, other: object) -> bool:
        """Whether the other one asks for the same work."""
        return isinstance(other, Look) and self._what == other._what

    @property
    def _what(self) -> tuple:
        return (
            self.model,
            self.image.array,
            self.image.geometry,
            self.ras,
            self.intensity_range,
        )


@dataclass(frozen=True)
class Load:
    """A model that will be asked."""

    model: ModelEntry


# ---- From the child to the client (beside the events Ready and Progress) -----------------------


@dataclass(frozen=True)
class Trouble:
    """An exception on its way between processes.

    Attributes:
        kind: name of its class.
        message: what it says.
        details: its traceback.
    """

    kind: str
    message: str
    details: str


@dataclass(frozen=True)
class CannotStart:
    """Torch or the device is not there: the child leaves, and a new one would fail likewise."""

    trouble: Trouble


@dataclass(frozen=True)
class Room:
    """Shared memory for an array, as large as was asked for."""

    array: int
    parcel: int
    ticket: Ticket


@dataclass(frozen=True)
class NoRoom:
    """There is not enough memory for an array."""

    array: int
    trouble: Trouble


@dataclass(frozen=True)
class Stopped:
    """The prediction of that number was given up, as asked."""

    number: int


@dataclass(frozen=True)
class CannotPredict:
    """The prediction of that number failed."""

    number: int
    trouble: Trouble


@dataclass(frozen=True)
class CannotPrepare:
    """Work ahead of need failed; only for diagnostics."""

    trouble: Trouble


@dataclass(frozen=True)
class SentProposal:
    """A Proposal without its levels and its grid."""

    shape: tuple[int, int, int]
    start: tuple[int, int, int]
    label: Label | None
    cut: float
    warnings: tuple[str, ...]
    candidates: int

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ValueError("a proposal is one of fewer candidates than one")


@dataclass(frozen=True, eq=False)
class SentProposals:
    """Proposals on one grid: an object, or several structures.

    Attributes:
        final: whether they are the answer; else a look at what is there so far.
        levels: the bytes of their levels, one after another; None if they lie in shared memory.
        ticket: of that memory.
    """

    number: int
    final: bool
    parcel: int
    levels: bytes | None
    ticket: Ticket | None
    geometry: Geometry
    proposals: tuple[SentProposal, ...]

    def __post_init__(self) -> None:
        for proposal in self.proposals:
            stop = np.add(proposal.start, proposal.shape)
            if min(*proposal.start, *proposal.shape) < 0 or (stop > self.geometry.shape).any():
                raise ValueError("a proposal does not lie on its grid")
        if not self.proposals:
            raise ValueError("there is no proposal")
        if (self.levels is None) == (self.ticket is None):
            raise ValueError("proposals are at one place")
        if self.levels is not None and len(self.levels) != self.nbytes:
            raise ValueError("proposals have another size than their bytes")

    @property
    def nbytes(self) -> int:
        """Bytes of all levels."""
        return sum(nbytes_of(proposal.shape, np.int8) for proposal in self.proposals)
