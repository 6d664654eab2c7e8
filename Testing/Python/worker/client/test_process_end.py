"""However a worker, its client or a launcher ends: nothing is left, and the user can go on."""

import os
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from SAMSegmentLib.core.errors import MissingPackageError, SAMSegmentError
from SAMSegmentLib.worker.client.process_client import CrashLog
from SAMSegmentLib.worker.protocol.events import Crashed, Failed, Proposed, Ready, WorkerState

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks through /proc and /dev/shm")
posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell script as launcher")

LAUNCHER = (
    '#!/bin/sh\n# As PythonSlicer: starts the real Python and waits.\n"{python}" "$@"\nexit $?\n'
)


@pytest.fixture
def launcher(tmp_path):
    """A command that starts Python as its child."""
    # On a Mac, newer Slicers are called so, with blanks.
    script = tmp_path / "3D Slicer 5.13.app" / "PythonSlicer"
    script.parent.mkdir()
    script.write_text(LAUNCHER.format(python=sys.executable))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return [str(script)]


@pytest.fixture
def left_behind(own_folder):
    """A function that lists temporary files and shared memory of ours."""
    shared = Path("/dev/shm")
    names = ("samsegment", "psm_")

    def content() -> list[Path]:
        found = list(own_folder.iterdir())
        if shared.is_dir():
            found += [path for path in shared.iterdir() if path.name.lower().startswith(names)]
        return found

    return content


class TestACrash:
    def test_during_a_request_is_told_and_the_next_one_is_answered(self, pump, kill):
        pid = pump.ready().client.info.pid
        number = pump.begun(pump.ask("slow"))
        kill(pid)
        crashed = pump.until(Crashed)
        failed = next(event for event in pump.seen if isinstance(event, Failed))
        assert failed.number == number
        assert "try again" in str(failed.error) and "try again" in crashed.message
        assert pump.client.state is WorkerState.STARTING
        assert pump.told()["pid"] != pid

    @linux
    def test_of_the_native_code_leaves_its_trace_for_the_diagnostics(self, pump):
        pump.ask("crashing")
        pump.until(Crashed)
        pump.wait(lambda: pump.client.last_error)
        assert f"Exit status {-signal.SIGSEGV}" in pump.client.last_error
        assert "Segmentation fault" in pump.client.last_error
        assert "recording_engine.py" in pump.client.last_error

    def test_while_nothing_is_asked_starts_another(self, pump, kill):
        pid = pump.ready().client.info.pid
        kill(pid)
        pump.until(Ready)
        assert [type(event) for event in pump.seen] == [Crashed, Ready]
        assert pump.client.info.pid != pid

    def test_before_a_request_was_handed_over_does_not_lose_it(self, pump, kill):
        pid = pump.ready().client.info.pid
        kill(pid)
        number = pump.ask()
        pump.until(Proposed, number)
        assert not any(isinstance(event, Failed) for event in pump.seen)

    def test_again_and_again_is_not_repeated_for_ever(self, pump, kill):
        for attempt in range(3):
            pump.client.start()
            number = pump.ask("crashing")
            failed = pump.until(Failed, number)
            assert (pump.client.state is WorkerState.FAILED) == (attempt == 2)
        assert "keeps ending" in str(failed.error)
        # Nothing is started now, until somebody wants it.
        later = pump.until(Failed, pump.ask())
        assert str(later.error) == str(failed.error)
        assert pump.client.state is WorkerState.FAILED
        pump.client.start()
        pump.answer()

    def test_counts_no_more_after_an_answer(self, pump):
        for kind in ("crashing", "crashing", None, "crashing"):
            number = pump.ask(kind)
            pump.until(Proposed if kind is None else Failed, number)
        assert pump.client.state is WorkerState.STARTING

    def test_counts_no_more_after_a_minute(self):
        log = CrashLog()
        assert [log.add(now) for now in (0, 50, 61, 111, 170, 180)] == [False] * 5 + [False]
        assert [log.add(now) for now in (200, 210)] == [True, True]

    def test_at_the_very_start_ends_in_words(self, new_pump, tmp_path):
        script = tmp_path / "broken"
        script.write_text("#!/bin/sh\necho this Python is broken >&2\nexit 3\n")
        script.chmod(0o700)
        pump = new_pump(python=[str(script)])
        failed = pump.until(Failed, pump.ask())
        assert type(failed.error) is SAMSegmentError
        assert pump.client.state is WorkerState.FAILED
        pump.wait(lambda: pump.client.last_error)
        assert pump.client.last_error == "Exit status 3.\nthis Python is broken"


