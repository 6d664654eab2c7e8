"""Which Python runs the worker, and who may connect to its client."""

import contextlib
import socket
import sys
import time
import types

import pytest

from SAMSegmentLib.core.errors import SAMSegmentError
from SAMSegmentLib.worker import launch
from SAMSegmentLib.worker.handshake import NONCE_BYTES, REPLY_BYTES
from SAMSegmentLib.worker.launch import ChildProcess, worker_python

SLICERS_PYTHON = "/opt/Slicer/bin/PythonSlicer"


@pytest.fixture
def inside_slicer(monkeypatch):
    monkeypatch.setitem(sys.modules, "PythonQt", types.ModuleType("PythonQt"))
    monkeypatch.setattr(launch.shutil, "which", {"PythonSlicer": SLICERS_PYTHON}.get)


class TestThePython:
    def test_is_this_one_outside_slicer(self, monkeypatch):
        monkeypatch.setattr(launch.shutil, "which", lambda name: SLICERS_PYTHON)
        assert worker_python() == [sys.executable]

    @pytest.mark.parametrize(
        "executable",
        ["/opt/Slicer/Slicer", "/opt/Slicer/bin/SlicerApp-real", SLICERS_PYTHON, "", None],
    )
    def test_is_slicers_own_inside_slicer_never_slicer_itself(
        self, inside_slicer, monkeypatch, executable
    ):
        monkeypatch.setattr(sys, "executable", executable)
        assert worker_python() == [SLICERS_PYTHON]

    def test_that_is_missing_is_said(self, inside_slicer, monkeypatch):
        monkeypatch.setattr(launch.shutil, "which", lambda name: None)
        with pytest.raises(SAMSegmentError, match="PythonSlicer"):
            worker_python()


class TestTheDoor:
    @pytest.fixture(params=["folder", "loopback"])
    def door(self, request, monkeypatch, own_folder):
        """A child that never connects, and the address at which it should have."""
        if request.param == "loopback":
            monkeypatch.setattr(launch, "_listen", launch._listen_on_loopback)
        elif not hasattr(socket, "AF_UNIX"):
            pytest.skip("no such sockets here")
        sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
        child = ChildProcess(sleeper, {})
        yield child, child._listener.getsockname()
        child.kill()
        child.wait(10)
        child.forget()
        assert list(own_folder.iterdir()) == []

    def knock(self, address):
        visitor = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
        visitor.connect(address)
        return visitor

    def test_opens_for_nobody_who_does_not_know_the_key(self, door):
        child, address = door
        with self.knock(address) as visitor:
            visitor.sendall(b"x" * REPLY_BYTES)
            visitor.settimeout(0.01)
            heard, is_shut = b"", False
            while not is_shut:
                assert not child.connect(0.0)
                with contextlib.suppress(TimeoutError):
                    more = visitor.recv(1000)
                    heard, is_shut = heard + more, not more
        assert len(heard) == NONCE_BYTES
        assert child.connection is None

    def test_is_not_blocked_by_somebody_who_stands_in_it(self, door):
        child, address = door
        with self.knock(address), self.knock(address):
            end = time.monotonic() + 30
            while child._guest is None and time.monotonic() < end:
                child.connect(0.0)
            first = child._guest
            assert not child.connect(1.0) and child._guest is first
            child.connect(launch.HANDSHAKE_S)
            while child._guest in (None, first) and time.monotonic() < end:
                child.connect(launch.HANDSHAKE_S)
            assert child._guest not in (None, first)

    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets here")
    def test_is_in_a_folder_that_only_the_user_can_enter(self, own_folder):
        listener, address, folder = launch._listen()
        assert launch.Path(folder).stat().st_mode & 0o077 == 0
        assert address.startswith(str(own_folder))
        listener.close()
        launch.shutil.rmtree(folder)

    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no such sockets here")
    def test_is_found_also_where_temporary_files_lie_deep(self, own_folder, monkeypatch):
        deep = own_folder / ("d" * 120)
        deep.mkdir()
        monkeypatch.setattr(launch.tempfile, "tempdir", str(deep))
        listener, address, folder = launch._listen()
        listener.close()
        launch.shutil.rmtree(folder)
        assert len(address) < launch.LONGEST_SOCKET_PATH
        assert list(deep.iterdir()) == []


def test_a_worker_can_be_reached_over_the_loopback_as_on_windows(new_pump, monkeypatch):
    monkeypatch.setattr(launch, "_listen", launch._listen_on_loopback)
    pump = new_pump().ready()
    assert pump.client.info.pid
    # Without descriptors there is no shared memory on this system; small things come through.
    assert pump.client._link._child.connection.family == socket.AF_INET
