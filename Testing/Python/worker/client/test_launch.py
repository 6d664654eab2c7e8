"""Which Python runs the worker, and who may connect to its client."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
import types

import pytest

from SAMSegmentLib.core.errors import SAMSegmentError
from SAMSegmentLib.worker.client import launch
from SAMSegmentLib.worker.client.launch import (
    HANDSHAKE_S,
    MOST_PENDING,
    ChildProcess,
    worker_python,
)
from SAMSegmentLib.worker.protocol.handshake import NONCE_BYTES, REPLY_BYTES, child_handshake

SLICERS_PYTHON = "/opt/Slicer/bin/PythonSlicer"


@pytest.fixture
def inside_slicer(monkeypatch):
    monkeypatch.setitem(sys.modules, "PythonQt", types.ModuleType("PythonQt"))
    monkeypatch.setattr(launch.shutil, "which", {"PythonSlicer": SLICERS_PYTHON}.get)
    monkeypatch.delenv("SLICER_HOME", raising=False)


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

    def test_is_the_one_in_slicers_folder_whatever_lies_elsewhere(
        self, inside_slicer, monkeypatch, tmp_path
    ):
        name = "PythonSlicer.exe" if sys.platform == "win32" else "PythonSlicer"
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin" / name).touch()
        monkeypatch.setenv("SLICER_HOME", str(tmp_path))
        assert worker_python() == [str(tmp_path / "bin" / name)]

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

    def until(self, condition):
        end = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < end

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

    def test_opens_for_the_child_at_once_though_others_have_connected(self, door):
        child, address = door
        with contextlib.ExitStack() as others:
            for _ in range(3 * MOST_PENDING):
                others.enter_context(self.knock(address))
                others.enter_context(self.knock(address)).sendall(b"x" * 3)
                child.connect(0.0)
            assert len(child._pending) <= MOST_PENDING
            with self.knock(address) as ours:
                knows = threading.Thread(target=child_handshake, args=(ours, child._key, 1234))
                knows.start()
                # Time stands still: nobody is sent away because he took too long.
                self.until(lambda: child.connect(0.0))
                knows.join()
                assert child.pid == 1234
                ours.sendall(b"hello")
                child.connection.setblocking(True)
                assert child.connection.recv(5) == b"hello"
            child.connection.close()

    def test_is_shut_to_all_others_once_the_child_is_in(self, door):
        child, address = door
        with self.knock(address) as other, self.knock(address) as ours:
            knows = threading.Thread(target=child_handshake, args=(ours, child._key, 1234))
            knows.start()
            self.until(lambda: child.connect(0.0))
            knows.join()
            other.settimeout(30)
            with contextlib.suppress(ConnectionError):
                while other.recv(100):
                    pass
            with pytest.raises(OSError):
                self.knock(address).close()
            child.connection.close()

    def test_sends_away_who_does_not_prove_in_time_to_be_the_child(self, door):
        child, address = door
        with self.knock(address) as other:
            self.until(lambda: child.connect(0.0) or child._pending)
            child.connect(HANDSHAKE_S)
            assert child._pending == []
            other.settimeout(30)
            assert len(other.recv(1000)) == NONCE_BYTES and other.recv(1) == b""

    @pytest.mark.parametrize("pid", [0, 1, 2**31, 2**63])
    def test_takes_no_process_id_that_must_not_be_killed(self, door, pid):
        child, address = door
        with self.knock(address) as ours:

            def prove():
                with contextlib.suppress(OSError):
                    child_handshake(ours, child._key, pid)

            knows = threading.Thread(target=prove)
            knows.start()
            while knows.is_alive():
                assert not child.connect(0.0)
            assert child.pid is None

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


def told_to_child(tmp_path) -> tuple[dict, str, str]:
    """What a child reads from its standard input, its environment and its command line."""
    script = tmp_path / "tell.py"
    script.write_text(
        "import json, os, pathlib, sys\n"
        "said = sys.stdin.read()\n"
        "place = pathlib.Path(sys.argv[1])\n"
        "text = json.dumps([json.loads(said), repr(os.environ), repr(sys.orig_argv)])\n"
        "place.with_suffix('.new').write_text(text)\n"
        "place.with_suffix('.new').replace(place)\n"
    )
    place = tmp_path / "told.json"
    child = ChildProcess([sys.executable, str(script), str(place)], {"device": "cpu"})
    child.wait(30)
    child.kill()
    child.forget()
    return json.loads(place.read_text())


def test_the_key_is_told_by_standard_input_alone(tmp_path):
    said, environment, command = told_to_child(tmp_path)
    assert said["device"] == "cpu" and len(bytes.fromhex(said["key"])) == 32
    for text in (environment, command, repr(os.environ)):
        assert said["key"] not in text and str(said["address"]) not in text


@pytest.fixture
def gone(tmp_path, monkeypatch):
    """The working folder, deleted."""
    if sys.platform == "win32":
        pytest.skip("Windows deletes no folder that a process works in")
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()


class TestAWorkingFolderThatWasDeleted:
    def test_gives_the_child_another_one(self, gone, tmp_path):
        place = tmp_path / "told"
        code = "import os, sys; open(sys.argv[1], 'w').write(os.getcwd())"
        child = ChildProcess([sys.executable, "-c", code, str(place)], {})
        child.wait(30)
        child.kill()
        child.forget()
        assert place.read_text() == launch.ENTRY.anchor

    def test_does_not_keep_the_worker_from_answering(self, gone, new_pump):
        assert new_pump().ready().answer().levels.values.any()

    def test_is_said_to_whoever_names_files_from_there(self, gone):
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "SAMSegmentLib",
                "models",
                "install",
                "sam-med3d-turbo",
                "--from",
                "x.pth",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2 and done.stderr.count("\n") == 1
        assert "the folder that you work in was deleted" in done.stderr


def without_temporary_folders(monkeypatch, *names):
    def refuse(*_, **__):
        raise FileNotFoundError(2, "No usable temporary directory found")

    for name in names or ("mkdtemp", "TemporaryFile"):
        monkeypatch.setattr(launch.tempfile, name, refuse)


class TestNoFolderForTemporaryFiles:
    @pytest.mark.skipif(sys.platform != "linux", reason="needs sockets without a folder")
    def test_does_not_keep_the_worker_from_answering(self, new_pump, monkeypatch):
        without_temporary_folders(monkeypatch)
        assert new_pump().ready().answer().levels.values.any()

    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Windows needs none")
    def test_is_told_in_one_sentence_where_one_is_needed(self, monkeypatch):
        without_temporary_folders(monkeypatch)
        monkeypatch.setattr(sys, "platform", "darwin")
        with pytest.raises(SAMSegmentError, match="TMPDIR"):
            ChildProcess([sys.executable], {})

    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="Windows needs none")
    def test_that_is_full_leaves_nothing_in_it(self, own_folder, monkeypatch):
        class FullSocket(socket.socket):
            def bind(self, address):
                if isinstance(address, str) and address.startswith(str(own_folder)):
                    raise OSError(28, "No space left on device")
                super().bind(address)

        monkeypatch.setattr(launch.socket, "socket", FullSocket)
        listener, address, folder = launch._listen()
        listener.close()
        assert folder is not None and not address.startswith(str(own_folder))
        launch.shutil.rmtree(folder)
        assert list(own_folder.iterdir()) == []

    def test_where_the_report_cannot_be_kept_does_not_matter(self, monkeypatch):
        monkeypatch.delattr(os, "memfd_create", raising=False)
        without_temporary_folders(monkeypatch, "TemporaryFile")
        child = ChildProcess([sys.executable, "-c", "import sys; sys.exit(3)"], {})
        child.wait(30)
        assert child.report() == "Exit status 3."
        child.kill()
        child.forget()
