"""Embeddings and answers are kept up to a given amount of memory."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from SAMSegmentLib.models.embedding_cache import EmbeddingCache, MemoryCache


def embedding(nbytes):
    return np.zeros(nbytes, np.uint8)


def test_what_is_kept_is_not_made_again():
    cache = EmbeddingCache(100)
    first = cache.get("a", lambda: embedding(10))
    assert cache.get("a", lambda: pytest.fail("made again")) is first
    assert cache.cost.encoded == 1 and len(cache.cost.pictures) == 1


def test_what_was_used_longest_ago_goes_first():
    cache = EmbeddingCache(30)
    for key in "abc":
        cache.get(key, lambda: embedding(10))
    cache.get("a", lambda: pytest.fail("a should be there"))
    cache.get("d", lambda: embedding(10))
    cache.get("a", lambda: pytest.fail("a was used lately"))
    with pytest.raises(ZeroDivisionError):
        cache.get("b", lambda: 1 // 0)


def test_one_that_is_too_large_leaves_the_others_alone():
    cache = EmbeddingCache(30)
    cache.get("a", lambda: embedding(20))
    assert cache.get("b", lambda: embedding(31)).nbytes == 31
    cache.get("a", lambda: pytest.fail("a should be there"))


def test_a_failure_is_not_kept():
    cache = EmbeddingCache(30)
    with pytest.raises(ZeroDivisionError):
        cache.get("a", lambda: 1 // 0)
    assert cache.get("a", lambda: embedding(5)).nbytes == 5


@given(st.lists(st.tuples(st.integers(0, 8), st.integers(1, 40)), max_size=60))
def test_it_never_holds_more_than_its_capacity(requests):
    cache = EmbeddingCache(60)
    sizes = {}
    for key, nbytes in requests:
        got = cache.get(key, lambda n=nbytes: embedding(n))
        sizes.setdefault(key, got.nbytes)
        assert cache.nbytes <= 60
    cache.clear()
    assert cache.nbytes == 0


def test_of_too_many_values_the_one_used_least_lately_goes():
    cache = MemoryCache(100, most=3)
    for name in "abc":
        cache.keep(name, name, 1)
    cache.get("a")
    cache.keep("d", "d", 1)
    assert [name for name in "abcd" if cache.get(name)] == ["a", "c", "d"]
    cache.clear()
    assert len(cache) == cache.nbytes == 0 and cache.get("a") is None


def test_too_many_bytes_leave_as_many_of_the_latest_as_must_be_kept():
    cache = MemoryCache(100, most=10, at_least=2)
    for name in "abc":
        cache.keep(name, name, 80)
    assert [name for name in "abc" if cache.get(name)] == ["b", "c"]
    cache.keep("d", "d", 10)
    assert [name for name in "abcd" if cache.get(name)] == ["c", "d"]
    cache.keep("e", "e", 1000)
    assert [name for name in "abcde" if cache.get(name)] == ["d", "e"]
