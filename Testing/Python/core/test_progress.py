"""Long work tells how far it is, and stops when asked."""

import threading

import pytest

from SAMSegmentLib.core.errors import Cancelled
from SAMSegmentLib.core.progress import Watch


def test_a_step_is_told_as_it_is():
    told = []
    Watch(lambda *what: told.append(what)).step(2, 5, "Slice 3 of 5")
    assert told == [(2, 5, "Slice 3 of 5")]


def test_nobody_needs_to_watch():
    Watch().step(0, 1, "")


def test_a_cancelled_step_is_not_told_but_raised():
    told, cancel = [], threading.Event()
    watch = Watch(lambda *what: told.append(what), cancel)
    watch.step(0, 2, "first")
    cancel.set()
    with pytest.raises(Cancelled, match="Nothing was changed"):
        watch.step(1, 2, "second")
    assert len(told) == 1
