"""What was computed lately is kept in memory, up to a given amount: embeddings, and answers."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, Protocol, TypeVar

from ..core.answer import Cost

Value = TypeVar("Value")


class Sized(Protocol):
    """Anything that knows how much memory it takes."""

    @property
    def nbytes(self) -> int: ...


class MemoryCache(Generic[Value]):
    """Keeps the values used last. Not for use from several threads.

    Args:
        capacity: bytes at most.
        most: values at most; None: any number.
        at_least: so many of the latest are kept, however large they are.
    """

    def __init__(self, capacity: int, most: int | None = None, at_least: int = 0) -> None:
        self._capacity, self._most, self._at_least = capacity, most, at_least
        self._kept: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: Hashable) -> Value | None:
        """The value of that key; None if it is not kept."""
        if key not in self._kept:
            return None
        self._kept.move_to_end(key)
        return self._kept[key][0]

    def keep(self, key: Hashable, value: Value, nbytes: int) -> None:
        """Keeps a new value, and forgets the oldest of those that are too many.

        One too large by itself is not kept, if none need be.
        """
        if nbytes > self._capacity and not self._at_least:
            return
        self._kept[key] = value, nbytes
        self.nbytes += nbytes
        while len(self) > self._at_least and self._is_full():
            _, (_, dropped) = self._kept.popitem(last=False)
            self.nbytes -= dropped

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()
        self.nbytes = 0

    def _is_full(self) -> bool:
        return self.nbytes > self._capacity or (self._most is not None and len(self) > self._most)


class EmbeddingCache:
    """Keeps what encoders made of windows, and counts what that cost.

    Args:
        capacity: bytes at most.
    """

    def __init__(self, capacity: int) -> None:
        self._embeddings: MemoryCache[Any] = MemoryCache(capacity)
        self._cost = Cost()

    def __len__(self) -> int:
        return len(self._embeddings)

    @property
    def nbytes(self) -> int:
        """Memory that is taken."""
        return self._embeddings.nbytes

    def start_counting(self) -> None:
        """Begins a new account of what `get` does."""
        self._cost = Cost()

    @property
    def cost(self) -> Cost:
        """What was asked for and encoded since `start_counting`."""
        return self._cost

    def get(self, key: Hashable, make: Callable[[], Sized]) -> Any:
        """The embedding kept under `key`, else the one that `make` returns."""
        embedding = self._embeddings.get(key)
        if embedding is not None:
            self._count(key, 0, 0.0)
            return embedding
        started = time.perf_counter()
        embedding = make()
        self._count(key, 1, time.perf_counter() - started)
        self._embeddings.keep(key, embedding, embedding.nbytes)
        return embedding

    def clear(self) -> None:
        """Forgets everything."""
        self._embeddings.clear()

    def _count(self, key: Hashable, encoded: int, seconds: float) -> None:
        cost = self._cost
        self._cost = Cost(
            cost.pictures | {key}, cost.encoded + encoded, cost.encoder_seconds + seconds
        )
