"""Embeddings that were computed lately, up to a given amount of memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from ..core.answer import Cost
from .base import Embedding


class EmbeddingCache:
    """Keeps the embeddings used last. Not for use from several threads.

    Args:
        capacity: bytes at most; one that is larger by itself is not kept.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._kept: OrderedDict[Hashable, Embedding] = OrderedDict()
        self.nbytes = 0
        self.hits = 0
        self.misses = 0
        self._cost = Cost()

    def start_counting(self) -> None:
        """Begins a new account of what `get` does."""
        self._cost = Cost()

    @property
    def cost(self) -> Cost:
        """What was asked for and encoded since `start_counting`."""
        return self._cost

    def get(self, key: Hashable, make: Callable[[], Embedding]) -> Embedding:
        """The embedding kept under `key`, else the one that `make` returns."""
        if key in self._kept:
            self.hits += 1
            self._kept.move_to_end(key)
            self._count(key, 0, 0.0)
            return self._kept[key]
        self.misses += 1
        started = time.perf_counter()
        embedding = make()
        self._count(key, 1, time.perf_counter() - started)
        self._keep(key, embedding)
        return embedding

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()
        self.nbytes = 0

    def _count(self, key: Hashable, encoded: int, seconds: float) -> None:
        cost = self._cost
        self._cost = Cost(
            cost.pictures | {key}, cost.encoded + encoded, cost.encoder_seconds + seconds
        )

    def _keep(self, key: Hashable, embedding: Embedding) -> None:
        if embedding.nbytes > self._capacity:
            return
        self._kept[key] = embedding
        self.nbytes += embedding.nbytes
        while self.nbytes > self._capacity:
            _, dropped = self._kept.popitem(last=False)
            self.nbytes -= dropped.nbytes
