"""What the client has copied into its child's shared memory, and what it is copying.

At most two volumes are kept there, those used last, and the masks of the last request.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...core.image import Image
from ...core.patch import Patch
from ..protocol.encoding import Substitute
from ..protocol.memory import share_of_memory
from ..protocol.messages import AllocateArray, DropArray, SentImage, SentPatch
from ..protocol.shared_array import ArrayCopy, BlockHandle, nbytes_of, open_block

MOST_VOLUMES = 2
# The one in use is kept, whatever its size.
MOST_VOLUME_BYTES = 2 * 2**30
MOST_OF_MEMORY = 0.25


@dataclass(eq=False)
class _Item:
    """An array in the child, or on its way there.

    Attributes:
        source: voxels, (k, j, i), of any real dtype, in any order in memory; let go once copied.
    """

    number: int
    is_volume: bool
    nbytes: int
    source: np.ndarray | None
    copy: ArrayCopy | None = None
    error: Exception | None = field(default=None)

    @property
    def copied(self) -> int:
        """Bytes that are in the child."""
        if self.source is None:
            return self.nbytes
        return 0 if self.copy is None else self.copy.copied


class ArrayUploads:
    """The arrays that one child holds.

    Args:
        send: sends a message to the child.

    Attributes:
        copied: bytes that were copied so far, of all arrays.
    """

    def __init__(self, send: Callable[[object], None]) -> None:
        self._send = send
        self._items: OrderedDict[Hashable, _Item] = OrderedDict()
        self._last_number = 0
        self._most_bytes = share_of_memory(MOST_OF_MEMORY, MOST_VOLUME_BYTES)
        self.copied = 0

    def provide(self, needed: Sequence[Image | Patch], time_is_up: Callable[[], bool]) -> bool:
        """Goes on copying voxels, one chunk at least; True once all of them are in the child.

        Args:
            needed: volumes and masks; what stays the same is copied once.

        Raises:
            Exception: what the child has refused the memory with.
        """
        keys = [_key(each) for each in needed]
        for key, each in zip(keys, needed, strict=True):
            if key not in self._items:
                self._begin(each, keep=set(keys))
            self._items.move_to_end(key)
        for key in keys:
            item = self._items[key]
            if item.error is not None:
                del self._items[key]
                raise item.error
            while item.source is not None:
                if item.copy is None:
                    return False
                before = item.copy.copied
                if not item.copy.step():
                    # What was mapped of it here is unmapped with it.
                    item.source = item.copy = None
                    break
                self.copied += item.copy.copied - before
                if time_is_up():
                    return False
        return True

    def percent(self, needed: Sequence[Image | Patch]) -> int:
        """How much of it is in the child, 0 to 100."""
        items = [self._items[key] for key in map(_key, needed) if key in self._items]
        there = sum(item.copied for item in items)
        return 100 * there // max(1, sum(item.nbytes for item in items))

    @property
    def substitutes(self) -> dict[type, Substitute]:
        """What is sent instead of images and masks that were provided."""
        return {
            Image: Substitute(SentImage, dump=self._sent_image),
            Patch: Substitute(SentPatch, dump=self._sent_patch),
        }

    def _sent_image(self, image: Image) -> SentImage:
        return SentImage(self._items[_key(image)].number, image.geometry, image.modality)

    def _sent_patch(self, mask: Patch) -> SentPatch:
        return SentPatch(self._items[mask].number, mask.start, mask.cut)

    def open_block(self, number: int, handle: BlockHandle, descriptor: int | None) -> None:
        """The child has made memory for an array, as large as was asked for.

        Raises:
            OSError: if it cannot be opened.
        """
        item = self._of(number)
        if item is not None and item.source is not None:
            dtype = item.source.dtype.newbyteorder("=")
            self.allocated(number, open_block(handle, descriptor, item.source.shape, dtype))
        elif descriptor is not None:
            os.close(descriptor)

    def allocated(self, number: int, target: np.ndarray) -> None:
        """The child has made memory for an array."""
        item = self._of(number)
        if item is not None and item.source is not None:
            item.copy = ArrayCopy(item.source, target)

    def refused(self, number: int, error: Exception) -> None:
        """The child has not got memory for an array."""
        item = self._of(number)
        if item is not None:
            item.source, item.error = None, error

    def keep_masks(self, masks: Sequence[Patch]) -> None:
        """Drops all other masks."""
        for key, item in list(self._items.items()):
            if not item.is_volume and key not in masks:
                self._drop(key)

    def drop_all(self) -> None:
        """Drops everything."""
        for key in list(self._items):
            self._drop(key)

    def _begin(self, source: Image | Patch, keep: set[Hashable]) -> None:
        is_volume = isinstance(source, Image)
        voxels = source.voxels if is_volume else source.values
        # Native byte order: no engine needs to know of any other.
        dtype = voxels.dtype.newbyteorder("=")
        nbytes = nbytes_of(voxels.shape, dtype)
        if is_volume:
            self._make_way(nbytes, keep)
        self._last_number += 1
        self._items[_key(source)] = _Item(self._last_number, is_volume, nbytes, voxels)
        self._send(AllocateArray(self._last_number, voxels.shape, dtype.str))

    def _make_way(self, nbytes: int, keep: set[Hashable]) -> None:
        volumes = {key: item for key, item in self._items.items() if item.is_volume}
        total = nbytes + sum(item.nbytes for item in volumes.values())
        count = 1 + len(volumes)
        for key, item in volumes.items():
            if count <= MOST_VOLUMES and total <= self._most_bytes:
                return
            if key not in keep:
                self._drop(key)
                count, total = count - 1, total - item.nbytes

    def _drop(self, key: Hashable) -> None:
        self._send(DropArray(self._items.pop(key).number))

    def _of(self, number: int) -> _Item | None:
        return next((item for item in self._items.values() if item.number == number), None)


def _key(source: Image | Patch) -> Hashable:
    return ("image", source.key) if isinstance(source, Image) else source
