"""The self test that a real Slicer runs under CTest passes in the host, too."""

import contextlib
import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from SlicerHost import errors as slicer_errors

MODULE = Path(__file__).parents[4] / "SAMSegment" / "SAMSegment.py"

pytestmark = pytest.mark.mrml


@pytest.fixture
def self_test(application):
    """A SAMSegmentTest in a Slicer that has started; its log must hold no error."""
    from SlicerHost import own_effects

    own_effects.register()
    application.load_module(MODULE)
    application.start()
    import SAMSegment

    yield SAMSegment.SAMSegmentTest()
    assert application.errors == []


@pytest.fixture
def timeout(monkeypatch):
    """`timeout(seconds)`: how long the self test waits for something; 30 s until then."""

    def set_timeout(seconds: float) -> None:
        monkeypatch.setattr("SAMSegmentLib.ui.module.self_test.TIMEOUT_S", seconds)

    set_timeout(30.0)
    return set_timeout


@pytest.mark.parametrize(
    "scenario",
    [
        "test_panel_opens_and_is_left",
        "test_switching_effects",
        "test_point_proposal_apply_undo",
        "test_scene_saved_with_preview_open",
    ],
)
def test_each_scenario_passes_with_a_quick_engine(self_test, service, timeout, scenario):
    self_test.setUp()
    getattr(self_test, scenario)()
    self_test.tearDown()


def test_a_scenario_fails_for_any_error_in_slicers_log(self_test, service, timeout, monkeypatch):
    from SAMSegmentLib.scene import hidden_nodes

    monkeypatch.setattr(hidden_nodes, "add_hidden_item", lambda node: None)
    self_test.setUp()
    with pytest.raises(AssertionError, match="subject hierarchy item"):
        self_test.test_switching_effects()
    self_test.tearDown()
    slicer_errors.errors.clear()


def test_errors_of_before_and_warnings_are_no_errors_of_a_scenario(self_test):
    from SAMSegmentLib.ui.module.self_test import Log

    logging.error("before")
    log = Log()
    logging.warning("no error")
    assert log.errors() == []
    # In the model, it shares a row with the one before.
    logging.error("a line\nanother")
    assert [line.split(" - ")[1] for line in log.errors()] == ["a line"]


def test_a_log_that_takes_nothing_is_an_error(self_test, monkeypatch):
    from SAMSegmentLib.ui.module import self_test as scenarios

    monkeypatch.setattr(scenarios, "LOG_TIMEOUT_S", 0.1)
    monkeypatch.setattr(logging, "info", lambda text: None)
    with pytest.raises(RuntimeError, match="nothing into its log"):
        scenarios.Log()


def test_the_way_through_the_effect_fails_if_the_proposal_is_wrong(
    self_test, service, monkeypatch, timeout
):
    timeout(5.0)
    monkeypatch.setattr("SAMSegmentLib.ui.module.self_test.GOOD_DICE", 1.01)
    self_test.setUp()
    with pytest.raises(AssertionError):
        self_test.test_point_proposal_apply_undo()
    self_test.tearDown()


def test_a_proposal_that_never_comes_is_reported_with_the_panels_status(
    self_test, monkeypatch, timeout
):
    from SAMSegmentLib.ui.common import worker_service
    from SAMSegmentLib.worker.client.process_client import WorkerClient

    service = worker_service.WorkerService(lambda device: WorkerClient(device, ["no-such-python"]))
    monkeypatch.setattr(worker_service, "_shared", service)
    timeout(2.0)
    self_test.setUp()
    with pytest.raises(AssertionError, match="could not be started"):
        self_test.test_point_proposal_apply_undo()
    self_test.tearDown()
    service.close()


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_slicer_ends_in_the_middle_of_a_prediction_and_the_model_with_it(tmp_path):
    mark = str(tmp_path / "mark")
    code = (
        "from SlicerHost.application import Application\n"
        "with Application() as application:\n"
        f"    application.load_module({str(MODULE)!r})\n"
        "    application.start()\n"
        "    from SAMSegmentLib.ui.module.self_test import begin_to_predict\n"
        "    begin_to_predict()\n"
        "    from Testing.Python.ui.module.test_self_test import processes_with\n"
        f"    print(len(processes_with({mark!r})))\n"
        "    assert not application.errors, application.errors\n"
    )
    environment = os.environ | {"SELF_TEST_MARK": mark}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout.split()[-1]) == 2
    end = time.monotonic() + 10
    while (left := processes_with(mark)) and time.monotonic() < end:
        time.sleep(0.1)
    assert left == []


def processes_with(mark: str) -> list[str]:
    """Processes that were started with this in their environment."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark.encode() in environment.read_bytes():
                found.append(environment.parent.name)
    return found


@pytest.mark.slow
def test_all_of_it_passes_with_the_embedded_model(self_test):
    self_test.runTest()