class TestWhatCannotStart:
    def test_is_said_at_once(self, new_pump):
        pump = new_pump(python=["/nowhere/python"])
        pump.client.start()
        assert pump.client.state is WorkerState.FAILED
        (event,) = pump.client.poll()
        assert isinstance(event, Crashed)
        assert "/nowhere/python" in event.message

    def test_without_torch_says_how_to_get_it(self, new_pump, tmp_path, monkeypatch):
        (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')")
        path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
        monkeypatch.setenv("PYTHONPATH", path)
        pump = new_pump()
        failed = pump.until(Failed, pump.ask())
        assert isinstance(failed.error, MissingPackageError)
        assert "install the PyTorch extension" in str(failed.error)
        assert pump.client.state is WorkerState.FAILED
        # Once it is there, starting again is enough.
        (tmp_path / "torch.py").unlink()
        pump.client.start()
        pump.answer()


class TestNothingIsLeft:
    @linux
    def test_of_a_worker_that_was_closed(self, left_behind, new_pump, comes_to_an_end):
        pump = new_pump()
        pump.ready()
        assert left_behind() == []
        pid = pump.client.info.pid
        pump.begun(pump.ask("deaf"))
        assert left_behind() == []
        pump.client.close()
        assert comes_to_an_end(pid)
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        assert left_behind() == []

    def test_of_one_that_was_closed_before_it_came(self, left_behind, none_is_left, new_pump):
        pump = new_pump()
        pump.client.start()
        pump.client.close()
        assert none_is_left()
        assert left_behind() == []

    @posix
    def test_of_one_behind_a_launcher(self, new_pump, launcher, comes_to_an_end):
        pump = new_pump(python=launcher)
        pid = pump.told()["pid"]
        launcher_pid = pump.client._link._child._process.pid
        assert pump.client.info.pid == pid != launcher_pid
        pump.begun(pump.ask("deaf"))
        pump.client.close()
        assert comes_to_an_end(pid)
        assert comes_to_an_end(launcher_pid)

    @posix
    def test_of_one_behind_a_launcher_that_does_not_listen(
        self, new_pump, launcher, comes_to_an_end
    ):
        pump = new_pump(python=launcher)
        pid = pump.told()["pid"]
        pump.begun(pump.ask("deaf"))
        pump.client.cancel()
        pump.later = 1
        pump.client.poll()
        assert comes_to_an_end(pid)
        assert pump.told()["pid"] != pid

    @posix
    def test_of_one_behind_a_launcher_that_was_closed_before_it_came(
        self, left_behind, none_is_left, new_pump, launcher
    ):
        pump = new_pump(python=launcher)
        pump.client.start()
        pump.client.close()
        assert none_is_left()
        assert left_behind() == []

    @posix
    def test_if_only_the_launcher_is_killed_the_worker_goes_on(self, new_pump, launcher, kill):
        pump = new_pump(python=launcher)
        pid = pump.told()["pid"]
        kill(pump.client._link._child._process.pid)
        assert pump.told()["pid"] == pid

    @linux
    @pytest.mark.parametrize("way", ["killed", "without close", "killed at the start"])
    def test_of_a_client_that_is_gone(self, left_behind, none_is_left, way):
        code = f"""
            import os, signal, sys
            from conftest import Pump
            way = {way!r}
            pump = Pump()
            if way == "killed at the start":
                pump.client.start()
            else:
                pump.ready()
                pump.begun(pump.ask("deaf"))
                print("begun", flush=True)
            if way == "without close":
                sys.exit()
            os.kill(os.getpid(), signal.SIGKILL)
        """
        result = subprocess.run(
            [sys.executable, "-c", textwrap.dedent(code)],
            stdout=subprocess.PIPE,
            text=True,
            timeout=300,
            check=False,
        )
        assert ("begun" in result.stdout) == (way != "killed at the start")
        assert none_is_left()
        assert left_behind() == []
