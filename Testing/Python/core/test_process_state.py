"""Ctrl+C and the working folder, for as long as a library needs them otherwise."""

import os
import signal
import sys
import threading

import pytest

from SAMSegmentLib.core.process_state import delayed_interrupts, existing_working_folder


def test_ctrl_c_is_delivered_at_the_end():
    steps = []
    with pytest.raises(KeyboardInterrupt), delayed_interrupts():
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        steps.append("all done")
    assert steps == ["all done"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_without_ctrl_c_nothing_is_different():
    with pytest.raises(ImportError), delayed_interrupts():
        raise ImportError("no torch")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_get_no_signals_and_need_no_delay():
    done = []

    def work():
        with delayed_interrupts():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows deletes no folder that is in use")
def test_a_deleted_working_folder_is_left_for_a_while_and_paths_fail_afterwards_as_before(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gone").mkdir()
    os.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with existing_working_folder():
        assert os.path.isdir(os.getcwd())
    with pytest.raises(FileNotFoundError):
        os.getcwd()
    with pytest.raises(FileNotFoundError), open("mask.seg.nrrd", "w"):
        pass


def test_a_working_folder_that_exists_is_not_left(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with existing_working_folder():
        assert os.getcwd() == os.path.realpath(tmp_path)
