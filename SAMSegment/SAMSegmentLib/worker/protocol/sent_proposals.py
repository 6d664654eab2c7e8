"""Proposals on their way to the client: few numbers in a message, their levels in shared memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...core.geometry import Geometry
from ...core.label import Label
from ...core.patch import Patch
from ...core.proposal import Proposal
from .shared_array import BlockHandle, SharedBlock, nbytes_of, open_block

# Less than this goes through the channel as it is.
SMALL_BYTES = 2**15


@dataclass(frozen=True)
class SentProposal:
    """A Proposal without its levels and its grid."""

    shape: tuple[int, int, int]
    start: tuple[int, int, int]
    label: Label | None
    cut: float
    warnings: tuple[str, ...]
    candidates: int

    @classmethod
    def of(cls, proposal: Proposal) -> SentProposal:
        """What is sent of a proposal."""
        levels = proposal.levels
        return cls(
            levels.values.shape,
            levels.start,
            proposal.label,
            proposal.cut,
            proposal.warnings,
            proposal.candidates,
        )

    def __post_init__(self) -> None:
        if self.candidates < 1:
            raise ValueError("a proposal is one of fewer candidates than one")


@dataclass(frozen=True, eq=False)
class SentProposals:
    """Proposals on one grid: an object, or several structures.

    Attributes:
        final: whether they are the answer; else a preview of it.
        levels: the bytes of their levels, one after another; None if they lie in shared memory.
        handle: of that memory.
    """

    number: int
    final: bool
    transfer: int
    levels: bytes | None
    handle: BlockHandle | None
    geometry: Geometry
    proposals: tuple[SentProposal, ...]

    def __post_init__(self) -> None:
        for proposal in self.proposals:
            stop = np.add(proposal.start, proposal.shape)
            if min(*proposal.start, *proposal.shape) < 0 or (stop > self.geometry.shape).any():
                raise ValueError("a proposal does not lie on its grid")
        if not self.proposals:
            raise ValueError("there is no proposal")
        if (self.levels is None) == (self.handle is None):
            raise ValueError("proposals are at one place")
        if self.levels is not None and len(self.levels) != self.nbytes:
            raise ValueError("proposals have another size than their bytes")

    @classmethod
    def pack(
        cls, number: int, final: bool, transfer: int, proposals: Sequence[Proposal]
    ) -> tuple[SentProposals, SharedBlock | None]:
        """The message, and the shared memory that goes with it.

        Raises:
            MemoryError: if there is not enough memory to share them.
        """
        arrays = [proposal.levels.values for proposal in proposals]
        nbytes = sum(array.nbytes for array in arrays)
        levels = block = None
        if nbytes > SMALL_BYTES:
            block, end = SharedBlock.create(nbytes), 0
            for array in arrays:
                begin, end = end, end + array.nbytes
                place = block.array((nbytes,), np.int8)[begin:end]
                np.copyto(place.reshape(array.shape), array)
        else:
            levels = b"".join(array.tobytes() for array in arrays)
        handle = None if block is None else block.handle
        sent = tuple(SentProposal.of(proposal) for proposal in proposals)
        geometry = proposals[0].geometry
        return cls(number, final, transfer, levels, handle, geometry, sent), block

    def unpack(self, descriptor: int | None) -> tuple[Proposal, ...]:
        """The proposals; their levels stay in shared memory, which lives as long as any of them.

        Args:
            descriptor: that came beside the message.

        Raises:
            OSError: if that memory is gone.
        """
        if self.handle is not None:
            levels = open_block(self.handle, descriptor, (self.nbytes,), np.int8)
        else:
            levels = np.frombuffer(bytearray(self.levels), np.int8)
        proposals, end = [], 0
        for sent in self.proposals:
            begin, end = end, end + nbytes_of(sent.shape, np.int8)
            patch = Patch(levels[begin:end].reshape(sent.shape), sent.start)
            proposals.append(
                Proposal(patch, self.geometry, sent.label, sent.cut, sent.warnings, sent.candidates)
            )
        return tuple(proposals)

    @property
    def nbytes(self) -> int:
        """Bytes of all levels."""
        return sum(nbytes_of(proposal.shape, np.int8) for proposal in self.proposals)
