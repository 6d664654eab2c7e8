"""Ctrl+C waits where a library could not bear it."""

import signal
import threading

import pytest

from SAMSegmentLib.core.interrupts import interrupted_afterwards


def test_ctrl_c_is_heard_at_the_end():
    steps = []
    with pytest.raises(KeyboardInterrupt), interrupted_afterwards():
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        steps.append("all done")
    assert steps == ["all done"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_ctrl_c_nothing_is_different():
    with pytest.raises(ImportError), interrupted_afterwards():
        raise ImportError("no torch")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_hear_no_signals_and_need_no_care():
    done = []

    def work():
        with interrupted_afterwards():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
