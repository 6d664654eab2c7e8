"""Embeddings that were computed lately, up to a given amount of memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

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

    def get(self, key: Hashable, make: Callable[[], Embedding]) -> Embedding:
        """The embedding kept under `key`, else the one that `make` returns."""
        if key in self._kept:
            self.hits += 1
            self._kept.move_to_end(key)
            return self._kept[key]
        self.misses += 1
        embedding = make()
        self._keep(key, embedding)
        return embedding

    def clear(self) -> None:
        """Forgets everything."""
        self._kept.clear()
        self.nbytes = 0

    def _keep(self, key: Hashable, embedding: Embedding) -> None:
        if embedding.nbytes > self._capacity:
            return
        self._kept[key] = embedding
        self.nbytes += embedding.nbytes
        while self.nbytes > self._capacity:
            _, dropped = self._kept.popitem(last=False)
            self.nbytes -= dropped.nbytes
