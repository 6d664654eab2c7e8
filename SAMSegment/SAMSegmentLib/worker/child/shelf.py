"""The child's side of shared memory: the client's arrays, and proposals on their way to it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence

import numpy as np

from ...core.image import Image
from ...core.patch import Patch
from ...core.proposal import Proposal
from ...core.voxel_prompts import VoxelPrompts
from ..protocol.channel import ChildChannel
from ..protocol.messages import (
    MakeRoom,
    NoRoom,
    Room,
    SentImage,
    SentPatch,
    SentProposal,
    SentProposals,
    SentVoxels,
)
from ..protocol.shared_array import SharedBlock, nbytes_of
from ..protocol.troubles import trouble_of

NO_ROOM = (
    "There is not enough memory to hand the volume to the model. Nothing was changed. Close other "
    "programs or volumes, or crop the volume."
)
# Less than this goes through the channel as it is.
SMALL_BYTES = 2**15


class Shelf:
    """Arrays that the client fills, and what is made of them. For several threads.

    Args:
        send: sends a message and a descriptor to the client.
    """

    def __init__(self, send: ChildChannel.send) -> None:
        self._send = send
        self._parcels = itertools.count(1)
        self._under_way: dict[int, SharedBlock | None] = {}
        self._arrays: dict[int, np.ndarray] = {}
        self._images: dict[int, list[Image]] = {}
        self._lock = threading.Lock()

    def make_room(self, request: MakeRoom, out_of_memory: Callable[[str], Exception]) -> None:
        """Makes memory for an array and hands it to the client, or says that there is none."""
        try:
            block = SharedBlock.create(nbytes_of(request.shape, request.dtype))
        except (MemoryError, OSError, OverflowError) as error:
            refusal = out_of_memory(NO_ROOM)
            refusal.__cause__ = error
            self._send(NoRoom(request.array, trouble_of(refusal)))
            return
        with self._lock:
            self._arrays[request.array] = block.array(request.shape, request.dtype)
        parcel = self._post(block)
        self._send(Room(request.array, parcel, block.ticket), block.descriptor)

    @property
    def is_without_images(self) -> bool:
        """Whether no image has been made of the arrays that are here."""
        return not self._images

    def drop(self, array: int) -> bool:
        """Forgets an array, which lives on while it is used; whether there was an image of it."""
        with self._lock:
            self._arrays.pop(array, None)
            return self._images.pop(array, None) is not None

    def received(self, parcel: int) -> None:
        """The client has opened the memory of a parcel."""
        block = self._under_way.pop(parcel, None)
        if block is not None:
            block.handed_over()

    def is_under_way(self, parcel: int) -> bool:
        """Whether the client has not yet got a parcel."""
        return parcel in self._under_way

    def image(self, sent: SentImage) -> Image:
        """The image, always the same for the same voxels and grid.

        Raises:
            KeyError: if its voxels were dropped.
        """
        with self._lock:
            voxels = self._arrays[sent.array]
            images = self._images.setdefault(sent.array, [])
            key = (sent.array, sent.geometry, sent.modality)
            for image in images:
                if image.key == key:
                    return image
            images.append(Image(voxels, sent.geometry, sent.modality, key))
            return images[-1]

    def voxels(self, sent: SentVoxels | None) -> VoxelPrompts | None:
        """The masks. Raises KeyError if they were dropped."""
        if sent is None:
            return None
        return VoxelPrompts(self._patch(sent.content), sent.refine, self._patch(sent.occupied))

    def _patch(self, sent: SentPatch | None) -> Patch | None:
        if sent is None:
            return None
        with self._lock:
            return Patch(self._arrays[sent.array], sent.start, sent.cut)

    def post(self, number: int, proposals: Sequence[Proposal], final: bool) -> int:
        """Sends proposals on one grid; the number of their parcel.

        Raises:
            MemoryError: if there is not enough memory to share them.
        """
        arrays = [proposal.levels.values for proposal in proposals]
        nbytes = sum(array.nbytes for array in arrays)
        levels, block = b"".join(array.tobytes() for array in arrays), None
        if nbytes > SMALL_BYTES:
            levels, block = None, SharedBlock.create(nbytes)
            end = 0
            for array in arrays:
                begin, end = end, end + array.nbytes
                room = block.array((nbytes,), np.int8)[begin:end]
                np.copyto(room.reshape(array.shape), array)
        parcel = self._post(block)
        self._send(
            SentProposals(
                number,
                final,
                parcel,
                levels,
                None if block is None else block.ticket,
                proposals[0].geometry,
                tuple(
                    SentProposal(
                        each.levels.values.shape,
                        each.levels.start,
                        each.label,
                        each.cut,
                        each.warnings,
                        each.candidates,
                    )
                    for each in proposals
                ),
            ),
            None if block is None else block.descriptor,
        )
        return parcel

    def _post(self, block: SharedBlock | None) -> int:
        # Kept until the client has it: on some systems it would be gone.
        parcel = next(self._parcels)
        self._under_way[parcel] = block
        return parcel
