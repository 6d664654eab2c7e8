"""Weights are fetched, checked and copied in a process of its own, which leaves nothing behind."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from SAMSegmentLib.core.errors import Cancelled, InputError, InstallError, WeightsError
from SAMSegmentLib.weights.progress import Transfer
from SAMSegmentLib.worker.client.model_jobs import (
    ENDED,
    JobFailed,
    ModelJob,
    install_order,
    run_job,
)
from SAMSegmentLib.worker.protocol.model_messages import InstallModel, ModelDone, VerifyModel
from TestSupport.served_model import has_come, served_model
from TestSupport.weights_server import WeightsServer, stall_after

# Like nothing that could be converted, and more than goes into any buffer on the way.
CONTENT = np.random.default_rng(0).bytes(2_000_000)
HALF = 1_000_000
# Far more than anything here takes: a test that waits so long has failed.
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path) -> Path:
    """The models folder; nobody has made it yet."""
    monkeypatch.setenv("SAMSEGMENT_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def server():
    with WeightsServer(CONTENT) as server:
        yield server


@pytest.fixture
def start():
    """Starts jobs; what still runs at the end is ended."""
    jobs = []

    def start(order, **options) -> ModelJob:
        jobs.append(ModelJob(order, **options))
        jobs[-1].start()
        return jobs[-1]

    yield start
    for job in jobs:
        job.cancel()


def events_until(job: ModelJob, is_wanted) -> list:
    """Polls until such an event has come; all events."""
    events = []
    end = time.monotonic() + PATIENCE_S
    while not any(is_wanted(event) for event in events):
        assert time.monotonic() < end, events
        events += job.poll()
        time.sleep(0.005)
    return events


def outcome(job: ModelJob) -> ModelDone | JobFailed:
    """The last event."""
    events = events_until(job, lambda event: not isinstance(event, Transfer))
    assert not job.is_running and job.poll() == []
    return events[-1]


def wait_until_half_has_come(entry, job: ModelJob) -> None:
    """Polls until all has arrived that the server sends before it stalls."""
    end = time.monotonic() + PATIENCE_S
    while not has_come(entry, HALF):
        assert time.monotonic() < end and job.is_running
        job.poll()
        time.sleep(0.005)


class TestADownload:
    def test_tells_how_far_it_is_and_then_where_the_weights_lie(self, server, start, folder):
        entry = served_model(server)
        job = start(InstallModel(entry))
        assert job.is_running
        events = events_until(job, lambda event: not isinstance(event, Transfer))
        assert events[-1].path == str(entry.path) and entry.path.read_bytes() == CONTENT
        assert entry.verified_path() == entry.path
        looks = events[:-1]
        assert looks and all(isinstance(look, Transfer) for look in looks)
        assert any("127.0.0.1" in look.message for look in looks)
        assert not entry.files.partial.exists()

    def test_that_is_cancelled_ends_at_once_and_the_next_carries_on(
        self, start, folder, none_is_left
    ):
        with WeightsServer(CONTENT, [stall_after(HALF)]) as server:
            entry = served_model(server)
            job = start(InstallModel(entry))
            wait_until_half_has_come(entry, job)
            job.cancel()
            assert not job.is_running and job.poll() == [] and none_is_left()
            assert not entry.is_installed
            assert entry.files.partial.read_bytes() == CONTENT[:HALF]
            job.start()
            assert isinstance(outcome(job), ModelDone)
            assert server.offsets == [None, HALF]
        assert entry.path.read_bytes() == CONTENT

    def test_whose_process_is_killed_ends_in_words_and_the_next_carries_on(
        self, start, kill, none_is_left
    ):
        with WeightsServer(CONTENT, [stall_after(HALF)]) as server:
            entry = served_model(server)
            job = start(InstallModel(entry))
            wait_until_half_has_come(entry, job)
            kill(job._link._child.pid)
            failed = outcome(job)
            assert isinstance(failed.error, InstallError) and str(failed.error) == ENDED
            assert "Exit status" in job.last_error and none_is_left()
            job.start()
            assert isinstance(outcome(job), ModelDone)
            assert server.offsets == [None, HALF]
        assert entry.path.read_bytes() == CONTENT

    def test_of_wrong_bytes_installs_nothing_and_says_so(self, server, start, folder):
        entry = served_model(server, sha256="0" * 64)
        job = start(InstallModel(entry))
        failed = outcome(job)
        assert isinstance(failed.error, InstallError) and "127.0.0.1" in str(failed.error)
        assert "Traceback" in job.last_error
        assert not entry.is_installed and not entry.files.partial.exists()

    def test_waits_for_another_of_the_same_file_and_takes_over_when_that_is_ended(self, start):
        with WeightsServer(CONTENT, [stall_after(HALF)]) as server:
            entry = served_model(server)
            first = start(InstallModel(entry))
            wait_until_half_has_come(entry, first)
            second = start(InstallModel(entry))
            events_until(second, lambda look: "Another program" in getattr(look, "message", ""))
            first.cancel()
            assert isinstance(outcome(second), ModelDone)
            assert server.offsets == [None, HALF]
        assert entry.path.read_bytes() == CONTENT

    @pytest.mark.skipif(sys.platform == "win32", reason="a shell script as launcher")
    def test_ends_also_behind_a_launcher_as_slicers_python_is(self, start, tmp_path, none_is_left):
        launcher = tmp_path / "launcher"
        launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n')
        launcher.chmod(0o700)
        with WeightsServer(CONTENT, [stall_after(HALF)]) as server:
            entry = served_model(server)
            job = start(InstallModel(entry), python=[str(launcher)])
            wait_until_half_has_come(entry, job)
            job.cancel()
            assert none_is_left()
            job.start()
            assert isinstance(outcome(job), ModelDone) and none_is_left()

    def test_that_nobody_waits_for_ends_with_its_client(self, none_is_left, tmp_path):
        """As when Slicer is killed."""
        with WeightsServer(CONTENT, [stall_after(HALF)]) as server:
            entry = served_model(server)
            script = (
                "import pickle, sys, time\n"
                "from SAMSegmentLib.worker.client.model_jobs import ModelJob\n"
                "from SAMSegmentLib.worker.protocol.model_messages import InstallModel\n"
                "job = ModelJob(InstallModel(pickle.load(sys.stdin.buffer)))\n"
                "job.start()\n"
                "while True:\n"
                "    job.poll()\n"
                "    time.sleep(0.01)\n"
            )
            client = subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE)
            client.stdin.write(pickle.dumps(entry))
            client.stdin.close()
            end = time.monotonic() + PATIENCE_S
            while not has_come(entry, HALF):
                assert time.monotonic() < end and client.poll() is None
                time.sleep(0.01)
            client.kill()
            client.wait(PATIENCE_S)
            assert none_is_left()
            assert entry.files.partial.read_bytes() == CONTENT[:HALF]


class TestWithoutADownload:
    def test_a_file_is_copied_and_stays_where_it_is(self, server, start, tmp_path):
        stick = tmp_path / "stick"
        stick.mkdir()
        entry = served_model(server)
        (stick / entry.file).write_bytes(CONTENT)
        for source in (stick / entry.file, stick):
            job = start(install_order(entry, source))
            assert outcome(job).path == str(entry.path)
            assert entry.path.read_bytes() == CONTENT == (stick / entry.file).read_bytes()
            entry.path.unlink()
        assert server.offsets == []

    def test_weights_are_verified(self, server, start, folder):
        entry = served_model(server)
        job = start(VerifyModel(entry))
        assert isinstance(outcome(job).error, WeightsError)
        folder.mkdir(exist_ok=True)
        entry.path.write_bytes(CONTENT)
        job.start()
        assert outcome(job) == ModelDone(str(entry.path), sha256=entry.sha256)
        entry.path.write_bytes(CONTENT[:-1] + b"x")
        job.start()
        failed = outcome(job)
        assert isinstance(failed.error, WeightsError) and str(entry.path) in str(failed.error)
        assert entry.path.exists()

    def test_a_source_that_is_not_there_is_refused_before_a_process_is_started(
        self, server, tmp_path
    ):
        with pytest.raises(InputError, match=r"nowhere does not exist"):
            install_order(served_model(server), tmp_path / "nowhere")

    def test_a_model_that_comes_with_samsegment_is_not_installed(self, server):
        with pytest.raises(InputError, match="comes with SAMSegment"):
            install_order(served_model(server, origin="included"))

    def test_a_place_in_the_home_folder_is_found(self, server, monkeypatch, tmp_path):
        for variable in ("HOME", "USERPROFILE"):
            monkeypatch.setenv(variable, str(tmp_path))
        (tmp_path / "file").write_bytes(b"")
        order = install_order(served_model(server), os.path.join("~", "file"))
        assert order.source == str(tmp_path / "file")


class TestAfterAnInstall:
    """A checkpoint is converted once, where that can be done."""

    @pytest.fixture
    def checkpoint(self, tmp_path) -> bytes:
        torch = pytest.importorskip("torch")
        torch.save({"weight": torch.arange(12.0).reshape(3, 4)}, tmp_path / "small.pth")
        return (tmp_path / "small.pth").read_bytes()

    def test_a_checkpoint_becomes_safetensors(self, checkpoint, start):
        with WeightsServer(checkpoint) as server:
            entry = served_model(server)
            done = outcome(start(InstallModel(entry)))
        assert done == ModelDone(str(entry.path)) and done.path.endswith(".safetensors")
        assert entry.verified_path() == entry.path
        from safetensors.numpy import load_file

        assert np.array_equal(load_file(entry.path)["weight"], np.arange(12.0).reshape(3, 4))

    def test_without_torch_they_are_installed_all_the_same_and_a_note_says_what_comes(
        self, checkpoint, start, tmp_path, monkeypatch
    ):
        (tmp_path / "torch.py").write_text("raise ModuleNotFoundError('no torch', name='torch')")
        path = os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]])
        monkeypatch.setenv("PYTHONPATH", path)
        with WeightsServer(checkpoint) as server:
            entry = served_model(server)
            done = outcome(start(InstallModel(entry)))
        (note,) = done.notes
        assert "PyTorch is not installed" in note and "first used" in note
        assert done.path == str(entry.path) and entry.path.read_bytes() == checkpoint


class TestWhatCannotStart:
    def test_is_told_by_poll(self, server, start):
        job = start(InstallModel(served_model(server)), python=["/nowhere/python"])
        (failed,) = job.poll()
        assert "/nowhere/python" in str(failed.error) and not job.is_running

    @pytest.mark.skipif(sys.platform == "win32", reason="a shell script as Python")
    def test_or_ends_before_it_connects_leaves_its_words_for_the_diagnostics(
        self, server, start, tmp_path
    ):
        script = tmp_path / "broken"
        script.write_text("#!/bin/sh\necho this Python is broken >&2\nexit 3\n")
        script.chmod(0o700)
        job = start(InstallModel(served_model(server)), python=[str(script)])
        assert isinstance(outcome(job).error, InstallError)
        assert job.last_error == "Exit status 3.\nthis Python is broken"


class TestWhoeverWaits:
    def test_gets_the_outcome_and_leaves_no_process(self, server, none_is_left):
        entry, looks = served_model(server), []
        assert run_job(InstallModel(entry), looks.append).path == str(entry.path)
        assert looks and none_is_left()

    def test_gets_the_error_as_it_was_raised(self, server):
        with pytest.raises(WeightsError, match="not installed"):
            run_job(VerifyModel(served_model(server)))

    @pytest.mark.parametrize("problem", [Cancelled("Enough."), KeyboardInterrupt()])
    def test_ends_the_work_by_raising(self, problem, none_is_left):
        def stop(_look):
            raise problem

        with WeightsServer(CONTENT, [stall_after(HALF)]) as server:
            entry = served_model(server)
            with pytest.raises(type(problem)):
                run_job(InstallModel(entry), stop)
            assert none_is_left() and not entry.is_installed

    def test_can_cancel_and_is_told_what_is_kept(self, none_is_left):
        class Flag:
            def is_set(self) -> bool:
                return has_come(entry, HALF)

        with WeightsServer(CONTENT, [stall_after(HALF)]) as server:
            entry = served_model(server)
            with pytest.raises(Cancelled, match="What was downloaded is kept"):
                run_job(InstallModel(entry), cancel=Flag())
            assert none_is_left() and entry.files.partial.read_bytes() == CONTENT[:HALF]
