"""Worker processes for tests: with engines that need no network, and polled as Slicer would."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

from SAMSegmentLib.core.image import Image
from SAMSegmentLib.core.prompts import Point, Prompts
from SAMSegmentLib.weights.catalogue import ModelEntry
from SAMSegmentLib.worker.client.process_client import WorkerClient
from SAMSegmentLib.worker.protocol.events import PredictionRequest, Progress, Proposed, Ready
from TestSupport.catalogue_models import model_run_by
from TestSupport.phantoms import ct_with_ball, grid

MODEL = model_run_by("recording")
BALL = (48.0, 48.0, 10.0)
GEOMETRY = grid((8, 64, 64))
VOXELS = ct_with_ball(GEOMETRY, BALL, 18).voxels
# Far more than anything here takes: a test that waits so long has failed.
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def this_file_can_be_imported(monkeypatch):
    """By the programs of tests."""
    folder = str(Path(__file__).parent)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([folder, os.environ["PYTHONPATH"]]))


class Pump:
    """A WorkerClient, and the timer that Slicer would have.

    Args:
        model: that is asked; the recording engine if left out.
        options: see WorkerClient.

    Attributes:
        later: seconds by which the client's clock is ahead.
    """

    def __init__(self, device: str = "cpu", model: ModelEntry = MODEL, **options) -> None:
        self.later = 0.0
        self.model = model
        self.client = WorkerClient(device, clock=lambda: time.monotonic() + self.later, **options)

    def image(self, behaviour: str | None = None, voxels=VOXELS) -> Image:
        """A bright ball; `behaviour` tells the fake engine what to do."""
        return Image(voxels, GEOMETRY, behaviour)

    def ask(self, image: Image | str | None = None, **more) -> int:
        """Asks about an image, with a click into its middle."""
        image = image if isinstance(image, Image) else self.image(image)
        prompts = Prompts(points=(Point(BALL),))
        request = PredictionRequest(
            self.model, image, prompts, more.pop("target", GEOMETRY), **more
        )
        return self.client.ask(request)

    def until(self, kind: type, number: int | None = None):
        """Polls until an event of that kind (and number) comes; all before it are in `seen`."""
        self.seen = []
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            events = self.client.poll()
            for event in events:
                self.seen.append(event)
            for event in events:
                if isinstance(event, kind) and number in (None, getattr(event, "number", None)):
                    return event
            time.sleep(0.005)
        raise AssertionError(f"{kind.__name__} {number} did not come, but {self.seen}")

    def begun(self, number: int) -> int:
        """Polls until the engine works on that request; its number."""
        seen = []
        while not any(event.message == "Looking" for event in seen):
            seen.append(self.until(Progress, number))
        return number

    def wait(self, condition) -> list:
        """Polls until a condition holds; the events that came."""
        self.seen = []
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, f"it never held; {self.seen}"
            self.seen += self.client.poll()
            time.sleep(0.005)
        return self.seen

    def ready(self) -> Pump:
        """Starts the worker and waits for it."""
        self.client.start()
        self.until(Ready)
        return self

    def stopped(self) -> list:
        """Polls until the worker has given up by itself what was cancelled; the events."""
        # However slow this computer is: the deadline does not come.
        self.later -= 1000
        try:
            return self.wait(lambda: not self.client._stopping)
        finally:
            self.later += 1000

    def answer(self, image: Image | str | None = None, **more):
        """Asks, and waits for the proposal."""
        return self.until(Proposed, self.ask(image, **more)).proposals[0]

    def told(self, image: Image | str | None = None, **more) -> dict:
        """What the fake engine says that it was given."""
        return json.loads(self.answer(image, **more).warnings[0])


@pytest.fixture
def pump():
    """A Pump of one's own."""
    pump = Pump()
    yield pump
    pump.client.close()


@pytest.fixture
def new_pump():
    """Makes Pumps: with other commands, other models."""
    pumps = []

    def make(*arguments, **options) -> Pump:
        pumps.append(Pump(*arguments, **options))
        return pumps[-1]

    yield make
    for pump in pumps:
        pump.client.close()


@pytest.fixture(scope="module")
def shared_pump():
    """A Pump for tests that leave the process as it was."""
    pump = Pump().ready()
    yield pump
    pump.client.close()


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def comes_to_an_end():
    """A function that waits for a process's end and says whether it came."""

    def wait(pid: int) -> bool:
        end = time.monotonic() + PATIENCE_S
        while is_alive(pid) and time.monotonic() < end:
            time.sleep(0.01)
        return not is_alive(pid)

    return wait


@pytest.fixture
def kill():
    """Kills a process as nothing but SIGKILL can (on Windows, TerminateProcess)."""

    def kill(pid: int) -> None:
        with contextlib.suppress(OSError):
            os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))

    return kill


@pytest.fixture
def own_folder(monkeypatch, tmp_path) -> Path:
    """A folder of one's own for temporary files, for this process and those that it starts."""
    folder = tmp_path / "t"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def none_is_left(own_folder):
    """A function that waits for the end of all workers started since, and says whether it came.

    It knows them by their temporary folder, on Linux.
    """
    if sys.platform != "linux":
        pytest.skip("looks through /proc")
    mark = os.fsencode(own_folder)

    def pids() -> list[int]:
        found = []
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if not folder.name.isdigit():
                    continue
                is_worker = b"process_main.py" in (folder / "cmdline").read_bytes()
                if is_worker and mark in (folder / "environ").read_bytes():
                    found.append(int(folder.name))
        return [pid for pid in found if pid != os.getpid() and is_alive(pid)]

    def wait() -> bool:
        end = time.monotonic() + PATIENCE_S
        while pids() and time.monotonic() < end:
            time.sleep(0.01)
        return not pids()

    return wait
