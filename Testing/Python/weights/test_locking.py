"""One program at a time works on a model's files."""

import errno
import os
import subprocess
import sys

import pytest

from SAMSegmentLib.core.errors import Cancelled, InstallError, MissingPackageError
from SAMSegmentLib.weights.weights_files import WAITING
from TestSupport.small_model import small_model

ENTRY = small_model()
HOLD = """
import sys
from TestSupport.small_model import small_model
ENTRY = small_model()
with ENTRY.files.locked(ENTRY.title):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other_program(folder):
    """Another process that holds the lock until it gets a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def test_who_comes_second_waits_and_is_told_why(other_program):
    reported = []

    def report(look):
        reported.append(look.message)
        if len(reported) == 2:
            other_program.stdin.write("\n")
            other_program.stdin.flush()

    with ENTRY.files.locked(ENTRY.title, report):
        pass
    assert set(reported) == {WAITING} and len(reported) >= 2


def test_waiting_can_be_given_up(other_program):
    def report(look):
        raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled), ENTRY.files.locked(ENTRY.title, report):
        raise AssertionError("it was never ours")


def test_who_does_not_want_to_wait_is_told(other_program):
    with (
        pytest.raises(InstallError, match="Another program"),
        ENTRY.files.locked(ENTRY.title, wait=False),
    ):
        raise AssertionError("it was never ours")


def test_a_program_that_is_killed_lets_go(other_program):
    other_program.kill()
    other_program.wait()
    with ENTRY.files.locked(ENTRY.title, wait=False):
        pass


def test_an_error_inside_lets_go(folder):
    with pytest.raises(ZeroDivisionError), ENTRY.files.locked(ENTRY.title):
        raise ZeroDivisionError
    with ENTRY.files.locked(ENTRY.title, wait=False):
        pass


def test_another_model_is_another_lock(other_program):
    other = small_model(file="other.pth")
    with other.files.locked(other.title, wait=False):
        pass


@pytest.mark.skipif(os.name != "posix", reason="links need rights on Windows")
def test_a_lock_that_is_a_link_is_refused_and_its_target_stays_as_it_is(folder, tmp_path):
    folder.mkdir()
    (tmp_path / "precious").write_bytes(b"precious")
    ENTRY.files.lock.symlink_to(tmp_path / "precious")
    with pytest.raises(InstallError, match="is no plain file"), ENTRY.files.locked(ENTRY.title):
        raise AssertionError("it was never ours")
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_a_disk_that_knows_no_locks_is_told(folder, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(InstallError, match="No locks available"), ENTRY.files.locked(ENTRY.title):
        raise AssertionError("it was never ours")


def test_a_folder_that_cannot_be_made_is_told(folder):
    folder.write_bytes(b"a file where the folder should be")
    with (
        pytest.raises(InstallError, match=r"cannot be kept in the folder .*models"),
        ENTRY.files.locked(ENTRY.title),
    ):
        raise AssertionError("there is no folder")


def test_without_filelock_the_user_learns_how_to_get_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "filelock", None)
    with (
        pytest.raises(MissingPackageError, match="Install what is missing"),
        ENTRY.files.locked(ENTRY.title),
    ):
        raise AssertionError("there is no lock")
