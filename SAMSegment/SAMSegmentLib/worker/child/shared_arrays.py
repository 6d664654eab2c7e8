"""The child's side of shared memory: the client's arrays, and proposals on their way to it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence

import numpy as np

from ...core.errors import OutOfMemoryError
from ...core.image import Image
from ...core.patch import Patch
from ...core.proposal import Proposal
from ..protocol.encoding import Substitute
from ..protocol.error_messages import sent_error
from ..protocol.messages import (
    AllocateArray,
    AllocationFailed,
    ArrayAllocated,
    SentImage,
    SentPatch,
)
from ..protocol.sent_proposals import SentProposals
from ..protocol.shared_array import SharedBlock, nbytes_of

NO_MEMORY_FOR_ARRAY = (
    "There is not enough memory to hand the volume to the model. Nothing was changed. Close other "
    "programs or volumes, or crop the volume."
)


class SharedArrays:
    """Arrays that the client fills, and what is made of them. For several threads.

    Args:
        send: sends a message and a descriptor to the client.
    """

    def __init__(self, send: Callable[[object, int | None], None]) -> None:
        self._send = send
        self._transfers = itertools.count(1)
        self._in_transit: dict[int, SharedBlock | None] = {}
        self._arrays: dict[int, np.ndarray] = {}
        self._images: dict[int, list[Image]] = {}
        self._lock = threading.Lock()

    def allocate(self, request: AllocateArray) -> None:
        """Makes memory for an array and hands it to the client, or says that there is none."""
        try:
            block = SharedBlock.create(nbytes_of(request.shape, request.dtype))
        except (MemoryError, OSError, OverflowError) as error:
            refusal = OutOfMemoryError(NO_MEMORY_FOR_ARRAY)
            refusal.__cause__ = error
            self._send(AllocationFailed(request.array, sent_error(refusal)), None)
            return
        with self._lock:
            self._arrays[request.array] = block.array(request.shape, request.dtype)
        transfer = next(self._transfers)
        # Kept until the client has it: on some systems it would be gone.
        self._in_transit[transfer] = block
        self._send(ArrayAllocated(request.array, transfer, block.handle), block.descriptor)

    @property
    def is_without_images(self) -> bool:
        """Whether no image has been made of the arrays that are here."""
        return not self._images

    def drop(self, array: int) -> bool:
        """Forgets an array, which lives on while it is used; whether there was an image of it."""
        with self._lock:
            self._arrays.pop(array, None)
            return self._images.pop(array, None) is not None

    def received(self, transfer: int) -> None:
        """The client has opened the memory of a transfer."""
        block = self._in_transit.pop(transfer, None)
        if block is not None:
            block.handed_over()

    def is_in_transit(self, transfer: int) -> bool:
        """Whether the client has not yet received a transfer."""
        return transfer in self._in_transit

    @property
    def substitutes(self) -> dict[type, Substitute]:
        """How images and masks are made of what the client has sent instead."""
        return {
            Image: Substitute(SentImage, load=self._image),
            Patch: Substitute(SentPatch, load=self._patch),
        }

    def _image(self, sent: SentImage) -> Image:
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

    def _patch(self, sent: SentPatch) -> Patch:
        """The mask. Raises KeyError if it was dropped."""
        with self._lock:
            return Patch(self._arrays[sent.array], sent.start, sent.cut)

    def send_proposals(self, number: int, proposals: Sequence[Proposal], final: bool) -> int:
        """Sends proposals on one grid; the number of their transfer.

        Raises:
            MemoryError: if there is not enough memory to share them.
        """
        transfer = next(self._transfers)
        message, block = SentProposals.pack(number, final, transfer, proposals)
        self._in_transit[transfer] = block
        self._send(message, None if block is None else block.descriptor)
        return transfer
