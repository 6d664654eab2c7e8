"""What the client has copied into its child's shared memory, and what it is copying.

At most two volumes are kept there, those used last, and the masks of the last request.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..protocol.memory import share_of_memory
from ..protocol.messages import Drop, MakeRoom
from ..protocol.shared_array import ArrayCopy, Ticket, nbytes_of, open_block

MOST_VOLUMES = 2
# The one in use is kept, whatever its size.
MOST_VOLUME_BYTES = 2 * 2**30
MOST_OF_MEMORY = 0.25


@dataclass(frozen=True, eq=False)
class Wanted:
    """An array that a request needs.

    Attributes:
        key: names its voxels.
        voxels: (k, j, i), any real dtype, in any order in memory.
        is_volume: an image's voxels, which may be needed again; else a mask.
    """

    key: Hashable
    voxels: np.ndarray
    is_volume: bool


@dataclass(eq=False)
class _Item:
    """An array in the child, or on its way there; `source` is let go once it is there."""

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


class Stock:
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

    def provide(self, wanted: Sequence[Wanted], time_is_up: Callable[[], bool]) -> bool:
        """Goes on copying arrays, one chunk at least; True once all of them are in the child.

        Raises:
            Exception: what the child has refused the memory with.
        """
        for want in wanted:
            if want.key not in self._items:
                self._begin(want, keep={w.key for w in wanted})
            self._items.move_to_end(want.key)
        for want in wanted:
            item = self._items[want.key]
            if item.error is not None:
                del self._items[want.key]
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

    def percent(self, wanted: Sequence[Wanted]) -> int:
        """How much of the arrays is in the child, 0 to 100."""
        items = [self._items[want.key] for want in wanted if want.key in self._items]
        there = sum(item.copied for item in items)
        return 100 * there // max(1, sum(item.nbytes for item in items))

    def number(self, key: Hashable) -> int:
        """The child's number for an array that was provided."""
        return self._items[key].number

    def open_room(self, number: int, ticket: Ticket, descriptor: int | None) -> None:
        """The child has made memory for an array, as large as was asked for.

        Raises:
            OSError: if it cannot be opened.
        """
        item = self._of(number)
        if item is not None and item.source is not None:
            dtype = item.source.dtype.newbyteorder("=")
            self.room_made(number, open_block(ticket, descriptor, item.source.shape, dtype))
        elif descriptor is not None:
            os.close(descriptor)

    def room_made(self, number: int, target: np.ndarray) -> None:
        """The child has made memory for an array."""
        item = self._of(number)
        if item is not None and item.source is not None:
            item.copy = ArrayCopy(item.source, target)

    def room_refused(self, number: int, error: Exception) -> None:
        """The child has not got memory for an array."""
        item = self._of(number)
        if item is not None:
            item.source, item.error = None, error

    def keep_masks(self, wanted: Sequence[Wanted]) -> None:
        """Drops all masks but those among `wanted`."""
        keep = {want.key for want in wanted}
        for key, item in list(self._items.items()):
            if not item.is_volume and key not in keep:
                self._drop(key)

    def drop_all(self) -> None:
        """Drops everything."""
        for key in list(self._items):
            self._drop(key)

    def _begin(self, want: Wanted, keep: set[Hashable]) -> None:
        # Native byte order: no engine needs to know of any other.
        dtype = want.voxels.dtype.newbyteorder("=")
        nbytes = nbytes_of(want.voxels.shape, dtype)
        if want.is_volume:
            self._make_way(nbytes, keep)
        self._last_number += 1
        self._items[want.key] = _Item(self._last_number, want.is_volume, nbytes, want.voxels)
        self._send(MakeRoom(self._last_number, want.voxels.shape, dtype.str))

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
        self._send(Drop(self._items.pop(key).number))

    def _of(self, number: int) -> _Item | None:
        return next((item for item in self._items.values() if item.number == number), None)
